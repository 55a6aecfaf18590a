"""Directed worlds: what chance brings too rarely is made to happen, and the seed decides the rest, when and to whom.

A scene is small and calm but for its own trouble, so a run takes a second and a shrunk story is short. The mutation
suite plants its bugs in these (`midwatch-sim --scene deaths --seeds 10`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any

from midwatch.simulation.rota import Rota
from midwatch.simulation.world import (
    DST_EVES,
    NAMES,
    RINGING,
    ZONES,
    Person,
    PolicySpec,
    SourceSpec,
    StepSpec,
    World,
    make,
)

Add = Callable[..., None]  # kind, at, **facts
URGENT = ("P1", "P2")
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Scene:
    """`shape` makes an ordinary world one of this scene, `write` says what happens in it."""

    words: str
    shape: Callable[[Random, World], World]
    write: Callable[[Random, World, Add], None]


def world_of(name: str, random: Random) -> World:
    return SCENES[name].shape(random, make(random))


def _some(random: Random, low: float, high: float) -> timedelta:
    return timedelta(seconds=random.uniform(low, high))


def _people(random: Random, temper: str, methods: tuple[str, ...] = ()) -> tuple[Person, ...]:
    """Two or three, each of one temper."""
    return tuple(
        Person(
            name=name,
            zone=random.choice(ZONES),
            methods=methods or (random.choice(RINGING),),
            gap_seconds=60,
            temper=temper,
            repeat_after_seconds=300,
            is_manager=not index,
            is_administrator=not index,
        )
        for index, name in enumerate(NAMES[: random.choice((2, 3))])
    )


def _small(
    random: Random,
    world: World,
    *,
    temper: str,
    steps: tuple[StepSpec, ...],
    repeat: int,
    minutes: int,
    methods: tuple[str, ...] = (),
    nodes: int = 1,
) -> World:
    """One policy, one service, one rota, a clean wire."""
    people = _people(random, temper, methods)
    rota = Rota(
        name="rota-0",
        zone=random.choice(ZONES[1:4]),
        start=(world.starts_at - timedelta(days=random.randint(3, 9))).replace(
            tzinfo=None, hour=9, minute=0, second=0, microsecond=0
        ),
        every=1,
        unit="days",
        turns=tuple((person.name,) for person in people),
    )
    policy = PolicySpec("policy-0", steps, repeat, 300, 900)
    return World(
        starts_at=world.starts_at,
        people=people,
        rotas=(rota,),
        policies=(policy,),
        services=(("shop", policy.name, 0),),
        sources=(
            SourceSpec("plain", "generic", "shop"),
            SourceSpec("prometheus", "alertmanager", "shop", is_grouping=True),
        ),
        nodes=nodes,
        trouble=0.0,
        has_duty=False,
        length=timedelta(minutes=minutes),
    )


ONE_STEP = (StepSpec(0, ("user:ana",)),)
TWO_STEPS = (StepSpec(0, ("user:ana",)), StepSpec(300, ("user:bo",)))


def _fire(random: Random, add: Add, at: timedelta, **more: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "source": "plain",
        "key": f"k{random.randrange(6)}",
        "priority": random.choice(URGENT),
        **more,
    }
    add("fire", at, **facts)
    return facts


# -- deaths: nodes die while they take events, page and send ----------------------------------------------------------------


def _deaths_world(random: Random, world: World) -> World:
    return _small(random, world, temper="deaf", steps=ONE_STEP, repeat=0, minutes=12, nodes=random.choice((1, 2)))


def _deaths(random: Random, world: World, add: Add) -> None:
    for number in range(5):
        at = MINUTE * (1 + 2 * number)
        _fire(random, add, at, key=f"k{number}")
        for index in range(world.nodes):
            back = random.choice((1, 5, 30))
            add(
                "kill",
                at - timedelta(seconds=1),
                node=f"node-{index}",
                fuse=random.randrange(15, 80),
                back_seconds=back,
            )


# -- patience: nobody answers, round after round ----------------------------------------------------------------------------


def _patience_world(random: Random, world: World) -> World:
    steps = random.choice((ONE_STEP, TWO_STEPS))
    return _small(random, world, temper="deaf", steps=steps, repeat=random.choice((1, 2)), minutes=25)


def _patience(random: Random, _world: World, add: Add) -> None:
    _fire(random, add, _some(random, 1, 60))


# -- race: two answer at once -----------------------------------------------------------------------------------------------


def _race_world(random: Random, world: World) -> World:
    return _small(random, world, temper="deaf", steps=ONE_STEP, repeat=0, minutes=14)


def _race(random: Random, _world: World, add: Add) -> None:
    for number in range(10):
        at = MINUTE * (1 + number)
        _fire(random, add, at, key=f"k{number}")
        moment = at + _some(random, 5, 40)
        add("pause", moment - timedelta(seconds=1), node=f"web-{number % 2}", fuse=random.randrange(3, 9), seconds=3)
        add("race", moment, who="ana", other="bo", pick=number)


# -- returned: somebody has it, and gives it back, while nodes die ----------------------------------------------------------


def _returned_world(random: Random, world: World) -> World:
    return _small(random, world, temper="deaf", steps=TWO_STEPS, repeat=0, minutes=18, methods=("ntfy",))


def _returned(random: Random, _world: World, add: Add) -> None:
    for number in range(5):
        at = MINUTE * (1 + 3 * number)
        _fire(random, add, at, key=f"k{number}")
        add("race", at + MINUTE, who="ana", other="ana", pick=number)
        given_back = at + MINUTE + _some(random, 30, 60)
        add("kill", given_back - MINUTE / 60, node="node-0", fuse=random.randrange(24), back_seconds=5)
        add("unacknowledge", given_back, who="ana", other="ana", pick=number)


# -- night: the clocks change between two hand-offs -------------------------------------------------------------------------


CHANGES = {
    "Europe/Prague": (DST_EVES[1], DST_EVES[4]),
    "America/New_York": (DST_EVES[0], DST_EVES[5]),
    "Australia/Lord_Howe": (DST_EVES[2], DST_EVES[3]),
}
HAND_OFFS = ((2, 0), (2, 30), (3, 0), (6, 0), (7, 30))


def _night_world(random: Random, world: World) -> World:
    zone = random.choice(tuple(CHANGES))
    eve = replace(world, starts_at=random.choice(CHANGES[zone]))
    step = StepSpec(0, ("rota:rota-0",))
    small = _small(random, eve, temper="deaf", steps=(step,), repeat=0, minutes=18 * 60)
    hour, minute = random.choice(HAND_OFFS)
    rota = small.rotas[0]
    return replace(small, rotas=(replace(rota, zone=zone, start=rota.start.replace(hour=hour, minute=minute)),))


def _night(random: Random, world: World, add: Add) -> None:
    """Some minutes before each hand-off, and some minutes after it."""
    rota, begin, number = world.rotas[0], world.starts_at, 0
    quarter = timedelta(minutes=15)
    for at in (quarter * count for count in range(2, int(world.length / quarter) - 4)):
        if rota.on_call(begin + at - quarter) == rota.on_call(begin + at):
            continue
        for moment in (at - _some(random, 60, 1500), at + _some(random, 60, 1500)):
            facts = _fire(random, add, moment, key=f"k{number}")
            add("resolve", moment + _some(random, 60, 200), **facts)
            number += 1


# -- oddities: what cannot be understood, between what can ------------------------------------------------------------------


def _oddities_world(random: Random, world: World) -> World:
    return _small(random, world, temper="awake", steps=ONE_STEP, repeat=0, minutes=8)


def _oddities(random: Random, _world: World, add: Add) -> None:
    for number in range(3):
        add(random.choice(("poison", "poison", "misunderstood", "refused")), _some(random, 1, 300), source="plain")
        _fire(random, add, _some(random, 1, 300), key=f"k{number}")
    add("poison", _some(random, 1, 300), source="prometheus")


# -- emptied: the log is pruned to nothing, and filled again ----------------------------------------------------------------


def _emptied_world(random: Random, world: World) -> World:
    return _small(random, world, temper="awake", steps=ONE_STEP, repeat=0, minutes=10)


def _emptied(random: Random, _world: World, add: Add) -> None:
    for number in range(3):
        at = MINUTE * (1 + 3 * number)
        _fire(random, add, at, key=f"k{number}")
        _fire(random, add, at + _some(random, 1, 20), key=f"k{number}")
        add("prune", at + _some(random, 40, 100))


# -- outage: a provider is out of reach while steps go out ------------------------------------------------------------------


def _outage_world(random: Random, world: World) -> World:
    return _small(random, world, temper="deaf", steps=TWO_STEPS, repeat=0, minutes=15)


def _outage(random: Random, world: World, add: Add) -> None:
    how = random.choice(("unreachable", "refuses", "hangs", "gone", "taken-then-silent"))
    what = random.choice(("ana", world.person("ana").methods[0]))
    add("break", _some(random, 1, 20), what=what, how=how, seconds=random.choice((150, 600)))
    _fire(random, add, _some(random, 25, 60))


# -- group: alerts that page together, and the first of them ends -----------------------------------------------------------


def _group_world(random: Random, world: World) -> World:
    return _small(random, world, temper="deaf", steps=TWO_STEPS, repeat=1, minutes=18)


def _group(random: Random, _world: World, add: Add) -> None:
    """`count` 0 is the first, alone; the others join it; it resolves, and they go on."""
    facts: dict[str, Any] = {"source": "prometheus", "key": "g", "priority": "P1"}
    add("fire", MINUTE, **facts)
    add("fire", MINUTE + _some(random, 5, 60), **facts, count=random.choice((2, 3)))
    add("resolve", MINUTE * 3 + _some(random, 0, 200), **facts)


# -- answers: pages wait behind a broken wire while somebody answers --------------------------------------------------------


def _answers_world(random: Random, world: World) -> World:
    steps = (StepSpec(0, ("user:ana", "user:bo")),)
    return _small(random, world, temper="deaf", steps=steps, repeat=0, minutes=10, methods=("ntfy",))


def _answers(random: Random, _world: World, add: Add) -> None:
    for number in range(3):
        at = MINUTE * (1 + 3 * number)
        how = random.choice(("refuses", "unreachable"))
        add("break", at - timedelta(seconds=1), what="ana", how=how, seconds=random.choice((20, 40)))
        _fire(random, add, at, key=f"k{number}")
        add("race", at + _some(random, 2, 15), who="bo", other="bo", pick=number)


SCENES: Mapping[str, Scene] = {
    "deaths": Scene("every node dies while events come in and pages leave", _deaths_world, _deaths),
    "patience": Scene("nobody answers, round after round", _patience_world, _patience),
    "race": Scene("two people acknowledge in the same moment", _race_world, _race),
    "returned": Scene("somebody has it, and gives it back, while nodes die", _returned_world, _returned),
    "night": Scene("the clocks change between two hand-offs", _night_world, _night),
    "oddities": Scene("broken, refused and good events, mixed", _oddities_world, _oddities),
    "emptied": Scene("the event log is pruned to nothing and filled again", _emptied_world, _emptied),
    "outage": Scene("a provider is out of reach while steps go out", _outage_world, _outage),
    "group": Scene("alerts page together, and the first of them ends", _group_world, _group),
    "answers": Scene("pages wait behind a broken wire while somebody answers", _answers_world, _answers),
}
