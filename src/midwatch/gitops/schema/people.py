"""User and Team: their fields, and how the fields of one document fit together."""

from __future__ import annotations

from typing import Any, Final

from midwatch.core import integration
from midwatch.core.written import values
from midwatch.core.written.values import (
    MASK,
    Field,
    Table,
    Value,
    WrongError,
    at,
    boolean,
    did_you_mean,
    duration,
    list_of,
    map_of,
    name,
    one_of,
    reference,
    seconds_of,
    text,
    text_of,
    zone,
)
from midwatch.gitops.schema.common import DAY, WEEK, once, required_reference, secret_reference, sentence
from midwatch.people.actions.users import check_email
from midwatch.people.models import MemberRole, Role, TeamMode

SECRET_WORDS: Final = {"ntfy": "token"}  # what a channel calls its secret; others say "secret"


def _email(value: Value) -> str:
    found = text_of(value, "an e-mail address")
    try:
        return check_email(found)
    except ValueError as error:
        raise WrongError("not an e-mail address", "write one such as ana@example.com") from error


def _secret(value: Value) -> str:
    found = text_of(value, "a secret")
    if not 1 <= len(found) <= 500:
        raise WrongError(f"{len(found)} characters", "write 1 to 500", written="")
    return found


CONTACT: Table = {
    "name": Field(name, is_required=True, example="phone"),
    "type": Field(text(30), is_required=True, example="sms"),
    "address": Field(text(1_000), is_required=True, example='"+420601000001"'),
    "tokenFrom": Field(secret_reference),
    "token": Field(_secret),
    "secretFrom": Field(secret_reference),
    "secret": Field(_secret),
}


def _finish_contact(value: Value, spec: dict[str, Any]) -> dict[str, Any]:
    """Normal form: name, type, address, and `secretFrom` or `secret`, whatever the channel calls it."""
    channels = integration.channels()
    type_ = spec["type"]
    if type_ not in channels:
        wrong = WrongError("no type of contact method", did_you_mean(type_, channels, "channel"))
        at(value, "type").complain(wrong)
        return spec
    address = spec["address"]
    if address != MASK:
        try:
            address = channels[type_].check_address(type_, address)
        except ValueError as error:
            wrong = WrongError(f"not an address of type {type_}", sentence(error))
            at(value, "address").complain(wrong)
    word = SECRET_WORDS.get(type_, "secret")
    other = "token" if word == "secret" else "secret"
    for field in (other, f"{other}From"):
        if spec[field] is not None:
            wrong = WrongError(f"no such field for {type_}", f"write {word}From", written="")
            at(value, field).complain(wrong)
    if spec[word] is not None and spec[f"{word}From"] is not None:
        at(value, word).complain(WrongError(f"given beside {word}From", "keep one of them", written=""))
    return {
        "name": spec["name"],
        "type": type_,
        "address": address,
        "secretFrom": spec[f"{word}From"],
        "secret": spec[word],
    }


RULE: Table = {
    "after": Field(duration(0, DAY), default="0s"),
    "contact": Field(name, is_required=True, example="phone"),
    "between": Field(values.span),
}


def _rules(value: Value) -> list[dict[str, Any]]:
    found = list_of(map_of(RULE, "{after: 0s, contact: phone}"), 30, "[{after: 0s, contact: phone}]")(value)
    return sorted(found, key=lambda rule: seconds_of(rule["after"]) if "after" in rule else 0)


RULES: Table = {
    "high": Field(_rules, default=()),
    "low": Field(_rules, default=()),
    "repeatAfter": Field(duration(0, DAY), default="5m"),
}


def _finish_rules(value: Value, spec: dict[str, Any]) -> dict[str, Any]:
    return {"high": list(spec["high"]), "low": list(spec["low"]), "repeatAfter": spec["repeatAfter"]}


NOTIFY_ON: Table = {
    "acknowledged": Field(name),
    "resolved": Field(name),
    "shiftStart": Field(list_of(duration(0, WEEK), 10, "[24h, 0s]")),
}


def _finish_notify_on(value: Value, spec: dict[str, Any]) -> dict[str, Any]:
    return {key: found for key, found in spec.items() if found is not None}


USER: Table = {
    "displayName": Field(text(200, "Ana Novak")),
    "email": Field(_email, default=""),
    "timeZone": Field(zone, default="UTC"),
    "isActive": Field(boolean, default=True),
    "role": Field(one_of(*Role.values)),
    "contactMethods": Field(
        list_of(map_of(CONTACT, "{name, type, address}", _finish_contact), 20, "[{name, type, address}]")
    ),
    "notificationRules": Field(map_of(RULES, "{high: [...], low: [...]}", _finish_rules)),
    "notifyOn": Field(map_of(NOTIFY_ON, "{acknowledged: mail}", _finish_notify_on)),
}


def finish_user(value: Value, spec: dict[str, Any]) -> dict[str, Any]:
    spec["displayName"] = spec["displayName"] or value.place.name
    contacts = spec["contactMethods"]
    if contacts is not None:
        once(value, [contact["name"] for contact in contacts], ["contactMethods"], "name")
    return spec


MEMBER: Table = {
    "user": required_reference("User", "ana"),
    "role": Field(one_of(*MemberRole.values), default="responder"),
    "isPaged": Field(boolean, default=True),
}
TEAM: Table = {
    "displayName": Field(text(200, "Payments")),
    "members": Field(list_of(map_of(MEMBER, "{user: ana}"), 500, "[{user: ana}]"), default=()),
    "escalationPolicy": Field(reference("EscalationPolicy")),
    "mode": Field(one_of(*TeamMode.values), default="live"),
}


def finish_team(value: Value, spec: dict[str, Any]) -> dict[str, Any]:
    spec["displayName"] = spec["displayName"] or value.place.name
    spec["members"] = list(spec["members"])
    once(value, [member["user"] for member in spec["members"]], ["members"], "user")
    return spec
