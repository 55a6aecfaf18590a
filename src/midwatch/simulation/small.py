"""The everyday size: a quarter of an hour of two or three people, one policy, and what the seed draws to go wrong in it.

Every kind of happening has good odds, and what goes wrong goes wrong while somebody is being paged: a few hundred of
these bring more kinds of trouble together than some tens of long runs, at the same price. What needs hours, many
people or several policies is the long size's matter (`world.make`), which some seeds draw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from midwatch.simulation.rota import Rota
from midwatch.simulation.world import (
    DST_EVES,
    NAMES,
    ORDINARY,
    RINGING,
    ZONES,
    Person,
    SourceSpec,
    World,
    make_policy,
)

Add = Callable[..., None]  # kind, at, **facts
PRIORITIES = ("P1", "P1", "P1", "P2", "P2", "P3", "P5")
CHANNELS = ("webhook", "ntfy", "sms", "voice", "email")
BREAKS = ("unreachable", "refuses", "hangs", "taken-then-silent", "gone", "slow")
ROTA_ZONES = ZONES[1:4]  # they change their clocks
KINDS: tuple[tuple[str, float], ...] = (  # how often one is drawn beside the others
    ("kill", 12), ("kill-all", 3), ("kill-web", 5), ("pause", 5), ("pause-web", 2), ("break", 7),
    ("poison", 2), ("misunderstood", 2), ("refused", 2), ("truncated", 2), ("storm", 2), ("burst", 3), ("large", 0.5),
    ("policy", 5), ("rota", 3), ("override", 3), ("turn-off", 3), ("maintenance", 4),
    ("unacknowledge", 3), ("snooze", 3), ("escalate", 2), ("add", 2), ("reassign", 3), ("raise", 3), ("lower", 2),
    ("note", 1), ("close", 3), ("page", 2), ("race", 4),
    ("clock", 3), ("prune", 3),
)  # fmt: skip
ACTS = frozenset(
    ("unacknowledge", "snooze", "escalate", "add", "reassign", "raise", "lower", "note", "close", "page", "race")
)


def make_small(random: Random) -> World:
    people = _people(random)
    starts_at, zone = _beginning(random)
    rota = _rota(random, people, starts_at, zone)
    policy = make_policy(random, "policy-0", people, (rota,), steps=(1, 2, 2, 3), repeats=(0, 0, 1, 2))
    return World(
        starts_at=starts_at,
        people=people,
        rotas=(rota,),
        policies=(policy,),
        services=(("shop", policy.name, random.choice((0, 0, 0, 0, 60))),),
        sources=_sources(random),
        nodes=random.choice((1, 1, 2, 2, 3)),
        trouble=random.choice((0.0, 0.0, 0.0, 0.1, 0.3)),
        has_duty=random.random() < 0.2,
        length=timedelta(minutes=random.choice((6, 8, 8, 10, 12, 20))),
        watched=0.25,
        settles=timedelta(minutes=4),
        looks_at_shifts=random.random() < 0.15,
    )


def _people(random: Random) -> tuple[Person, ...]:
    count = random.choice((2, 2, 3))
    found = []
    for index, name in enumerate(NAMES[:count]):
        methods = random.sample(RINGING, random.choice((1, 1, 2)))
        if random.random() < 0.25:
            methods.append("email")
        if index and random.random() < 0.05:
            methods = ["email"]  # nobody wakes by this alone
        found.append(
            Person(
                name=name,
                zone=random.choice(ZONES),
                methods=tuple(methods),
                gap_seconds=random.choice((30, 60)),
                temper=random.choice(("awake", "awake", "awake", "slow", "fickle", "fickle", "deaf")),
                repeat_after_seconds=random.choice((300, 600)),
                is_manager=index == count - 1,
                is_administrator=index == 0,
            )
        )
    return tuple(found)


def _beginning(random: Random) -> tuple[datetime, str]:
    """A moment, and the zone of its rota. In a night of changing clocks: some minutes before they change."""
    zone = random.choice(ROTA_ZONES)
    if random.random() >= 0.2:
        return ORDINARY + timedelta(minutes=random.randrange(7 * 24 * 60)), zone
    at = _change(random.choice([eve for eve in DST_EVES if _change(eve, zone) is not None]), zone)
    assert at is not None
    return at - timedelta(minutes=random.randint(2, 12)), zone


def _change(eve: datetime, zone: str) -> datetime | None:
    """When within the next day this zone changes its clocks: they do it at whole half hours."""
    local = ZoneInfo(zone)
    for half_hours in range(48):
        at = eve + timedelta(minutes=30 * half_hours)
        if at.astimezone(local).utcoffset() != (at - timedelta(minutes=30)).astimezone(local).utcoffset():
            return at
    return None


def _rota(random: Random, people: Sequence[Person], starts_at: datetime, zone: str) -> Rota:
    """Half of them hand over while the run lasts."""
    order = [person.name for person in people]
    random.shuffle(order)
    turns: list[tuple[str, ...]] = [(one,) for one in order]
    if random.random() < 0.1:
        turns.append(())  # nobody
    begin = starts_at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) - timedelta(days=random.randint(2, 20))
    hour, minute = random.choice(((0, 0), (1, 30), (2, 0), (2, 15), (2, 30), (3, 0), (9, 0)))
    start = begin.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if random.random() < 0.5:
        start = (begin + timedelta(minutes=random.randint(2, 15))).replace(second=0, microsecond=0)
    every, unit = random.choice(((1, "hours"), (4, "hours"), (1, "days"), (1, "days"), (1, "weeks")))
    return Rota("rota-0", zone, start, every, unit, tuple(turns))


def _sources(random: Random) -> tuple[SourceSpec, ...]:
    found = [SourceSpec("plain", "generic", "shop"), SourceSpec("prometheus", "alertmanager", "shop", is_grouping=True)]
    if random.random() < 0.15:
        found.append(SourceSpec("fading", "generic", "shop", resolve_after_seconds=random.choice((300, 900))))
    if random.random() < 0.15:
        found.append(SourceSpec("steady", "generic", "shop", expect_every_seconds=random.choice((300, 600))))
    return tuple(found)


# -- what happens --------------------------------------------------------------------------------------------------------


def write_small(random: Random, world: World, add: Add) -> None:
    fires = [_life(random, world, add) for _ in range(random.choice((1, 1, 1, 2)))]
    names, weights = zip(*KINDS, strict=True)
    for kind in random.choices(names, weights, k=random.choice((1, 2, 3, 3, 4))):
        anchor = random.choice(fires)
        if kind in ACTS:
            _act(random, world, add, kind, anchor)
        else:
            _happening(random, world, add, kind, anchor)


def _life(random: Random, world: World, add: Add) -> timedelta:
    """One condition's life: fires, is repeated, perhaps resolves, perhaps fires again. Returns when it began."""
    source = random.choice(world.sources)
    start = timedelta(seconds=random.random() * world.length.total_seconds() * 0.5)
    facts: dict[str, Any] = {
        "source": source.name,
        "key": f"k{random.randrange(4)}",
        "priority": random.choice(PRIORITIES),
    }
    if source.is_grouping and random.random() < 0.5:
        facts |= {"count": random.choice((2, 3))}
    add("fire", start, **facts)
    for _ in range(random.choice((0, 0, 1, 2))):
        again = {**facts, "priority": random.choice(PRIORITIES)} if random.random() < 0.3 else facts
        add("fire", start + _some(random, 1, 300), **again)
    if random.random() < 0.4:
        end = start + _some(random, 30, 500)
        add("resolve", end, **facts)
        if random.random() < 0.5:
            add("fire", end + _some(random, 10, 200), **facts)
    return start


