"""StatusPage: its fields, and components in groups one deep."""

from __future__ import annotations

from datetime import date
from typing import Any

from midwatch.core.written.values import (
    Field,
    Table,
    Value,
    WrongError,
    at,
    boolean,
    list_of,
    map_of,
    one_of,
    reference,
    text,
    text_of,
    zone,
)
from midwatch.gitops.schema.common import once
from midwatch.respond.statuspage.actions.components import COMPONENTS_MAX
from midwatch.respond.statuspage.actions.outward import check_outward


def _address(value: Value) -> str:
    found = text_of(value, "an address").rstrip("/")
    is_right = found.startswith(("https://", "http://")) and not any(c.isspace() or c in "?#<>\"'`" for c in found)
    if not is_right or len(found) > 500:
        raise WrongError("not an address", "write one that begins with https:// or http://, without ? and #")
    return found


def _date(value: Value) -> str:
    found = text_of(value, "a date such as 2026-01-05")
    try:
        return date.fromisoformat(found).isoformat()
    except ValueError as error:
        raise WrongError("not a date", "write one such as 2026-01-05") from error


def _outward(value: Value) -> str:
    try:
        return check_outward(text_of(value, "statuspage:PAGE_ID"))
    except ValueError as error:
        raise WrongError("no page elsewhere", "write statuspage:PAGE_ID") from error


PART: Table = {
    "name": Field(text(200, "Checkout"), is_required=True, example="Checkout"),
    "description": Field(text(2_000, is_one_line=False), default=""),
    "service": Field(reference("Service")),
    "isAutomatic": Field(boolean, default=False),
    "isShowcased": Field(boolean, default=True),
    "isShownOnlyWhenDegraded": Field(boolean, default=False),
    "startedOn": Field(_date),
}


def _finish_component(value: Value, spec: dict[str, Any]) -> dict[str, Any]:
    inside = spec["components"]
    spec["components"] = None if inside is None else list(inside)
    if inside is None:
        return spec
    if spec["service"] is not None:
        at(value, "service").complain(WrongError("a service of a group", "write it at the components inside"))
    once(value, [one["name"] for one in inside], ["components"], "name")
    return spec


COMPONENT: Table = {
    **PART,
    "components": Field(list_of(map_of(PART, "{name, service}"), COMPONENTS_MAX, "[{name, service}]")),
}

STATUS_PAGE: Table = {
    "title": Field(text(200, "Example Shop")),
    "team": Field(reference("Team")),
    "description": Field(text(5_000, is_one_line=False), default=""),
    "access": Field(one_of("public", "members", "token"), default="public"),
    "url": Field(_address, default=""),
    "supportUrl": Field(_address, default=""),
    "timeZone": Field(zone, default="UTC"),
    "takesSubscribers": Field(boolean, default=True),
    "isHiddenFromSearch": Field(boolean, default=False),
    "alsoPublishedAt": Field(_outward, default=""),
    "components": Field(
        list_of(map_of(COMPONENT, "{name, service}", _finish_component), COMPONENTS_MAX, "[{name, service}]"),
        default=(),
    ),
}


def finish_status_page(value: Value, spec: dict[str, Any]) -> dict[str, Any]:
    spec["title"] = spec["title"] or value.place.name
    spec["components"] = list(spec["components"])
    once(value, [one["name"] for one in spec["components"]], ["components"], "name")
    return spec
