"""How an organisation runs its incidents: what severities mean, types, further roles, and alerts that declare by themselves.

What comes from configuration as code is only read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import models, transaction

from midwatch.catalog.models import Service
from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.people.managed import check_name, guard
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


@dataclass(frozen=True, slots=True)
class SeverityFields:
    """Minutes None: nothing is promised to that audience."""

    meaning: str
    internal_every_minutes: int | None
    first_external_minutes: int | None
    external_every_minutes: int | None
    is_postmortem_demanded: bool
    is_approval_demanded: bool


def change_severity_rule(severity: str, fields: SeverityFields, by: Actor) -> None:
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
            guard(found, None)
        SeverityRule.objects.update_or_create(severity=severity, defaults=values)
        audit.record(by, "change", "severity", severity, {"meaning": meaning})


def add_type(name: str, title: str, description: str, by: Actor, *, is_private: bool = False) -> IncidentType:
    """Raises ValueError with a sentence."""
    check_name(name)
    shown = _title(title)
    with transaction.atomic():
        _refuse_twice(IncidentType, name)
        made = IncidentType.objects.create(
            name=name, title=shown, description=clean(description, 500), is_private=is_private
        )
        audit.record(by, "create", "incident type", name)
    return made


def remove_type(found: IncidentType, by: Actor) -> None:
    """Refused while incidents are of it: their past stays as it was written."""
    guard(found, None)
    with transaction.atomic():
        try:
            IncidentType.objects.filter(pk=found.pk).delete()
        except models.ProtectedError as error:
            raise ValueError(f"there are incidents of the type {found}: it stays") from error
        audit.record(by, "delete", "incident type", found.name)


def add_role(
    name: str, title: str, description: str, duties: Sequence[str], by: Actor, *, is_single: bool = True
) -> IncidentRole:
    """Raises ValueError with a sentence."""
    check_name(name, frozenset({IC, CM, DC}))
    if len(name) > 30:
        raise ValueError("give a name of at most 30 characters")
    known = {duty.value for duty in Duty} - {Duty.COMMAND.value}
    wrong = next((one for one in duties if one not in known), None)
    if wrong is not None:
        raise ValueError(f"{wrong!r} is no duty that a role may take over: give {', '.join(sorted(known))}")
    shown = _title(title)
    with transaction.atomic():
        _refuse_twice(IncidentRole, name)
        made = IncidentRole.objects.create(
            name=name,
            title=shown,
            description=clean(description, 500),
            duties=list(dict.fromkeys(duties)),
            is_single=is_single,
        )
        audit.record(by, "create", "incident role", name, {"duties": made.duties})
    return made


def remove_role(found: IncidentRole, by: Actor) -> None:
    """Refused while somebody holds it or a task is open for it."""
    guard(found, None)
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


def add_rule(name: str, fields: RuleFields, by: Actor) -> DeclarationRule:
    """Alerts that are open already are left alone. Raises ValueError with a sentence."""
    check_name(name)
    if (fields.service is None) == (fields.team is None):
        raise ValueError("a rule is for one service or one team")
    if any(one not in PRIORITIES for one in fields.priorities):
        raise ValueError("give priorities from P1 to P5")
    if fields.step is not None and not 1 <= fields.step <= STEP_MAX:
        raise ValueError(f"give the number of a step, 1 to {STEP_MAX}, or leave it empty")
    if fields.severity not in Severity.values:
        raise ValueError(f"{fields.severity!r} is no severity")
    with transaction.atomic():
        _refuse_twice(DeclarationRule, name)
        made = DeclarationRule.objects.create(
            name=name,
            service=fields.service,
            team=fields.team,
            priorities=list(dict.fromkeys(fields.priorities)),
            step=fields.step,
            severity=fields.severity,
            type=fields.type,
            created_at=clock.now(),
        )
        audit.record(by, "create", "declaration rule", name, {"severity": fields.severity})
    return made


def remove_rule(found: DeclarationRule, by: Actor) -> None:
    guard(found, None)
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
