"""Severities, types, roles and declaration rules as documents: read, written, and who still needs one that is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from midwatch.catalog.models import Service
from midwatch.core.actor import Actor
from midwatch.core.written.values import duration_text, optional_duration_text, seconds_of
from midwatch.people.managed import Mark
from midwatch.people.models import Managed, Team
from midwatch.respond.incidents.actions import settings
from midwatch.respond.incidents.models import (
    DeclarationRule,
    Incident,
    IncidentRole,
    IncidentType,
    RoleHolding,
    SeverityRule,
    Task,
)

KINDS = ("Severity", "IncidentType", "IncidentRole", "DeclarationRule")
Spec = Mapping[str, Any]
Named = Callable[[str, str], Managed]


def read() -> Iterator[tuple[str, str, Managed, dict[str, Any]]]:
    """(kind, name, row, spec)."""
    for severity in SeverityRule.objects.all():
        yield "Severity", severity.severity.lower(), severity, _severity(severity)
    for type_ in IncidentType.objects.order_by("name"):
        yield (
            "IncidentType",
            type_.name,
            type_,
            {
                "title": type_.title,
                "description": type_.description,
                "isPrivate": type_.is_private,
                "tasks": [_task(one) for one in type_.tasks],
            },
        )
    for role in IncidentRole.objects.order_by("name"):
        yield (
            "IncidentRole",
            role.name,
            role,
            {
                "title": role.title,
                "description": role.description,
                "duties": list(role.duties),
                "isSingle": role.is_single,
            },
        )
    for rule in DeclarationRule.objects.select_related("service", "team", "type").order_by("name"):
        yield (
            "DeclarationRule",
            rule.name,
            rule,
            {
                "service": rule.service.name if rule.service else None,
                "team": rule.team.name if rule.team else None,
                "priorities": list(rule.priorities),
                "step": rule.step,
                "severity": rule.severity,
                "type": rule.type.name if rule.type else None,
                "isActive": rule.is_active,
            },
        )


def _severity(rule: SeverityRule) -> dict[str, Any]:
    return {
        "meaning": rule.meaning,
        "teamsEvery": _text(rule.internal_every_minutes),
        "clientsFirst": _text(rule.first_external_minutes),
        "clientsEvery": _text(rule.external_every_minutes),
        "demandsPostmortem": rule.is_postmortem_demanded,
        "demandsApproval": rule.is_approval_demanded,
    }


def _text(minutes: int | None) -> str | None:
    return optional_duration_text(None if minutes is None else minutes * 60)


def _task(task: Mapping[str, Any]) -> dict[str, Any]:
    minutes = task.get("minutes")
    return {
        "title": task["title"],
        "role": task.get("role", "dc"),
        "within": duration_text(int(minutes) * 60) if minutes else None,
    }


def _minutes(duration: str | None) -> int | None:
    return None if duration is None else seconds_of(duration) // 60


def write(kind: str, name: str, spec: Spec, named: Named, by: Actor, mark: Mark) -> Managed:
    """Raises `ValueError`."""
    match kind:
        case "Severity":
            fields = settings.SeverityFields(
                meaning=spec["meaning"],
                internal_every_minutes=_minutes(spec["teamsEvery"]),
                first_external_minutes=_minutes(spec["clientsFirst"]),
                external_every_minutes=_minutes(spec["clientsEvery"]),
                is_postmortem_demanded=spec["demandsPostmortem"],
                is_approval_demanded=spec["demandsApproval"],
            )
            return settings.change_severity_rule(name.upper(), fields, by, mark=mark)
        case "IncidentType":
            tasks = [
                settings.TypeTask(one["title"], one["role"] or "dc", _minutes(one["within"])) for one in spec["tasks"]
            ]
            type_fields = settings.TypeFields(spec["title"], spec["description"], tasks, spec["isPrivate"])
            return settings.write_type(name, type_fields, by, mark=mark)
        case "IncidentRole":
            role_fields = settings.RoleFields(spec["title"], spec["description"], spec["duties"], spec["isSingle"])
            return settings.write_role(name, role_fields, by, mark=mark)
    service, team = spec["service"], spec["team"]
    type_found = named("IncidentType", spec["type"]) if spec["type"] else None
    service_found = named("Service", service) if service else None
    team_found = named("Team", team) if team else None
    assert type_found is None or isinstance(type_found, IncidentType)
    assert service_found is None or isinstance(service_found, Service)
    assert team_found is None or isinstance(team_found, Team)
    rule_fields = settings.RuleFields(
        service=service_found,
        team=team_found,
        priorities=spec["priorities"],
        step=spec["step"],
        severity=spec["severity"],
        type=type_found,
        is_active=spec["isActive"],
    )
    return settings.write_rule(name, rule_fields, by, mark=mark)


def why_kept(found: Managed) -> str:
    """ "" when it can go."""
    match found:
        case IncidentType() if Incident.objects.filter(type=found).exists():
            return "there are incidents of this type"
        case IncidentRole():
            held = RoleHolding.objects.filter(role=found.name, ended_at=None).exists()
            if held or Task.objects.filter(role=found.name, done_at=None).exists():
                return "somebody holds it, or a task is open for it"
    return ""


def delete(found: Managed, by: Actor, mark: Mark) -> bool:
    """False: it is none of these."""
    match found:
        case SeverityRule():
            settings.forget_severity_rule(found, by, mark=mark)
        case IncidentType():
            settings.remove_type(found, by, mark=mark)
        case IncidentRole():
            settings.remove_role(found, by, mark=mark)
        case DeclarationRule():
            settings.remove_rule(found, by, mark=mark)
        case _:
            return False
    return True
