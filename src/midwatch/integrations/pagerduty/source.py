"""PagerDuty Events API v2 (PagerDuty/api-schema, reference/events-v2): trigger, acknowledge, resolve; change events.

`reply` answers in PagerDuty's words, from the lane, before the event is stored; `parse` reads what was stored.
Texts of errors are PagerDuty's, because clients match on them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from midwatch.core import payload as read
from midwatch.core.integration import DESCRIPTION_MAX, LABEL_VALUE_MAX, Accept, Event, Refuse, Refused, Rejected, Status
from midwatch.core.text import clean

TYPE = "pagerduty"
TITLE = "PagerDuty Events API v2"
BODY_MAX = 1024 * 1024
EXAMPLE = """{
  "routing_key": "0123456789abcdef0123456789abcdef", "event_action": "trigger", "dedup_key": "db3/disk",
  "payload": {"summary": "Disk of db3 is 97% full", "source": "db3", "severity": "critical"}
}"""

ROUTING_KEY_CHARACTERS = 32
STATUSES: Mapping[str, Status] = {"trigger": "firing", "acknowledge": "acknowledged", "resolve": "resolved"}
SEVERITIES = ("critical", "warning", "error", "info")
SEVERITY_ERROR = (
    "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')"
)
ACTION_ERROR = "'event_action' is invalid (must be one of the following: 'trigger', 'acknowledge' or 'resolve')"
LABEL_FIELDS = ("source", "component", "group", "class", "severity")
DETAILS_MAX = 200


def reply(body: bytes) -> Accept | Refuse:
    """The answer to `POST /v2/enqueue`; a trigger without `dedup_key` gets one here, which is stored with the event."""
    message = _object(body)
    if isinstance(message, Refuse):
        return message
    errors = [*_routing_key_errors(message), *_event_errors(message)]
    if errors:
        return _invalid(errors)
    minted: dict[str, str] = {}
    dedup_key = message.get("dedup_key")
    if not dedup_key:
        dedup_key = minted["dedup_key"] = uuid.uuid4().hex
    return _accepted({"status": "success", "message": "Event processed", "dedup_key": dedup_key}, minted)


def reply_change(body: bytes) -> Accept | Refuse:
    """The answer to `POST /v2/change/enqueue`."""
    message = _object(body)
    if isinstance(message, Refuse):
        return message
    errors = _routing_key_errors(message)
    details = message.get("payload")
    if not isinstance(details, Mapping):
        errors.append("'payload' is missing or blank")
    elif _is_blank(details.get("summary")):
        errors.append("'payload.summary' is missing or blank")
    return _invalid(errors) if errors else _accepted({"status": "success", "message": "Change event processed"}, {})


def parse(payload: object) -> list[Event | Refused]:
    """`payload["_minted"]["dedup_key"]` is the key that `reply` made."""
    try:
        message = read.wanted_object(payload, "an event of the Events API v2")
    except read.FieldError as error:
        raise Rejected(str(error)) from None
    errors = _event_errors(message)
    if errors:
        return [Refused(clean("; ".join(errors), 500, is_one_line=True))]
    minted = message.get("_minted")
    dedup_key = message.get("dedup_key") or (minted.get("dedup_key") if isinstance(minted, Mapping) else None)
    if not isinstance(dedup_key, str) or not dedup_key:
        return [Refused("'dedup_key' is missing or blank")]
    return [_event(message, dedup_key)]


def _object(body: bytes) -> Mapping[str, Any] | Refuse:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return _unrecognized("the body is not JSON")
    if not isinstance(message, dict):
        return _unrecognized(f"expected an object, got {read.kind_of(message)}")
    return message


def _event_errors(message: Mapping[str, Any]) -> list[str]:
    errors: list[str] = []
    given = message.get("event_action")
    action = given if isinstance(given, str) else ""
    if _is_blank(action):
        errors.append("'event_action' is missing or blank")
    elif action not in STATUSES:
        errors.append(ACTION_ERROR)
    dedup_key = message.get("dedup_key")
    if dedup_key is not None and not isinstance(dedup_key, str):
        errors.append("'dedup_key' is invalid (must be a string)")
    if action == "trigger":
        errors += _payload_errors(message.get("payload"))
    elif action in STATUSES and not dedup_key:
        errors.append("'dedup_key' is missing or blank")
    return errors


def _routing_key_errors(message: Mapping[str, Any]) -> list[str]:
    routing_key = message.get("routing_key")
    if _is_blank(routing_key):
        return ["'routing_key' is missing or blank"]
    if len(str(routing_key)) != ROUTING_KEY_CHARACTERS:
        return [f"Length of 'routing_key' is incorrect (should be {ROUTING_KEY_CHARACTERS} characters)"]
    return []


def _payload_errors(payload: object) -> list[str]:
    if not isinstance(payload, Mapping):
        return ["'payload' is missing or blank"]
    errors = [f"'payload.{name}' is missing or blank" for name in ("summary", "source") if _is_blank(payload.get(name))]
    severity = payload.get("severity")
    if _is_blank(severity):
        errors.append("'payload.severity' is missing or blank")
    elif severity not in SEVERITIES:
        errors.append(SEVERITY_ERROR)
    return errors


def _is_blank(value: object) -> bool:
    return not isinstance(value, str) or not value.strip()


def _event(message: Mapping[str, Any], dedup_key: str) -> Event:
    """An acknowledge or a resolve may come without a payload; its title is never shown on an open alert."""
    details = message.get("payload")
    details = details if isinstance(details, Mapping) else {}
    labels = {name: read.shown(details[name], LABEL_VALUE_MAX) for name in LABEL_FIELDS if details.get(name)}
    return Event(
        key=read.key(dedup_key),
        status=STATUSES[message["event_action"]],
        title=read.title(read.shown(details.get("summary") or dedup_key, 4_000)) or "(no name)",
        priority_word=labels.get("severity", ""),
        description=_details(details.get("custom_details")),
        labels=labels,
        links=read.links(_links(message)),
        starts_at=read.moment(details.get("timestamp")),
    )


def _details(details: object) -> str:
    if isinstance(details, Mapping):
        named = list(details.items())[:DETAILS_MAX]
        lines = [f"{clean(name, 200, is_one_line=True)}: {read.shown(value, DESCRIPTION_MAX)}" for name, value in named]
        return clean("\n".join(lines), DESCRIPTION_MAX)
    return "" if details is None else read.shown(details, DESCRIPTION_MAX)


def _links(message: Mapping[str, Any]) -> list[Any]:
    found = [read.link(message.get("client_url"), message.get("client"))]
    for field, address, words in (("links", "href", "text"), ("images", "src", "alt")):
        listed = message.get(field)
        for item in listed if isinstance(listed, list) else []:
            if isinstance(item, Mapping):
                found.append(read.link(item.get(address), item.get(words)))
    return found


def _accepted(answer: Mapping[str, object], minted: Mapping[str, str]) -> Accept:
    return Accept(body=json.dumps(answer).encode(), minted=minted)


def _invalid(errors: Sequence[str]) -> Refuse:
    answer = {"status": "invalid event", "message": "Event object is invalid", "errors": list(errors)}
    return Refuse(400, json.dumps(answer).encode())


def _unrecognized(reason: str) -> Refuse:
    answer = {"status": "Unrecognized object", "message": "Event object is invalid", "errors": [reason]}
    return Refuse(400, json.dumps(answer).encode())
