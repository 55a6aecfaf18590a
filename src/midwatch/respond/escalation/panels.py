"""What escalation shows on the alert pages: the policy's progress, the acts, and the next step beside a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from midwatch.catalog.models import Service
from midwatch.core import clock, feeds
from midwatch.core.contribute import Badge, Beside, Panel, holds
from midwatch.core.statements import Select
from midwatch.people.models import Team
from midwatch.people.queries import active_people, may_edit_team
from midwatch.people.viewing import viewer
from midwatch.respond.alerts.lines import Line
from midwatch.respond.alerts.models import Alert
from midwatch.respond.escalation.models import (
    Escalation,
    EscalationPolicy,
    EscalationState,
    ServicePolicy,
    TeamChannel,
    TeamPolicy,
)
from midwatch.respond.escalation.queries import policy_for, progress
from midwatch.respond.notify.models import Page, PageState
from midwatch.respond.notify.queries import feed_config, pages_of

PEOPLE_MAX = 500
POLICIES_MAX = 500
ABOUT_NOW = timedelta(seconds=3)  # a step that waits for its hand-over is looked at each second: no countdown for that


def _progress(request: HttpRequest, alert: Alert) -> str:
    calling = [page for page in pages_of(alert) if page.state == PageState.RUNNING and alert.is_open]
    is_held = alert.is_open and holds("paging.held", alert.pk)
    context = {"alert": alert, "progress": progress(alert), "calling": calling, "is_held": is_held}
    return render_to_string("escalation/_progress.html", context, request)


def _acts(request: HttpRequest, alert: Alert) -> str:
    calls_me = Page.objects.filter(alert=alert, user=viewer(request), state=PageState.RUNNING).exists()
    people = active_people()[:PEOPLE_MAX]
    return render_to_string("escalation/_acts.html", {"alert": alert, "calls_me": calls_me, "people": people}, request)


def _next_steps(request: HttpRequest, rows: Sequence[Line]) -> Mapping[int, Beside]:
    soon = clock.now() + ABOUT_NOW
    steps = _STEPS([row.pk for row in rows])
    found = ((pk, _beside(pk, state, due_at, leader, soon)) for pk, state, due_at, leader in steps)
    return {pk: said for pk, said in found if said is not None}


_STEPS = Select(
    lambda alerts: Escalation.objects.filter(alert__in=alerts).values_list(
        "alert_id", "state", "due_at", "leader__alert__number"
    )
)


def _beside(pk: int, state: str, due_at: datetime | None, leader: int | None, soon: datetime) -> Beside | None:
    match state:
        case EscalationState.PAGING if holds("paging.held", pk):
            return Beside(_("on hold"), icon="player-pause")
        case EscalationState.PAGING if due_at is not None and due_at > soon:
            return Beside(_("next step"), icon="phone-call", at=due_at, shape="countdown")
        case EscalationState.PAGING:
            return Beside(_("paging"), icon="phone-call")
        case EscalationState.JOINED if leader is not None:
            return Beside(_("pages with #%d") % leader, icon="link")
        case EscalationState.HELD:
            return Beside(_("held: maintenance"), icon="player-pause")
        case EscalationState.EXHAUSTED:
            return Beside(state="exhausted")
        case EscalationState.ACKNOWLEDGED if due_at is not None:
            return Beside(_("asks again"), icon="clock", at=due_at)
    return None


def _policy(request: HttpRequest, service: Service) -> str:
    """What alerts of a service are escalated by; and, for who may, another choice."""
    user = viewer(request)
    may_edit = may_edit_team(user, service.team) and not service.is_from_code
    own = ServicePolicy.objects.select_related("policy").filter(service=service).first()
    context = {
        "service": service,
        "policy": policy_for(service, service.team),
        "is_own": own is not None,
        "may_edit": may_edit,
        "policies": EscalationPolicy.objects.order_by("name")[:POLICIES_MAX] if may_edit else [],
    }
    return render_to_string("escalation/_service.html", context, request)


def _channels(request: HttpRequest, team: Team) -> str:
    """Where the team reads along: of each provider that is set up, and what it said last."""
    rows = {one.provider: one for one in TeamChannel.objects.filter(team=team)}
    shown = [
        (feed, rows.get(name))
        for name, feed in feeds.feeds().items()
        if name in rows or not feed.missing_settings(feed_config(name))
    ]
    if not shown:
        return ""
    context = {"team": team, "channels": shown, "may_edit": may_edit_team(viewer(request), team)}
    return render_to_string("escalation/_team_channels.html", context, request)


def _without_policy(request: HttpRequest, rows: Sequence[Service]) -> Mapping[int, str]:
    """Beside a service that nobody is paged for."""
    own = set(ServicePolicy.objects.filter(service__in=rows).values_list("service_id", flat=True))
    teams = set(TeamPolicy.objects.values_list("team_id", flat=True))
    bare = [service for service in rows if service.pk not in own and service.team_id not in teams]
    text = render_to_string("escalation/_service_row.html").strip() if bare else ""
    return {service.pk: text for service in bare}


PANELS = [
    Panel("alert.state", 10, _progress),
    Panel("alert.acts", 10, _acts),
    Panel("service.side", 20, _policy),
    Panel("team.side", 20, _channels),
]
BADGES = [Badge("alert.row", 10, _next_steps), Badge("service.row", 20, _without_policy)]
