"""The file format of the public history of GitHub's status page: one JSON object a line, `parsed/incidents.jsonl` of
github.com/mrshu/github-statuses (MIT). Pure: a line becomes an incident of the past, is skipped, or is refused with a reason.

{"id": "9632825", "title": ..., "url": ..., "started_at": "2022-03-26T01:43:00Z", "resolved_at": ..., "impact": "minor",
 "components": ["Codespaces"], "updates": [{"at": ..., "status": "Investigating", "message": ...}, ...]}

`impact` is none, minor, major, critical or maintenance, and `components` may be missing; more fields are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

from midwatch.api.moments import moment
from midwatch.core.text import clean
from midwatch.respond.incidents.actions import Past, Said

ARCHIVE = "github-statuses"
LINE_BYTES_MAX = 1_000_000
UPDATES_MAX = 500
COMPONENTS_MAX = 50
ID_MAX = 100
TITLE_MAX = 300
TEXT_MAX = 25_000
SEVERITIES = {"critical": "SEV1", "major": "SEV2", "minor": "SEV3", "none": "SEV4"}
MAINTENANCE = "maintenance"
SAME = "update"  # says more in the stage that was reached
STAGES = {
    "investigating": "investigating",
    "identified": "identified",
    "monitoring": "monitoring",
    "mitigated": "monitoring",
    "resolved": "resolved",
    "postmortem": "resolved",
}


class RefusedError(ValueError):
    """A line that is no incident; the message says why."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A line that is right, and is no incident of the past: `why` in a word or two."""

    why: str


@dataclass(frozen=True, slots=True)
class Line:
    """`number`: from 1. `found`: with the names of its components; `RefusedError` is held, so that the rest goes on."""

    number: int
    found: tuple[Past, list[str]] | Skipped | RefusedError


def lines(file: BinaryIO) -> Iterator[Line]:
    """Line by line: no more than `LINE_BYTES_MAX` bytes of the file are held. Empty lines are passed over."""
    number = 0
    while raw := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(raw) > LINE_BYTES_MAX:
            while raw and not raw.endswith(b"\n"):
                raw = file.readline(LINE_BYTES_MAX)
            yield Line(number, RefusedError(f"longer than {LINE_BYTES_MAX:,} bytes"))
        elif raw.strip():
            yield Line(number, read(raw))


def read(raw: bytes) -> tuple[Past, list[str]] | Skipped | RefusedError:
    """One line. Never raises."""
    try:
        value = json.loads(raw.decode("utf-8"))
        if not isinstance(value, dict):
            raise RefusedError("no JSON object")
        return _incident(value)
    except RecursionError:
        return RefusedError("nested too deeply")
    except UnicodeDecodeError:
        return RefusedError("no UTF-8 text")
    except RefusedError as refused:
        return refused
    except ValueError as error:  # json's, int's of thousands of digits
        return RefusedError(f"no JSON: {str(error)[:100]}")


def _incident(value: Mapping[str, Any]) -> tuple[Past, list[str]] | Skipped:
    name = value.get("id")
    if not isinstance(name, str) or not 0 < len(clean(name, ID_MAX, is_one_line=True)) == len(name) <= ID_MAX:
        raise RefusedError(f"'id' is no text of 1 to {ID_MAX} characters")
    impact = value.get("impact")
    if impact == MAINTENANCE:
        return Skipped("maintenance")
    if not isinstance(impact, str) or impact not in SEVERITIES:
        raise RefusedError(f"'impact' is {clean(impact, 40, is_one_line=True)!r}: {', '.join(SEVERITIES)} are known")
    title = clean(_text(value, "title"), TITLE_MAX, is_one_line=True)
    if not title:
        raise RefusedError("'title' is empty")
    if value.get("resolved_at") is None:
        return Skipped("not resolved")
    updates = _updates(value)
    started, resolved = _moment(value, "started_at"), _moment(value, "resolved_at")
    started = min([started, *(said.at for said in updates)])
    if resolved < started:
        raise RefusedError("it is resolved before it began")
    components = _components(value)
    url = clean(value.get("url") or "", 300, is_one_line=True)
    about = [f"From {url}" if url else "", f"Components: {', '.join(components)}" if components else ""]
    past = Past(
        key=f"{ARCHIVE}/{name}",
        title=title,
        severity=SEVERITIES[impact],
        started_at=started,
        resolved_at=resolved,
        mitigated_at=next((one.at for one in updates if one.stage == "monitoring" and one.at <= resolved), None),
        summary="\n\n".join(part for part in about if part),
        updates=updates,
    )
    return past, components


def _updates(value: Mapping[str, Any]) -> list[Said]:
    given = value.get("updates", [])
    if not isinstance(given, list) or len(given) > UPDATES_MAX:
        raise RefusedError(f"'updates' is no list of at most {UPDATES_MAX}")
    read_ones = []
    for one in given:
        if not isinstance(one, dict):
            raise RefusedError("an update is no object")
        text = clean(_text(one, "message"), TEXT_MAX)
        status = clean(_text(one, "status"), 40, is_one_line=True).lower()
        if status not in STAGES and status != SAME:
            raise RefusedError(f"an update's 'status' is {status!r}: {', '.join([*STAGES, SAME])} are known")
        read_ones.append((_moment(one, "at"), status, text))
    stage, found = "investigating", []
    for at, status, text in sorted(read_ones, key=lambda one: one[0]):
        stage = STAGES.get(status, stage)
        if text.strip():
            found.append(Said(at, stage, text))
    return found


def _components(value: Mapping[str, Any]) -> list[str]:
    given = value.get("components") or []
    if not isinstance(given, list) or len(given) > COMPONENTS_MAX or not all(isinstance(one, str) for one in given):
        raise RefusedError(f"'components' is no list of at most {COMPONENTS_MAX} names")
    return [name for one in given if (name := clean(one, 100, is_one_line=True))]


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    if not isinstance(found, str):
        raise RefusedError(f"'{name}' is no text")
    return found


def _moment(value: Mapping[str, Any], name: str) -> datetime:
    try:
        return moment(_text(value, name))
    except RefusedError:
        raise
    except ValueError as error:
        raise RefusedError(f"'{name}': {error}") from error
