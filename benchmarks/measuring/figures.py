"""A figure: what was measured, how much of what, and what was aimed at.

Every script in `benchmarks/` takes `--json` and then prints, as its last line on stdout,

    {"name": "growth", "figures": [{"what": "...", "value": 12.3, "unit": "ms", "aim": "<= 150"}], "charts": [...]}

`aim` is None or text in the figure's own unit: "<= 150", ">= 0.45", "== 0". `charts` may be left out; then the runner draws the
figures of the commonest unit as bars. `--quick` measures less of the same, `--full` at full size. `parser` and `report` do it all.
"""

from __future__ import annotations

import argparse
import json
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

WORDS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "==": operator.eq,
    "at most": operator.le,
    "under": operator.lt,
    "at least": operator.ge,
    "over": operator.gt,
}
AIM = re.compile(r"^\s*(" + "|".join(map(re.escape, sorted(WORDS, key=len, reverse=True))) + r")?\s*(-?[\d,]*\.?\d+)")


@dataclass(frozen=True)
class Figure:
    what: str
    value: float
    unit: str
    aim: str | None = None

    @property
    def bound(self) -> float | None:
        """The number in the aim."""
        found = AIM.match(self.aim or "")
        return float(found[2].replace(",", "")) if found else None

    @property
    def is_reached(self) -> bool | None:
        """None: nothing was aimed at."""
        found = AIM.match(self.aim or "")
        bound = self.bound
        if found is None or bound is None:
            return None
        is_rate = self.unit in {"ratio", ""} or "/s" in self.unit
        compare = WORDS[found[1]] if found[1] else (operator.ge if is_rate else operator.le)
        return compare(self.value, bound)

    @property
    def shown(self) -> str:
        return f"{number(self.value)} {self.unit}".strip()


@dataclass(frozen=True)
class Chart:
    """`bars`: [label, value, aim or None] each; `lines`: {"name", "points": [[x, y], ...]} each."""

    name: str
    title: str
    unit: str
    kind: str = "bars"
    rows: list[list[Any]] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    x_unit: str = ""


def number(value: float) -> str:
    """Three digits that mean something."""
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= 0.1 else f"{value:.3f}"


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def parser(about: str | None) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=(about or "").strip().splitlines()[0])
    made.add_argument("--json", action="store_true", help="the figures as one JSON line at the end")
    made.add_argument("--quick", action="store_true", help="less of the same, to see that it works")
    made.add_argument("--full", action="store_true", help="the full size, which takes longer")
    return made


def report(name: str, figures: Sequence[Figure], *, as_json: bool, charts: Sequence[Chart] = ()) -> None:
    """Print the figures: a table for people, and with `as_json` the line that the runner reads."""
    width = max((len(figure.what) for figure in figures), default=0)
    for figure in figures:
        aim = f"   aim {figure.aim} {figure.unit}".rstrip() if figure.aim else ""
        print(f"{figure.what:<{width}}  {figure.shown:>16}{aim}", flush=True)
    if as_json:
        said = {"name": name, "figures": [asdict(one) for one in figures], "charts": [asdict(one) for one in charts]}
        print(json.dumps(said), flush=True)


def read(line: str) -> tuple[list[Figure], list[Chart]]:
    """What `report` printed, or an older or leaner script. Raises ValueError when it is no such line."""
    said = json.loads(line)
    if not isinstance(said, dict) or not isinstance(said.get("figures"), list):
        raise ValueError('expected {"name": ..., "figures": [...]}')
    figures = []
    for one in said["figures"]:
        aim = one.get("aim")
        figures.append(
            Figure(
                str(one["what"]),
                float(one["value"]),
                str(one.get("unit") or ""),
                str(aim) if aim not in (None, "") else None,
            )
        )
    return figures, [Chart(**chart) for chart in said.get("charts") or ()]
