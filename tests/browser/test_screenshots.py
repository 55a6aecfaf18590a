"""`make screenshots` runs beside no tests: its harness knows no Django, and the pictures are made of a running demo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "screenshots.py"
# As `make screenshots` starts it: nothing of the tests' environment, no Django set up.
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if not name.startswith(("MIDWATCH_", "DJANGO_", "PYTEST_"))
}


def run(*arguments: str, seconds: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env=ENVIRONMENT,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )


def test_the_harness_is_imported_without_django() -> None:
    code = f"""
import runpy, sys
runpy.run_path({str(SCRIPT)!r}, run_name="imported")
print(sorted(name for name in sys.modules if name.partition(".")[0] in ("django", "midwatch")))
"""
    done = run("-c", code, seconds=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.browser
def test_a_picture_is_drawn(tmp_path: Path) -> None:
    done = run(str(SCRIPT), "--only", "now", "--into", str(tmp_path), seconds=300)
    assert done.returncode == 0, done.stderr
    drawn = {path.name for path in tmp_path.iterdir()}
    assert drawn == {f"now-{screen}-{theme}.png" for screen in ("phone", "desktop") for theme in ("light", "dark")}
    for path in tmp_path.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG"), path.name
        assert path.stat().st_size > 10_000, f"{path.name} is empty"
