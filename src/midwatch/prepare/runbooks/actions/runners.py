"""Runners on other machines: made, turned off, and heard from."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta

from django.db import IntegrityError, transaction

from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.core.statements import Select
from midwatch.core.text import NAME, NAME_HELP, clean
from midwatch.people import tokens
from midwatch.people.managed import check_name
from midwatch.people.models import Team
from midwatch.prepare.runbooks.models import Runner
from midwatch.prepare.runbooks.wire import TOKEN_PREFIX, Hello

TAGS_MAX = 20
STEPS_MAX = 50
SEEN_AGAIN = timedelta(seconds=10)  # a runner is heard all the time; that is written so often at most
BY_DIGEST = Select(lambda digest: Runner.objects.select_related("team").filter(token_digest=digest, is_active=True))


def create_runner(
    name: str, by: Actor, *, tags: Sequence[str] = (), team: Team | None = None, steps_max: int = 4
) -> tuple[Runner, str]:
    """The runner and its token, which is shown once. Raises `ValueError` with a sentence."""
    check_name(name)
    wanted = _tags(tags)
    if not 1 <= steps_max <= STEPS_MAX:
        raise ValueError(f"a runner does 1 to {STEPS_MAX} steps at the same time, not {steps_max}")
    token = _new_token()
    try:
        with transaction.atomic():
            made = Runner.objects.create(
                name=name,
                token_digest=tokens.digest(token),
                tags=wanted,
                team=team,
                steps_max=steps_max,
                created_at=clock.now(),
            )
            audit.record(by, "create", "runner", name, {"tags": wanted, "team": team.name if team else None})
    except IntegrityError as error:
        raise ValueError(
            f"there is a runner called {name} already: `midwatch runner token {name}` renews it"
        ) from error
    return made, token


def renew_token(runner: Runner, by: Actor) -> str:
    """A new token; the old one ends. A runner that was turned off may work again."""
    token = _new_token()
    with transaction.atomic():
        Runner.objects.filter(pk=runner.pk).update(token_digest=tokens.digest(token), is_active=True)
        audit.record(by, "renew", "runner", runner.name)
    return token


def turn_off_runner(runner: Runner, by: Actor) -> None:
    """Its token ends. What it does now is lost to it: those steps become unknown, or are done again if they may be."""
    with transaction.atomic():
        Runner.objects.filter(pk=runner.pk).update(is_active=False)
        audit.record(by, "turn off", "runner", runner.name)


def delete_runner(runner: Runner, by: Actor) -> None:
    with transaction.atomic():
        Runner.objects.filter(pk=runner.pk).delete()
        audit.record(by, "delete", "runner", runner.name)


def runner_of(token: str) -> Runner | None:
    """Whose token this is, if it is one that works."""
    if not token.startswith(TOKEN_PREFIX) or len(token) > 200:
        return None
    return next(iter(BY_DIGEST(tokens.digest(token))), None)


def hear(runner: Runner, hello: Hello) -> None:
    """It asked for work. Raises `ValueError` when it wants tags that are not its own."""
    foreign = sorted(set(hello.tags) - set(runner.tags) - {runner.name})
    if foreign:
        raise ValueError(
            f"the runner {runner.name} has no tag {foreign[0][:63]}: give it one with `midwatch runner create`"
        )
    now = clock.now()
    said: dict[str, object] = {
        "version": clean(hello.version, 40, is_one_line=True),
        "host": clean(hello.host, 200, is_one_line=True),
        "executors": sorted({clean(one, 40, is_one_line=True) for one in hello.executors[:50]}),
        "wanted_tags": sorted(set(hello.tags)),
        "is_draining": hello.is_draining,
    }
    if hello.is_draining:
        said["draining_process"] = hello.process
    is_same = all(getattr(runner, name) == value for name, value in said.items())
    if is_same and runner.last_seen_at is not None and now - runner.last_seen_at < SEEN_AGAIN:
        return
    with transaction.atomic():
        Runner.objects.filter(pk=runner.pk).update(**said, last_seen_at=now)
    for name, value in said.items():
        setattr(runner, name, value)


def hear_again(runner: Runner) -> None:
    """It is at work, and so it is there."""
    now = clock.now()
    if runner.last_seen_at is None or now - runner.last_seen_at >= SEEN_AGAIN:
        with transaction.atomic():
            Runner.objects.filter(pk=runner.pk).update(last_seen_at=now)


def _new_token() -> str:
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def _tags(tags: Sequence[str]) -> list[str]:
    wanted = sorted(set(tags))
    if len(wanted) > TAGS_MAX:
        raise ValueError(f"a runner has at most {TAGS_MAX} tags, not {len(wanted)}")
    for tag in wanted:
        if not NAME.fullmatch(tag):
            raise ValueError(f"{clean(tag, 80)!r} is no tag: give {NAME_HELP}")
    return wanted
