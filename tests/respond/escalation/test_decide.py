"""Rounds and steps as a machine of values: whatever phones and clocks do, these stay true."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from midwatch.respond.escalation.decide import (
    ACK_TIMEOUT_HIGH,
    ASK_BEFORE,
    HAND_OVER_POLL_MAX,
    HAND_OVER_WITHIN,
    LAST_RESORT_EVERY,
    Ask,
    Exhausted,
    Facts,
    LastResort,
    NextRound,
    SendStep,
    Step,
    Stop,
    TimeOut,
    Wait,
    decide,
    pulled_by,
)

START = datetime(2026, 3, 3, 2, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def facts(**given: object) -> Facts:
    known: dict[str, object] = {
        "status": "firing",
        "now": START,
        "steps": (Step(timedelta(0)), Step(timedelta(minutes=5)), Step(timedelta(minutes=15))),
        "round": 1,
        "rounds_limit": 1,
        "round_started_at": START,
        "next_step": 0,
    }
    return Facts(**{**known, **given})  # type: ignore[arg-type]


def gaps() -> st.SearchStrategy[list[timedelta]]:
    return st.lists(st.integers(0, 1_200).map(lambda seconds: timedelta(seconds=seconds)), min_size=1, max_size=6)


def policies() -> st.SearchStrategy[tuple[Step, ...]]:
    return gaps().map(lambda parts: tuple(Step(sum(parts[: i + 1], timedelta(0))) for i in range(len(parts))))


@dataclass
class World:
    """Plays escalation's part: applies decisions, hands pages over after a while, or fails them."""

    facts: Facts
    outcomes: list[float | None]  # seconds until the step's page is handed over; None: it fails
    failing_after: timedelta = timedelta(0)
    sent: list[tuple[int, int, datetime, datetime]] = field(default_factory=list)  # round, step, at, due_at
    handed: dict[tuple[int, int], datetime] = field(default_factory=dict)
    failed: dict[tuple[int, int], datetime] = field(default_factory=dict)
    resorts: list[datetime] = field(default_factory=list)
    waits: int = 0

    def outcome(self) -> float | None:
        return self.outcomes[(len(self.sent) - 1) % len(self.outcomes)]

    def see(self, now: datetime) -> None:
        """What is known at `now` of the last step's page."""
        seen = replace(self.facts, now=now)
        if seen.sent_at is not None:
            after = self.outcome()
            key = (seen.round, seen.next_step - 1)
            if after is None:
                at = seen.sent_at + self.failing_after
                seen = replace(seen, has_failed=at <= now)
                self.failed.setdefault(key, at)
            else:
                at = seen.sent_at + timedelta(seconds=after)
                is_there = at <= now
                seen = replace(
                    seen,
                    handed_over_at=at if is_there else None,
                    has_failed=not is_there and now - seen.sent_at >= HAND_OVER_WITHIN,
                    has_reached=seen.has_reached or is_there,
                )
                self.handed.setdefault(key, at)
        self.facts = seen

    def run(self, *, until: datetime, downtimes: list[timedelta] | None = None) -> None:
        """Decide whenever something is due; a downtime puts the next look off."""
        late = iter(downtimes or [])
        now = self.facts.now
        while now <= until:
            self.see(now)
            match decide(self.facts):
                case Wait(until=None) | Stop() | Exhausted():
                    return
                case Wait(until=at):
                    assert at is not None
                    assert at > now, "a wait that is over is work to do, not to wait for"
                    self.waits += 1
                    now = at + next(late, timedelta(0))
                case SendStep(index=index, due_at=due_at):
                    self.sent.append((self.facts.round, index, now, due_at))
                    self.facts = replace(
                        self.facts,
                        pulled=max(timedelta(0), pulled_by(self.facts, index)),
                        next_step=index + 1,
                        sent_at=now,
                        handed_over_at=None,
                        has_failed=False,
                        next_by=None,
                    )
                case NextRound():
                    self.facts = replace(
                        self.facts,
                        round=self.facts.round + 1,
                        round_started_at=now,
                        next_step=0,
                        pulled=timedelta(0),
                        sent_at=None,
                        handed_over_at=None,
                        has_failed=False,
                        has_reached=False,
                        last_resort=0,
                        last_resort_at=None,
                    )
                case LastResort(level=level):
                    assert level == self.facts.last_resort
                    self.resorts.append(now)
                    self.facts = replace(self.facts, last_resort=level + 1, last_resort_at=now)
                case other:
                    raise AssertionError(f"unexpected: {other}")


OUTCOMES = st.lists(st.one_of(st.none(), st.floats(0, 55)), min_size=1, max_size=8)
DOWNTIMES = st.lists(st.integers(0, 7_200).map(lambda seconds: timedelta(seconds=seconds)), max_size=8)


