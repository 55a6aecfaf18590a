"""What intake shows on a source's page: the raw events as they came."""

from __future__ import annotations

import json
from dataclasses import dataclass

from django.http import HttpRequest
from django.template.loader import render_to_string

from midwatch.core.contribute import Panel
from midwatch.core.text import clean
from midwatch.intake.decode import BrokenError, decode_object
from midwatch.intake.log import LogError, Record, event_log
from midwatch.respond.alerts.models import Source

EVENTS_SHOWN = 10
BODY_SHOWN = 8_000  # bytes of each
HEAD_SHOWN = 160  # characters


@dataclass(frozen=True, slots=True)
class Shown:
    """`text`: the body, indented where it is JSON and whole. `head`: its beginning, to tell events apart."""

    record: Record
    text: str
    head: str
    is_cut: bool
    why_refused: str


def _shown(record: Record) -> Shown:
    is_cut = len(record.body) > BODY_SHOWN
    why = ""
    if record.kind == "refused":
        why = (
            f"{record.minted.get('status', '')} {clean(record.minted.get('reason', ''), 300, is_one_line=True)}".strip()
        )
    head = clean(record.body[: HEAD_SHOWN * 4].decode("utf-8", "replace"), HEAD_SHOWN, is_one_line=True)
    return Shown(record, _text(record.body, is_cut=is_cut), head, is_cut, why)


def _text(body: bytes, *, is_cut: bool) -> str:
    if not is_cut:
        try:
            return clean(json.dumps(decode_object(body), indent=2, ensure_ascii=False), BODY_SHOWN * 3)
        except BrokenError:
            pass  # not JSON: as it came
    return clean(body[:BODY_SHOWN].decode("utf-8", "replace"), BODY_SHOWN)


def _events(request: HttpRequest, source: Source) -> str:
    try:
        records = event_log().events_of(source.pk, EVENTS_SHOWN, body_max=BODY_SHOWN + 1)
    except LogError as error:
        return render_to_string("intake/_events.html", {"problem": str(error)}, request)
    return render_to_string("intake/_events.html", {"events": [_shown(record) for record in records]}, request)


PANELS = [Panel("source.events", 10, _events)]
