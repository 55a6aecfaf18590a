"""The few commands that people type: in the palette, in a reply by SMS, on the command line.

`parse` is pure: text in, a command or what was not understood out. `run` acts as somebody and answers with sentences.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, assert_never

from midwatch.api import running
from midwatch.api.running import Run, parse_run
from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.durations import parse as length_of
from midwatch.core.zones import zone
from midwatch.people.models import Team, User
from midwatch.respond.alerts import actions
from midwatch.respond.alerts.actions import Outcome
from midwatch.respond.alerts.models import OPEN, Alert, AlertStatus
from midwatch.respond.alerts.queries import AlertFilter, alerts, get_alert
from midwatch.respond.escalation import actions as escalation
from midwatch.respond.incidents.actions import Declaration, declare_incident
from midwatch.respond.incidents.queries.links import room_url
from midwatch.respond.notify.queries import running_pages
from midwatch.respond.oncall.models import Schedule
from midwatch.respond.oncall.queries import who_is_on_call

NUMBER_MAX = 2**63 - 1
NUMBERS_MAX = 200
TEXT_MAX = 2_000
INPUT_MAX = 4_000
SNOOZE_DEFAULT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Acknowledge:
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unacknowledge:
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Decline:
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Resolve:
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Escalate:
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Snooze:
    numbers: tuple[int, ...]
    length: timedelta


@dataclass(frozen=True, slots=True)
class Note:
    numbers: tuple[int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Assign:
    numbers: tuple[int, ...]
    person: str


@dataclass(frozen=True, slots=True)
class Who:
    team: str


@dataclass(frozen=True, slots=True)
class ListOpen:
    pass


@dataclass(frozen=True, slots=True)
class Page:
    """`target`: `payments`, or `team:payments` where several things are called so."""

    target: str
    text: str


@dataclass(frozen=True, slots=True)
class Declare:
    """`severity`: SEV1 to SEV4, or "" when nobody said: a form asks for it."""

    severity: str
    title: str


AlertCommand = Acknowledge | Unacknowledge | Decline | Resolve | Escalate | Snooze | Note | Assign
Command = AlertCommand | Who | ListOpen | Page | Declare | Run
LISTED_MAX = 10
VIEWER = "Your role is viewer: you may look, not act."
KINDS: Mapping[str, Callable[[str], Any]] = {
    "user": lambda name: User.objects.filter(name=name).first(),
    "team": lambda name: Team.objects.filter(name=name).first(),
    "service": lambda name: Service.objects.select_related("team").filter(name=name).first(),
    "schedule": lambda name: Schedule.objects.select_related("team").filter(name=name).first(),
}


class CommandError(ValueError):
    """The text is no command. The message says what to write instead."""


HELP = (
    "Write: ack 12 | no 12 | resolve 12 | snooze 12 2h | escalate 12 | note TEXT to 12 | assign 12 to NAME | "
    "who TEAM | list | page NAME TEXT | declare SEV2 TITLE | run RUNBOOK"
)
_NUMBER = re.compile(r"#?(\d{1,19})")
_SPLIT = re.compile(r"[\s,;]+")
_NUMBER_LIST = r"#?\d{1,19}(?:(?:\s*[,;]\s*|\s+and\s+|\s+)#?\d{1,19})*"
_NOTE_AFTER = re.compile(rf"(?is)(?P<text>.*\S)\s+(?:to|on)\s+(?P<numbers>{_NUMBER_LIST})\s*")
_NOTE_BEFORE = re.compile(r"(?s)(?P<numbers>#?\d{1,19})\s*[:,]?\s+(?P<text>\S.*)")
_LENGTH = re.compile(
    r"(?i)(?:\s+for)?\s+(?P<length>(?:\d{1,9}\s*(?:s|m|h|d|w|(?:sec|min|hour|hr|day|week)[a-z]*)\s*)+)$"
)
_TARGET = re.compile(r"(?:(?:user|team|service|schedule):)?[a-z0-9][a-z0-9_.@-]{0,62}")
_SEVERITY = re.compile(r"(?i)sev\s?([1-4])")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.@-]{0,62}")

_NUMBERS_ONLY: dict[str, Callable[[tuple[int, ...]], AlertCommand]] = {
    "ack": Acknowledge, "a": Acknowledge, "acknowledge": Acknowledge, "take": Acknowledge,
    "unack": Unacknowledge, "unacknowledge": Unacknowledge,
    "no": Decline, "n": Decline, "decline": Decline, "pass": Decline,
    "resolve": Resolve, "r": Resolve, "resolved": Resolve, "done": Resolve,
    "escalate": Escalate, "e": Escalate,
}  # fmt: skip


def parse(text: str) -> Command:
    """Raises `CommandError`. A command for alerts may name none (a bare `ack`): the caller knows which one."""
    words = text.strip()[:INPUT_MAX].split(None, 1)
    if not words:
        raise CommandError(HELP)
    verb, rest = words[0].lower().rstrip(":"), (words[1].strip() if len(words) > 1 else "")
    if verb in _NUMBERS_ONLY:
        return _NUMBERS_ONLY[verb](_numbers(rest, verb))
    match verb:
        case "snooze" | "s":
            return _snooze(rest)
        case "note":
            return _note(rest)
        case "assign" | "reassign":
            return _assign(rest)
        case "who":
            return _who(rest)
        case "list" | "alerts" | "l":
            return ListOpen()
        case "page":
            return _page(rest)
        case "declare":
            return _declare(rest)
        case "run":
            return _run(rest)
        case _:
            return _number_first(verb, rest)


def _number_first(verb: str, rest: str) -> Command:
    """`12 ack`, as some type it."""
    words = rest.split()
    if _NUMBER.fullmatch(verb) and len(words) == 1 and words[0].lower() in _NUMBERS_ONLY:
        return _NUMBERS_ONLY[words[0].lower()](_numbers(verb, words[0]))
    raise CommandError(f"{verb[:30]!r} is no command. {HELP}")


def _numbers(text: str, verb: str) -> tuple[int, ...]:
    found: list[int] = []
    for word in _SPLIT.split(text):
        if not word or word.lower() in {"and", "alert", "alerts", "page"}:
            continue
        number = _NUMBER.fullmatch(word)
        if number is None or not 0 < int(number.group(1)) <= NUMBER_MAX:
            raise CommandError(f"{word[:30]!r} is no alert's number: write {verb} 12")
        found.append(int(number.group(1)))
    if len(found) > NUMBERS_MAX:
        raise CommandError(f"{len(found)} alerts at once are too many: name at most {NUMBERS_MAX}")
    return tuple(dict.fromkeys(found))


def _snooze(rest: str) -> Command:
    numbers_text, length_text = _split_at_length(rest)
    numbers = _numbers(numbers_text, "snooze")
    try:
        length = length_of(length_text) if length_text else SNOOZE_DEFAULT
    except ValueError as error:
        raise CommandError(str(error)) from error
    if length <= timedelta(0):
        raise CommandError("a snooze of no time does nothing: write snooze 12 2h")
    return Snooze(numbers, length)


def _split_at_length(rest: str) -> tuple[str, str]:
    """`12 13 for 2 h` -> ("12 13", "2 h")."""
    found = _LENGTH.search(f" {rest}")
    return (rest, "") if found is None else (f" {rest}"[: found.start()], found["length"])


def _note(rest: str) -> Command:
    found = _NOTE_AFTER.fullmatch(rest) or _NOTE_BEFORE.fullmatch(rest)
    if found is None:
        raise CommandError("write the text and which alert it belongs to: note TEXT to 12")
    text = found["text"].strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    if not text:
        raise CommandError("a note needs words: note TEXT to 12")
    return Note(_numbers(found["numbers"], "note"), text[:TEXT_MAX])


def _assign(rest: str) -> Command:
    before, to, name = rest.lower().rpartition(" to ")
    if not to:
        before, _, name = rest.lower().rpartition(" ")
    name = name.strip().lstrip("@")
    if not before.strip() or _NAME.fullmatch(name) is None:
        raise CommandError("say which alert and to whom: assign 12 to bo")
    return Assign(_numbers(before, "assign"), name)


def _who(rest: str) -> Command:
    team = re.sub(r"(?i)^(?:is\s+)?(?:on\s+call\b)?\s*(?:for\s+)?", "", rest).strip().rstrip("?").strip().lower()
    if team and _NAME.fullmatch(team) is None:
        raise CommandError(f"{team[:30]!r} is no team's name: write who payments, or who")
    return Who(team)


def _page(rest: str) -> Command:
    target, _, text = rest.partition(" ")
    target = target.lower().lstrip("@").rstrip(":")
    if _TARGET.fullmatch(target) is None or not text.strip():
        raise CommandError("say whom and why: page payments the till is down")
    return Page(target, text.strip()[:TEXT_MAX])


def _run(rest: str) -> Command:
    try:
        return parse_run(rest)
    except ValueError as error:
        raise CommandError(str(error)) from error


def _declare(rest: str) -> Command:
    found = _SEVERITY.match(rest)
    title = (rest[found.end() :] if found else rest).strip(" \t\n:,")
    return Declare(f"SEV{found[1]}" if found else "", title[:TEXT_MAX])


def run(command: Command, actor: Actor, user: User | None) -> str:
    """Do it as `actor`; `user` is the person behind it, or None for a machine. Returns what to say, a line an alert.

    Raises `ValueError` with a sentence when the domain refuses.
    """
    match command:
        case Who(team=team):
            return on_call_words(team, user)
        case ListOpen():
            return open_words()
        case _ if user is not None and not user.may_act:
            return VIEWER
        case Run():
            return running.run(command, actor, user)
        case Page(target=target, text=text):
            kind, row = target_of(target)
            return f"{escalation.page_somebody(text, actor, **{kind: row})} pages {kind} {row}."
        case Declare(severity=severity, title=title):
            if not severity:
                raise ValueError("say how bad it is: declare SEV2 the till is down")
            made = declare_incident(Declaration(title, severity), actor)
            return f"{made.severity} {made} is declared: {room_url(made)}"
        case _:
            return "\n".join(_answers(command, actor, user))


def target_of(text: str) -> tuple[str, Any]:
    """(kind, row). Raises ValueError with a sentence."""
    kind, colon, name = text.partition(":")
    if colon and kind not in KINDS:
        raise ValueError(f"{text!r}: write user:NAME, team:NAME, service:NAME or schedule:NAME")
    wanted = {kind: KINDS[kind]} if colon else KINDS
    found = {one: row for one, find in wanted.items() if (row := find(name if colon else text)) is not None}
    if not found:
        raise ValueError(f"there is no person, team, service or schedule {text!r}: `midwatch who` lists schedules")
    if len(found) > 1:
        raise ValueError(f"{text!r} is several things: write {' or '.join(f'{one}:{text}' for one in found)}")
    return next(iter(found.items()))


def _answers(command: AlertCommand, actor: Actor, user: User | None) -> list[str]:
    if not command.numbers:
        waiting = _waiting(user)
        if len(waiting) != 1:
            return [_which(waiting)]
        command = replace(command, numbers=(waiting[0].number or 0,))
    said = []
    for number in command.numbers:
        try:
            said.append(perform(command, get_alert(number), actor, user).sentence)
        except Alert.DoesNotExist:
            said.append(f"There is no alert #{number}.")
    return said


def perform(command: AlertCommand, alert: Alert, actor: Actor, user: User | None) -> Outcome:
    """One command on one alert. Raises `ValueError` with a sentence."""
    match command:
        case Acknowledge():
            return actions.acknowledge_alert(alert, actor)
        case Unacknowledge():
            return actions.unacknowledge_alert(alert, actor)
        case Resolve():
            return actions.resolve_alert(alert, actor)
        case Escalate():
            return escalation.escalate_now(alert, actor)
        case Snooze(length=length):
            return actions.snooze_alert(alert, actor, until=clock.now() + length)
        case Note(text=text):
            return actions.add_note(alert, actor, text)
        case Assign(person=person):
            return escalation.reassign(alert, _person(person), actor)
        case Decline():
            if user is None:
                raise ValueError("only a person who is paged can pass it on")
            return escalation.decline(alert, user, actor)
        case _:
            assert_never(command)


def _person(name: str) -> User:
    found = User.objects.filter(name=name, is_active=True).first()
    if found is None:
        raise ValueError(f"there is no active person {name!r}: write the name as in the list of people")
    return found


def _waiting(user: User | None) -> list[Alert]:
    """What calls this person now and nobody has answered."""
    pages = running_pages(user) if user is not None else []
    found = {page.alert.pk: page.alert for page in pages if page.alert.status == AlertStatus.FIRING}
    return list(found.values())


def _which(waiting: Sequence[Alert]) -> str:
    if not waiting:
        return "No page waits for you: name the alert, as in ack 12."
    listed = "; ".join(f"{alert} {alert.title[:60]}" for alert in waiting[:LISTED_MAX])
    return f"{len(waiting)} pages wait for you, say which: {listed}"


def on_call_words(team: str, reader: User | None = None) -> str:
    """ "payments-primary: Ana Novak until Mon 09:00 CET, then Bo". Times are in the reader's zone."""
    wanted = Team.objects.filter(name=team).first() if team else None
    if team and wanted is None:
        raise ValueError(f"there is no team {team!r}")
    rows = who_is_on_call(team=wanted)
    if not rows:
        return f"{wanted} has no schedule." if wanted else "There is no schedule."
    zone_name = reader.time_zone if reader is not None else "UTC"
    lines = []
    for row in rows:
        people = ", ".join(str(user) for user in row.users) or ("quiet hours by plan" if row.quiet_until else "nobody")
        until = f" until {_moment(row.until, zone_name)}" if row.until else ""
        after = ", ".join(str(user) for user in row.next_users)
        lines.append(f"{row.schedule.name}: {people}{until}{f', then {after}' if after else ''}")
    return "\n".join(lines)


def _moment(at: datetime, zone_name: str) -> str:
    return f"{at.astimezone(zone(zone_name)):%a %H:%M %Z}"


def open_words() -> str:
    found = alerts(AlertFilter(status=OPEN), limit=LISTED_MAX + 1)
    if not found:
        return "No alert is open."
    lines = [f"{alert} {alert.priority} {alert.status} {alert.title[:80]}" for alert in found[:LISTED_MAX]]
    return "\n".join([*lines, "and more"] if len(found) > LISTED_MAX else lines)
