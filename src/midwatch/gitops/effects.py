"""What a plan means for people, in sentences."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from midwatch.gitops.plan import Change
from midwatch.gitops.schema import Parsed
from midwatch.people.models import User
from midwatch.respond.oncall import resolve
from midwatch.respond.oncall.queries import named, resolvables, schedules

OnCall = Mapping[str, tuple[str, ...]]


def on_call_now(now: datetime) -> OnCall:
    """Names by schedule."""
    wanted = list(schedules())
    values = resolvables(wanted, since=now)
    return {schedule.name: resolve.on_call_at(values[schedule.pk], now) for schedule in wanted}


def of_shifts(before: OnCall, after: OnCall) -> Iterator[str]:
    people = named(name for names in (*before.values(), *after.values()) for name in names)
    for schedule, names in after.items():
        if schedule not in before:
            yield f"on call now for {schedule}: {_shown(names, people)}"
        elif set(before[schedule]) != set(names):
            yield f"on call now changes for {schedule}: {_shown(before[schedule], people)} -> {_shown(names, people)}"


def _shown(names: Iterable[str], people: Mapping[str, User]) -> str:
    return ", ".join(str(people.get(name, name)) for name in names) or "nobody"


def of_policies(changes: Iterable[Change]) -> Iterator[str]:
    for change in changes:
        binding = change.fields.get("escalationPolicy")
        if change.action != "update" or binding is None:
            continue
        of = f"alerts of Service/{change.name}" if change.kind == "Service" else f"pages to Team/{change.name}"
        fallback = "the policy of its team" if change.kind == "Service" else "no policy"
        yield f"{of} go by {_policy(binding['to'], fallback)} instead of {_policy(binding['from'], fallback)}"


def _policy(name: object, fallback: str) -> str:
    return f"policy {name}" if name else fallback


def of_secrets(parsed: Iterable[Parsed]) -> Iterator[str]:
    """References to the environment are read when a message goes out, by the engine; here they may be missing."""
    for one in parsed:
        for contact in (one.spec.get("contactMethods") or ()) if one.kind == "User" else ():
            variable = (contact.get("secretFrom") or {}).get("env")
            if variable and not os.environ.get(variable):
                yield (
                    f"{variable} is not set here: set it where the engine runs, "
                    f"or messages to {one.name} by {contact['name']} fail"
                )
