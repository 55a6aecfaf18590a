from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from midwatch.core.integration import channels, inbounds, sources, vendors

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "src" / "midwatch" / "integrations"
CAPABILITIES = {
    "source.py",
    "channel.py",
    "inbound.py",
    "chat.py",
    "tracker.py",
    "talk.py",
    "publisher.py",
    "runner.py",
    "importer.py",
}
PERMITTED = {"feeds", "integration", "talking", "tracking", "net", "payload", "text", "text_sms", "webhook_v4"}
PERMITTED_RUNNERS = PERMITTED | {"asking", "programs", "running"}
PERMITTED_IMPORTERS = {"foreign", "patterns"}
# Of the standard library shapes, text and signatures are enough: no files, no sockets, no clock.
STANDARD = {
    "__future__", "base64", "collections", "dataclasses", "datetime", "email", "hashlib", "hmac", "html", "json", "re",
    "shlex", "typing", "urllib", "uuid", "xml",
}  # fmt: skip
# An executor starts programs and writes the files that they read, in the step's own directory; waiting is core's.
STANDARD_RUNNERS = STANDARD | {
    "asyncio", "concurrent", "contextlib", "functools", "os", "pathlib", "secrets", "shlex", "shutil", "sys", "threading",
}  # fmt: skip


def imported(path: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports in full"
            module = node.module or ""
            names += [f"{module}.{alias.name}" for alias in node.names] if module == "midwatch.core" else [module]
    return names


def test_every_folder_is_found() -> None:
    assert vendors() == sorted(path.parent.name for path in FOLDER.glob("*/__init__.py"))
    assert {"alertmanager", "generic", "grafana", "pagerduty"} <= set(sources())
    assert {"email", "ntfy", "sms", "voice", "webhook"} <= set(channels())
    assert "twilio" in inbounds()


@pytest.mark.parametrize("vendor", vendors())
def test_a_folder_is_whole(vendor: str) -> None:
    folder = FOLDER / vendor
    assert CAPABILITIES & {path.name for path in folder.iterdir()}, "a vendor has at least one capability"
    readme = (folder / "README.md").read_text()
    assert readme.startswith("# ")
    assert len(readme) > 300, "say how to set it up, what it can do and what it cannot"
    docstring = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    assert re.search(r"comes after", docstring, re.I)
    assert re.search(r"comes before", docstring, re.I)
    assert f"`{vendor}`" in (ROOT / "docs" / "reference" / "integrations.md").read_text()


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda path: str(path.relative_to(FOLDER)))
def test_vendors_know_the_protocol_and_nothing_else(path: Path) -> None:
    vendor = path.relative_to(FOLDER).parts[0]
    is_runner = (path.parent / "runner.py").exists()
    permitted, standard = (PERMITTED_RUNNERS, STANDARD_RUNNERS) if is_runner else (PERMITTED, STANDARD)
    if (path.parent / "importer.py").exists():
        permitted = permitted | PERMITTED_IMPORTERS
    for name in imported(path):
        if name.startswith("midwatch.integrations."):
            assert f"{name}.".startswith(f"midwatch.integrations.{vendor}."), f"{path}: vendors do not know each other"
        elif name.startswith("midwatch"):
            part = name.partition("midwatch.core.")[2].partition(".")[0]
            assert part in permitted, f"{path} imports {name}"
        else:
            assert name.partition(".")[0] in standard, f"{path} imports {name}"
    assert len(path.read_text().splitlines()) <= 300, "a vendor file is short enough to review on a phone"


def test_no_django_inside() -> None:
    program = (
        "import sys; from midwatch.core.integration import *; from midwatch.core import integration as i;"
        "i.sources(); i.channels(); i.inbounds(); i.runners(); i.importers();"
        "print(sorted(m for m in sys.modules if m.split('.')[0] == 'django'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
    )
    assert done.stdout.strip() == "[]"
