"""The few commands that people type: in the palette, in a reply by SMS, on the command line.

`parse` is pure: text in, a command or what was not understood out. `run` acts as somebody and answers with sentences.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from midwatch.core.durations import parse as length_of

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


Command = Acknowledge | Unacknowledge | Decline | Resolve | Escalate | Snooze | Note | Assign | Who | ListOpen


class CommandError(ValueError):
    """The text is no command. The message says what to write instead."""


HELP = "Write: ack 12 | no 12 | resolve 12 | snooze 12 2h | escalate 12 | note TEXT to 12 | assign 12 to NAME | who TEAM | list"
_NUMBER = re.compile(r"#?(\d{1,19})")
_SPLIT = re.compile(r"[\s,;]+")
_NUMBER_LIST = r"#?\d{1,19}(?:(?:\s*[,;]\s*|\s+and\s+|\s+)#?\d{1,19})*"
_NOTE_AFTER = re.compile(rf"(?is)(?P<text>.*\S)\s+(?:to|on)\s+(?P<numbers>{_NUMBER_LIST})\s*")
_NOTE_BEFORE = re.compile(r"(?s)(?P<numbers>#?\d{1,19})\s*[:,]?\s+(?P<text>\S.*)")
_LENGTH = re.compile(r"(?i)(?:\s+for)?\s+(?P<length>(?:\d{1,9}\s*(?:s|m|h|d|w|(?:sec|min|hour|hr|day|week)\w*)\s*)+)$")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.@-]{0,62}")

_NUMBERS_ONLY: dict[str, Callable[[tuple[int, ...]], Command]] = {
    "ack": Acknowledge, "a": Acknowledge, "acknowledge": Acknowledge, "take": Acknowledge,
    "unack": Unacknowledge, "unacknowledge": Unacknowledge,
    "no": Decline, "n": Decline, "decline": Decline, "pass": Decline,
    "resolve": Resolve, "r": Resolve, "resolved": Resolve, "done": Resolve,
    "escalate": Escalate, "e": Escalate,
}  # fmt: skip


def parse(text: str) -> Command:
    """Raises `CommandError`. A command for alerts may name none (a bare `ack`): the caller knows whether one is meant."""
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


def numbers_of(command: Command) -> Sequence[int]:
    """The alerts a command names; () for those that are about none."""
    return getattr(command, "numbers", ())
