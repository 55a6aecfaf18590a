"""Up the ladder: mitigated, resolved, closed; and down again when it breaks once more. And what was learned."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from midwatch.core import audit, clock, outbox
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.respond.incidents import phases
from midwatch.respond.incidents.actions.channels import refresh_channels
from midwatch.respond.incidents.actions.impact import end_windows
from midwatch.respond.incidents.actions.promises import start_clocks, stop_clocks
from midwatch.respond.incidents.actions.timeline import note
from midwatch.respond.incidents.models import HandOver, HandOverState, Incident, Lesson, Phase, RoleHolding
from midwatch.respond.incidents.queries.holders import holdings_of
from midwatch.respond.incidents.queries.severities import demands_postmortem


def moments_of(incident: Incident) -> dict[str, datetime | None]:
    return {rung: getattr(incident, f"{rung}_at") for rung in phases.LADDER}


def set_phase(incident: Incident, phase: str, by: Actor, *, at: datetime | None = None) -> Incident:
    """A rung was reached, now or at `at`. Resolving ends the open impact windows. Closing is `close_incident`.

    Raises ValueError with a sentence."""
    if phase == Phase.CLOSED:
        return close_incident(incident, by)
    now = clock.now()
    with transaction.atomic():
        current = Incident.objects.select_for_update().get(pk=incident.pk)
        if current.closed_at is not None:
            raise ValueError(f"{incident} is closed: reopen it first")
        moment = at or now
        moments = phases.with_rung(moments_of(current), phase, moment, now)
        if phase == Phase.RESOLVED and moment < current.started_at:
            raise ValueError("it cannot be resolved before it began")
        was_resolved = current.resolved_at is not None
        _write(current, moments)
        note(incident, "phase", f"{phase} at {moment:%H:%M} UTC", by, happened_at=moment, phase=phase)
        audit.record(by, phase, "incident", str(incident), {"at": moment.isoformat()})
        if phase == Phase.RESOLVED:
            end_windows(current, moment)
            if not was_resolved:
                stop_clocks(current)
                Incident.objects.filter(pk=current.pk).update(prompted_at=now)
                outbox.emit("incident.resolved", {"incident": current.pk, "by": by.user_id})
        refresh_channels(current)
    incident.refresh_from_db()
    return incident


def _write(incident: Incident, moments: dict[str, datetime | None]) -> None:
    values = {f"{rung}_at": moment for rung, moment in moments.items()}
    Incident.objects.filter(pk=incident.pk).update(phase=phases.phase_of(moments), **values)


def step_back(incident: Incident, phase: str, by: Actor, why: str) -> Incident:
    """It broke again: back below `phase`. The timeline keeps when it had been reached."""
    if not why.strip():
        raise ValueError("say what broke again")
    with transaction.atomic():
        current = Incident.objects.select_for_update().get(pk=incident.pk)
        if current.merged_into_id is not None:
            into = current.merged_into
            known = into is not None and not into.is_private
            raise ValueError(f"{incident} goes on as {into if known else 'another incident'}")
        was_closed = current.closed_at is not None
        _write(current, phases.without(moments_of(current), phase))
        Incident.objects.filter(pk=current.pk).update(prompted_at=clock.now())
        if was_closed:
            _give_roles_back(current)
        current.refresh_from_db()
        if current.is_active:
            start_clocks(current)
        note(incident, "phase", f"not {phase} after all: {clean(why, 300, is_one_line=True)}", by, phase=phase)
        audit.record(by, "step back", "incident", str(incident), {"phase": phase})
        outbox.emit("incident.reopened", {"incident": current.pk})
    incident.refresh_from_db()
    return incident


def _give_roles_back(incident: Incident) -> None:
    """Who held the roles when it was closed holds them again: a reopened incident is not without an IC."""
    now = clock.now()
    for held in holdings_of(incident):
        RoleHolding.objects.create(
            incident=incident,
            role=held.role,
            user=held.user,
            how=held.how,
            given_by=held.given_by,
            is_single=held.is_single,
            assumed_at=now,
        )


def close_incident(incident: Incident, by: Actor) -> Incident:
    """The end: roles and the IC's powers end with it. A qualifying one is closed only when its lesson is published or
    waived (R10). Raises ValueError with a sentence."""
    now = clock.now()
    with transaction.atomic():
        current = Incident.objects.select_for_update().get(pk=incident.pk)
        if current.closed_at is not None:
            return current
        moments = phases.with_rung(moments_of(current), Phase.CLOSED, now, now)
        if current.lesson == Lesson.OPEN:
            raise ValueError("its post-mortem is open: publish it, or waive it with a reason")
        if current.lesson == Lesson.NONE and demands_postmortem(current):
            raise ValueError("its severity demands a post-mortem, which opens within seconds: publish it, or waive it")
        _write(current, moments)
        Incident.objects.filter(pk=current.pk).update(prompted_at=None)
        HandOver.objects.filter(incident=current, state=HandOverState.OFFERED).update(
            state=HandOverState.WITHDRAWN, answered_at=now
        )
        stop_clocks(current)
        RoleHolding.objects.filter(incident=current, ended_at=None).update(ended_at=now)
        note(incident, "phase", "closed", by, phase=Phase.CLOSED)
        audit.record(by, "close", "incident", str(incident))
        outbox.emit("incident.closed", {"incident": current.pk})
    incident.refresh_from_db()
    return incident


def set_lesson(incident: Incident, lesson: Lesson, by: Actor, *, why: str = "") -> None:
    """What the post-mortem came to: written by `learn.postmortems`, read when the incident is closed. In one transaction."""
    with transaction.atomic():
        changed = (
            Incident.objects.filter(pk=incident.pk)
            .exclude(lesson=lesson)
            .update(lesson=lesson, lesson_by=str(by)[:200], lesson_why=clean(why, 500))
        )
        if changed:
            words = {
                Lesson.NONE: "no post-mortem is demanded",
                Lesson.OPEN: "its post-mortem is open",
                Lesson.PUBLISHED: "its post-mortem is published",
                Lesson.WAIVED: f"its post-mortem was waived: {clean(why, 300, is_one_line=True)}",
            }
            note(incident, "lesson", words[lesson], by, lesson=lesson)