@given(steps=policies(), outcomes=OUTCOMES, downtimes=DOWNTIMES, limit=st.integers(1, 3))
@settings(max_examples=400, deadline=None)
def test_no_step_leaves_sooner_after_the_last_hand_over_than_their_distance(
    steps: tuple[Step, ...], outcomes: list[float | None], downtimes: list[timedelta], limit: int
) -> None:
    world = World(facts(steps=steps, rounds_limit=limit), outcomes)
    world.run(until=START + timedelta(days=1), downtimes=downtimes)
    for (round_, index, _, _), (next_round, following, at, _) in zip(world.sent, world.sent[1:], strict=False):
        if round_ != next_round:
            assert following == 0
            continue
        assert following == index + 1, "in order, each once"
        handed_over_at = world.handed.get((round_, index))
        distance = steps[following].after - steps[index].after
        if handed_over_at is not None and distance:
            assert at >= handed_over_at + distance
    assert {round_ for round_, *_ in world.sent} == set(range(1, limit + 1))


@given(steps=policies())
def test_without_delays_every_step_leaves_exactly_when_it_was_planned(steps: tuple[Step, ...]) -> None:
    world = World(facts(steps=steps), [0.0])
    world.run(until=START + timedelta(days=1))
    assert [(index, at) for _, index, at, _ in world.sent] == [(i, START + step.after) for i, step in enumerate(steps)]
    assert all(due_at == at for *_, at, due_at in world.sent)


@given(steps=policies(), failing=st.lists(st.booleans(), min_size=1, max_size=6))
def test_a_step_that_reaches_nobody_passes_on_at_once_and_pulls_the_later_ones(
    steps: tuple[Step, ...], failing: list[bool]
) -> None:
    world = World(facts(steps=steps), [None if is_failing else 0.0 for is_failing in failing])
    world.run(until=START + timedelta(days=1))
    expected = START + steps[0].after
    for (_, index, at, _), following in zip(world.sent, [*world.sent[1:], None], strict=True):
        assert at == expected
        if following is not None:
            has_failed = failing[index % len(failing)]
            expected = at if has_failed else at + steps[index + 1].after - steps[index].after


@given(steps=policies(), down=st.integers(0, 86_400).map(lambda seconds: timedelta(seconds=seconds)))
def test_after_downtime_steps_do_not_pile_up_and_each_is_called_late(steps: tuple[Step, ...], down: timedelta) -> None:
    first_at = START + steps[0].after + down
    world = World(facts(steps=steps, now=first_at), [0.0])
    world.run(until=first_at + timedelta(days=1))
    times = [at for _, _, at, _ in world.sent]
    assert times == [first_at + step.after - steps[0].after for step in steps]
    assert all(due_at == START + steps[index].after for _, index, _, due_at in world.sent)


@given(steps=policies(), limit=st.integers(1, 4), repeat=st.integers(60, 3_600))
def test_every_round_starts_at_step_1_the_repeat_after_the_last_step(
    steps: tuple[Step, ...], limit: int, repeat: int
) -> None:
    repeat_after = timedelta(seconds=repeat)
    world = World(facts(steps=steps, rounds_limit=limit, repeat_after=repeat_after), [0.0])
    world.run(until=START + timedelta(days=5))
    length = steps[-1].after
    begins = START
    for round_ in range(1, limit + 1):
        mine = [(index, at) for number, index, at, _ in world.sent if number == round_]
        assert mine == [(index, begins + step.after) for index, step in enumerate(steps)]
        begins += length + repeat_after
    assert len(world.sent) == limit * len(steps)


@given(steps=policies(), hours=st.integers(1, 5))
def test_a_round_that_reached_nobody_calls_somebody_every_five_minutes(steps: tuple[Step, ...], hours: int) -> None:
    world = World(facts(steps=steps), [None])
    begins = START + steps[0].after
    world.run(until=begins + timedelta(hours=hours))
    assert world.resorts == [begins + LAST_RESORT_EVERY * i for i in range(hours * 12 + 1)]


def test_a_policy_without_steps_calls_the_last_resort_at_once() -> None:
    assert decide(facts(steps=())) == LastResort(0)
    assert isinstance(decide(facts(steps=(), last_resort=1, last_resort_at=START)), Wait)


def test_low_urgency_does_not_call_the_last_resort_for_ever() -> None:
    known = facts(next_step=3, sent_at=START, has_failed=True, is_last_resort_used_up=True)
    assert decide(known) == Exhausted()


@given(now=st.integers(0, 86_400), next_step=st.integers(0, 3), status=st.sampled_from(["firing", "acknowledged"]))
def test_nothing_leaves_in_maintenance_and_nothing_after_a_resolve(now: int, next_step: int, status: str) -> None:
    at = START + timedelta(seconds=now)
    until = at + SECOND
    known = facts(now=at, next_step=next_step, status=status, held_until=until, acknowledged_at=START)
    assert decide(known) == Wait(until, "maintenance")
    assert decide(replace(known, status="resolved")) == Stop()


