"""Reading what machines send: JSON of any shape, with nothing believed.

For the vendors' `source.py`. Every function takes any value that JSON can hold (and some that it cannot) and returns
something that fits the limits of `core.integration` and can be stored; what cannot be used is left out, or raises
`FieldError`, whose text names the field and says what to write instead.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from midwatch.core.integration import (
    KEY_MAX,
    LABEL_NAME_MAX,
    LABEL_VALUE_MAX,
    LABELS_MAX,
    LINK_HREF_MAX,
    LINK_TEXT_MAX,
    LINKS_MAX,
    REASON_MAX,
    TITLE_MAX,
    Link,
    Refused,
)
from midwatch.core.text import clean

COUNT_MAX = 1_000_000_000
# Kept first when a sender has more labels than fit: routes and priorities hang on them.
LABELS_FIRST = ("alertname", "severity", "priority", "service", "team", "instance", "job")


class FieldError(ValueError):
    """A field cannot be understood."""

    def refused(self) -> Refused:
        return Refused(clean(str(self), REASON_MAX, is_one_line=True))


def kind_of(value: object) -> str:
    """JSON's name of a value's type, with an article, for sentences."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case Mapping():
            return "an object"
        case list() | tuple():
            return "a list"
        case _:
            return "something else"


def text(value: object, field: str, *, otherwise: str | None = None) -> str:
    """A text field. Null and absence are `otherwise`, or an error when there is none."""
    if isinstance(value, str):
        return value
    if value is None and otherwise is not None:
        return otherwise
    if value is None:
        raise FieldError(f'{field}: is missing, give text, for example "{field.rpartition(".")[2]}": "..."')
    raise FieldError(f'{field}: expected text, got {kind_of(value)}; put it in quotes: "..."')


def mapping(value: object, field: str) -> Mapping[str, Any]:
    """An object field; null and absence are an empty one."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return value
    raise FieldError(f'{field}: expected an object such as {{"name": "value"}}, got {kind_of(value)}')


def items(value: object, field: str) -> list[Any]:
    """A list field; null and absence are an empty one."""
    if value is None:
        return []
    if isinstance(value, list):
        return value
    raise FieldError(f"{field}: expected a list [...], got {kind_of(value)}")


def title(value: str) -> str:
    return clean(value, TITLE_MAX, is_one_line=True)


def shown(value: object, at_most: int) -> str:
    """Any value as text: text as it is, the rest as JSON."""
    if isinstance(value, str):
        return clean(value, at_most)
    try:
        return clean(json.dumps(value, ensure_ascii=False, default=str), at_most)
    except RecursionError:
        return "(nested too deeply to show)"
    except ValueError:  # a whole number of more than 4,300 digits, or a circle
        return "(too large to show)"


def key(value: str) -> str:
    """A dedup or group key within KEY_MAX. Equal texts give equal keys, different ones different keys: a key that is
    too long, or holds what cannot be stored, keeps its beginning and gets its digest."""
    cleaned = clean(value, KEY_MAX)
    if cleaned == value:
        return value
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{clean(value, KEY_MAX - len(digest) - 1)} {digest}"


def labels(value: Mapping[str, Any]) -> tuple[dict[str, str], int]:
    """(labels, how many were dropped). Values that are not text are shown as JSON; those over LABELS_MAX go."""
    names = [name for name in (*LABELS_FIRST, *value) if value.get(name) is not None]  # null is absence
    names = list(dict.fromkeys(names))
    kept: dict[str, str] = {}
    for name in names:
        cleaned = clean(name, LABEL_NAME_MAX, is_one_line=True)
        if cleaned and len(kept) < LABELS_MAX:
            kept.setdefault(cleaned, shown(value[name], LABEL_VALUE_MAX))
    return kept, len(names) - len(kept)


def fingerprint(value: Mapping[str, Any]) -> str:
    """Prometheus' own fingerprint of a set of labels (FNV-1a over sorted names and values, `model.LabelSet`), so that a
    sender which leaves `fingerprint` out means the same alert as one that sends it."""
    state = 0xCBF29CE484222325
    for name in sorted(value, key=str):
        content = value[name]
        for part in (str(name), content if isinstance(content, str) else shown(content, LABEL_VALUE_MAX)):
            for byte in [*part.encode("utf-8", "surrogatepass"), 0xFF]:
                state = ((state ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{state:016x}"


def link(href: object, link_text: object = "") -> Link | None:
    """A link people can follow, or None: http and https, never `javascript:`; not cut, a cut address leads astray."""
    if not isinstance(href, str):
        return None
    address = href.strip()
    if not address or len(address) > LINK_HREF_MAX or clean(address, LINK_HREF_MAX, is_one_line=True) != address:
        return None
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        return None
    return Link(address, clean(link_text, LINK_TEXT_MAX, is_one_line=True) if isinstance(link_text, str) else "")


def links(found: Iterable[Link | None]) -> tuple[Link, ...]:
    """Without the unusable and the repeated, LINKS_MAX at most."""
    kept: dict[str, Link] = {}
    for one in found:
        if one is not None and len(kept) < LINKS_MAX:
            kept.setdefault(one.href, one)
    return tuple(kept.values())


def moment(value: object) -> datetime | None:
    """An RFC 3339 time in UTC. Go's zero time, nonsense and times without a zone are None."""
    if not isinstance(value, str) or not 10 <= len(value) <= 64:
        return None
    try:
        when = datetime.fromisoformat(value)
        if when.tzinfo is None or when.year <= 1970:
            return None
        return when.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def count(value: object) -> int:
    """A count of something; whatever is none, is 0."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return 0
    return min(value, COUNT_MAX)


def wanted_object(payload: object, what: str) -> Mapping[str, Any]:
    """The payload itself. Raises `FieldError` when it is no object."""
    if isinstance(payload, Mapping):
        return payload
    raise FieldError(f"expected {what} as a JSON object, got {kind_of(payload)}")
