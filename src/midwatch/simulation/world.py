"""A world from a seed: who there is, who is called when, and what sends. Plain values, no database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from midwatch.simulation.rota import Rota

NAMES = ("ana", "bo", "cy", "dana", "eli", "fay")
ZONES = ("UTC", "Europe/Prague", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")
RINGING = ("webhook", "ntfy", "sms", "voice")
# Evenings before a night in which some zone of ZONES changes its clocks.
DST_EVES = (
    datetime(2026, 3, 7, 20, tzinfo=UTC),
    datetime(2026, 3, 28, 21, tzinfo=UTC),
    datetime(2026, 4, 4, 13, tzinfo=UTC),
    datetime(2026, 10, 3, 13, tzinfo=UTC),
    datetime(2026, 10, 24, 21, tzinfo=UTC),
    datetime(2026, 10, 31, 20, tzinfo=UTC),
)
ORDINARY = datetime(2026, 5, 4, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Person:
    """`temper`: how they take a page. `methods`: types, in the order of their rules."""

    name: str
    zone: str
    methods: tuple[str, ...]
    gap_seconds: int
    temper: str
    repeat_after_seconds: int
    is_manager: bool
    is_administrator: bool


@dataclass(frozen=True, slots=True)
class StepSpec:
    """`targets`: user:NAME, rota:NAME, next:NAME, team:, managers:."""

    after_seconds: int
    targets: tuple[str, ...]
    is_unresolved: bool = False


@dataclass(frozen=True, slots=True)
class PolicySpec:
    name: str
    steps: tuple[StepSpec, ...]
    repeat: int
    repeat_after_seconds: int
    ack_timeout_seconds: int | None


@dataclass(frozen=True, slots=True)
class SourceSpec:
    name: str
    type: str
    service: str
    resolve_after_seconds: int | None = None
    expect_every_seconds: int | None = None
    is_grouping: bool = False


@dataclass(frozen=True, slots=True)
class World:
    """`trouble`: how bad the wire is, 0 (calm) to 1. `nodes`: how many engines. `has_duty`: an organisation's schedule.

    `settles`: how long everything has after it was healed: leases, back-offs, storm limits. `watched`: how many of such
    runs end with half an hour in which nobody answers. `looks_at_shifts`: messages about shifts and retention, which are
    no pages and dear to work out, happen too.
    """

    starts_at: datetime
    people: tuple[Person, ...]
    rotas: tuple[Rota, ...]
    policies: tuple[PolicySpec, ...]
    services: tuple[tuple[str, str, int], ...]  # name, policy, page after (seconds)
    sources: tuple[SourceSpec, ...]
    nodes: int
    trouble: float
    has_duty: bool
    length: timedelta
    watched: float = 0.5
    settles: timedelta = timedelta(minutes=6)
    looks_at_shifts: bool = True

    def person(self, name: str) -> Person:
        return next(person for person in self.people if person.name == name)


def make(random: Random) -> World:
    people = _people(random)
    is_dst = random.random() < 0.3
    starts_at = (
        random.choice(DST_EVES) + timedelta(hours=random.choice((0, 1, 2, 3)))
        if is_dst
        else ORDINARY + timedelta(minutes=random.randrange(7 * 24 * 60))
    )
    rotas = tuple(_rota(random, f"rota-{index}", people, starts_at) for index in range(random.choice((1, 1, 2))))
    policies = tuple(make_policy(random, f"policy-{index}", people, rotas) for index in range(random.choice((1, 2))))
    services = tuple((name, random.choice(policies).name, random.choice((0, 0, 0, 60))) for name in ("shop", "disks"))
    return World(
        starts_at=starts_at,
        people=people,
        rotas=rotas,
        policies=policies,
        services=services,
        sources=_sources(random, services),
        nodes=random.choice((1, 2, 2, 3)),
        trouble=random.choice((0.0, 0.0, 0.1, 0.3, 0.6)),
        has_duty=random.random() < 0.3,
        length=timedelta(minutes=random.choice((60, 180, 300)) if is_dst else random.choice((15, 25, 25, 40, 75))),
    )


def _people(random: Random) -> tuple[Person, ...]:
    count = random.choice((2, 3, 4, 5))
    found = []
    for index, name in enumerate(NAMES[:count]):
        ringing = random.sample(RINGING, random.choice((1, 1, 2, 3)))
        methods = [*ringing, "email"] if random.random() < 0.4 else ringing
        if index and random.random() < 0.06:
            methods = ["email"]  # nobody wakes by this alone
        random.shuffle(methods)
        found.append(
            Person(
                name=name,
                zone=random.choice(ZONES),
                methods=tuple(methods),
                gap_seconds=random.choice((30, 60, 120)),
                temper=random.choice(("awake", "awake", "slow", "fickle", "deaf")),
                repeat_after_seconds=random.choice((300, 300, 600)),
                is_manager=index == count - 1 or random.random() < 0.2,
                is_administrator=index == 0,
            )
        )
    return tuple(found)


def _rota(random: Random, name: str, people: tuple[Person, ...], starts_at: datetime) -> Rota:
    order = [person.name for person in people]
    random.shuffle(order)
    turns: list[tuple[str, ...]] = [(one,) for one in order[: random.randint(2, len(order))]]
    if len(turns) > 2 and random.random() < 0.15:
        turns[1] = ()  # nobody
    if len(turns) > 2 and random.random() < 0.15:
        turns[2] = tuple(order[:2])
    hour, minute = random.choice(((0, 0), (1, 30), (2, 0), (2, 15), (2, 30), (3, 0), (9, 0), (20, 0)))
    begin = (starts_at - timedelta(days=random.randint(2, 20))).replace(tzinfo=None)
    every, unit = random.choice(((1, "hours"), (4, "hours"), (1, "days"), (1, "days"), (1, "weeks")))
    return Rota(
        name=name,
        zone=random.choice(ZONES[1:4]),
        start=begin.replace(hour=hour, minute=minute, second=0, microsecond=0),
        every=every,
        unit=unit,
        turns=tuple(turns),
    )


def policy_of(random: Random, name: str, world: World) -> PolicySpec:
    """Another policy of this name, for an edit."""
    return make_policy(random, name, world.people, world.rotas)


def make_policy(
    random: Random,
    name: str,
    people: tuple[Person, ...],
    rotas: tuple[Rota, ...],
    *,
    steps: Sequence[int] = (1, 2, 2, 3, 3, 4),
    repeats: Sequence[int] = (0, 1, 1, 2, 3),
) -> PolicySpec:
    """`steps`, `repeats`: how many to choose from."""
    found: list[StepSpec] = []
    after = 0
    for index in range(random.choice(steps)):
        after += random.choice((0, 60, 120, 300)) if index else random.choice((0, 0, 0, 60))
        found.append(
            StepSpec(
                after_seconds=after,
                targets=_targets(random, people, rotas, is_last=index >= 2),
                is_unresolved=bool(index) and random.random() < 0.2,
            )
        )
    return PolicySpec(
        name=name,
        steps=tuple(found),
        repeat=random.choice(repeats),
        repeat_after_seconds=random.choice((300, 600, 600, 900)),
        ack_timeout_seconds=random.choice((None, None, 0, 900, 1200)),
    )


def _targets(random: Random, people: tuple[Person, ...], rotas: tuple[Rota, ...], *, is_last: bool) -> tuple[str, ...]:
    kinds = ["rota", "rota", "next", "user", "user", "managers"] + (["team", "team"] if is_last else [])
    found: list[str] = []
    for _ in range(random.choice((1, 1, 1, 2))):
        kind = random.choice(kinds)
        match kind:
            case "user":
                found.append(f"user:{random.choice(people).name}")
            case "rota" | "next":
                found.append(f"{kind}:{random.choice(rotas).name}")
            case _:
                found.append(f"{kind}:")
    return tuple(dict.fromkeys(found))


def _sources(random: Random, services: tuple[tuple[str, str, int], ...]) -> tuple[SourceSpec, ...]:
    found = [SourceSpec("plain", "generic", services[0][0])]
    found.append(SourceSpec("prometheus", "alertmanager", services[1][0], is_grouping=True))
    if random.random() < 0.4:
        found.append(SourceSpec("fading", "generic", services[0][0], resolve_after_seconds=random.choice((900, 1800))))
    if random.random() < 0.25:
        found.append(SourceSpec("steady", "generic", services[1][0], expect_every_seconds=random.choice((1200, 3600))))
    return tuple(found)
