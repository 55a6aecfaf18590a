"""What the templates of the public page need: words, times in the page's zone, bars."""

from __future__ import annotations

from datetime import date, datetime
from html import escape
from zoneinfo import ZoneInfo

from django import template
from django.utils.safestring import SafeString

from midwatch.core import markdown
from midwatch.respond.statuspage import svg
from midwatch.respond.statuspage.links import Links
from midwatch.respond.statuspage.queries import Bars
from midwatch.respond.statuspage.standing import WORDS

register = template.Library()


@register.filter
def word(status: str) -> str:
    return WORDS.get(status, status)


@register.filter
def prose(text: str) -> SafeString:
    return markdown.render(text)


@register.simple_tag
def at(moment: datetime | None, zone: ZoneInfo) -> SafeString:
    """ "3 Mar 2026, 02:14 CET", as a <time>; nothing of a moment that is not known: a visitor's page never fails for it."""
    if moment is None:
        return SafeString("")
    local = moment.astimezone(zone)
    text = escape(local.strftime("%-d %b %Y, %H:%M %Z"))
    return SafeString(f'<time datetime="{moment.isoformat(timespec="seconds")}">{text}</time>')


@register.filter
def day(on: date) -> str:
    return on.strftime("%-d %B %Y")


@register.simple_tag
def drawn_bars(bars: Bars, name: str) -> SafeString:
    percent = f", {bars.percent} % uptime" if bars.percent else ""
    return svg.bars(bars.days, f"{name}: the last {len(bars.days)} days{percent}")


@register.simple_tag
def troubles(bars: Bars) -> list[str]:
    """The days on which something was wrong, in words: for touch, keyboards and ears."""
    return [svg.day_words(one) for one in bars.days if svg.day_class(one) in {"degraded", "partial", "major"}][::-1]


@register.simple_tag
def notice_link(links: Links, wire_id: str) -> str:
    return links.notice(wire_id)
