"""Reads of schedules: the tables become the values of the pure `resolve`, whose answers become people again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils.crypto import constant_time_compare, salted_hmac

from midwatch.core import clock
from midwatch.core.text import whole_number
from midwatch.people.models import Team, User
from midwatch.respond.oncall import resolve
from midwatch.respond.oncall.models import Layer, Override, Schedule, TurnMember

OVERRIDES_SINCE = timedelta(days=62)  # how far back an unspecific question looks for overrides
LOOK_DAYS = (35, 400)
_CALENDAR_SALT = "midwatch.calendar"
_CALENDAR_LENGTH = 40


@dataclass(frozen=True, slots=True)
class OnCallRow:
    """Who answers for a schedule, until when, and who is next. `until`, `next_from` None: no change in 400 days.

    With nobody on call `until` is when somebody is again. `next_users` are on call from `next_from` on; it is later
    than `until` when a gap lies between. `quiet_until`: nobody is on call because the layers' restrictions plan it so, and
    they do until then; None: somebody is, or somebody should be.
    """

    schedule: Schedule
    users: Sequence[User]
    until: datetime | None
    next_users: Sequence[User]
    next_from: datetime | None
    quiet_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ShiftRow:
    """One person on call on one schedule, from one layer or one override (then `layer` is "")."""

    schedule: Schedule
    user: User
    start: datetime
    end: datetime
    layer: str
    is_override: bool


def schedules(team: Team | None = None) -> QuerySet[Schedule]:
    found = Schedule.objects.select_related("team").order_by("name")
    return found if team is None else found.filter(team=team)


def resolvable(schedule: Schedule, *, since: datetime | None = None) -> resolve.Schedule:
    """The schedule as values. Overrides that ended before `since` (default: 62 days ago) are left out."""
    return resolvables([schedule], since=since)[schedule.pk]


def resolvables(wanted: Iterable[Schedule], *, since: datetime | None = None) -> dict[int, resolve.Schedule]:
    """For many schedules in three queries. People are their names; who is turned off is on call nowhere."""
    by_id = {schedule.pk: schedule for schedule in wanted}
    turns: dict[int, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    members = TurnMember.objects.filter(layer__schedule__in=by_id, user__is_active=True).order_by(
        "turn", "position", "id"
    )
    for layer_id, turn, name in members.values_list("layer_id", "turn", "user__name"):
        turns[layer_id][turn].append(name)
    layers: dict[int, list[resolve.Layer]] = defaultdict(list)
    for layer in Layer.objects.filter(schedule__in=by_id).order_by("position", "id"):
        layers[layer.schedule_id].append(layer_value(layer, turns[layer.pk]))
    overrides: dict[int, list[resolve.Override]] = defaultdict(list)
    start = since or clock.now() - OVERRIDES_SINCE
    for override in _overrides(by_id, start):
        overrides[override.schedule_id].append(_override_value(override))
    return {
        pk: resolve.Schedule(
            time_zone=schedule.time_zone,
            combine="all" if schedule.combine == "all" else "cover",
            layers=tuple(layers[pk]),
            overrides=tuple(overrides[pk]),
        )
        for pk, schedule in by_id.items()
    }


def _overrides(schedule_ids: Iterable[int], since: datetime) -> QuerySet[Override]:
    found = Override.objects.filter(schedule__in=schedule_ids, cancelled_at=None, ends_at__gt=since)
    of_active = found.filter(Q(user=None) | Q(user__is_active=True))
    return of_active.select_related("user", "replaces").order_by("created_at", "id")


def layer_value(layer: Layer, turns: Mapping[int, Sequence[str]]) -> resolve.Layer:
    """`turns`: names by the number of the turn; what is missing is a turn of nobody."""
    return resolve.Layer(
        name=layer.name,
        start=datetime.fromisoformat(layer.start),
        end=datetime.fromisoformat(layer.end) if layer.end else None,
        every=layer.every,
        unit=_UNITS[layer.unit],
        participants=tuple(tuple(turns.get(turn, ())) for turn in range(layer.turn_count)),
        restrictions=tuple(resolve.restriction_from(restriction) for restriction in layer.restrictions),
    )


_UNITS: Mapping[str, resolve.Unit] = {"hours": "hours", "days": "days", "weeks": "weeks"}
_KINDS: Mapping[str, resolve.OverrideKind] = {"replace": "replace", "add": "add", "remove": "remove"}


def _override_value(override: Override) -> resolve.Override:
    return resolve.Override(
        start=override.starts_at,
        end=override.ends_at,
        kind=_KINDS[override.kind],
        user=override.user.name if override.user else None,
        replaces=override.replaces.name if override.replaces else None,
        id=override.pk,
    )


def named(names: Iterable[str]) -> dict[str, User]:
    wanted = list(set(names))
    return User.objects.in_bulk(wanted, field_name="name") if wanted else {}


def users_on_call(schedule: Schedule, at: datetime, which: str = "current") -> list[User]:
    """`which`: current, next (the turn after, with somebody else in it) or previous."""
    since = at - timedelta(days=resolve.LOOK_DAYS_MAX) if which == "previous" else at
    values = resolvable(schedule, since=since)
    match which:
        case "next":
            names = resolve.next_people(values, at)
        case "previous":
            names = resolve.previous_people(values, at)
        case _:
            names = resolve.on_call_at(values, at)
    known = named(names)
    return [known[name] for name in names]


def rotation_of(schedule: Schedule) -> list[User]:
    """Everybody who takes turns in it, by name; those who are turned off are left out."""
    turns = TurnMember.objects.filter(layer__schedule=schedule)
    return list(User.objects.filter(pk__in=turns.values("user_id"), is_active=True).order_by("name"))


def who_is_on_call(team: Team | None = None, at: datetime | None = None) -> list[OnCallRow]:
    """One row a schedule, of one team or of all."""
    instant = at or clock.now()
    return on_call_rows(read_schedules(team, since=instant), instant)


def read_schedules(team: Team | None = None, *, since: datetime) -> dict[Schedule, resolve.Schedule]:
    """Schedules with their values, by name: for who asks several questions of the same ones."""
    wanted = list(schedules(team))
    values = resolvables(wanted, since=since) if wanted else {}
    return {schedule: values[schedule.pk] for schedule in wanted}


def on_call_rows(values: Mapping[Schedule, resolve.Schedule], instant: datetime) -> list[OnCallRow]:
    """Who answers at an instant that is not before the values begin."""
    changes = {schedule: next_change(value, instant) for schedule, value in values.items()}
    known = named(name for change in changes.values() for name in (*change.people, *change.next_people))
    return [
        OnCallRow(
            schedule=schedule,
            users=[known[name] for name in change.people],
            until=change.until,
            next_users=[known[name] for name in change.next_people],
            next_from=change.next_from,
            quiet_until=None if change.people else quiet_until(values[schedule], instant, change.until),
        )
        for schedule, change in changes.items()
    ]


def next_start(values: Iterable[resolve.Schedule], user: User, start: datetime, end: datetime) -> datetime | None:
    """When this person's next shift begins after `start`, or None before `end`."""
    found = [
        shift.start
        for value in values
        if _has_part(value, user.name)
        for shift in resolve.shifts(value, start, end, is_whole=True)
        if shift.user == user.name and shift.start > start
    ]
    return min(found, default=None)