@given(
    unresolved=st.lists(st.booleans(), min_size=1, max_size=6),
    gap_seconds=st.lists(st.integers(0, 1_200), min_size=6, max_size=6),
    ack_after=st.integers(0, 3_000),
)
@settings(deadline=None)
def test_after_an_acknowledgement_only_unresolved_steps_leave(
    unresolved: list[bool], gap_seconds: list[int], ack_after: int
) -> None:
    afters = [timedelta(seconds=sum(gap_seconds[: i + 1])) for i in range(len(unresolved))]
    steps = tuple(Step(after, is_it) for after, is_it in zip(afters, unresolved, strict=True))
    world = World(facts(steps=steps), [0.0])
    taken_at = START + timedelta(seconds=ack_after)
    world.run(until=taken_at)
    before = len(world.sent)
    world.facts = replace(world.facts, status="acknowledged", acknowledged_at=taken_at, now=taken_at)
    world.run(until=taken_at + timedelta(days=1))
    later = [index for _, index, _, _ in world.sent[before:]]
    assert all(steps[index].is_unresolved for index in later)
    assert later == [index for index in range(before, len(steps)) if steps[index].is_unresolved]
    assert all(at >= START + steps[index].after for _, index, at, _ in world.sent[before:])


@given(minutes=st.integers(1, 240), is_machine=st.booleans())
def test_the_owner_is_asked_before_the_time_out_and_a_machine_is_not(minutes: int, is_machine: bool) -> None:
    timeout = timedelta(minutes=minutes)
    known = facts(status="acknowledged", acknowledged_at=START, ack_timeout=timeout, is_machine=is_machine)
    first = decide(known)
    assert isinstance(first, Wait)
    assert first.until is not None
    ask_at = START + timeout - min(ASK_BEFORE, timeout / 2)
    assert first.until == (START + timeout if is_machine else ask_at)
    then = decide(replace(known, now=first.until))
    assert then == (TimeOut() if is_machine else Ask())
    if not is_machine:
        asked = replace(known, now=ask_at, asked_at=ask_at)
        assert decide(asked) == Wait(START + timeout, "acknowledged")
        assert decide(replace(asked, now=START + timeout)) == TimeOut()


def test_without_a_time_out_an_acknowledgement_waits_for_people() -> None:
    assert decide(facts(status="acknowledged", acknowledged_at=START)) == Wait(None, "acknowledged")
    assert timedelta(minutes=30) == ACK_TIMEOUT_HIGH


@given(late=st.integers(-600, 600))
def test_a_snooze_waits_for_who_ends_it_and_never_spins(late: int) -> None:
    now = START + timedelta(seconds=late)
    found = decide(facts(status="acknowledged", acknowledged_at=START, snoozed_until=START, now=now))
    assert isinstance(found, Wait)
    assert found.until is not None
    assert found.until > now


@given(steps=policies(), added=st.integers(0, 3_000), outcomes=OUTCOMES)
@settings(deadline=None)
def test_somebody_added_by_hand_never_puts_a_step_off_and_brings_it_within_their_time(
    steps: tuple[Step, ...], added: int, outcomes: list[float | None]
) -> None:
    at = START + timedelta(seconds=added)
    plain, with_added = World(facts(steps=steps), outcomes), World(facts(steps=steps), outcomes)
    plain.run(until=at)
    with_added.run(until=at)
    by = at + timedelta(minutes=5)
    has_more = with_added.facts.next_step < len(steps) and with_added.facts.now <= at
    with_added.facts = replace(with_added.facts, next_by=by, now=max(at, with_added.facts.now))
    plain.facts = replace(plain.facts, now=with_added.facts.now)
    count = len(with_added.sent)
    plain.run(until=START + timedelta(days=1))
    with_added.run(until=START + timedelta(days=1))
    if has_more and len(with_added.sent) > count:
        assert with_added.sent[count][2] <= max(by, with_added.sent[count - 1][2] if count else START)
        assert with_added.sent[count][2] <= plain.sent[count][2]


@given(seconds=st.integers(0, 59))
def test_a_message_under_way_is_looked_at_soon_and_not_too_often(seconds: int) -> None:
    now = START + timedelta(seconds=seconds)
    found = decide(facts(steps=(Step(timedelta(0)),), next_step=1, sent_at=START, now=now))
    assert isinstance(found, Wait)
    assert found.until is not None
    assert SECOND <= found.until - now <= HAND_OVER_POLL_MAX


def test_what_is_held_for_a_persons_own_hours_has_not_failed() -> None:
    now = START + timedelta(minutes=10)
    held = facts(steps=(Step(timedelta(0)), Step(timedelta(minutes=5))), next_step=1, sent_at=START, now=now)
    assert decide(held) == SendStep(1, START + timedelta(minutes=5))
    alone = facts(steps=(Step(timedelta(0)),), next_step=1, sent_at=START, now=now)
    assert decide(alone) == Exhausted()
