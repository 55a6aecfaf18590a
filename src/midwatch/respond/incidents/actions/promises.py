"""The clocks of the audiences: set at declaration, moved by updates, gone through when a promise is broken (R6)."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from midwatch.core import audit, clock, leases
from midwatch.core.actor import ENGINE, Actor
from midwatch.people.models import User
from midwatch.respond.escalation.queries import OnCallNow, policy_for, steps_of
from midwatch.respond.incidents import cadence, duties
from midwatch.respond.incidents.actions.telling import tell
from midwatch.respond.incidents.actions.timeline import note
from midwatch.respond.incidents.models import Audience, Incident, Promise
from midwatch.respond.incidents.queries.holders import holdings_of, values
from midwatch.respond.incidents.queries.severities import severity_rule

LEASE = timedelta(seconds=10)


def rhythm_of(incident: Incident, audience: str) -> cadence.Rhythm:
    """Private incidents promise clients nothing; drills neither."""
    rule = severity_rule(incident.severity)
    if audience == Audience.INTERNAL:
        return cadence.Rhythm(_minutes(rule.internal_every_minutes))
    if incident.is_private or incident.is_drill:
        return cadence.Rhythm(None)
    return cadence.Rhythm(_minutes(rule.external_every_minutes), _minutes(rule.first_external_minutes))


def _minutes(value: int | None) -> timedelta | None:
    return timedelta(minutes=value) if value is not None else None


def start_clocks(incident: Incident) -> None:
    """At declaration, and when it is open again. In the caller's transaction."""
    for audience in Audience:
        Promise.objects.get_or_create(incident=incident, audience=audience)
    set_clocks(incident)


def set_clocks(incident: Incident) -> None:
    """By the severity's rhythm, where no person said otherwise. In the caller's transaction."""
    now = clock.now()
    for promise in Promise.objects.select_related("incident").filter(incident=incident):
        if promise.is_explicit and promise.promised_at and promise.promised_at > now:
            continue
        at = cadence.next_promise(
            rhythm_of(incident, promise.audience),
            declared_at=incident.declared_at,
            last_at=promise.last_at,
            is_long=incident.is_long,
        )
        _promise(promise, at, is_explicit=False)


def _promise(promise: Promise, at: datetime | None, *, is_explicit: bool) -> None:
    look_at = min((rung.at for rung in cadence.ladder(at, _since(promise))), default=None) if at else None
    Promise.objects.filter(pk=promise.pk).update(
        promised_at=at, is_explicit=is_explicit, level=0, due_at=look_at, claimed_until=None
    )


def _since(promise: Promise) -> datetime:
    """When the clock that runs now was started."""
    return promise.last_at or promise.incident.declared_at


def stop_clocks(incident: Incident) -> None:
    """Resolved or closed: nothing is promised any more. In the caller's transaction."""
    Promise.objects.filter(incident=incident).update(promised_at=None, due_at=None, level=0, claimed_until=None)


def audience_heard(incident: Incident, audience: str, at: datetime, next_at: datetime | None) -> None:
    """An update went out to it: the promise was kept or broken, and the clock starts anew. In the caller's transaction."""
    promise = Promise.objects.select_for_update().filter(incident=incident, audience=audience).first()
    if promise is None:
        return
    is_kept = promise.promised_at is None or at <= promise.promised_at
    Promise.objects.filter(pk=promise.pk).update(
        last_at=at,
        kept_count=promise.kept_count + is_kept,
        broken_count=promise.broken_count + (not is_kept),
    )
    promise.last_at = at
    if not incident.is_active:
        stop_clocks(incident)
    elif next_at is not None:
        _promise(promise, next_at, is_explicit=True)
    else:
        rhythm = rhythm_of(incident, audience)
        upcoming = cadence.next_promise(rhythm, declared_at=incident.declared_at, last_at=at, is_long=incident.is_long)
        _promise(promise, upcoming, is_explicit=False)


def decide_on_long(incident: Incident, by: Actor, *, is_long: bool) -> None:
    """Somebody decides that clients hear every hour from now on, or again by the severity's rhythm."""
    with transaction.atomic():
        if Incident.objects.filter(pk=incident.pk, closed_at=None).exclude(is_long=is_long).update(is_long=is_long):
            incident.refresh_from_db()
            words = "a long incident: updates every hour" if is_long else "updates by the severity's rhythm again"
            note(incident, "cadence", words, by)
            audit.record(by, "decide on rhythm", "incident", str(incident), {"is_long": is_long})
            set_clocks(incident)


_DUE = leases.Claimable(
    lambda now: (
        Promise.objects.select_related("incident__service", "incident__team")
        .exclude(due_at=None)
        .filter(due_at__lte=now)
        .order_by("due_at")
    )
)


def keep_promises(*, limit: int = 20) -> int:
    """Of what is due: whoever is to be asked is asked, a rung at a time. Returns how many clocks were looked at."""
    now = clock.now()
    claimed = leases.claim_due(_DUE, now=now, lease=LEASE, limit=limit)
    for promise in claimed:
        _keep(promise, now)
    return len(claimed)


def _keep(promise: Promise, now: datetime) -> None:
    incident = promise.incident
    with transaction.atomic():
        if promise.promised_at is None or not incident.is_active:
            Promise.objects.filter(pk=promise.pk).update(due_at=None, claimed_until=None)
            return
        reached, again_at = cadence.due(promise.promised_at, _since(promise), promise.level, now)
        mine = Promise.objects.filter(pk=promise.pk, claimed_until=promise.claimed_until)
        level = max([promise.level, *(rung.level for rung in reached)])
        if mine.update(level=level, due_at=again_at, claimed_until=None) and reached:
            _ask(incident, promise, reached[-1])


def _ask(incident: Incident, promise: Promise, rung: cadence.Rung) -> None:
    assert promise.promised_at is not None
    people = _people(incident, rung.whom)
    names = ", ".join(str(person) for person in people) or "nobody"
    at = f"{promise.promised_at:%H:%M} UTC"
    if rung.is_broken:
        sentence = f"the {promise.audience} update promised for {at} has not gone out"
        note(incident, "cadence", f"{sentence}: {names} asked", ENGINE, audience=promise.audience, level=rung.level)
    else:
        sentence = f"the next {promise.audience} update is due at {at}"
    tell(incident, people, sentence, f"promise/{promise.audience}/{promise.promised_at:%Y%m%d%H%M%S}/{rung.level}")


def _people(incident: Incident, whom: cadence.Whom) -> list[User]:
    holdings = holdings_of(incident)
    users = {held.user_id: held.user for held in holdings}
    match whom:
        case "cm" | "ic":
            return [users[duties.role_holder(whom, values(holdings)).person]]
        case "level 2":
            policy = policy_for(incident.service, incident.team)
            steps = steps_of(policy)[1:2] if policy else []
            return OnCallNow(clock.now()).of_step(steps[0]) if steps else []