def _has_part(value: resolve.Schedule, name: str) -> bool:
    """Does the schedule name this person at all? Working out its shifts takes longer than the look."""
    is_in_turns = any(name in turn for layer in value.layers for turn in layer.participants)
    return is_in_turns or any(override.user == name for override in value.overrides)


@dataclass(frozen=True, slots=True)
class Change:
    people: tuple[str, ...]
    until: datetime | None
    next_people: tuple[str, ...]
    next_from: datetime | None


def next_change(values: resolve.Schedule, at: datetime) -> Change:
    """Who is on call at an instant, when that changes, and who is on call next. Pure."""
    people = resolve.on_call_at(values, at)
    until: datetime | None = None
    for days in LOOK_DAYS:
        shifts = resolve.shifts(values, at, at + timedelta(days=days))
        horizon = at + timedelta(days=days)
        moments = sorted({moment for shift in shifts for moment in (shift.start, shift.end) if at < moment < horizon})
        for moment in moments:
            then = resolve.on_call_at(values, moment)
            if until is None and set(then) != set(people):
                until = moment
            if until is not None and then:
                return Change(people, until, then, moment)
    return Change(people, until, (), None)


def shifts_of_schedule(schedule: Schedule, start: datetime, end: datetime) -> list[ShiftRow]:
    values = resolvable(schedule, since=start)
    return _rows([(schedule, shift) for shift in resolve.shifts(values, start, end)])


