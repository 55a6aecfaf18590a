"""A person's rules as a plan of values."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from midwatch.core.zones import zone
from midwatch.respond.notify.plan import (
    GIVE_UP_PAGE_AFTER,
    RETRY_FIRST,
    RETRY_MAX,
    Next,
    Rule,
    StormLimit,
    advance,
    gives_up,
    retry_at,
    storm_free_at,
    storm_limit,
    window_opens,
)

START = datetime(2026, 3, 3, 2, 0, tzinfo=UTC)
ZONES = ["UTC", "Europe/Prague", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"]

SECONDS = st.integers(0, 3_600).map(lambda seconds: timedelta(seconds=seconds))
RULES = st.lists(SECONDS, min_size=1, max_size=6).map(
    lambda afters: [Rule(after, contact_id) for contact_id, after in enumerate(sorted(afters), start=1)]
)


def step(rules: list[Rule], state: Next | None, now: datetime, **more: object) -> Next:
    known = state or Next((), 0, 0, START, START)
    given_: dict[str, object] = {
        "repeat_after": timedelta(minutes=5),
        "is_repeating": True,
        "zone": zone("UTC"),
        **more,
    }
    return advance(
        rules,
        next_rule=known.next_rule,
        cycle=known.cycle,
        cycle_started_at=known.cycle_started_at,
        now=now,
        **given_,  # type: ignore[arg-type]
    )


@given(rules=RULES)
def test_every_rule_goes_out_once_at_its_time(rules: list[Rule]) -> None:
    state = step(rules, None, START, is_repeating=False)
    sent = [(call.contact_id, timedelta(0)) for call in state.calls]
    now = START
    while state.due_at is not None:
        assert state.due_at > now
        now = state.due_at
        state = step(rules, state, now, is_repeating=False)
        sent += [(call.contact_id, now - START) for call in state.calls]
    assert sent == [(rule.contact_id, rule.after) for rule in rules]
    assert state.is_used_up


@given(rules=RULES, cycles=st.integers(2, 5))
def test_used_up_high_rules_start_again_after_the_pause(rules: list[Rule], cycles: int) -> None:
    state, now, sent = None, START, []
    while len(sent) < cycles * len(rules):
        state = step(rules, state, now)
        sent += [(state.cycle, call.rule, now) for call in state.calls]
        assert state.due_at is not None
        assert state.due_at > now
        now = state.due_at
    begins = START
    for cycle in range(cycles):
        mine = [(rule, at) for number, rule, at in sent if number == cycle]
        expected = [(index, max(begins, begins + rule.after)) for index, rule in enumerate(rules)]
        assert mine == expected
        begins = mine[-1][1] + timedelta(minutes=5)


@given(rules=RULES, wait=SECONDS)
def test_a_method_that_failed_brings_exactly_the_next_one_forward(rules: list[Rule], wait: timedelta) -> None:
    first = step(rules, None, START)
    now = START + wait
    due = [rule for rule in rules[first.next_rule :] if rule.after <= wait]
    pulled = step(rules, first, now, is_pulled=True)
    if first.next_rule == len(rules):
        assert pulled.cycle == 1  # nothing left to bring forward: the cycle that begins
    else:
        assert len(pulled.calls) == max(1, len(due))
        assert pulled.calls[0].contact_id == rules[first.next_rule].contact_id


@given(rules=RULES, repeat=st.sampled_from([timedelta(0), timedelta(minutes=5)]), is_repeating=st.booleans())
def test_low_rules_and_those_who_chose_never_do_not_repeat(
    rules: list[Rule], repeat: timedelta, is_repeating: bool
) -> None:
    late = START + timedelta(days=1)
    done = step(rules, None, late, repeat_after=repeat, is_repeating=is_repeating)
    assert len(done.calls) == len(rules), "after downtime each method says it once"
    assert (done.due_at is None) == (not is_repeating or not repeat)
    assert done.is_used_up == (done.due_at is None)


def test_somebody_without_rules_has_nothing_to_wait_for() -> None:
    assert step([], None, START) == Next((), 0, 0, START, None, is_used_up=True)


@given(
    minute=st.integers(0, 400 * 24 * 60),
    opens=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    closes=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    name=st.sampled_from(ZONES),
)
def test_a_window_opens_at_the_first_minute_that_lies_in_it(minute: int, opens: time, closes: time, name: str) -> None:
    at, where = START + timedelta(minutes=minute), zone(name)
    found = window_opens(Rule(timedelta(0), 1, opens, closes), at, where)
    assert found >= at
    assert found - at < timedelta(hours=26)
    if is_within(at, opens, closes, where):
        assert found == at
    elif is_within(found, opens, closes, where):
        probe = at
        while probe < found:  # no earlier whole minute would have done
            assert not is_within(probe, opens, closes, where)
            probe += timedelta(minutes=7)
    else:
        assert not found.astimezone(where).fold, "only an hour that DST removes may open elsewhere"


def is_within(at: datetime, opens: time, closes: time, where: ZoneInfo) -> bool:
    clock = at.astimezone(where).time().replace(tzinfo=None)
    if opens == closes:
        return True
    return opens <= clock < closes if opens < closes else clock >= opens or clock < closes


@given(attempts=st.integers(1, 100), jitter=st.floats(0, 1, exclude_max=True))
def test_back_off_doubles_within_its_bounds(attempts: int, jitter: float) -> None:
    pause = retry_at(attempts=attempts, now=START, jitter=jitter) - START
    assert RETRY_FIRST <= pause <= RETRY_MAX * 1.25
    if jitter == 0 and attempts > 1:
        assert pause >= retry_at(attempts=attempts - 1, now=START, jitter=0) - START


@given(
    seconds=st.lists(st.integers(0, 300), max_size=30),
    at_most=st.integers(1, 10),
    within=st.integers(1, 200),
)
def test_a_storm_limit_is_kept_and_no_stricter_than_it_must_be(seconds: list[int], at_most: int, within: int) -> None:
    limit = StormLimit(at_most, timedelta(seconds=within))
    left = [START - timedelta(seconds=ago) for ago in seconds]
    free_at = storm_free_at(left, limit, START)
    assert free_at >= START
    assert sum(free_at - at < limit.within for at in left) < at_most
    if free_at > START:
        before = free_at - timedelta(seconds=1)
        assert sum(before - at < limit.within for at in left) >= at_most


def test_other_channels_share_a_limit_and_named_ones_have_their_own() -> None:
    limits = {"sms": StormLimit(2, timedelta(minutes=1)), "*": StormLimit(6, timedelta(minutes=1))}
    assert storm_limit("sms", limits).at_most == 2
    assert storm_limit("ntfy", limits).at_most == 6


def test_a_page_is_given_up_sooner_than_news() -> None:
    then = START + GIVE_UP_PAGE_AFTER
    assert gives_up(kind="page", created_at=START, now=then)
    assert gives_up(kind="bundle", created_at=START, now=then)
    assert not gives_up(kind="resolved", created_at=START, now=then)