def _some(random: Random, low: float, high: float) -> timedelta:
    return timedelta(seconds=random.uniform(low, high))


def _act(random: Random, world: World, add: Add, kind: str, anchor: timedelta) -> None:
    """Somebody does something to whatever is open then; what needs an answer before it comes after one."""
    person, other = random.choice(world.people).name, random.choice(world.people).name
    at = anchor + _some(random, 2, 300)
    if kind == "unacknowledge":
        add("race", at, who=person, other=other, pick=0)
        at += _some(random, 5, 200)
    seconds = random.choice((120, 300, 900))
    add(kind, at, who=person, other=other, pick=random.randrange(3), seconds=seconds)


def _happening(random: Random, world: World, add: Add, kind: str, anchor: timedelta) -> None:
    at = max(timedelta(0), anchor + _some(random, -3, 240))
    person, source, rota = random.choice(world.people), random.choice(world.sources), world.rotas[0]
    back = random.choice((1, 5, 30, 120))
    match kind:
        case "kill" | "kill-all":
            at = max(timedelta(0), anchor + random.choice((_some(random, -2, 1), _some(random, 0, 400))))
            killed = [random.randrange(world.nodes)] if kind == "kill" else range(world.nodes)
            for index in killed:
                add("kill", at, node=f"node-{index}", fuse=random.randrange(90), back_seconds=back)
        case "kill-web":
            # A web worker has points only while somebody acts: it waits for them with its fuse lit.
            add("kill", anchor, node=f"web-{random.randrange(2)}", fuse=random.randrange(12), back_seconds=2)
        case "pause":
            node = f"node-{random.randrange(world.nodes)}"
            add("pause", at, node=node, fuse=random.randrange(60), seconds=random.choice((3, 8, 25, 90)))
        case "pause-web":
            add("pause", anchor, node=f"web-{random.randrange(2)}", fuse=random.randrange(9), seconds=3)
        case "break":
            what = random.choice([*person.methods, person.name, random.choice(CHANNELS)])
            at = max(timedelta(0), anchor - timedelta(seconds=1))
            add("break", at, what=what, how=random.choice(BREAKS), seconds=random.choice((40, 150, 400)))
        case "truncated" | "large":
            add(kind, at, source="prometheus", key=f"big{random.randrange(3)}", count=205)
        case "storm":
            add(kind, at, source=source.name, count=random.choice((5, 8)), priority=random.choice(PRIORITIES))
        case "burst":
            add(kind, at, source=source.name, count=random.choice((5, 12)), key=f"k{random.randrange(4)}")
        case "policy":
            steps, repeats = (1, 2, 3), (0, 1)
            policy = make_policy(random, "policy-0", world.people, world.rotas, steps=steps, repeats=repeats)
            add("edit-policy", at, policy=policy)
        case "rota":
            add("edit-rota", at, rota=rota.name, add=person.name)
        case "override":
            add("override", at, rota=rota.name, user=person.name, seconds=random.choice((120, 1800)))
        case "turn-off":
            off = random.choice(world.people[1:])
            add("turn-off", at, user=off.name)
            add("turn-on", at + _some(random, 60, 600), user=off.name)
        case "maintenance":
            begin = anchor + _some(random, -120, 200)
            add(kind, max(timedelta(0), begin), service="shop", seconds=random.choice((120, 300, 600)))
        case "clock":
            add(kind, at, seconds=random.choice((-600, -30, 45, 900)))
        case "prune":
            add(kind, at)
            add(kind, at + _some(random, 10, 300))
        case _:
            add(kind, at, source=source.name)
