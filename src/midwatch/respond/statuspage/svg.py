"""Drawings without scripts and without styles of their own: ninety days of bars, and the badge for other people's pages."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from django.utils.safestring import SafeString

from midwatch.respond.availability.intervals import Day
from midwatch.respond.statuspage.standing import Standing

STEP, WIDTH, HEIGHT = 5, 3, 34
TONES = {"none": "#2f7d4f", "maintenance": "#35659c", "minor": "#8a6100", "major": "#b3531a", "critical": "#b3261e"}


def day_class(day: Day) -> str:
    """grey (nothing known), ok, degraded, partial or major."""
    if day.sums is None:
        return "grey"
    for level in ("major", "partial", "degraded"):
        if getattr(day.sums, level) > 0:
            return level
    return "ok"


def day_words(day: Day) -> str:
    """ "3 Mar 2026: 12 min major outage"."""
    name = day.on.strftime("%-d %b %Y")
    if day.sums is None:
        return f"{name}: nothing recorded"
    parts = [
        f"{length(getattr(day.sums, level))} {words}"
        for level, words in (("major", "major outage"), ("partial", "partial outage"), ("degraded", "degraded"))
        if getattr(day.sums, level) > 0
    ]
    return f"{name}: {', '.join(parts) or 'no downtime recorded'}"


def length(seconds: float) -> str:
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes = round(whole / 60)
    hours, rest = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def bars(days: Sequence[Day], about: str) -> SafeString:
    """Days without trouble are one path, so that fifteen components stay a small page; the others say what it was."""
    plain: dict[str, list[str]] = {"grey": [], "ok": []}
    troubled = []
    for place, day in enumerate(days):
        kind = day_class(day)
        x = place * STEP
        if kind in plain:
            plain[kind].append(f"M{x} 0h{WIDTH}v{HEIGHT}h-{WIDTH}z")
        else:
            rect = f'<rect class="bar-{kind}" x="{x}" width="{WIDTH}" height="{HEIGHT}">'
            troubled.append(f"{rect}<title>{escape(day_words(day))}</title></rect>")
    paths = "".join(f'<path class="bar-{kind}" d="{"".join(found)}"/>' for kind, found in plain.items() if found)
    box = f"0 0 {len(days) * STEP - (STEP - WIDTH)} {HEIGHT}"
    return SafeString(
        f'<svg class="bars" viewBox="{box}" preserveAspectRatio="none" role="img" aria-label="{escape(about)}">'
        f"{paths}{''.join(troubled)}</svg>"
    )


def badge(label: str, standing: Standing) -> str:
    """A small picture to embed: what the page says, in words and colour."""
    left, right = escape(label[:60]), escape(standing.description)
    left_width = 14 + round(6.6 * min(len(label), 60))
    right_width = 14 + round(6.6 * len(standing.description))
    whole = left_width + right_width
    about = f"{left}: {right}"
    text = 'text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" fill="#fff"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" role="img" aria-label="{about}">'
        f"<title>{about}</title>"
        f'<rect width="{left_width}" height="20" fill="#3b4252"/>'
        f'<rect x="{left_width}" width="{right_width}" height="20" fill="{TONES[standing.indicator]}"/>'
        f'<text x="{left_width / 2:g}" y="14" {text}>{left}</text>'
        f'<text x="{left_width + right_width / 2:g}" y="14" {text}>{right}</text></svg>'
    )
