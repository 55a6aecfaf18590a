"""Schedule and EscalationPolicy: their fields, and how the fields of one document fit together."""

from __future__ import annotations

from typing import Any

from midwatch.core.written import values
from midwatch.core.written.documents import Scalar
from midwatch.core.written.values import (
    Field,
    Table,
    Value,
    WrongError,
    at,
    clock_time,
    duration,
    list_of,
    map_of,
    one_of,
    reference,
    seconds_of,
    text,
    text_of,
    wall_time,
    whole,
    zone,
)
from midwatch.gitops.schema.common import DAY, NOBODY, WEEK, once, required_reference, sentence
from midwatch.respond.escalation.actions.policies import HOLD_PAGE_SECONDS_MAX
from midwatch.respond.escalation.models import Condition
from midwatch.respond.oncall import resolve


def _turn(value: Value) -> str | list[str]:
    """A name, `nobody`, or a list of names: normal form of one is the name itself, of none `nobody`."""
    if isinstance(value.node, Scalar):
        return NOBODY if value.node.text == NOBODY else str(reference("User")(value))
    found = list_of(reference("User"), 50, "[cy, dana]")(value)
    for index, person in enumerate(found):
        if person == NOBODY:
            at(value, index).complain(WrongError("nobody beside others", "leave it out of the list"))
            value.reading.references[:] = [
                ref for ref in value.reading.references if ref.place != at(value, index).place
            ]
    if len(set(found)) != len(found):
        raise WrongError("somebody twice in one turn", "name each person once")
    return found if len(found) > 1 else (found[0] if found else NOBODY)


def _moment(value: Value) -> str:
    """A clock time, or one with a day before it."""
    found = text_of(value, 'a time such as "22:00" or "fri 18:00"')
    words = found.lower().split()
    is_right = len(words) in {1, 2} and (len(words) == 1 or words[0] in values.DAYS)
    node = Scalar(value.node.line, words[-1] if words else "", is_plain=True, written=found)
    try:
        time = clock_time(Value(node, value.place, value.reading)) if is_right else ""
    except WrongError:
        time = ""
    if not time:
        raise WrongError("not a time", 'write one such as "22:00", or "fri 18:00" with a day')
    return " ".join([*words[:-1], time])


RESTRICTION: Table = {
    "days": Field(list_of(values.day, 7, "[mon, tue]")),
    "from": Field(_moment, is_required=True, example='"22:00"'),
    "to": Field(_moment, is_required=True, example='"06:00"'),
}


def _finish_restriction(value: Value, spec: dict[str, Any]) -> dict[str, Any]:
    is_weekly = " " in spec["from"]
    if is_weekly != (" " in spec["to"]):
        at(value, "to").complain(WrongError("a day at one end only", "write a day at both ends, or use days"))
        return spec
    if is_weekly and spec["days"] is not None:
        at(value, "days").complain(WrongError("days beside ends that have days", "leave days out"))
        return spec
    days = [day for day in values.DAYS if day in (spec["days"] or ())]
    found = {"days": days, "from": spec["from"], "to": spec["to"]} if days else {"from": spec["from"], "to": spec["to"]}
    try:
        resolve.restriction_from(found)
    except ValueError as error:
        raise WrongError("not a restriction", sentence(error)) from error
    return found


LAYER: Table = {
    "name": Field(text(100, "weekly")),
    "start": Field(wall_time, is_required=True, example="2026-01-05T09:00"),
    "end": Field(wall_time),
    "every": Field(values.rotation_length, default="1w"),
    "participants": Field(list_of(_turn, 200, "[ana, bo]"), is_required=True, example="[ana, bo]"),
    "restrictions": Field(
        list_of(map_of(RESTRICTION, '{days: [mon], from: "09:00", to: "17:00"}', _finish_restriction), 50), default=()
    ),
}


def _finish_layer(value: Value, spec: dict[str, Any]) -> dict[str, Any]:
    spec["restrictions"] = list(spec["restrictions"])
    if spec["end"] is not None and spec["end"] <= spec["start"]:
        at(value, "end").complain(
            WrongError("not after the start", f"write a time after {spec['start']}, or leave it out")
        )
    return spec


