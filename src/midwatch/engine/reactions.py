"""The loop, in one place: event -> what follows, room by room. A reaction commits together with its outbox row's `done_at`.

Each handler reads the state as it is now, so a reaction that comes late or twice does no harm. One that keeps failing is
put aside, visible, and never stops the rest.

Where several rooms follow one event, the lowest one's reaction commits with the event, and with a row of the outbox for each
other: from then on each has its own transaction, tries and end. A bug in incidents undoes no answer to a page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction

from midwatch.core import clock, leases
from midwatch.core.actor import ENGINE, Actor
from midwatch.core.guard import guarded
from midwatch.core.models import OutboxEvent
from midwatch.core.rows import insert_rows
from midwatch.core.statements import Update
from midwatch.engine import execution_lines, remedies
from midwatch.learn.postmortems import actions as postmortems
from midwatch.learn.postmortems.actions.publishing import external_text, notices_of
from midwatch.learn.postmortems.actions.reminding import on_opened
from midwatch.learn.postmortems.models import Postmortem
from midwatch.people.models import Team
from midwatch.people.queries import actor_of, administrators
from midwatch.prepare.runbooks.actions import drilling, promoting
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
DONE = Update(
    lambda pk, claimed_until, now: (
        OutboxEvent.objects.filter(pk=pk, done_at=None, claimed_until=claimed_until),
        {"done_at": now, "claimed_until": None},
    )
)
LEASE = timedelta(seconds=10)
ATTEMPTS_MAX = 8
Handler = Callable[[Mapping[str, Any]], object]


@dataclass(frozen=True, slots=True)
class Asked:
    """A room that follows seldom: `concerns` is asked first, so that it costs no row where there is nothing for it."""

    concerns: Callable[[Mapping[str, Any]], bool]
    follow: Handler

    def __call__(self, payload: Mapping[str, Any]) -> object:
        return self.follow(payload)


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


def _of_incident(payload: Mapping[str, Any]) -> bool:
    return incidents.concerns_incident(payload["alert"])


def _acknowledged(payload: Mapping[str, Any]) -> None:
    """Whoever answered an alert answered for its incidents too: a provisional IC makes room for them (R1)."""
    alert = Alert.objects.select_related("acknowledged_by").filter(pk=payload["alert"]).first()
    if alert is not None and alert.acknowledged_by is not None:
        incidents.on_alert_acknowledged(alert, actor_of(alert.acknowledged_by, "engine"), alert.acknowledged_by)


def _resolved(payload: Mapping[str, Any]) -> None:
    alert = Alert.objects.select_related("resolved_by").filter(pk=payload["alert"]).first()
    if alert is not None:
        by = actor_of(alert.resolved_by, "engine") if alert.resolved_by else Actor("its source", "engine")
        incidents.on_alert_resolved(alert, by)


def _incident(incident_id: int) -> Incident | None:
    return Incident.objects.select_related("service", "team").filter(pk=incident_id).first()


def _snapshot(payload: Mapping[str, Any]) -> None:
    """Before anybody repairs anything: what was so is kept."""
    incident = _incident(payload["incident"])
    if incident is not None and not incident.is_backfilled:
        incidents.take_snapshot(incident, ENGINE, reason="declared")


def _open_channels(payload: Mapping[str, Any]) -> None:
    """Places to talk are wished for."""
    incident = _incident(payload["incident"])
    if incident is not None and not incident.is_backfilled:
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


def _of_alert(payload: Mapping[str, Any]) -> bool:
    return payload.get("alert") is not None


def _learn(payload: Mapping[str, Any]) -> None:
    """What it proves: a step may want to climb or fall, a drill has its score."""
    promoting.consider(payload["execution"])
    drilling.score(payload["execution"])


# Event -> room -> what it does, the lowest room first.
def _line(event: str) -> Asked:
    return Asked(execution_lines.concerns, partial(execution_lines.follow, event))


REACTIONS: Mapping[str, Mapping[str, Handler]] = {
    "alert.acknowledged": {
        "escalation": lambda p: answers.on_acknowledged(p["alert"]),
        "incidents": Asked(_of_incident, _acknowledged),
    },
    "alert.confirmed": {"escalation": lambda p: answers.on_confirmed(p["alert"])},
    "alert.unacknowledged": {"escalation": lambda p: answers.on_unacknowledged(p["alert"])},
    "alert.resolved": {
        "escalation": lambda p: answers.on_resolved(p["alert"]),
        "incidents": Asked(_of_incident, _resolved),
    },
    "alert.reopened": {"escalation": lambda p: answers.on_reopened(p["alert"])},
    "alert.snoozed": {"escalation": lambda p: answers.on_snoozed(p["alert"])},
    "alert.raised": {"escalation": lambda p: answers.on_raised(p["alert"])},
    "page.failed": {"escalation": lambda p: answers.on_page_failed(p["alert"])},
    "escalation.joined": {"escalation": lambda p: answers.on_joined(p["escalation"])},
    "remedy.wanted": {"escalation": remedies.wanted},
    "maintenance.started": {"escalation": lambda p: answers.on_maintenance_started(p["service"])},
    "maintenance.ended": {"escalation": lambda p: answers.on_maintenance_ended(p["service"])},
    "config.refused": {"escalation": _config_refused},
    "person.missing": {"escalation": _person_missing},
    "incident.declared": {"evidence": _snapshot, "channels": _open_channels},
    "incident.role_taken": {
        "incidents": lambda p: telling.on_role_taken(p["incident"], p["role"], p["user"], p["by"]),
        "channels": _channels_show,
    },
    "incident.role_offered": {"incidents": lambda p: telling.on_role_offered(p["hand_over"])},
    "incident.role_declined": {"incidents": lambda p: telling.on_role_declined(p["hand_over"])},
    "incident.severity_changed": {
        "channels": _channels_show,
        "postmortems": lambda p: postmortems.on_incident_resolved(p["incident"]),
    },
    "incident.impact_changed": {"availability": lambda p: incidents.keep_outage(p["window"], p["incident"])},
    "incident.resolved": {"postmortems": lambda p: postmortems.on_incident_resolved(p["incident"])},
    "incident.reopened": {"channels": _channels_show},
    "incident.closed": {
        "powers": lambda p: incidents.end_powers(p["incident"]),
        "channels": _channels_show,
    },
    "incident.update_published": {"statuspage": lambda p: statuspage.incident_said(p["update"])},
    "execution.started": {"timelines": _line("execution.started")},
    "execution.waiting": {"escalation": Asked(_of_alert, remedies.moved), "timelines": _line("execution.waiting")},
    "execution.step_ended": {"timelines": _line("execution.step_ended")},
    "execution.ended": {
        "runbooks": execution_lines.ended,
        "escalation": Asked(_of_alert, remedies.moved),
        "trust": _learn,
        "timelines": _line("execution.ended"),
    },
    "postmortem.opened": {"postmortems": lambda p: on_opened(p["postmortem"])},
    "postmortem.waived": {},
    "postmortem.published": {"statuspage": _postmortem_published},
    "outage.changed": {"statuspage": lambda p: statuspage.outage_changed(p["outage"])},
    "statuspage.update.published": {"subscribers": subscribers.fan_out_update},
    "statuspage.component.changed": {"subscribers": subscribers.fan_out_change},
    "statuspage.maintenance.reminder": {"subscribers": subscribers.fan_out_reminder},
    "statuspage.postmortem.published": {"subscribers": subscribers.fan_out_postmortem},
}


def react(*, limit: int = 50) -> int:
    """Do what follows from what happened. Returns how many events were due.

    What failed before, and what higher rooms do, comes last: slow or broken, it delays nobody's answer.
    """
    events = leases.claim_due(CLAIMABLE, now=clock.now(), lease=LEASE, limit=limit)
    further: list[OutboxEvent] = []
    for event in sorted(events, key=lambda one: one.attempts > 0 or bool(one.follower)):
        further += _react_to(event)
    for event in further:
        _react_to(event)
    return len(events)


def _react_to(event: OutboxEvent) -> list[OutboxEvent]:
    """One room's reaction. Returns the rows of the further rooms that follow the same event, claimed."""
    further = _further(event)
    failures: list[Exception] = []
    room = f" of {event.follower}" if event.follower else ""
    written = guarded(
        f"reaction {event.name}{room}",
        lambda: _in_one_transaction(event, further),
        otherwise=None,
        on_failure=failures.append,
    )
    return _try_again(event, further, failures[0]) if written is None else written


