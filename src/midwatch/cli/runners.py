"""Verbs about runners on other machines; `midwatch runner` itself is one, in `midwatch.runner.process`."""

from __future__ import annotations

from argparse import Namespace

from midwatch.cli.ground import shown_time
from midwatch.cli.output import VerbError, show, table
from midwatch.cli.people import acting
from midwatch.core.actor import Actor
from midwatch.people.models import Team
from midwatch.prepare.runbooks.actions import runners as actions
from midwatch.prepare.runbooks.models import Runner
from midwatch.prepare.runbooks.queries.runners import runners_seen
from midwatch.settings import settings


def _administrator(args: Namespace) -> Actor:
    by, user = acting(args)
    if user is not None and not user.is_administrator:
        raise VerbError(f"{user.name} is no administrator: runners are made and removed by administrators")
    return by


def _runner(name: str) -> Runner:
    found = Runner.objects.filter(name=name).first()
    if found is None:
        raise VerbError(f"there is no runner {name!r}: `midwatch runner list` shows them")
    return found


def create(args: Namespace) -> int:
    by = _administrator(args)
    team = None
    if args.team:
        team = Team.objects.filter(name=args.team).first()
        if team is None:
            raise VerbError(f"there is no team {args.team!r}")
    tags = [tag for tag in args.tags.split(",") if tag]
    made, token = actions.create_runner(args.name, by, tags=tags, team=team, steps_max=args.steps)
    _show_token(args, made, token)
    return 0


def token(args: Namespace) -> int:
    by = _administrator(args)
    found = _runner(args.name)
    _show_token(args, found, actions.renew_token(found, by))
    return 0


def _show_token(args: Namespace, runner: Runner, text: str) -> None:
    lines = [
        text,
        f"This token is shown once. On the other machine: midwatch runner --url {settings().base_url} --token-file FILE",
    ]
    show(args, {"name": runner.name, "tags": runner.tags, "token": text}, lines)


def list_runners(args: Namespace) -> int:
    seen = runners_seen()
    rows = [
        (
            one.runner.name,
            one.state,
            ",".join(one.runner.tags),
            one.runner.team.name if one.runner.team is not None else "all",
            f"{one.steps}/{one.runner.steps_max}",
            shown_time(one.runner.last_seen_at) or "never",
            one.runner.version,
            one.runner.host,
        )
        for one in seen
    ]
    data = [
        {
            "name": one.runner.name,
            "state": one.state,
            "tags": one.runner.tags,
            "team": one.runner.team.name if one.runner.team is not None else None,
            "steps": one.steps,
            "steps_max": one.runner.steps_max,
            "executors": one.runner.executors,
            "last_seen_at": one.runner.last_seen_at,
            "version": one.runner.version,
            "host": one.runner.host,
        }
        for one in seen
    ]
    heads = ("RUNNER", "STATE", "TAGS", "TEAM", "STEPS", "LAST SEEN", "VERSION", "HOST")
    show(args, data, table(rows, heads) if rows else ["There is no runner; the engine does the steps without tags."])
    return 0


def turn_off(args: Namespace) -> int:
    by = _administrator(args)
    found = _runner(args.name)
    actions.turn_off_runner(found, by)
    show(args, {"name": found.name}, [f"The runner {found.name} is off: its token has ended."])
    return 0


def remove(args: Namespace) -> int:
    by = _administrator(args)
    found = _runner(args.name)
    actions.delete_runner(found, by)
    show(args, {"name": found.name}, [f"The runner {found.name} is gone."])
    return 0
