"""`run restart-checkout host=db1`, typed in a chat: first what would run is said, then it is started by the same words and a
code that stands for exactly that. When the text or an option changes in between, the code does not fit any more.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.people.models import User
from midwatch.prepare.runbooks import permits
from midwatch.prepare.runbooks.actions import start
from midwatch.prepare.runbooks.document import parse
from midwatch.prepare.runbooks.models import Runbook, TriggeredBy
from midwatch.prepare.runbooks.options import read
from midwatch.prepare.runbooks.permits import Act
from midwatch.prepare.runbooks.queries import evidence, runbook_named
from midwatch.settings import settings

CODE_LENGTH = 6
STEPS_SHOWN = 8
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62})")
_OPTION = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9_.-]{0,62})=(?P<value>\S{0,1000})")
_CODE = re.compile(r"(?i)\s+(?:confirm|yes)\s+(?P<code>[0-9a-f]{6})\s*$")
HOW = "write run restart-checkout, with options as host=db1"


@dataclass(frozen=True, slots=True)
class Run:
    """`code`: "" asks what would run."""

    name: str
    options: tuple[tuple[str, str], ...] = ()
    code: str = ""


def parse_run(rest: str) -> Run:
    """Raises ValueError with what to write."""
    found = _CODE.search(f" {rest}")
    words = (f" {rest}"[: found.start()] if found else rest).split()
    if not words or _NAME.fullmatch(words[0].lower()) is None:
        raise ValueError(f"name the runbook: {HOW}")
    options: dict[str, str] = {}
    for word in words[1:]:
        option = _OPTION.fullmatch(word)
        if option is None:
            raise ValueError(f"{clean(word, 40)!r} is no option: {HOW}")
        options[option["name"]] = option["value"]
    return Run(words[0].lower(), tuple(options.items()), found["code"].lower() if found else "")


def run(wanted: Run, by: Actor, user: User | None) -> str:
    """What would run, or that it does. Raises ValueError with a sentence."""
    runbook = runbook_named(wanted.name)
    if runbook is None:
        raise ValueError(f"there is no runbook {wanted.name!r}: the list is at {settings().base_url}/runbooks/")
    if user is None:
        raise ValueError("only a person who is known here starts a runbook")
    if not permits.may(user, runbook, Act.START):
        raise ValueError(permits.why_not(Act.START))
    given = dict(wanted.options)
    code = _code(runbook, given, user)
    if not wanted.code:
        return f"{_what(runbook, given)} To start it, write: {_again(wanted)} confirm {code}"
    if wanted.code != code:
        raise ValueError(f"this is not what was shown any more. Write {_again(wanted)}, and look again")
    started = start(runbook, given, by, trigger=TriggeredBy.CHAT)
    return f"Execution {started.number} of {runbook} began: {settings().base_url}/executions/{started.number}/"


def _again(wanted: Run) -> str:
    return " ".join(["run", wanted.name, *(f"{name}={value}" for name, value in wanted.options)])


def _what(runbook: Runbook, given: Mapping[str, str]) -> str:
    if runbook.current is None:
        raise ValueError(f"{runbook} has no steps: it is read at {runbook.url or settings().base_url}")
    document = parse(runbook.current.body)
    values = read(document.front.options, given)
    secrets = {option.name for option in document.front.options if option.is_secret}
    shown = ", ".join(f"{name}={'(secret)' if name in secrets else value}" for name, value in values.items())
    steps = [f"{step.title} ({step.kind})" for step in document.steps[:STEPS_SHOWN]]
    more = len(document.steps) - len(steps)
    if more > 0:
        steps.append(f"and {more} more")
    said = (
        f"{runbook}, revision {runbook.current.number}, {evidence(runbook).sentence}. It would do: {'; '.join(steps)}."
    )
    return f"{said} Options: {shown}." if shown else said


def _code(runbook: Runbook, given: Mapping[str, str], user: User) -> str:
    """Of this text, these options and this person."""
    text = runbook.current.digest if runbook.current is not None else ""
    about = json.dumps([runbook.name, text, sorted(given.items()), user.pk])
    return hashlib.sha256(about.encode()).hexdigest()[:CODE_LENGTH]
