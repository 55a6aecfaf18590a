"""Service and Source: their fields, and how the fields of one document fit together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from midwatch.core import integration
from midwatch.core.written import values
from midwatch.core.written.documents import Fields
from midwatch.core.written.values import (
    MASK,
    Field,
    Table,
    Value,
    WrongError,
    at,
    boolean,
    clock_time,
    did_you_mean,
    duration,
    list_of,
    map_of,
    one_of,
    reference,
    text,
    text_of,
    whole,
    zone,
)
from midwatch.gitops.schema.common import DAY, once, required_reference, secret_reference
from midwatch.people.queries import resolve_reference
from midwatch.respond.alerts.actions.sources import PRIORITIES, check_key


def _url(value: Value) -> str:
    found = text_of(value, "an address")
    if not found.startswith(("https://", "http://")) or len(found) > 2_000 or any(c.isspace() for c in found):
        raise WrongError("not an address", "write one that begins with https:// or http://")
    return found


SUPPORT_HOURS: Table = {
    "timeZone": Field(zone, default="UTC"),
    "days": Field(list_of(values.day, 7, "[mon, tue]", at_least=1), default=values.DAYS),
    "from": Field(clock_time, is_required=True, example='"09:00"'),
    "to": Field(clock_time, is_required=True, example='"17:00"'),
    "outside": Field(one_of("high", "low"), default="low"),
}


def _finish_hours(value: Value, spec: dict[str, Any]) -> dict[str, Any]:
    if spec["from"] == spec["to"]:
        at(value, "to").complain(WrongError("no time after from", "write another time, or leave supportHours out"))
    spec["days"] = [day for day in values.DAYS if day in spec["days"]]
    return spec


LINK: Table = {"title": Field(text(200, "Dashboard")), "url": Field(_url, is_required=True, example="https://...")}


def _finish_link(value: Value, spec: dict[str, Any]) -> dict[str, Any]:
    return {"title": spec["title"] or spec["url"][:200], "url": spec["url"]}


SERVICE: Table = {
    "displayName": Field(text(200, "Checkout")),
    "description": Field(text(10_000, is_one_line=False, is_empty_allowed=True), default=""),
    "team": required_reference("Team", "payments"),
    "escalationPolicy": Field(reference("EscalationPolicy")),
    "tier": Field(whole(0, 9), default=3),
    "dependsOn": Field(list_of(reference("Service"), 200, "[orders-db]"), default=()),
    "urgency": Field(one_of("by-priority", "high", "low"), default="by-priority"),
    "supportHours": Field(map_of(SUPPORT_HOURS, "{timeZone, days, from, to}", _finish_hours)),
    "pageAfter": Field(duration(0, DAY), default="0s"),
    "autoResolveAfter": Field(duration(1, 90 * DAY)),
    "links": Field(list_of(map_of(LINK, "{title, url}", _finish_link), 30, "[{title, url}]"), default=()),
}


def finish_service(value: Value, spec: dict[str, Any]) -> dict[str, Any]:
    spec["displayName"] = spec["displayName"] or value.place.name
    spec["links"] = list(spec["links"])
    once(value, spec["dependsOn"], ["dependsOn"])
    spec["dependsOn"] = sorted(spec["dependsOn"])
    return spec


def _source_type(value: Value) -> str:
    found = text_of(value, "alertmanager")
    known = integration.sources()
    if found not in known:
        raise WrongError("no type of source", did_you_mean(found, known, "type"))
    return found


def _key(value: Value) -> str:
    found = text_of(value, "32 characters")
    if found == MASK:
        return MASK
    try:
        return check_key(found)
    except ValueError as error:
        what, _, instead = str(error).partition(": ")
        raise WrongError(what, instead, written="") from error


def _priorities(value: Value) -> dict[str, str]:
    """{page: P1}: the words of this source; case is not compared."""
    if not isinstance(value.node, Fields):
        raise WrongError("not a map", "write one such as {page: P1, ticket: P4}")
    found = {}
    for word, node in value.node.items.items():
        child = value.child(word, node, value.node.key_lines[word])
        try:
            found[word.strip().lower()[:200]] = one_of(*PRIORITIES)(child)
        except WrongError as wrong:
            child.complain(wrong)
    return found


SOURCE: Table = {
    "type": Field(_source_type, is_required=True, example="alertmanager"),
    "key": Field(_key),
    "keyFrom": Field(secret_reference),
    "previousKey": Field(_key),
    "service": required_reference("Service", "checkout"),
    "serviceLabel": Field(text(200), default=""),
    "priorityLabel": Field(text(200), default=""),
    "priorities": Field(_priorities, default={}),
    "groupBy": Field(list_of(text(200), 20, "[groupKey]"), default=()),
    "resolveAfter": Field(duration(1, 90 * DAY)),
    "expectEvery": Field(duration(1, 31 * DAY)),
    "isActive": Field(boolean, default=True),
}


def finish_source(value: Value, spec: dict[str, Any]) -> dict[str, Any]:
    spec["priorities"], spec["groupBy"] = dict(spec["priorities"]), list(spec["groupBy"])
    if spec["keyFrom"] is not None:
        if spec["key"] is not None:
            at(value, "key").complain(WrongError("given beside keyFrom", "keep one of them", written=""))
        spec["key"] = _referred_key(value, spec["keyFrom"])
    if spec["previousKey"] is not None and spec["previousKey"] == spec["key"] != MASK:
        at(value, "previousKey").complain(WrongError("the key itself", "leave it out", written=""))
    return spec


def _referred_key(value: Value, found: dict[str, str]) -> str | None:
    """Needed now, since senders are known by it."""
    place = at(value, "keyFrom")
    try:
        return check_key(resolve_reference(found, place.reading.directory or Path()))
    except ValueError as error:
        what, _, instead = str(error).partition(": ")
        place.complain(WrongError(what, instead or "set it where this is applied", written=""))
        return None
