"""What happens in a run, and when: a list of named happenings, so that any of them can be left out.

Each happening has an id; so has each thing that people and the wire do by themselves (see `crowd` and `wire`). A run is
its seed and the ids that are left out: that is what shrinking shrinks and what a replay is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from midwatch.simulation.scenes import SCENES, world_of
from midwatch.simulation.small import make_small, write_small
from midwatch.simulation.world import World, make, policy_of

PRIORITIES = ("P1", "P1", "P2", "P2", "P3", "P5")
LONG = 0.05  # of the seeds are long runs: hours, many people, several policies
SIZES = ("mixed", "small", "long")
CHANNELS = ("webhook", "ntfy", "sms", "voice", "email")
BREAKS = ("unreachable", "refuses", "hangs", "taken-then-silent", "gone", "slow")


@dataclass(frozen=True, slots=True)
class Happening:
    """`at`: after the run's start. `facts` are plain values, drawn when the script was written."""

    id: str
    at: timedelta
    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        details = " ".join(f"{name}={value}" for name, value in self.facts.items())
        return f"{self.kind} {details}".strip()


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. `without`: ids left out. `only`: when given, no other id happens. `scene`: a directed world's name.

    `size`: small, long, or mixed: the seed draws it, and one in twenty is long. A scene has a size of its own.
    """

    seed: int
    without: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    scene: str = ""
    size: str = "mixed"

    def allows(self, id: str) -> bool:
        return id not in self.without and (self.only is None or id in self.only)

    def world(self) -> World:
        random = Random(f"{self.seed}/world")
        if self.scene:
            return world_of(self.scene, random)
        return make(random) if self.is_long else make_small(random)

    @property
    def is_long(self) -> bool:
        return self.size == "long" or (self.size == "mixed" and self.stream("size").random() < LONG)

    def script(self, world: World) -> list[Happening]:
        found = write(self.stream("script"), world, self.scene, is_long=self.is_long)
        return [one for one in found if self.allows(one.id)]

    def stream(self, name: str) -> Random:
        """A generator of its own for each question, so that leaving one thing out does not change the others."""
        return Random(f"{self.seed}/{name}")  # a text is hashed with SHA-512, never with PYTHONHASHSEED


def write(random: Random, world: World, scene: str, *, is_long: bool) -> list[Happening]:
    found: list[Happening] = []

    def add(kind: str, at: timedelta | None = None, **facts: Any) -> None:
        moment = at if at is not None else timedelta(seconds=random.random() * world.length.total_seconds())
        found.append(Happening(f"h{len(found)}", moment, kind, facts))

    if scene:
        SCENES[scene].write(random, world, add)
    elif is_long:
        _write_long(random, world, add)
    else:
        write_small(random, world, add)
    return sorted(found, key=lambda one: (one.at, one.id))


Add = Callable[..., None]


def _write_long(random: Random, world: World, add: Add) -> None:
    for _ in range(random.choice((1, 1, 2, 3, 4))):
        _fire(random, world, add)
    for _ in range(random.choice((0, 0, 1, 2))):
        _odd_event(random, world, add)
    for _ in range(random.choice((0, 1, 2, 3))):
        _trouble(random, world, add)
    for _ in range(random.choice((0, 0, 1, 2))):
        _edit(random, world, add)
    for _ in range(random.choice((0, 1, 2, 3))):
        _act(random, world, add)
    if random.random() < 0.12:
        add("clock", seconds=random.choice((-600, -30, 45, 900, 3600)))
    if random.random() < 0.3:
        add("prune")
        add("prune")


def _soon(random: Random, start: timedelta, low: int, high: int) -> timedelta:
    return start + timedelta(seconds=random.randint(low, high))


def _fire(random: Random, world: World, add: Add) -> None:
    """One condition's life: fires, is repeated, perhaps resolves, perhaps fires again."""
    source = random.choice(world.sources)
    start = timedelta(seconds=random.random() * world.length.total_seconds() * 0.6)
    facts: dict[str, Any] = {
        "source": source.name,
        "key": f"k{random.randrange(6)}",
        "priority": random.choice(PRIORITIES),
    }
    if source.is_grouping and random.random() < 0.5:
        facts |= {"count": random.choice((2, 3, 8))}
    add("fire", start, **facts)
    for _ in range(random.choice((0, 0, 1, 3))):
        again = {**facts, "priority": random.choice(PRIORITIES)} if random.random() < 0.2 else facts
        add("fire", _soon(random, start, 1, 900), **again)
    if random.random() < 0.4:
        end = _soon(random, start, 30, 1800)
        add("resolve", end, **facts)
        if random.random() < 0.4:
            add("fire", _soon(random, end, 10, 600), **facts)


