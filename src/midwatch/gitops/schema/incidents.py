"""How incidents are run: Severity, IncidentType, IncidentRole and DeclarationRule."""

from __future__ import annotations

from typing import Any

from midwatch.core.written.values import (
    Field,
    Table,
    Value,
    WrongError,
    boolean,
    duration,
    list_of,
    map_of,
    one_of,
    reference,
    seconds_of,
    text,
    whole,
)
from midwatch.gitops.schema.common import once
from midwatch.respond.incidents.actions.settings import MINUTES_MAX, PRIORITIES, STEP_MAX, TASKS_MAX
from midwatch.respond.incidents.duties import CM, DC, IC, Duty
from midwatch.respond.incidents.models import Severity

SEVERITIES = tuple(Severity.values)
DUTIES = tuple(duty.value for duty in Duty if duty is not Duty.COMMAND)
_minutes = duration(60, MINUTES_MAX * 60)


def _whole_minutes(value: Value) -> str:
    found = _minutes(value)
    if seconds_of(found) % 60:
        raise WrongError("not whole minutes", "write one such as 20m")
    return str(found)


SEVERITY: Table = {
    "meaning": Field(text(500, "Most clients cannot work"), is_required=True, example="Most clients cannot work"),
    "teamsEvery": Field(_whole_minutes),
    "clientsFirst": Field(_whole_minutes),
    "clientsEvery": Field(_whole_minutes),
    "demandsPostmortem": Field(boolean, default=False),
    "demandsApproval": Field(boolean, default=False),
}


def finish_severity(value: Value, spec: dict[str, Any]) -> dict[str, Any]:
    if value.place.name.upper() not in SEVERITIES:
        value.complain(WrongError("no severity", f"name it {', '.join(SEVERITIES).lower()}", written=value.place.name))
    return spec


TASK: Table = {
    "title": Field(text(300, "Call the data protection officer"), is_required=True, example="Call the officer"),
    "role": Field(text(30), default=DC),
    "within": Field(_whole_minutes),
}
INCIDENT_TYPE: Table = {
    "title": Field(text(100, "Security")),
    "description": Field(text(500), default=""),
    "isPrivate": Field(boolean, default=False),
    "tasks": Field(list_of(map_of(TASK, "{title, role, within}"), TASKS_MAX, "[{title, role, within}]"), default=()),
}
INCIDENT_ROLE: Table = {
    "title": Field(text(100, "Scribe")),
    "description": Field(text(500), default=""),
    "duties": Field(list_of(one_of(*DUTIES), len(DUTIES), "[keep-timeline]"), default=()),
    "isSingle": Field(boolean, default=True),
}
DECLARATION_RULE: Table = {
    "service": Field(reference("Service")),
    "team": Field(reference("Team")),
    "priorities": Field(list_of(one_of(*PRIORITIES), len(PRIORITIES), "[P1]"), default=()),
    "step": Field(whole(1, STEP_MAX)),
    "severity": Field(one_of(*SEVERITIES), default=Severity.SEV2.value),
    "type": Field(reference("IncidentType")),
    "isActive": Field(boolean, default=True),
}


def finish_type(value: Value, spec: dict[str, Any]) -> dict[str, Any]:
    spec["title"] = spec["title"] or value.place.name
    spec["tasks"] = list(spec["tasks"])
    return spec


def finish_role(value: Value, spec: dict[str, Any]) -> dict[str, Any]:
    if value.place.name in {IC, CM, DC} or len(value.place.name) > 30:
        wrong = WrongError(
            "no name for a further role", "give another, of at most 30 characters", written=value.place.name
        )
        value.complain(wrong)
    spec["title"] = spec["title"] or value.place.name
    spec["duties"] = list(spec["duties"])
    once(value, spec["duties"], ["duties"])
    return spec


def finish_rule(value: Value, spec: dict[str, Any]) -> dict[str, Any]:
    if (spec["service"] is None) == (spec["team"] is None):
        value.complain(WrongError("for nobody, or for two", "write a service or a team, one of them", written=""))
    spec["priorities"] = list(spec["priorities"])
    once(value, spec["priorities"], ["priorities"])
    return spec
