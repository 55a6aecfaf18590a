"""The loop, in one place: event -> what follows, room by room. A reaction commits together with its outbox row's `done_at`.

Each handler reads the state as it is now, so a reaction that comes late or twice does no harm. One that keeps failing is
put aside, visible, and never stops the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction

from midwatch.core import clock, leases
from midwatch.core.actor import ENGINE, Actor
from midwatch.core.guard import guarded
from midwatch.core.models import OutboxEvent
from midwatch.learn.postmortems import actions as postmortems
from midwatch.learn.postmortems.actions.publishing import external_text, notices_of
from midwatch.learn.postmortems.actions.reminding import on_opened
from midwatch.learn.postmortems.models import Postmortem
from midwatch.people.models import Team
from midwatch.people.queries import actor_of, administrators
from midwatch.respond.alerts.models import Alert
from midwatch.respond.escalation.actions import answers, page_somebody
from midwatch.respond.incidents import actions as incidents
from midwatch.respond.incidents.actions import telling
from midwatch.respond.incidents.models import Incident
from midwatch.respond.statuspage import actions as statuspage
from midwatch.respond.statuspage.actions import sending as subscribers

CLAIMABLE = leases.Claimable(
    lambda now: OutboxEvent.objects.filter(done_at=None, quarantined_at=None, due_at__lte=now).order_by("due_at", "id")
)
LEASE = timedelta(seconds=10)
ATTEMPTS_MAX = 8
Handler = Callable[[Mapping[str, Any]], object]


def _config_refused(payload: Mapping[str, Any]) -> None:
    """The configuration at start could not be taken: the last one stays in force, and an administrator hears of it."""
    for administrator in list(administrators())[:1]:
        page_somebody(
            "The configuration given at the start was refused; the last applied one stays in force",
            ENGINE,
            priority="P3",
            description=str(payload.get("problem", ""))[:8_000],
            user=administrator,
        )


def _person_missing(payload: Mapping[str, Any]) -> None:
    """Somebody was turned off, or lost their last method, although steps page only them: an alert to their teams."""
    teams = list(Team.objects.filter(pk__in=payload.get("teams", [])))
    for team in teams:
        page_somebody(str(payload["sentence"]), ENGINE, priority="P2", team=team)
    for administrator in list(administrators())[: 0 if teams else 1]:
        page_somebody(str(payload["sentence"]), ENGINE, priority="P2", user=administrator)


def _acknowledged(payload: Mapping[str, Any]) -> None:
    """Whoever answered an alert answered for its incidents too: a provisional IC makes room for them (R1)."""
    if not incidents.concerns_incident(payload["alert"]):
        return
    alert = Alert.objects.select_related("acknowledged_by").filter(pk=payload["alert"]).first()
    if alert is not None and alert.acknowledged_by is not None:
        incidents.on_alert_acknowledged(alert, actor_of(alert.acknowledged_by, "engine"), alert.acknowledged_by)


def _resolved(payload: Mapping[str, Any]) -> None:
    if not incidents.concerns_incident(payload["alert"]):
        return
    alert = Alert.objects.select_related("resolved_by").filter(pk=payload["alert"]).first()
    if alert is not None:
        by = actor_of(alert.resolved_by, "engine") if alert.resolved_by else Actor("its source", "engine")
        incidents.on_alert_resolved(alert, by)


def _incident(incident_id: int) -> Incident | None:
    return Incident.objects.select_related("service", "team").filter(pk=incident_id).first()


def _declared(payload: Mapping[str, Any]) -> None:
    """Before anybody repairs anything: what was so is kept. And places to talk are wished for."""
    incident = _incident(payload["incident"])
    if incident is not None and not incident.is_backfilled:
        incidents.take_snapshot(incident, ENGINE, reason="declared")
        incidents.open_channels(incident)


def _channels_show(payload: Mapping[str, Any]) -> None:
    incident = _incident(payload["incident"])
    if incident is not None:
        incidents.refresh_channels(incident)


def _postmortem_published(payload: Mapping[str, Any]) -> None:
    """On the status pages that told of its incident, when the CM and the IC want it there (R13)."""
    found = Postmortem.objects.select_related("incident").filter(pk=payload["postmortem"]).first()
    if found is None or not payload["page"]:
        return
    by = Actor(payload["who"], "engine", payload["by"])
    for notice in notices_of(found):
        statuspage.draft_postmortem(notice, external_text(found), by)
        statuspage.publish_postmortem(notice, by)


REACTIONS: Mapping[str, tuple[Handler, ...]] = {
    "alert.acknowledged": (lambda p: answers.on_acknowledged(p["alert"]), _acknowledged),
    "alert.confirmed": (lambda p: answers.on_confirmed(p["alert"]),),
    "alert.unacknowledged": (lambda p: answers.on_unacknowledged(p["alert"]),),
    "alert.resolved": (lambda p: answers.on_resolved(p["alert"]), _resolved),
    "alert.reopened": (lambda p: answers.on_reopened(p["alert"]),),
    "alert.snoozed": (lambda p: answers.on_snoozed(p["alert"]),),
    "alert.raised": (lambda p: answers.on_raised(p["alert"]),),
    "page.failed": (lambda p: answers.on_page_failed(p["alert"]),),
    "escalation.joined": (lambda p: answers.on_joined(p["escalation"]),),
    "maintenance.started": (lambda p: answers.on_maintenance_started(p["service"]),),
    "maintenance.ended": (lambda p: answers.on_maintenance_ended(p["service"]),),
    "config.refused": (_config_refused,),
    "person.missing": (_person_missing,),
    "incident.declared": (_declared,),
    "incident.role_taken": (
        lambda p: telling.on_role_taken(p["incident"], p["role"], p["user"], p["by"]),
        _channels_show,
    ),
    "incident.role_offered": (lambda p: telling.on_role_offered(p["hand_over"]),),
    "incident.role_declined": (lambda p: telling.on_role_declined(p["hand_over"]),),
    "incident.severity_changed": (_channels_show, lambda p: postmortems.on_incident_resolved(p["incident"])),
    "incident.impact_changed": (lambda p: incidents.keep_outage(p["window"], p["incident"]),),
    "incident.resolved": (lambda p: postmortems.on_incident_resolved(p["incident"]),),
    "incident.reopened": (_channels_show,),
    "incident.closed": (_channels_show, lambda p: incidents.end_powers(p["incident"])),
    "incident.update_published": (lambda p: statuspage.incident_said(p["update"]),),
    "postmortem.opened": (lambda p: on_opened(p["postmortem"]),),
    "postmortem.waived": (),
    "postmortem.published": (_postmortem_published,),
    "outage.changed": (lambda p: statuspage.outage_changed(p["outage"]),),
    "statuspage.update.published": (subscribers.fan_out_update,),
    "statuspage.component.changed": (subscribers.fan_out_change,),
    "statuspage.maintenance.reminder": (subscribers.fan_out_reminder,),
    "statuspage.postmortem.published": (subscribers.fan_out_postmortem,),
}


def react(*, limit: int = 50) -> int:
    """Do what follows from what happened. Returns how many events were due."""
    events = leases.claim_due(CLAIMABLE, now=clock.now(), lease=LEASE, limit=limit)
    for event in events:
        _react_to(event)
    return len(events)


def _react_to(event: OutboxEvent) -> None:
    failures: list[Exception] = []
    is_done = guarded(
        f"reaction {event.name}", lambda: _in_one_transaction(event), otherwise=False, on_failure=failures.append
    )
    if is_done:
        return
    now = clock.now()
    attempts = event.attempts + 1
    with transaction.atomic():
        OutboxEvent.objects.filter(pk=event.pk, done_at=None).update(
            attempts=attempts,
            claimed_until=None,
            due_at=now + timedelta(seconds=min(2**attempts, 300)),
            problem=f"{type(failures[0]).__name__}: {failures[0]}"[:500],
            quarantined_at=now if attempts >= ATTEMPTS_MAX else None,
        )


def _in_one_transaction(event: OutboxEvent) -> bool:
    with transaction.atomic():
        mine = OutboxEvent.objects.filter(pk=event.pk, done_at=None, claimed_until=event.claimed_until)
        if mine.update(done_at=clock.now(), claimed_until=None):
            for follow in REACTIONS[event.name]:
                follow(event.payload)
    return True
