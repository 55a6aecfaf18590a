"""When the next step of an escalation goes out. Pure: facts and `now` in, one decision out.

A round starts when an alert opens, is un-acknowledged, when an acknowledgement times out, when a snooze ends, and for each
repeat. A step's `after` counts from the start of its round; a step that reached nobody passes on at once and pulls the
later ones forward; after a delay of our own, steps do not pile up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

LAST_RESORT_EVERY = timedelta(minutes=5)
ASK_BEFORE = timedelta(minutes=5)
ACK_TIMEOUT_HIGH = timedelta(minutes=30)
HAND_OVER_WITHIN = timedelta(seconds=60)  # a step that is not handed over by then has failed (notify says so)
HAND_OVER_POLL = timedelta(seconds=1)
HAND_OVER_POLL_MAX = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Step:
    """`after`: from the start of the round. `is_unresolved`: goes out even when somebody has acknowledged."""

    after: timedelta
    is_unresolved: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the decision looks at. Moments are aware UTC.

    `next_step`: index of the step to go out next. `pulled`: by how much skipped steps brought the later ones forward.
    `sent_at`/`handed_over_at`: of the last step of this round. `has_failed`: that step can reach nobody.
    `has_reached`: somebody was reached in this round. `ack_timeout` None: never. `last_resort_at`: the last such call.
    `is_last_resort_used_up`: low urgency calls the last resort once. `next_by`: the next step goes out by then at the
    latest, because somebody added by hand has had their time.
    """

    status: str
    now: datetime
    steps: Sequence[Step]
    round: int
    rounds_limit: int
    round_started_at: datetime
    next_step: int
    pulled: timedelta = timedelta(0)
    sent_at: datetime | None = None
    handed_over_at: datetime | None = None
    has_failed: bool = False
    has_reached: bool = False
    repeat_after: timedelta = timedelta(minutes=10)
    held_until: datetime | None = None
    snoozed_until: datetime | None = None
    acknowledged_at: datetime | None = None
    is_machine: bool = False
    ack_timeout: timedelta | None = None
    asked_at: datetime | None = None
    last_resort: int = 0
    last_resort_at: datetime | None = None
    is_last_resort_used_up: bool = False
    next_by: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """Resolved: nothing more leaves."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until`; None: only an event changes anything. `why`: for people to read."""

    until: datetime | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class SendStep:
    """Page step `index` now; `due_at` is when it was due, for honest lateness."""

    index: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Ask:
    """The owner: still on it?"""


@dataclass(frozen=True, slots=True)
class TimeOut:
    """The acknowledgement ran out: a new round."""


@dataclass(frozen=True, slots=True)
class NextRound:
    pass


@dataclass(frozen=True, slots=True)
class LastResort:
    """Nobody was reached by the policy: the `level`-th further call (duty schedule, managers, administrators, again ...)."""

    level: int


@dataclass(frozen=True, slots=True)
class Exhausted:
    """Every round ran and somebody was reached: their own rules go on repeating."""


Decision = Stop | Wait | SendStep | Ask | TimeOut | NextRound | LastResort | Exhausted


def decide(facts: Facts) -> Decision:
    assert facts.now.tzinfo is not None, "escalation works in UTC; pass an aware datetime"
    if facts.status == "resolved":
        return Stop()
    if facts.held_until is not None and facts.held_until > facts.now:
        return Wait(facts.held_until, "maintenance")
    if facts.status == "acknowledged":
        return _acknowledged(facts)
    if facts.next_step < len(facts.steps):
        due_at = step_due_at(facts)
        return _send(facts, facts.next_step, due_at) if due_at <= facts.now else Wait(due_at)
    return _after_the_last_step(facts)


def _send(facts: Facts, index: int, due_at: datetime) -> SendStep:
    """Late is measured by the plan: what a delay of our own put off is late, although it keeps its distance."""
    planned = facts.round_started_at + facts.steps[index].after - facts.pulled
    return SendStep(index, min(planned, due_at))


def step_due_at(facts: Facts) -> datetime:
    """When the next step is due, by what is known now."""
    due_at = _due_by_the_clock(facts)
    return due_at if facts.next_by is None else min(due_at, facts.next_by)


