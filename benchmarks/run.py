"""Every benchmark, one after another: a table at the end, and the numbers of docs/reference/performance.md.

    python benchmarks/run.py [--only NAME ...] [--quick | --full] [--keep-page]

Each script here takes `--json` and prints its figures as the last line (`measuring/figures.py` says how). What fails is shown
and keeps its older figures on the page. `--quick` shows that everything works and writes nothing. Exit 1 when a script failed;
an aim that was not reached is no failure, it stands in the table.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from measuring import document
from measuring.figures import Chart, Figure, number, read

LONG = {"soak"}  # says something after half an hour only: with --full, or by its name; else its older figures stay
HERE = Path(__file__).resolve().parent
SECONDS_MAX = {"quick": 240, "default": 600, "full": 2 * 3600}


@dataclass
class Run:
    name: str
    figures: list[Figure] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    seconds: float = 0.0
    problem: str = ""


def scripts() -> list[str]:
    return sorted(path.stem for path in HERE.glob("*.py") if path.stem != Path(__file__).stem)


def options(name: str) -> str:
    """The script's own words about what it takes."""
    done = subprocess.run(
        [sys.executable, str(HERE / f"{name}.py"), "--help"], capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout


def run(name: str, size: str) -> Run:
    taken = options(name)
    if "--json" not in taken:
        return Run(name, problem="takes no --json yet: see benchmarks/measuring/figures.py")
    command = [sys.executable, str(HERE / f"{name}.py"), "--json"]
    if size != "default" and f"--{size}" in taken:
        command.append(f"--{size}")
    made = Run(name)
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        said, _ = process.communicate(timeout=SECONDS_MAX[size])
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)  # its servers too
        said, _ = process.communicate()
        made.problem = f"not done after {SECONDS_MAX[size]} s"
    made.seconds = time.monotonic() - started
    lines = [line for line in said.splitlines() if line.strip()]
    print("\n".join(lines[:-1]), flush=True)
    if process.returncode and not made.problem:
        made.problem = f"ended with exit code {process.returncode}"
    if not made.problem:
        try:
            made.figures, made.charts = read(lines[-1] if lines else "")
        except (ValueError, KeyError, TypeError) as error:
            made.problem = f"its last line holds no figures: {error}"
    return made


def table(runs: list[Run]) -> str:
    rows = [("benchmark", "what", "figure", "aim", "reached")]
    for one in runs:
        if one.problem:
            rows.append((one.name, one.problem, "", "", "FAILED"))
        for figure in one.figures:
            aim = f"{figure.aim} {figure.unit}".strip() if figure.aim else ""
            reached = {True: "yes", False: "NO", None: ""}[figure.is_reached]
            rows.append((one.name, figure.what, figure.shown, aim, reached))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def main() -> int:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--only", nargs="+", metavar="NAME", choices=scripts(), help="only these")
    arguments.add_argument("--quick", action="store_true", help="a little of each; nothing is written")
    arguments.add_argument("--full", action="store_true", help="growth at full size, the soak for an hour")
    arguments.add_argument("--keep-page", action="store_true", help="write neither the page nor results.json")
    given = arguments.parse_args()
    size = "quick" if given.quick else "full" if given.full else "default"
    started = time.monotonic()
    runs = []
    for name in given.only or [name for name in scripts() if given.full or given.quick or name not in LONG]:
        print(f"== {name}", flush=True)
        on = document.machine()
        runs.append(run(name, size))
        if not (given.quick or given.keep_page or runs[-1].problem):
            _keep(runs[-1], on, size)
    print(f"\n{table(runs)}\n")
    if not (given.quick or given.keep_page):
        document.write(document.load())
        print(f"written: {document.PAGE.relative_to(document.ROOT)}, its charts, benchmarks/results.json")
    missed = sum(figure.is_reached is False for one in runs for figure in one.figures)
    aimed = sum(figure.is_reached is not None for one in runs for figure in one.figures)
    failed = [one.name for one in runs if one.problem]
    print(
        f"{len(runs)} benchmarks in {number(time.monotonic() - started)} s; {aimed - missed} of {aimed} aims reached"
        + (f"; failed: {', '.join(failed)}" if failed else "")
    )
    return 1 if failed else 0


def _keep(one: Run, on: dict[str, str], size: str) -> None:
    """At once, so that a run that is broken off has not measured in vain."""
    results = document.load()
    results[one.name] = {
        "machine": on,
        "seconds": one.seconds,
        "command": f"python benchmarks/{one.name}.py" + ("" if size == "default" else f" --{size}"),
        "said": json.loads(
            json.dumps(
                {
                    "name": one.name,
                    "figures": [asdict(figure) for figure in one.figures],
                    "charts": [asdict(chart) for chart in one.charts],
                }
            )
        ),
    }
    document.keep(results)


if __name__ == "__main__":
    sys.exit(main())
