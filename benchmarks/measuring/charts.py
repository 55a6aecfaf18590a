"""Charts as SVG: bars and lines, readable on light and dark, and by a screen reader."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from measuring.figures import Chart, number

WIDTH = 760
LABELS = 300
ROW = 26
STYLE = """
text{font:13px system-ui,sans-serif;fill:#1f2933}.dim{fill:#52606d}.grid{stroke:#cbd2d9}.bar{fill:#2b6cb0}.miss{fill:#c05621}
.aim{stroke:#1f2933;stroke-width:2;stroke-dasharray:4 3}.l0{stroke:#2b6cb0}.l1{stroke:#c05621}.l2{stroke:#2f855a}.l3{stroke:#805ad5}
.line{fill:none;stroke-width:2}
@media(prefers-color-scheme:dark){text{fill:#e4e7eb}.dim{fill:#9aa5b1}.grid{stroke:#3e4c59}.bar{fill:#63b3ed}.miss{fill:#f6ad55}
.aim{stroke:#e4e7eb}.l0{stroke:#63b3ed}.l1{stroke:#f6ad55}.l2{stroke:#68d391}.l3{stroke:#b794f4}}
"""


def draw(chart: Chart) -> str:
    """The whole SVG document."""
    body, height, about = _lines(chart) if chart.kind == "lines" else _bars(chart)
    style = STYLE.replace("\n", "")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="t d">\n'
        f'<title id="t">{escape(chart.title)}</title>\n<desc id="d">{escape(about)}</desc>\n<style>{style}</style>\n'
        f'<text x="8" y="20" font-weight="600">{escape(chart.title)}</text>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _top(value: float) -> float:
    """The next round number above."""
    if value <= 0:
        return 1.0
    power = 10 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= value)


def _bars(chart: Chart) -> tuple[list[str], int, str]:
    rows: Sequence[Sequence[Any]] = chart.rows
    aims = [row[2] for row in rows if row[2] is not None]
    top = _top(max([*(row[1] for row in rows), *aims, 0.0]))
    scale = (WIDTH - LABELS - 90) / top
    body, said = [], []
    for index, (label, value, aim, *is_missed) in enumerate(rows):
        y = 34 + index * ROW
        kind = "miss" if any(is_missed) else "bar"
        body.append(f'<text x="{LABELS - 8}" y="{y + 15}" text-anchor="end">{escape(_short(label))}</text>')
        width = max(1.0, value * scale)
        body.append(f'<rect class="{kind}" x="{LABELS}" y="{y + 3}" width="{width:.1f}" height="{ROW - 10}" rx="2"/>')
        shown = f"{number(value)} {chart.unit}".strip()
        body.append(f'<text x="{LABELS + width + 6:.1f}" y="{y + 15}" class="dim">{escape(shown)}</text>')
        if aim is not None:
            x = LABELS + aim * scale
            body.append(f'<line class="aim" x1="{x:.1f}" x2="{x:.1f}" y1="{y}" y2="{y + ROW - 4}"/>')
        said.append(f"{label}: {shown}" + (f", aim {number(aim)}" if aim is not None else ""))
    height = 34 + len(rows) * ROW + (26 if aims else 8)
    if aims:
        body.append(f'<text x="{LABELS}" y="{height - 8}" class="dim">dashed: the aim</text>')
    return body, height, "; ".join(said)


def _short(label: str, size: int = 44) -> str:
    return label if len(label) <= size else label[: size - 1] + "…"


def _lines(chart: Chart) -> tuple[list[str], int, str]:
    height, left, bottom = 320, 60, 280
    points = [point for line in chart.lines for point in line["points"]]
    top = _top(max((y for _, y in points), default=1.0))
    right = max((x for x, _ in points), default=1.0) or 1.0
    body, said = [], []
    for step in range(5):
        y = bottom - step * (bottom - 40) / 4
        body.append(f'<line class="grid" x1="{left}" x2="{WIDTH - 20}" y1="{y:.1f}" y2="{y:.1f}"/>')
        body.append(
            f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end" class="dim">{number(top * step / 4)}</text>'
        )
    for index, line in enumerate(chart.lines):
        path = " ".join(
            f"{left + x / right * (WIDTH - left - 20):.1f},{bottom - y / top * (bottom - 40):.1f}"
            for x, y in line["points"]
        )
        body.append(f'<polyline class="line l{index % 4}" points="{path}"/>')
        x = left + index * 170
        body.append(f'<line class="line l{index % 4}" x1="{x}" x2="{x + 18}" y1="{height - 8}" y2="{height - 8}"/>')
        body.append(f'<text x="{x + 24}" y="{height - 4}">{escape(_short(line["name"], 20))}</text>')
        first, last = line["points"][0][1], line["points"][-1][1]
        said.append(f"{line['name']}: from {number(first)} to {number(last)} {chart.unit}")
    body.append(f'<text x="{left}" y="36" class="dim">{escape(chart.unit)}</text>')
    end = f"{number(right)} {chart.x_unit}"
    body.append(f'<text x="{WIDTH - 20}" y="{bottom + 16}" text-anchor="end" class="dim">{escape(end)}</text>')
    return body, height, "; ".join(said)