def _due_by_the_clock(facts: Facts) -> datetime:
    step = facts.steps[facts.next_step]
    planned = facts.round_started_at + step.after - facts.pulled
    if facts.next_step == 0 or facts.sent_at is None:
        return planned
    if facts.has_failed:
        return min(facts.now, max(planned, facts.sent_at))  # nobody was reached: pass on at once
    share = step.after - facts.steps[facts.next_step - 1].after
    if share <= timedelta(0):
        return planned  # steps of the same moment do not wait for each other
    handed_over_at = _handed_over_at(facts)
    if handed_over_at is None:
        return max(planned, _look_again_at(facts))
    return max(planned, handed_over_at + share)


def _look_again_at(facts: Facts) -> datetime:
    """A message that is under way is looked at soon, and less often the longer it takes; a failure is told at once."""
    waited = facts.now - facts.sent_at if facts.sent_at is not None else timedelta(0)
    return facts.now + min(max(HAND_OVER_POLL, waited / 4), HAND_OVER_POLL_MAX)


def _handed_over_at(facts: Facts) -> datetime | None:
    """A message that a person's own window holds back on purpose has not failed; its step counts from when it was sent."""
    if (
        facts.handed_over_at is None
        and facts.sent_at is not None
        and facts.now - facts.sent_at > HAND_OVER_WITHIN + HAND_OVER_POLL * 5
    ):
        return facts.sent_at
    return facts.handed_over_at


def pulled_by(facts: Facts, index: int) -> timedelta:
    """The pull after step `index` went out now: what it came early, it gives to the later ones."""
    return max(facts.pulled, facts.round_started_at + facts.steps[index].after - facts.now)


def _acknowledged(facts: Facts) -> Decision:
    if facts.snoozed_until is not None:
        return Wait(max(facts.snoozed_until, facts.now + HAND_OVER_POLL), "snoozed")  # who ends it begins a round
    ends: list[datetime] = []
    unresolved = _next_unresolved(facts)
    if unresolved is not None:
        due_at = _unresolved_due_at(facts, unresolved)
        if due_at <= facts.now:
            return _send(facts, unresolved, due_at)
        ends.append(due_at)
    if facts.ack_timeout is not None and facts.acknowledged_at is not None:
        ends_at = facts.acknowledged_at + facts.ack_timeout
        if ends_at <= facts.now:
            return TimeOut()
        ask_at = ends_at - min(ASK_BEFORE, facts.ack_timeout / 2)
        if facts.asked_at is None and not facts.is_machine:
            if ask_at <= facts.now:
                return Ask()
            ends.append(ask_at)
        ends.append(ends_at)
    return Wait(min(ends, default=None), "acknowledged")


def _unresolved_due_at(facts: Facts, index: int) -> datetime:
    """Somebody has it, so steps between are left out; what remains keeps its distance to the last one that went out."""
    planned = facts.round_started_at + facts.steps[index].after - facts.pulled
    if facts.next_step == 0 or facts.sent_at is None:
        return planned
    last = facts.steps[facts.next_step - 1]
    if facts.has_failed and last.is_unresolved:
        return min(facts.now, max(planned, facts.sent_at))
    share = facts.steps[index].after - last.after
    return max(planned, (facts.handed_over_at or facts.sent_at) + share) if share > timedelta(0) else planned


def _next_unresolved(facts: Facts) -> int | None:
    return next((i for i in range(facts.next_step, len(facts.steps)) if facts.steps[i].is_unresolved), None)


def _after_the_last_step(facts: Facts) -> Decision:
    handed_over_at = _handed_over_at(facts)
    is_pending = facts.sent_at is not None and not facts.has_failed and handed_over_at is None
    if is_pending and not facts.has_reached:
        return Wait(_look_again_at(facts), "sending")
    has_reached = facts.has_reached or (facts.handed_over_at is not None)
    ended_at = handed_over_at or facts.sent_at or facts.round_started_at
    next_round_at = ended_at + facts.repeat_after if facts.round < facts.rounds_limit else None
    if next_round_at is not None and next_round_at <= facts.now:
        return NextRound()
    if has_reached or (handed_over_at is not None and not facts.has_failed):
        return Wait(next_round_at) if next_round_at is not None else Exhausted()
    if facts.is_last_resort_used_up:
        return Wait(next_round_at) if next_round_at is not None else Exhausted()
    call_at = ended_at if facts.last_resort_at is None else facts.last_resort_at + LAST_RESORT_EVERY
    if call_at <= facts.now:
        return LastResort(facts.last_resort)
    ends = [call_at] if next_round_at is None else [call_at, next_round_at]
    return Wait(min(ends), "nobody was reached: calling the last resort every 5 min")
