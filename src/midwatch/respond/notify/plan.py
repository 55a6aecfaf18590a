"""Which messages a page sends, and when the next one is due. Pure: values in, a plan out.

A person's rules run from the moment their step goes out. A failed method brings the next rule forward to now. When the
rules are used up and nobody answered, the high ones start again after `repeat_after`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

FAILED_AFTER = timedelta(seconds=60)  # a delivery that is not handed over by then counts as failed
RETRY_FIRST = timedelta(seconds=2)
RETRY_MAX = timedelta(minutes=2)
GIVE_UP_PAGE_AFTER = timedelta(minutes=15)
GIVE_UP_OTHER_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Rule:
    """After `after` from the page's start, by contact `contact_id`; held until the window [opens, closes) in the person's zone."""

    after: timedelta
    contact_id: int
    opens: time | None = None
    closes: time | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """Send by this contact now. `rule`: index into the rules; `not_before`: a window holds it until then."""

    rule: int
    contact_id: int
    not_before: datetime


@dataclass(frozen=True, slots=True)
class Next:
    """What to send now, and the state after it. `due_at` None: this page waits for nothing more by itself."""

    calls: tuple[Call, ...]
    next_rule: int
    cycle: int
    cycle_started_at: datetime
    due_at: datetime | None
    is_used_up: bool = False


def window_opens(rule: Rule, at: datetime, zone: ZoneInfo) -> datetime:
    """`at` itself when the window is open, else the instant it opens next."""
    if rule.opens is None or rule.closes is None or rule.opens == rule.closes:
        return at
    local = at.astimezone(zone)
    clock = local.time().replace(tzinfo=None)
    is_open = (
        rule.opens <= clock < rule.closes if rule.opens < rule.closes else clock >= rule.opens or clock < rule.closes
    )
    if is_open:
        return at
    day = local.date() if clock < rule.opens else local.date() + timedelta(days=1)
    opens = datetime.combine(day, rule.opens, tzinfo=zone)
    return max(at, opens.astimezone(at.tzinfo))


def advance(
    rules: Sequence[Rule],
    *,
    next_rule: int,
    cycle: int,
    cycle_started_at: datetime,
    now: datetime,
    repeat_after: timedelta,
    is_repeating: bool,
    zone: ZoneInfo,
    is_pulled: bool = False,
) -> Next:
    """Everything due by `now`. `is_pulled`: the method before failed, so the next rule goes now whatever its time.

    A new cycle starts `repeat_after` after the last rule went out; it is planned here and begins when it is due.
    """
    assert now.tzinfo is not None, "plans work in UTC; pass an aware datetime"
    if not rules:
        return Next((), 0, cycle, cycle_started_at, None, is_used_up=True)
    if next_rule >= len(rules):  # the pause between two cycles is over
        cycle, cycle_started_at, next_rule = cycle + 1, now, 0
    calls: list[Call] = []
    while next_rule < len(rules) and (is_pulled or cycle_started_at + rules[next_rule].after <= now):
        rule = rules[next_rule]
        calls.append(Call(next_rule, rule.contact_id, window_opens(rule, now, zone)))
        next_rule += 1
        is_pulled = False
    if next_rule < len(rules):
        return Next(tuple(calls), next_rule, cycle, cycle_started_at, cycle_started_at + rules[next_rule].after)
    if is_repeating and repeat_after > timedelta(0):
        return Next(tuple(calls), next_rule, cycle, cycle_started_at, now + repeat_after)
    return Next(tuple(calls), next_rule, cycle, cycle_started_at, None, is_used_up=True)


def retry_at(*, attempts: int, now: datetime, jitter: float) -> datetime:
    """Back-off doubles from 2 s to 2 min; `jitter` in [0, 1) spreads retries over a further quarter."""
    pause = min(RETRY_FIRST * (1 << min(max(attempts - 1, 0), 10)), RETRY_MAX)
    return now + pause * (1 + jitter / 4)


def gives_up(*, kind: str, created_at: datetime, now: datetime) -> bool:
    limit = GIVE_UP_PAGE_AFTER if kind in {"page", "test", "bundle"} else GIVE_UP_OTHER_AFTER
    return now - created_at >= limit


@dataclass(frozen=True, slots=True)
class StormLimit:
    """At most `at_most` messages in any `within`, to one person by one channel."""

    at_most: int
    within: timedelta


def storm_limit(channel: str, limits: Mapping[str, StormLimit]) -> StormLimit:
    return limits.get(channel, limits["*"])


def storm_free_at(recent: Sequence[datetime], limit: StormLimit, now: datetime) -> datetime:
    """When the next message may leave, given when the recent ones left: `now`, or the instant the window has room."""
    within = sorted(at for at in recent if now - at < limit.within)
    if len(within) < limit.at_most:
        return now
    return within[-limit.at_most] + limit.within
