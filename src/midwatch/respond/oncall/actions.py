"""Every write of schedules, by intent. A refusal is a `ValueError` whose text says what to do instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from midwatch.core import audit, clock, zones
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.people.managed import Mark, check_name, guard, mark_values
from midwatch.people.models import Team, User
from midwatch.respond.oncall import resolve
from midwatch.respond.oncall.models import Combine, Layer, Override, Schedule, TurnMember, Unit
from midwatch.respond.oncall.queries import resolvable

LAYERS_MAX = 30
TURNS_MAX = 200
TURN_PEOPLE_MAX = 50
RESTRICTIONS_MAX = 50
OVERRIDE_DAYS_MAX = 400
OVERRIDES_MAX = 1_000  # of one schedule, running or to come
MORNING_HOUR = 7
TAKE_OVER_CHOICES = ("1h", "4h", "morning")


@dataclass(frozen=True, slots=True)
class LayerFields:
    """One rotation. `start`, `end`: naive, wall clock of the schedule's zone. A turn of no people is `nobody`.

    `restrictions` as in configuration.
    """

    name: str
    start: datetime
    every: int
    unit: str
    turns: Sequence[Sequence[User]]
    end: datetime | None = None
    restrictions: Sequence[Mapping[str, Any]] = ()


def create_schedule(
    name: str,
    team: Team,
    time_zone: str,
    by: Actor,
    *,
    combine: str = Combine.COVER,
    layers: Sequence[LayerFields] = (),
    mark: Mark | None = None,
) -> Schedule:
    """Raises `ValueError`."""
    check_name(name)
    values = _values(team, time_zone, combine)
    try:
        with transaction.atomic():
            schedule = Schedule.objects.create(name=name, created_at=clock.now(), **values, **mark_values(mark))
            audit.record(by, "create", "schedule", name, {"team": team.name, "time_zone": time_zone})
    except IntegrityError as error:
        raise ValueError(f"there is a schedule called {name} already: give another name") from error
    if layers:
        set_layers(schedule, layers, by, mark=mark)
    return schedule


def change_schedule(
    schedule: Schedule, team: Team, time_zone: str, by: Actor, *, combine: str, mark: Mark | None = None
) -> Schedule:
    guard(schedule, mark)
    values = _values(team, time_zone, combine)
    with transaction.atomic():
        current = Schedule.objects.select_for_update().get(pk=schedule.pk)
        changed = [key for key, new in values.items() if getattr(current, key) != new]
        if changed:
            for key in changed:
                setattr(current, key, values[key])
            current.save(update_fields=changed)
            audit.record(by, "change", "schedule", schedule.name, {"fields": changed})
    return current


def set_layers(schedule: Schedule, layers: Sequence[LayerFields], by: Actor, *, mark: Mark | None = None) -> None:
    """All layers, lowest first. Raises `ValueError`.

    Edited by hand, adding or removing people never changes whose turn it is: the list is written so that whoever is
    on call stays until their hand-off. Configuration as code means what it says, and its plan tells who changes.
    """
    guard(schedule, mark)
    _check_layers(layers)
    with transaction.atomic():
        current = Schedule.objects.select_for_update().get(pk=schedule.pk)
        before = {layer.name: layer for layer in resolvable(current).layers} if mark is None else {}
        known = {layer.name: layer for layer in current.layers.all()}
        current.layers.exclude(name__in=[layer.name for layer in layers]).delete()
        for position, fields in enumerate(layers):
            turns = (
                fields.turns if mark is not None else _kept_turns(fields, before.get(fields.name), current.time_zone)
            )
            _write_layer(current, fields, turns, position, known.get(fields.name))
        audit.record(by, "set layers", "schedule", schedule.name, {"layers": [layer.name for layer in layers]})


def planned(
    schedule: Schedule | None, layers: Sequence[LayerFields], time_zone: str, *, combine: str = Combine.COVER
) -> resolve.Schedule:
    """What `change_schedule` and `set_layers` by hand would make of a schedule (None: of a new one), without writing.

    Raises `ValueError`.
    """
    zones.zone(time_zone)
    _check_layers(layers)
    known = resolvable(schedule) if schedule is not None else resolve.Schedule(time_zone, "cover", ())
    before = {layer.name: layer for layer in known.layers}
    made = tuple(_value(layer, _kept_turns(layer, before.get(layer.name), time_zone)) for layer in layers)
    return resolve.Schedule(time_zone, "all" if combine == Combine.ALL else "cover", made, known.overrides)


def delete_schedule(schedule: Schedule, by: Actor, *, mark: Mark | None = None) -> None:
    """The database refuses while a policy pages it (`ProtectedError`)."""
    guard(schedule, mark)
    with transaction.atomic():
        audit.record(by, "delete", "schedule", schedule.name)
        schedule.delete()


def create_override(
    schedule: Schedule,
    by: Actor,
    *,
    starts_at: datetime,
    ends_at: datetime,
    kind: str = Override.Kind.REPLACE,
    user: User | None = None,
    replaces: User | None = None,
    reason: str = "",
) -> Override:
    """Data, not configuration: also on a schedule from code. Raises `ValueError`.

    replace: `user` instead of `replaces` (None: of everybody); add: `user` too; remove: without `replaces`.
    """
    now = clock.now()
    if ends_at <= starts_at:
        raise ValueError("an override ends after it starts: give a later end")
    if ends_at <= now:
        raise ValueError("an override that is over already changes nothing: give an end in the future")
    if ends_at - starts_at > timedelta(days=OVERRIDE_DAYS_MAX):
        raise ValueError(f"an override lasts at most {OVERRIDE_DAYS_MAX} days: change the layers instead")
    for person in (user, replaces):
        if person is not None and not person.is_active:
            raise ValueError(f"{person} is turned off: name somebody else")
    if user is not None and user == replaces:
        raise ValueError(f"{user} cannot cover for themselves: name somebody else")
    resolve.Override(  # its rules are the resolver's
        starts_at, ends_at, _kind(kind), user.name if user else None, replaces.name if replaces else None
    )
    with transaction.atomic():
        if schedule.overrides.filter(cancelled_at=None, ends_at__gt=now).count() >= OVERRIDES_MAX:
            raise ValueError(f"a schedule has at most {OVERRIDES_MAX} overrides to come: change its layers instead")
        override = Override.objects.create(
            schedule=schedule,
            kind=kind,
            user=user,
            replaces=replaces,
            starts_at=starts_at,
            ends_at=ends_at,
            reason=clean(reason, 300, is_one_line=True),
            created_by=str(by)[:200],
            created_at=now,
        )
        audit.record(by, "override", "schedule", schedule.name, override_facts(override))
    return override


def cancel_override(override: Override, by: Actor) -> bool:
    """One that runs ends now, so that what was stays true; one to come never happens. False when it is over already."""
    now = clock.now()
    with transaction.atomic():
        live = Override.objects.filter(pk=override.pk, cancelled_at=None, ends_at__gt=now)
        changed = live.filter(starts_at__lt=now).update(ends_at=now) or live.update(cancelled_at=now)
        if changed:
            audit.record(by, "cancel override", "schedule", override.schedule.name, override_facts(override))
    return bool(changed)


def take_over(schedule: Schedule, user: User, by: Actor, *, until: datetime, reason: str = "") -> Override:
    """From now on this person is on call instead of everybody else."""
    return create_override(schedule, by, starts_at=clock.now(), ends_at=until, user=user, reason=reason or "took over")


def take_over_until(choice: str, user: User, now: datetime) -> datetime:
    """ "1h", "4h" or "morning": 7 o'clock in the person's zone. Raises `ValueError`."""
    match choice:
        case "1h":
            return now + timedelta(hours=1)
        case "4h":
            return now + timedelta(hours=4)
        case "morning":
            wall = zones.wall_at(now, user.time_zone)
            morning = wall.replace(hour=MORNING_HOUR, minute=0, second=0, microsecond=0)
            if morning <= wall:
                morning += timedelta(days=1)
            return zones.comes_at(morning, user.time_zone)
        case _:
            raise ValueError(f"{clean(choice, 40)!r}: give one of {', '.join(TAKE_OVER_CHOICES)}")


def override_facts(override: Override) -> dict[str, Any]:
    return {
        "kind": override.kind,
        "user": override.user.name if override.user else None,
        "replaces": override.replaces.name if override.replaces else None,
        "from": override.starts_at.isoformat(),
        "to": override.ends_at.isoformat(),
        "reason": override.reason,
    }


def _kind(kind: str) -> resolve.OverrideKind:
    match kind:
        case "replace" | "add" | "remove":
            return kind
        case _:
            raise ValueError(f"{clean(kind, 40)!r} is no kind of override: give replace, add or remove")


def _values(team: Team, time_zone: str, combine: str) -> dict[str, Any]:
    zones.zone(time_zone)
    if combine not in Combine.values:
        raise ValueError(f"{clean(combine, 40)!r}: give cover (later layers win) or all (everyone of every layer)")
    return {"team": team, "time_zone": time_zone, "combine": combine}


def _check_layers(layers: Sequence[LayerFields]) -> None:
    if len(layers) > LAYERS_MAX:
        raise ValueError(f"a schedule has at most {LAYERS_MAX} layers")
    names = [layer.name for layer in layers]
    if len(set(names)) != len(names):
        raise ValueError("two layers have the same name: give each its own")
    for layer in layers:
        check_layer(layer)


def check_layer(layer: LayerFields) -> None:
    """Raises `ValueError`."""
    if not layer.name or clean(layer.name, 100, is_one_line=True) != layer.name:
        raise ValueError("the name of a layer is 1 to 100 characters on one line")
    if layer.unit not in Unit.values:
        raise ValueError(f"layer {layer.name}: give a unit: {', '.join(Unit.values)}")
    if layer.end is not None and layer.end <= layer.start:
        raise ValueError(f"layer {layer.name}: it ends before it starts: give a later end, or none")
    for moment in (layer.start, layer.end):
        if moment is not None and not zones.YEAR_MIN < moment.year < zones.YEAR_MAX:
            raise ValueError(f"layer {layer.name}: give years from {zones.YEAR_MIN + 1} to {zones.YEAR_MAX - 1}")
    if len(layer.turns) > TURNS_MAX or any(len(turn) > TURN_PEOPLE_MAX for turn in layer.turns):
        raise ValueError(f"layer {layer.name}: at most {TURNS_MAX} turns of {TURN_PEOPLE_MAX} people")
    if len(layer.restrictions) > RESTRICTIONS_MAX:
        raise ValueError(f"layer {layer.name}: at most {RESTRICTIONS_MAX} restrictions")
    _value(layer, layer.turns)


def _value(layer: LayerFields, turns: Sequence[Sequence[User]]) -> resolve.Layer:
    return resolve.Layer(
        name=layer.name,
        start=layer.start,
        end=layer.end,
        every=layer.every,
        unit=_UNITS[layer.unit],
        participants=tuple(tuple(user.name for user in turn) for turn in turns),
        restrictions=tuple(resolve.restriction_from(restriction) for restriction in layer.restrictions),
    )


_UNITS: Mapping[str, resolve.Unit] = {"hours": "hours", "days": "days", "weeks": "weeks"}


def _kept_turns(fields: LayerFields, before: resolve.Layer | None, time_zone: str) -> Sequence[Sequence[User]]:
    """The turns, begun with another one if need be, so that whoever has the turn now keeps it.

    Somebody who changes when hand-offs are has said that turns may change.
    """
    wanted = _value(fields, fields.turns)
    if before is None or (before.start, before.every, before.unit) != (wanted.start, wanted.every, wanted.unit):
        return fields.turns
    offset = resolve.with_participants(before, wanted.participants, clock.now(), time_zone).turn_offset
    return [*fields.turns[offset:], *fields.turns[:offset]]


def _write_layer(
    schedule: Schedule, fields: LayerFields, turns: Sequence[Sequence[User]], position: int, known: Layer | None
) -> None:
    layer = known or Layer(schedule=schedule, name=fields.name)
    layer.position, layer.every, layer.unit = position, fields.every, fields.unit
    layer.start = wall_text(fields.start)
    layer.end = wall_text(fields.end) if fields.end else None
    layer.turn_count = len(turns)
    layer.restrictions = [dict(restriction) for restriction in fields.restrictions]
    columns = ["position", "every", "unit", "start", "end", "turn_count", "restrictions"]
    layer.save(update_fields=columns if known else None)
    layer.turn_members.all().delete()
    TurnMember.objects.bulk_create(
        [
            TurnMember(layer=layer, turn=turn, position=place, user=user)
            for turn, people in enumerate(turns)
            for place, user in enumerate(people)
        ]
    )


def wall_text(wall: datetime) -> str:
    """As configuration writes it: 2026-01-05T09:00, with seconds only where there are some."""
    return wall.isoformat(timespec="seconds" if wall.second else "minutes")


def forget_overrides(before: datetime, limit: int) -> int:
    """Overrides that ended before. How many went."""
    with transaction.atomic():
        over = Override.objects.filter(ends_at__lt=before).order_by("pk").values_list("pk", flat=True)[:limit]
        count, _ = Override.objects.filter(pk__in=list(over)).delete()
    return count
