"""Runs of `midwatch-sim` in processes of their own: the simulation has its own settings and its own databases."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def simulate(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MIDWATCH_")}
    command = [sys.executable, "-m", "midwatch.simulation", *args]
    return subprocess.run(command, capture_output=True, text=True, env={**kept, **environment}, check=False)


def told(*args: str) -> list[dict[str, Any]]:
    """Each seed's figures and verdict."""
    ran = simulate("--json", "--no-shrink", *args)
    assert ran.returncode in {0, 1}, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]


def with_bug(name: str) -> tuple[str, str]:
    """The arguments that plant it."""
    return "--import", f"{HERE}:planted/{name}"
