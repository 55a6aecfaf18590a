"""Moments as callers write them, in the API and on the command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

YEAR_MIN, YEAR_MAX = 1970, 2199
_PLUS_LOST = re.compile(r" (\d\d:?\d\d)$")  # `+` in an address means a space


def moment(given: str) -> datetime:
    """Aware UTC. Without an offset it is read as UTC. Raises `ValueError` with a sentence that says what to write."""
    text = _PLUS_LOST.sub(r"+\1", given.strip()) if "T" in given.upper() else given.strip()
    try:
        found = datetime.fromisoformat(text)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{given[:40]!r} is no moment: write 2026-01-05T09:00:00+01:00, 2026-01-05T08:00Z or 2026-01-05"
        ) from error
    if not YEAR_MIN <= found.year <= YEAR_MAX:
        raise ValueError(f"{given[:40]!r}: write a year from {YEAR_MIN} to {YEAR_MAX}")
    return found


def _read(value: Any) -> Any:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError("write a moment as text: 2026-01-05T09:00:00+01:00")
    return moment(value)


Moment = Annotated[datetime, BeforeValidator(_read), WithJsonSchema({"type": "string", "format": "date-time"})]
