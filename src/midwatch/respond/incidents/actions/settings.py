"""How an organisation runs its incidents: what severities mean, types, further roles, and alerts that declare by themselves.

What comes from configuration as code is only read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models, transaction

from midwatch.catalog.models import Service
from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.people.managed import Mark, check_name, guard, mark_values
from midwatch.people.models import Team
from midwatch.respond.incidents.duties import CM, DC, IC, Duty
from midwatch.respond.incidents.models import (
    DeclarationRule,
    IncidentRole,
    IncidentType,
    RoleHolding,
    Severity,
    SeverityRule,
    Task,
)

MINUTES_MAX = 24 * 60
PRIORITIES = ("P1", "P2", "P3", "P4", "P5")
STEP_MAX = 20
TASKS_MAX = 30


@dataclass(frozen=True, slots=True)
class SeverityFields:
    """Minutes None: nothing is promised to that audience."""

    meaning: str
    internal_every_minutes: int | None
    first_external_minutes: int | None
    external_every_minutes: int | None
    is_postmortem_demanded: bool
    is_approval_demanded: bool


def change_severity_rule(severity: str, fields: SeverityFields, by: Actor, *, mark: Mark | None = None) -> SeverityRule:
    """Raises ValueError with a sentence."""
    if severity not in Severity.values:
        raise ValueError(f"{severity!r} is no severity: give one of {', '.join(Severity.values)}")
    meaning = clean(fields.meaning, 500, is_one_line=True)
    if not meaning:
        raise ValueError("say what this severity means here")
    rhythms = (fields.internal_every_minutes, fields.first_external_minutes, fields.external_every_minutes)
    if any(one is not None and not 1 <= one <= MINUTES_MAX for one in rhythms):
        raise ValueError(f"give whole minutes, 1 to {MINUTES_MAX}, or leave the field empty")
    values = {
        "meaning": meaning,
        "internal_every_minutes": fields.internal_every_minutes,
        "first_external_minutes": fields.first_external_minutes,
        "external_every_minutes": fields.external_every_minutes,
        "is_postmortem_demanded": fields.is_postmortem_demanded,
        "is_approval_demanded": fields.is_approval_demanded,
    }
    with transaction.atomic():
        if found := SeverityRule.objects.filter(severity=severity).first():
            guard(found, mark)
        written, _ = SeverityRule.objects.update_or_create(
            severity=severity, defaults=values, create_defaults={**values, **mark_values(mark)}
        )
        audit.record(by, "change", "severity", severity, {"meaning": meaning})
    return written


def forget_severity_rule(found: SeverityRule, by: Actor, *, mark: Mark | None = None) -> None:
    """It means again what it means where nobody has written their own."""
    guard(found, mark)
    with transaction.atomic():
        SeverityRule.objects.filter(pk=found.pk).delete()
        audit.record(by, "forget", "severity", found.severity)


@dataclass(frozen=True, slots=True)
class TypeTask:
    """Opened when an incident of the type is declared. `role`: for whom. `minutes`: its time box."""

    title: str
    role: str = DC
    minutes: int | None = None


@dataclass(frozen=True, slots=True)
class TypeFields:
    title: str
    description: str = ""
    tasks: Sequence[TypeTask] = ()
    is_private: bool = False


def add_type(name: str, fields: TypeFields, by: Actor) -> IncidentType:
    """Raises ValueError with a sentence."""
    with transaction.atomic():
        _refuse_twice(IncidentType, name)
        return write_type(name, fields, by)


def write_type(name: str, fields: TypeFields, by: Actor, *, mark: Mark | None = None) -> IncidentType:
    """Make it, or make it so. Raises ValueError with a sentence."""
    check_name(name)
    if len(fields.tasks) > TASKS_MAX:
        raise ValueError(f"give at most {TASKS_MAX} tasks")
    values = {
        "title": _title(fields.title),
        "description": clean(fields.description, 500),
        "tasks": [_type_task(one) for one in fields.tasks],
        "is_private": fields.is_private,
    }
    with transaction.atomic():
        found = IncidentType.objects.filter(name=name).first()
        if found is not None:
            guard(found, mark)
        made, is_new = IncidentType.objects.update_or_create(
            name=name, defaults=values, create_defaults={**values, **mark_values(mark)}
        )
        audit.record(by, "create" if is_new else "change", "incident type", name)
    return made


def _type_task(task: TypeTask) -> dict[str, Any]:
    title = clean(task.title, 300, is_one_line=True)
    if not title:
        raise ValueError("a task has a title: what is to be done?")
    if task.role not in {IC, CM, DC} and not IncidentRole.objects.filter(name=task.role).exists():
        raise ValueError(f"{task.role!r} is no role: give ic, cm, dc or one of your own")
    if task.minutes is not None and not 1 <= task.minutes <= MINUTES_MAX:
        raise ValueError(f"give whole minutes, 1 to {MINUTES_MAX}, or none")
    return {"title": title, "role": task.role, "minutes": task.minutes}


def change_type_tasks(found: IncidentType, tasks: Sequence[TypeTask], by: Actor) -> None:
    """What incidents of it open at once. Raises ValueError with a sentence."""
    write_type(found.name, TypeFields(found.title, found.description, tasks, found.is_private), by)


def remove_type(found: IncidentType, by: Actor, *, mark: Mark | None = None) -> None:
    """Refused while incidents are of it: their past stays as it was written."""
    guard(found, mark)
    with transaction.atomic():
        try:
            IncidentType.objects.filter(pk=found.pk).delete()
        except models.ProtectedError as error:
            raise ValueError(f"there are incidents of the type {found}: it stays") from error
        audit.record(by, "delete", "incident type", found.name)


@dataclass(frozen=True, slots=True)
class RoleFields:
    title: str
    description: str = ""
    duties: Sequence[str] = ()
    is_single: bool = True


def add_role(
    name: str, title: str, description: str, duties: Sequence[str], by: Actor, *, is_single: bool = True
) -> IncidentRole:
    """Raises ValueError with a sentence."""
    with transaction.atomic():
        _refuse_twice(IncidentRole, name)
        return write_role(name, RoleFields(title, description, duties, is_single), by)


def write_role(name: str, fields: RoleFields, by: Actor, *, mark: Mark | None = None) -> IncidentRole:
    """Make it, or make it so. Raises ValueError with a sentence."""
    check_name(name, frozenset({IC, CM, DC}))
    if len(name) > 30:
        raise ValueError("give a name of at most 30 characters")
    known = {duty.value for duty in Duty} - {Duty.COMMAND.value}
    wrong = next((one for one in fields.duties if one not in known), None)
    if wrong is not None:
        raise ValueError(f"{wrong!r} is no duty that a role may take over: give {', '.join(sorted(known))}")
    values = {
        "title": _title(fields.title),
        "description": clean(fields.description, 500),
        "duties": list(dict.fromkeys(fields.duties)),
        "is_single": fields.is_single,
    }
    with transaction.atomic():
        found = IncidentRole.objects.filter(name=name).first()
        if found is not None:
            guard(found, mark)
        made, is_new = IncidentRole.objects.update_or_create(
            name=name, defaults=values, create_defaults={**values, **mark_values(mark)}
        )
        audit.record(by, "create" if is_new else "change", "incident role", name, {"duties": made.duties})
    return made


def remove_role(found: IncidentRole, by: Actor, *, mark: Mark | None = None) -> None:
    """Refused while somebody holds it or a task is open for it."""
    guard(found, mark)
    with transaction.atomic():
        held = RoleHolding.objects.filter(role=found.name, ended_at=None).exists()
        if held or Task.objects.filter(role=found.name, done_at=None).exists():
            raise ValueError(f"somebody holds the role {found}, or a task is open for it: end that first")
        IncidentRole.objects.filter(pk=found.pk).delete()
        audit.record(by, "delete", "incident role", found.name)


@dataclass(frozen=True, slots=True)
class RuleFields:
    """For exactly one of `service`, `team`. `step` None: as soon as the alert opens. `priorities` empty: each."""

    service: Service | None
    team: Team | None
    priorities: Sequence[str]
    step: int | None
    severity: str
    type: IncidentType | None = None
    is_active: bool = True


def add_rule(name: str, fields: RuleFields, by: Actor) -> DeclarationRule:
    """Alerts that are open already are left alone. Raises ValueError with a sentence."""
    with transaction.atomic():
        _refuse_twice(DeclarationRule, name)
        return write_rule(name, fields, by)


def write_rule(name: str, fields: RuleFields, by: Actor, *, mark: Mark | None = None) -> DeclarationRule:
    """Make it, or make it so. Raises ValueError with a sentence."""
    check_name(name)
    if (fields.service is None) == (fields.team is None):
        raise ValueError("a rule is for one service or one team")
    if any(one not in PRIORITIES for one in fields.priorities):
        raise ValueError("give priorities from P1 to P5")
    if fields.step is not None and not 1 <= fields.step <= STEP_MAX:
        raise ValueError(f"give the number of a step, 1 to {STEP_MAX}, or leave it empty")
    if fields.severity not in Severity.values:
        raise ValueError(f"{fields.severity!r} is no severity")
    values = {
        "service": fields.service,
        "team": fields.team,
        "priorities": list(dict.fromkeys(fields.priorities)),
        "step": fields.step,
        "severity": fields.severity,
        "type": fields.type,
        "is_active": fields.is_active,
    }
    with transaction.atomic():
        found = DeclarationRule.objects.filter(name=name).first()
        if found is not None:
            guard(found, mark)
        made, is_new = DeclarationRule.objects.update_or_create(
            name=name, defaults=values, create_defaults={**values, "created_at": clock.now(), **mark_values(mark)}
        )
        audit.record(by, "create" if is_new else "change", "declaration rule", name, {"severity": fields.severity})
    return made


def remove_rule(found: DeclarationRule, by: Actor, *, mark: Mark | None = None) -> None:
    guard(found, mark)
    with transaction.atomic():
        DeclarationRule.objects.filter(pk=found.pk).delete()
        audit.record(by, "delete", "declaration rule", found.name)


def _title(title: str) -> str:
    shown = clean(title, 100, is_one_line=True)
    if not shown:
        raise ValueError("give a title, as people read it")
    return shown


def _refuse_twice(kind: type[models.Model], name: str) -> None:
    if kind._default_manager.filter(name=name).exists():
        raise ValueError(f"{name!r} is there already: give another name")