SCHEDULE: Table = {
    "team": required_reference("Team", "payments"),
    "timeZone": Field(zone, default="UTC"),
    "combine": Field(one_of("cover", "all"), default="cover"),
    "layers": Field(list_of(map_of(LAYER, "{name, start, every, participants}", _finish_layer), 30), default=()),
}


def finish_schedule(value: Value, spec: dict[str, Any]) -> dict[str, Any]:
    spec["layers"] = list(spec["layers"])
    for number, layer in enumerate(spec["layers"], start=1):
        layer["name"] = layer["name"] or f"layer {number}"
    once(value, [layer["name"] for layer in spec["layers"]], ["layers"], "name")
    return spec


TARGET: Table = {
    "schedule": Field(reference("Schedule")),
    "team": Field(reference("Team")),
    "user": Field(reference("User")),
    "notify": Field(text(20)),
}
NOTIFY = {"schedule": ("current", "next", "previous"), "team": ("all", "managers"), "user": ()}


def _finish_target(value: Value, spec: dict[str, Any]) -> dict[str, Any]:
    """Normal form: {"schedule": ..., "notify": ...}, {"team": ..., "notify": ...} or {"user": ...}."""
    given = [word for word in NOTIFY if spec[word] is not None]
    if len(given) != 1:
        raise WrongError(
            "not one target", "write one of {schedule: ...}, {team: ...}, {user: ...}; several are several items"
        )
    (word,) = given
    words = NOTIFY[word]
    notify = spec["notify"]
    if notify is not None and notify not in words:
        instead = f"write {', '.join(words)}" if words else "leave it out"
        at(value, "notify").complain(WrongError(f"no way to notify a {word}", instead))
    found = {word: spec[word]}
    return {**found, "notify": notify or words[0]} if words else found


STEP: Table = {
    "name": Field(text(100, "level 1")),
    "targets": Field(
        list_of(map_of(TARGET, "{schedule: primary}", _finish_target), 50, "[{schedule: primary}]", at_least=1),
        is_required=True,
        example="[{schedule: primary}]",
    ),
    "after": Field(duration(0, DAY), default="0s"),
    "if": Field(one_of(*Condition.values), default="unacknowledged"),
    "runbook": Field(text(63, "restart-checkout")),  # starts with the step; one that is not there is told on the alert
    "holdPage": Field(duration(0, HOLD_PAGE_SECONDS_MAX)),  # the first step's page waits for it so long at most
}
POLICY: Table = {
    "team": required_reference("Team", "payments"),
    "repeat": Field(whole(0, 20), default=0),
    "repeatAfter": Field(duration(1, DAY), default="10m"),
    "ackTimeout": Field(duration(0, WEEK)),
    "steps": Field(
        list_of(map_of(STEP, "{name: level 1, targets: [...]}"), 50, "[{name: level 1, targets: [...]}]", at_least=1),
        is_required=True,
        example="[{name: level 1, targets: [{schedule: primary}]}]",
    ),
}


def finish_policy(value: Value, spec: dict[str, Any]) -> dict[str, Any]:
    reached = 0
    for index, step in enumerate(spec["steps"]):
        step["name"] = step["name"] or f"level {index + 1}"
        after = seconds_of(step["after"])
        if after < reached:
            before = values.duration_text(reached)
            wrong = WrongError(
                f"sooner than the step before ({before})",
                "order the steps by after, which counts from the start of the round",
            )
            at(value, "steps", index, "after").complain(wrong)
        reached = max(reached, after)
        _finish_runbook(value, index, step)
    return spec


def _finish_runbook(value: Value, index: int, step: dict[str, Any]) -> None:
    hold = seconds_of(step["holdPage"]) if step["holdPage"] is not None else 0
    if hold and index > 0:
        wrong = WrongError("only the first step's page waits", "leave it out: later runbooks run beside the page")
        at(value, "steps", index, "holdPage").complain(wrong)
    if hold and not step["runbook"]:
        wrong = WrongError("there is no runbook to wait for", "write runbook beside it, or leave it out")
        at(value, "steps", index, "holdPage").complain(wrong)
    step["holdPage"] = values.duration_text(hold) if hold else None
