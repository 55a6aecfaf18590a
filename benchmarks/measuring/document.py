"""Where figures are kept (`benchmarks/results.json`) and shown (`docs/reference/performance.md`, `docs/img/bench-*.svg`).

Only what stands between the markers is written; the prose around them is by hand.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pysqlite3

from measuring import charts
from measuring.figures import Chart, Figure, read

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results.json"
PAGE = ROOT / "docs" / "reference" / "performance.md"
IMAGES = ROOT / "docs" / "img"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
BARS_MAX = 14


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    model = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return {
        "processor": f"{len(os.sched_getaffinity(0))} cores, {model}",
        "memory": f"{memory / 1024 / 1024:.0f} GiB",
        "system": _system(),
        "python": platform.python_version(),
        "django": _version("django"),
        "sqlite": _sqlite(),
        "postgresql": _postgresql(),
        "load": f"{os.getloadavg()[0]:.1f}",
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _system() -> str:
    found = [line.split("=", 1)[1].strip('"') for line in _lines("/etc/os-release") if line.startswith("PRETTY_NAME=")]
    return f"{found[0] if found else platform.system()}, Linux {'.'.join(platform.release().split('.')[:2])}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


def _sqlite() -> str:
    return str(pysqlite3.sqlite_version)


def _postgresql() -> str:
    for place in (*sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True),):
        return subprocess.run([place, "--version"], capture_output=True, text=True, check=False).stdout.split()[2]
    return "none here"


def load() -> dict[str, Any]:
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def keep(results: Mapping[str, Any]) -> None:
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")


def write(results: Mapping[str, Any]) -> None:
    """The page's numbers and its charts, from all that is kept."""
    text = PAGE.read_text()
    before, found, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (found and ended):
        raise SystemExit(f"{PAGE.name}: the markers {BEGIN} and {END} are gone; put them back where the numbers belong")
    for old in IMAGES.glob("bench-*.svg"):
        old.unlink()
    sections = [_section(name, results[name]) for name in sorted(results)]
    PAGE.write_text(f"{before}{BEGIN}\n\n" + "\n".join(sections) + f"\n{END}{after}")


def _section(name: str, kept: Mapping[str, Any]) -> str:
    figures, given = read(json.dumps(kept["said"]))
    on = kept["machine"]
    lines = [
        f"### {name}",
        "",
        f"{on['date']}: {on['processor']}, {on['memory']}, {on['system']}; Python {on['python']}, Django {on['django']}, "
        f"SQLite {on['sqlite']}, PostgreSQL {on['postgresql']}; load at the start {on['load']}. `{kept['command']}`, {kept['seconds']:.0f} s.",
        "",
        "| what | figure | aim | reached |",
        "|---|---|---|---|",
    ]
    for one in figures:
        aim = f"{one.aim} {one.unit}".strip() if one.aim else ""
        lines.append(f"| {one.what.replace('|', '/')} | {one.shown} | {aim} | {yes_no(one)} |")
    for chart in given or bars_of(name, figures):
        (IMAGES / f"bench-{chart.name}.svg").write_text(charts.draw(chart))
        lines += ["", f"![{chart.title}](../img/bench-{chart.name}.svg)"]
    return "\n".join(lines) + "\n"


def yes_no(figure: Figure) -> str:
    return {True: "yes", False: "**no**", None: ""}[figure.is_reached]


def bars_of(name: str, figures: list[Figure]) -> list[Chart]:
    """The figures of the commonest unit, when there are enough to compare."""
    counted = Counter(figure.unit for figure in figures).most_common(1)
    if not counted or counted[0][1] < 3:
        return []
    unit = counted[0][0]
    rows = [[one.what, one.value, one.bound, one.is_reached is False] for one in figures if one.unit == unit]
    return [Chart(name=name, title=f"{name}: {unit}", unit=unit, rows=rows[:BARS_MAX])]
