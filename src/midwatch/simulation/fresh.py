"""A fresh database and event log for a run, and a world written into it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path

from django.apps import apps
from django.core.cache import caches
from django.db import connection, transaction
from django.db.backends.signals import connection_created

from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.core.migrating import migrate
from midwatch.intake import log
from midwatch.people.models import ContactMethod, Membership, NotificationRule, Team, User
from midwatch.respond.alerts.models import Source
from midwatch.respond.escalation.models import (
    EscalationPolicy,
    Organisation,
    PolicyStep,
    ServicePolicy,
    StepTarget,
    TeamPolicy,
)
from midwatch.respond.oncall.models import Layer, Schedule, TurnMember
from midwatch.settings import settings
from midwatch.simulation.rota import Rota
from midwatch.simulation.world import Person, PolicySpec, World

TEAM = "crew"
KEPT = {"django_content_type", "auth_permission", "django_migrations"}


def _relax(sender: object, connection: object, **more: object) -> None:
    """Processes die in a run, machines do not: what was written to a file stays."""
    with connection.cursor() as cursor:  # type: ignore[attr-defined]
        cursor.execute("PRAGMA synchronous=OFF")


@cache
def template() -> Path:
    """A migrated database, made once beside the data directories of the workers of one command."""
    main = settings().main_database
    made = main.parent.parent / "template.sqlite3"
    if connection.vendor == "sqlite":
        connection_created.connect(_relax, dispatch_uid="simulation")
        if made.exists():
            return made
    migrate()
    if connection.vendor != "sqlite":
        return main
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    shutil.copyfile(main, made.with_suffix(".new"))
    made.with_suffix(".new").rename(made)
    return made


def fresh() -> None:
    """Nothing of the run before is left: database, log, caches."""
    migrated = template()
    connection.close()
    own = settings()
    log.event_log.cache_clear()
    for path in (own.main_database, own.event_log):
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    if connection.vendor == "sqlite":
        shutil.copyfile(migrated, own.main_database)
    else:
        _emptied()
    for cache_ in caches.all():
        cache_.clear()


def _emptied() -> None:
    """PostgreSQL: empty tables, numbers from one again. Emptying a table that is empty costs as much as any other."""
    quote = connection.ops.quote_name
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT schemaname, sequencename FROM pg_sequences WHERE last_value IS NOT NULL")
        used = [f"{quote(schema)}.{quote(name)}" for schema, name in cursor.fetchall()]
        asked = [f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {quote(name)})" for name in _tables()]  # noqa: S608 - tables of our own
        cursor.execute(" UNION ALL ".join(asked))
        filled = [quote(name) for (name,) in cursor.fetchall()]
        if filled:
            cursor.execute(f"TRUNCATE {', '.join(filled)} CASCADE")
        for name in used:
            cursor.execute(f"ALTER SEQUENCE {name} RESTART")


@cache
def _tables() -> list[str]:
    """Of our own; what migrations have written down stays."""
    known = set(connection.introspection.table_names())
    names = {model._meta.db_table for model in apps.get_models(include_auto_created=True)} | {"intake_event"}
    return sorted(names & known - KEPT)


def build(world: World) -> None:
    """The world as rows."""
    now = clock.now()
    with transaction.atomic():
        team = Team.objects.create(name=TEAM, display_name="Crew", created_at=now)
        users = {person.name: _person(person, team, now) for person in world.people}
        schedules = {rota.name: _schedule(rota, team, users, now) for rota in world.rotas}
        policies = {spec.name: _policy(spec, team, users, schedules, now) for spec in world.policies}
        TeamPolicy.objects.create(team=team, policy=next(iter(policies.values())))
        services = {}
        for name, policy, page_after in world.services:
            services[name] = Service.objects.create(
                name=name, display_name=name.capitalize(), team=team, page_after_seconds=page_after, created_at=now
            )
            ServicePolicy.objects.create(service=services[name], policy=policies[policy])
        for number, spec in enumerate(world.sources):
            Source.objects.create(
                name=spec.name,
                type=spec.type,
                key=f"{number:032x}",
                service=services[spec.service],
                group_by=["groupKey"] if spec.is_grouping else [],
                resolve_after_seconds=spec.resolve_after_seconds,
                expect_every_seconds=spec.expect_every_seconds,
                created_at=now,
            )
        if world.has_duty:
            Organisation.objects.create(pk=1, duty_schedule=next(iter(schedules.values())))


def _person(person: Person, team: Team, now: datetime) -> User:
    user = User.objects.create(
        name=person.name,
        display_name=person.name.capitalize(),
        email=f"{person.name}@example.com",
        time_zone=person.zone,
        role="administrator" if person.is_administrator else "member",
        repeat_after_seconds=person.repeat_after_seconds,
        created_at=now,
    )
    Membership.objects.create(team=team, user=user, role="manager" if person.is_manager else "responder")
    for position, type_ in enumerate(person.methods):
        contact = ContactMethod.objects.create(
            user=user,
            name=f"{type_}-{position}",
            type=type_,
            address=address(person.name, type_, user.pk),
            position=position,
            is_from_code=True,
            confirmed_at=now,
        )
        rules = [("high", person.gap_seconds * position)] + ([("low", 0)] if position == 0 else [])
        for urgency, after in rules:
            NotificationRule.objects.create(
                user=user, urgency=urgency, position=position, after_seconds=after, contact=contact
            )
    return user


def address(name: str, type_: str, number: int) -> str:
    match type_:
        case "webhook":
            return f"http://phones.example/{name}"
        case "ntfy":
            return f"http://ntfy.example/{name}"
        case "email":
            return f"{name}@example.com"
        case _:
            return f"+4206{number:08d}"


def _schedule(rota: Rota, team: Team, users: Mapping[str, User], now: datetime) -> Schedule:
    schedule = Schedule.objects.create(name=rota.name, team=team, time_zone=rota.zone, created_at=now)
    layer = Layer.objects.create(
        schedule=schedule,
        position=0,
        name="main",
        start=f"{rota.start:%Y-%m-%dT%H:%M}",
        every=rota.every,
        unit=rota.unit,
        turn_count=len(rota.turns),
    )
    for turn, names in enumerate(rota.turns):
        for position, name in enumerate(names):
            TurnMember.objects.create(layer=layer, turn=turn, position=position, user=users[name])
    return schedule


def _policy(
    spec: PolicySpec, team: Team, users: Mapping[str, User], schedules: Mapping[str, Schedule], now: datetime
) -> EscalationPolicy:
    policy = EscalationPolicy.objects.create(
        name=spec.name,
        team=team,
        repeat=spec.repeat,
        repeat_after_seconds=spec.repeat_after_seconds,
        ack_timeout_seconds=spec.ack_timeout_seconds,
        created_at=now,
    )
    for position, step in enumerate(spec.steps):
        row = PolicyStep.objects.create(
            policy=policy,
            position=position,
            name=step_name(position),
            after_seconds=step.after_seconds,
            condition="unresolved" if step.is_unresolved else "unacknowledged",
        )
        for order, target in enumerate(step.targets):
            StepTarget.objects.create(step=row, position=order, **target_values(target, team, users, schedules))
    return policy


def step_name(position: int) -> str:
    return f"level {position + 1}"


def target_values(
    target: str, team: Team, users: Mapping[str, User], schedules: Mapping[str, Schedule]
) -> dict[str, object]:
    kind, _, name = target.partition(":")
    match kind:
        case "user":
            return {"user": users[name]}
        case "rota":
            return {"schedule": schedules[name], "notify": "current"}
        case "next":
            return {"schedule": schedules[name], "notify": "next"}
        case _:
            return {"team": team, "notify": "managers" if kind == "managers" else "all"}