def _odd_event(random: Random, world: World, add: Add) -> None:
    source = random.choice(world.sources)
    kind = random.choice(
        ("poison", "misunderstood", "refused", "truncated", "storm", "burst", "burst", "storm", "rare")
    )
    if kind == "rare":  # hundreds of alerts: as dear as many other seeds
        kind = random.choice(("large", "large storm", "truncated", "poison", "misunderstood"))
    match kind:
        case "truncated" | "large":
            source = next(one for one in world.sources if one.is_grouping)
            add(kind, source=source.name, key=f"big{random.randrange(3)}", count=random.choice((210, 260)))
        case "storm":
            add(kind, source=source.name, count=random.choice((8, 20)), priority=random.choice(PRIORITIES))
        case "large storm":
            add("storm", source=source.name, count=random.choice((110, 250)), priority=random.choice(PRIORITIES))
        case "burst":
            add(kind, source=source.name, count=random.choice((5, 12, 30)), key=f"k{random.randrange(6)}")
        case _:
            add(kind, source=source.name)


def _trouble(random: Random, world: World, add: Add) -> None:
    node = f"node-{random.randrange(world.nodes)}"
    at = timedelta(seconds=random.random() * world.length.total_seconds())
    match random.choice(("kill", "kill", "kill", "kill", "pause", "break", "break", "kill-all", "kill-web")):
        case "kill":
            add("kill", at, node=node, fuse=random.randrange(120), back_seconds=random.choice((1, 5, 30, 120, 600)))
        case "kill-all":
            back = random.choice((10, 60, 1800))
            for index in range(world.nodes):
                add("kill", at, node=f"node-{index}", fuse=random.randrange(60), back_seconds=back)
        case "kill-web":
            add("kill", at, node=f"web-{random.randrange(2)}", fuse=random.randrange(12), back_seconds=2)
        case "pause":
            add("pause", at, node=node, fuse=random.randrange(120), seconds=random.choice((3, 8, 25, 90)))
        case _:
            what = random.choice([*CHANNELS, *(person.name for person in world.people)])
            seconds = random.choice((40, 150, 600, 1500))
            add("break", at, what=what, how=random.choice(BREAKS), seconds=seconds)


def _edit(random: Random, world: World, add: Add) -> None:
    match random.choice(("policy", "override", "turn-off", "maintenance", "maintenance", "rota")):
        case "policy":
            policy = random.choice(world.policies)
            add("edit-policy", policy=policy_of(random, policy.name, world))
        case "rota":
            add("edit-rota", rota=random.choice(world.rotas).name, add=random.choice(world.people).name)
        case "override":
            person, rota = random.choice(world.people), random.choice(world.rotas)
            add("override", rota=rota.name, user=person.name, seconds=random.choice((1800, 7200)))
        case "turn-off":
            person = random.choice(world.people[1:])
            at = timedelta(seconds=random.random() * world.length.total_seconds())
            add("turn-off", at, user=person.name)
            add("turn-on", _soon(random, at, 600, 5400), user=person.name)
        case _:
            service = random.choice(world.services)[0]
            add("maintenance", service=service, seconds=random.choice((300, 1200, 3600)))


def _act(random: Random, world: World, add: Add) -> None:
    """Somebody does something to whatever is open then."""
    kinds = (
        "unacknowledge",
        "snooze",
        "escalate",
        "add",
        "reassign",
        "raise",
        "lower",
        "note",
        "close",
        "page",
        "race",
    )
    kind = random.choice(kinds)
    person, other = random.choice(world.people).name, random.choice(world.people).name
    add(kind, who=person, other=other, pick=random.randrange(100), seconds=random.choice((300, 1200, 3600)))
