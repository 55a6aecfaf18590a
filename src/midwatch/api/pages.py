"""Lists a page at a time: `{"items": [...], "next_cursor": null | "..."}`.

A cursor is opaque to callers and names the last row shown, so rows that arrive meanwhile neither repeat nor hide any.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db import models

from midwatch.api.problems import invalid

LIMIT_DEFAULT = 50
LIMIT_MAX = 200
CURSOR_MAX = 400

Row = TypeVar("Row")
M = TypeVar("M", bound=models.Model)


def cursor_of(kind: str, last: int | str) -> str:
    return base64.urlsafe_b64encode(json.dumps([kind, last]).encode()).decode().rstrip("=")


def _last_of(kind: str, cursor: str) -> Any:
    wrong = invalid("query.cursor", "take the `next_cursor` of the page before as it is, or leave it out for the first")
    if len(cursor) > CURSOR_MAX or not cursor.isascii():
        raise wrong
    try:
        found = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise wrong from error
    if not isinstance(found, list) or len(found) != 2 or found[0] != kind:
        raise wrong
    return found[1]


def last_number(kind: str, cursor: str) -> int | None:
    """The number a cursor names, or None for the first page."""
    if not cursor:
        return None
    last = _last_of(kind, cursor)
    if not isinstance(last, int) or isinstance(last, bool) or not 0 <= last < 2**63:
        raise invalid("query.cursor", "take the `next_cursor` of the page before as it is")
    return last


def last_name(kind: str, cursor: str) -> str:
    last = _last_of(kind, cursor) if cursor else ""
    if not isinstance(last, str):
        raise invalid("query.cursor", "take the `next_cursor` of the page before as it is")
    return last


def page(rows: Sequence[Row], limit: int, show: Callable[[Row], Any], cursor: Callable[[Row], str]) -> dict[str, Any]:
    """`rows`: one more than `limit` when there are more."""
    shown = rows[:limit]
    return {
        "items": [show(row) for row in shown],
        "next_cursor": cursor(shown[-1]) if len(rows) > limit and shown else None,
    }


def by_name(found: models.QuerySet[M], kind: str, cursor: str, limit: int, show: Callable[[M], Any]) -> dict[str, Any]:
    """A page of things that have a unique `name`, in its order."""
    rows = list(found.filter(name__gt=last_name(kind, cursor)).order_by("name")[: limit + 1])
    return page(rows, limit, show, lambda row: cursor_of(kind, str(getattr(row, "name", ""))))


def by_id(found: models.QuerySet[M], kind: str, cursor: str, limit: int, show: Callable[[M], Any]) -> dict[str, Any]:
    """A page of things without a name, oldest first."""
    rows = list(found.filter(pk__gt=last_number(kind, cursor) or 0).order_by("pk")[: limit + 1])
    return page(rows, limit, show, lambda row: cursor_of(kind, int(row.pk)))
