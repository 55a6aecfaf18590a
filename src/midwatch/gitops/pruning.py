"""Deleting what is gone from the documents: never while it has open alerts or is somebody's target.

Most dependent first, so that what goes together goes in one run.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import Q, QuerySet

from midwatch.catalog import actions as catalog
from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.models import AuditEntry
from midwatch.gitops import incidents
from midwatch.people import actions as people
from midwatch.people.managed import Mark
from midwatch.people.models import Managed, Team, User
from midwatch.prepare.runbooks.actions.written import take_away
from midwatch.prepare.runbooks.models import Runbook
from midwatch.respond.alerts.actions import sources
from midwatch.respond.alerts.models import OPEN, Alert, Source
from midwatch.respond.escalation.actions import policies
from midwatch.respond.escalation.models import (
    Escalation,
    EscalationPolicy,
    EscalationState,
    Organisation,
    ServicePolicy,
    StepTarget,
    TeamPolicy,
)
from midwatch.respond.incidents.models import DeclarationRule
from midwatch.respond.notify.models import Delivery, Page
from midwatch.respond.oncall import actions as oncall
from midwatch.respond.oncall.models import Override, Schedule, TurnMember
from midwatch.respond.statuspage.actions import delete_page
from midwatch.respond.statuspage.models import Page as StatusPage


def why_kept(found: Managed, gone_teams: Collection[int] = ()) -> str:
    """ "" when it can go; else who needs it. `gone_teams` use policies only until they go too."""
    reasons = [said] if (said := incidents.why_kept(found)) else []
    match found:
        case Source():
            _open(Alert.objects.filter(source=found), reasons)
        case Service():
            _open(Alert.objects.filter(service=found), reasons)
            _used("Source", Source.objects.filter(service=found), reasons)
            _used("Runbook", Runbook.objects.filter(service=found), reasons)
            _used("Service", Service.objects.filter(depends_on=found), reasons)
            _used("DeclarationRule", DeclarationRule.objects.filter(service=found), reasons)
        case EscalationPolicy():
            _open_escalations(Q(policy=found), reasons)
            services = ServicePolicy.objects.filter(policy=found).values("service")
            _used("Service", Service.objects.filter(pk__in=services), reasons)
            teams = TeamPolicy.objects.filter(policy=found).exclude(team__in=gone_teams).values("team")
            _used("Team", Team.objects.filter(pk__in=teams), reasons)
        case Schedule():
            _open_escalations(Q(direct_schedule=found), reasons)
            _targeted(Q(schedule=found), reasons)
            if Organisation.objects.filter(duty_schedule=found).exists():
                reasons.append("it is the organisation's duty schedule")
        case Team():
            _open(Alert.objects.filter(team=found), reasons)
            _targeted(Q(team=found), reasons)
            _used("Service", Service.objects.filter(team=found), reasons)
            _used("DeclarationRule", DeclarationRule.objects.filter(team=found), reasons)
            _used("StatusPage", StatusPage.objects.filter(team=found), reasons)
            _used("Runbook", Runbook.objects.filter(team=found), reasons)
            _used("Schedule", Schedule.objects.filter(team=found), reasons)
            _used("EscalationPolicy", EscalationPolicy.objects.filter(team=found), reasons)
        case User():
            _open(Alert.objects.filter(acknowledged_by=found), reasons)
            _open_escalations(Q(direct_user=found), reasons)
            _targeted(Q(user=found), reasons)
            on_schedules = Schedule.objects.filter(
                pk__in=TurnMember.objects.filter(user=found).values("layer__schedule")
            )
            _used("Schedule", on_schedules, reasons)
            to_come = Override.objects.filter(user=found, cancelled_at=None, ends_at__gt=clock.now())
            _used("Schedule", Schedule.objects.filter(pk__in=to_come.values("schedule")), reasons)
    return f"kept: {'; '.join(dict.fromkeys(reasons))}" if reasons else ""


def _open(alerts: QuerySet[Alert], reasons: list[str]) -> None:
    numbers = list(alerts.filter(status__in=OPEN).order_by("id").values_list("number", flat=True)[:4])
    if numbers:
        shown = ", ".join(f"#{number}" if number else "a test" for number in numbers[:3])
        reasons.append(f"open alerts ({shown}{', ...' if len(numbers) > 3 else ''})")


def _open_escalations(which: Q, reasons: list[str]) -> None:
    running = Escalation.objects.filter(which).exclude(state=EscalationState.ENDED)
    _open(Alert.objects.filter(pk__in=running.values("alert")), reasons)


def _used(kind: str, users: QuerySet[Any], reasons: list[str]) -> None:
    names = [str(name) for name in users.order_by("name").values_list("name", flat=True)[:4]]
    if names:
        shown = ", ".join(f"{kind}/{name}" for name in names[:3])
        reasons.append(f"needed by {shown}{', ...' if len(names) > 3 else ''}")


def _targeted(which: Q, reasons: list[str]) -> None:
    targets = StepTarget.objects.filter(which).values("step__policy")
    _used("EscalationPolicy", EscalationPolicy.objects.filter(pk__in=targets), reasons)


def delete(found: Managed, by: Actor, mark: Mark) -> str:
    """After `why_kept` said "". Returns a sentence when it means something for people."""
    if incidents.delete(found, by, mark):
        return ""
    match found:
        case Runbook():
            return take_away(found, by, mark=mark)
        case StatusPage():
            delete_page(found, by, mark=mark)
        case Source():
            sources.delete_source(found, by, mark=mark)
        case Service():
            sources.release_service(found)
            catalog.delete_service(found, by, mark=mark)
        case EscalationPolicy():
            for bound in TeamPolicy.objects.filter(policy=found).select_related("team"):
                policies.bind_team(bound.team, None, by, mark=mark)
            policies.delete_policy(found, by, mark=mark)
        case Schedule():
            oncall.delete_schedule(found, by, mark=mark)
        case Team():
            sources.release_team(found)
            people.delete_team(found, by, mark=mark)
        case User():
            return _delete_user(found, by, mark)
    return ""


def _delete_user(user: User, by: Actor, mark: Mark) -> str:
    """Somebody with a history is turned off instead: alerts, receipts and the audit log go on naming them."""
    has_history = (
        Delivery.objects.filter(user=user).exists()
        or Page.objects.filter(user=user).exists()
        or Alert.objects.filter(Q(acknowledged_by=user) | Q(resolved_by=user)).exists()
        or Override.objects.filter(Q(user=user) | Q(replaces=user)).exists()
        or AuditEntry.objects.filter(user_id=user.pk).exists()
    )
    if not has_history:
        people.delete_user(user, by, mark=mark)
        return f"{user} is deleted"
    people.deactivate_user(user, by, mark=mark)
    people.release_contacts(user, by)
    people.release_rules(user, by)
    User.objects.filter(pk=user.pk).update(code_owner="", code_file="")
    return f"{user} is turned off, and stays in the history"
