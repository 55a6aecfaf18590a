"""Bars by week as SVG, without scripts and styles of their own; the page shows the same numbers as a table."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

HEIGHT, STEP, BAR = 80, 14, 10


def bars(values: Sequence[int], titles: Sequence[str], about: str) -> SafeString:
    """A bar a week. `titles` stand in the bars' tool tips, `about` is what a screen reader says of the whole."""
    top = max([*values, 1])
    drawn = []
    for place, (value, title) in enumerate(zip(values, titles, strict=True)):
        height = round(value / top * (HEIGHT - 2), 1) if value else 1
        drawn.append(
            f'<rect class="bar{"" if value else " is-none"}" x="{place * STEP}" y="{HEIGHT - height}" width="{BAR}" '
            f'height="{height}" rx="1"><title>{escape(title)}: {value}</title></rect>'
        )
    width = max(len(values) * STEP, STEP)
    return format_html(
        '<svg class="week-bars" viewBox="0 0 {} {}" role="img" aria-label="{}" preserveAspectRatio="none">{}</svg>',
        width,
        HEIGHT,
        f"{about}: {sum(values)} in {len(values)} weeks, at most {max([*values, 0])} in one",
        mark_safe("".join(drawn)),  # noqa: S308 - numbers, and titles that are escaped above
    )