def _further(event: OutboxEvent) -> list[OutboxEvent]:
    """What the higher rooms have to do, where they have something to do: to be written with the lowest one's reaction."""
    if event.follower:
        return []
    now = clock.now()
    return [
        OutboxEvent(
            name=event.name,
            follower=room,
            payload=event.payload,
            created_at=event.created_at,
            due_at=now,
            claimed_until=now + LEASE,
        )
        for room, follow in list(REACTIONS.get(event.name, {}).items())[1:]
        if not isinstance(follow, Asked)
        # If it cannot even be asked, it is tried like any other reaction, and put aside if need be.
        or guarded(f"who follows {event.name}", partial(follow.concerns, event.payload), otherwise=True)
    ]


def _in_one_transaction(event: OutboxEvent, further: list[OutboxEvent]) -> list[OutboxEvent]:
    with transaction.atomic():
        if not DONE(event.pk, event.claimed_until, clock.now()):
            return []
        follow_up(event)
        insert_rows(further)
    return further


def follow_up(event: OutboxEvent) -> None:
    """What the event's room does; the lowest one's, while none is named."""
    rooms = REACTIONS[event.name]
    for room in [event.follower] if event.follower else list(rooms)[:1]:
        rooms[room](event.payload)


def _try_again(event: OutboxEvent, further: list[OutboxEvent], failure: Exception) -> list[OutboxEvent]:
    """The reaction failed: later again, or put aside. The higher rooms do not wait for it."""
    now = clock.now()
    attempts = event.attempts + 1
    with transaction.atomic():
        mine = OutboxEvent.objects.filter(pk=event.pk, done_at=None, claimed_until=event.claimed_until)
        is_mine = mine.update(
            attempts=attempts,
            claimed_until=None,
            due_at=now + timedelta(seconds=min(2**attempts, 300)),
            follower=next(iter(REACTIONS[event.name])) if further else event.follower,
            problem=f"{type(failure).__name__}: {failure}"[:500],
            quarantined_at=now if attempts >= ATTEMPTS_MAX else None,
        )
        if is_mine:
            insert_rows(further)
    return further if is_mine else []