def shifts_of(user: User, start: datetime, end: datetime) -> list[ShiftRow]:
    """When this person is on call, on every schedule, by start; shifts are whole, not cut at `start` and `end`."""
    return sorted(_rows(whole_shifts_of(user, start, end)), key=lambda row: (row.start, row.schedule.name))


def whole_shifts_of(user: User, start: datetime, end: datetime) -> list[tuple[Schedule, resolve.Shift]]:
    """The same as values, schedule by schedule."""
    wanted = list(
        schedules().filter(
            Q(pk__in=TurnMember.objects.filter(user=user).values("layer__schedule"))
            | Q(pk__in=Override.objects.filter(user=user, cancelled_at=None, ends_at__gt=start).values("schedule"))
        )
    )
    values = resolvables(wanted, since=start)
    return [
        (schedule, shift)
        for schedule in wanted
        for shift in resolve.shifts(values[schedule.pk], start, end, is_whole=True)
        if shift.user == user.name
    ]


def _rows(found: Sequence[tuple[Schedule, resolve.Shift]]) -> list[ShiftRow]:
    known = named(shift.user for _, shift in found)
    return [
        ShiftRow(schedule, known[shift.user], shift.start, shift.end, shift.layer, shift.is_override)
        for schedule, shift in found
    ]


def gaps(schedule: Schedule, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """When nobody is on call."""
    return resolve.gaps(resolvable(schedule, since=start), start, end)


def unplanned_gaps(values: resolve.Schedule, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """Gaps that the restrictions do not intend: a schedule of office hours has no gap at night. Pure.

    What is intended: the hours in which no layer would cover, were each an endless rotation of one person.
    """
    intended = replace(
        values,
        layers=tuple(
            replace(
                layer,
                start=datetime(2000, 1, 3),  # noqa: DTZ001 - wall clock, a Monday
                end=None,
                every=520,
                unit="weeks",
                participants=(("somebody",),),
                turn_offset=0,
            )
            for layer in values.layers
            if any(layer.participants)
        ),
        overrides=(),
    )
    quiet = resolve.gaps(intended, start, end) if intended.layers else []
    found = []
    for low, high in resolve.gaps(values, start, end):
        reached = low
        for quiet_low, quiet_high in quiet:
            if quiet_high <= reached or quiet_low >= high:
                continue
            if reached < quiet_low:
                found.append((reached, quiet_low))
            reached = max(reached, quiet_high)
        if reached < high:
            found.append((reached, high))
    return found


def quiet_until(values: resolve.Schedule, at: datetime, until: datetime | None) -> datetime | None:
    """Nobody is on call from `at` to `until` (None: for as long as we look): how long of it is planned? Pure."""
    if until is None or not values.layers:
        return None
    unplanned = unplanned_gaps(values, at, until)
    planned_to = unplanned[0][0] if unplanned else until
    return planned_to if planned_to > at else None


def overrides_of(schedule: Schedule, *, now: datetime | None = None) -> list[Override]:
    """Those that run or are to come."""
    found = Override.objects.filter(schedule=schedule, cancelled_at=None, ends_at__gt=now or clock.now())
    return list(found.select_related("user", "replaces").order_by("starts_at", "id"))


def calendar_token(user: User) -> str:
    """For the address of a person's calendar feed; ends with their other access (`credentials_epoch`)."""
    return f"{user.pk}-{_calendar_mac(user)}"


def user_of_calendar_token(token: str) -> User | None:
    digits, _, mac = token.partition("-")
    number = whole_number(digits, 18)
    if number is None:
        return None
    user = User.objects.filter(pk=number, is_active=True).first()
    return user if user is not None and constant_time_compare(mac, _calendar_mac(user)) else None


def _calendar_mac(user: User) -> str:
    said = f"{user.pk}:{user.credentials_epoch}"
    return salted_hmac(_CALENDAR_SALT, said, algorithm="sha256").hexdigest()[:_CALENDAR_LENGTH]
