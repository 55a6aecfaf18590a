"""The public page as bytes: for a visitor, and for an export. What was made is kept until the page's version goes up."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from django.template.loader import render_to_string

from midwatch.core import clock, zones
from midwatch.respond.statuspage import feeds, queries, svg, wire
from midwatch.respond.statuspage.links import Links
from midwatch.respond.statuspage.models import Notice, Page

KEPT_SECONDS = 30.0  # today's bar grows and maintenance comes nearer without anybody's doing
KEPT_MAX = 400
KEPT_BYTES_MAX = 64 * 1024 * 1024
LOOK = Path(__file__).parent / "look" / "status.css"


@cache
def look() -> bytes:
    return LOOK.read_bytes()


@cache
def look_version() -> str:
    return hashlib.sha256(look()).hexdigest()[:10]


@dataclass(frozen=True, slots=True)
class Made:
    body: bytes
    etag: str
    at: float


class Kept:
    """What was rendered, by key, the least used forgotten first. One of a process."""

    def __init__(self) -> None:
        self._found: OrderedDict[tuple[object, ...], Made] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: tuple[object, ...], make: Callable[[], bytes]) -> Made:
        now = clock.monotonic()
        with self._lock:
            found = self._found.get(key)
            if found is not None and now - found.at < KEPT_SECONDS:
                self._found.move_to_end(key)
                return found
        body = make()
        made = Made(body, f'"{hashlib.sha256(body).hexdigest()[:24]}"', now)
        with self._lock:
            before = self._found.pop(key, None)
            self._bytes += len(body) - (len(before.body) if before is not None else 0)
            self._found[key] = made
            while len(self._found) > KEPT_MAX or self._bytes > KEPT_BYTES_MAX:
                _, gone = self._found.popitem(last=False)
                self._bytes -= len(gone.body)
        return made

    def forget(self) -> None:
        with self._lock:
            self._found.clear()
            self._bytes = 0


kept = Kept()


def _common(page: Page, links: Links) -> dict[str, Any]:
    zone = zones.zone(page.time_zone)
    return {
        "page": page,
        "links": links,
        "zone": zone,
        "look_version": look_version(),
        "began": page.created_at.astimezone(zone).date(),
    }


def home(page: Page, links: Links, *, renews: bool = False) -> bytes:
    context = {**_common(page, links), "sight": queries.sight(page), "renews": renews}
    return render_to_string("statuspage/public/page.html", context).encode()


def notice(page: Page, found: Notice, links: Links) -> bytes:
    return render_to_string("statuspage/public/notice.html", {**_common(page, links), "notice": found}).encode()


def history(page: Page, links: Links, month: date) -> bytes:
    """One month, the days so far."""
    zone = zones.zone(page.time_zone)
    today = clock.now().astimezone(zone).date()
    first, last = month, min(_next_month(month) - timedelta(days=1), today)
    earliest = queries.first_month(page)
    before, after = (month - timedelta(days=1)).replace(day=1), _next_month(month)
    joined = "&" if links.query else "?"
    context = {
        **_common(page, links),
        "month": month,
        "days": queries.history(page, first, last, zone),
        "earlier": f"{links.history}{joined}month={before:%Y-%m}" if before >= earliest else "",
        "later": f"{links.history}{joined}month={after:%Y-%m}" if after <= today else "",
    }
    return render_to_string("statuspage/public/history.html", context).encode()


def whole_history(page: Page, links: Links) -> bytes:
    """For an export: every day on which something was, in one file."""
    zone = zones.zone(page.time_zone)
    today = clock.now().astimezone(zone).date()
    days = queries.history(page, queries.first_month(page), today, zone, at_most=5_000)
    context = {**_common(page, links), "days": [day for day in days if day.notices]}
    return render_to_string("statuspage/public/history.html", context).encode()


def said(page: Page, links: Links, template: str, context: dict[str, Any]) -> bytes:
    return render_to_string(template, {**_common(page, links), **context}).encode()


def api(page: Page, name: str) -> bytes:
    """`name`: a key of `wire.ANSWERS`."""
    return json.dumps(wire.ANSWERS[name](page), ensure_ascii=False, separators=(",", ":")).encode()


def badge(page: Page, label: str) -> bytes:
    components = list(page.components.all())
    standing = queries.standing_of(queries.shown_statuses(components), queries.open_notices(page))
    return svg.badge(label or page.title, standing).encode()


atom, rss = feeds.atom, feeds.rss


def _next_month(month: date) -> date:
    return (month + timedelta(days=32)).replace(day=1)
