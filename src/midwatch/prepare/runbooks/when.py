"""Conditions of steps: a small language that is parsed, never evaluated as a program. Pure.

    option.env == "prod" and step.restart in ["failed", "skipped"]

Values: "text", 'text', 12, true, false, ["a", "b"], `option.NAME`, `step.NAME` (its state), `step.NAME.exit_code`,
`step.NAME.value.KEY` (what it captured), `execution.kind`. Between them `==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `not in`;
around them `and`, `or`, `not` and parentheses. A value alone is true unless it is empty, "false", "no" or "0". What is not
known yet is "". Two values that both read as numbers are compared as numbers.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

CHARACTERS_MAX = 500
DEPTH_MAX = 20
TOKEN = re.compile(
    r"""\s*(?:(?P<text>"[^"\\]*"|'[^'\\]*')|(?P<number>-?[0-9]+(?:\.[0-9]+)?)(?![\w.])|(?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,)"""
    r"""|(?P<word>[A-Za-z_][\w-]*(?:\.[\w-]+)*))""",
    re.ASCII,
)
SIGNS = ("==", "!=", "<=", ">=", "<", ">")
FALSE = ("", "false", "no", "0")
KINDS = ("real", "dry_run", "drill")


class WhenError(ValueError):
    """The condition cannot be read. The text says what to write."""


@dataclass(frozen=True, slots=True)
class StepSeen:
    """What a condition may ask of an earlier step."""

    state: str
    exit_code: int | None = None
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """What a condition is asked about."""

    options: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, StepSeen] = field(default_factory=dict)
    kind: str = "real"


@dataclass(frozen=True, slots=True)
class Literal:
    values: tuple[str, ...]
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class Name:
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    left: Literal | Name
    sign: str
    right: Literal | Name


@dataclass(frozen=True, slots=True)
class Joined:
    """`word`: and, or."""

    word: str
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    inner: Condition


Condition = Literal | Name | Compared | Joined | Not


def parse(text: str) -> Condition:
    """Raises `WhenError`."""
    if len(text) > CHARACTERS_MAX:
        raise WhenError(f"a condition has at most {CHARACTERS_MAX} characters")
    return _Parser(_tokens(text)).whole()


def check(text: str, *, options: Collection[str], steps: Collection[str]) -> Condition:
    """Parse, and refuse names that nobody gives: `steps` are those before. Raises `WhenError`."""
    condition = parse(text)
    for name in names(condition):
        kind, what = name.parts[0], name.parts[1]
        if kind == "option" and what not in options:
            raise WhenError(f"there is no option {what!r}: name one of {', '.join(sorted(options)) or 'the options'}")
        if kind == "step" and what not in steps:
            raise WhenError(f"there is no step {what!r} before this one: name one of {', '.join(steps) or 'those'}")
    return condition


def names(condition: Condition) -> list[Name]:
    """Everything that it asks for."""
    match condition:
        case Name():
            return [condition]
        case Literal():
            return []
        case Compared(left=left, right=right):
            return [one for one in (left, right) if isinstance(one, Name)]
        case Joined(parts=parts):
            return [name for part in parts for name in names(part)]
        case Not(inner=inner):
            return names(inner)


def holds(condition: Condition, known: Known) -> bool:
    """Total: it answers for everything that `parse` gives."""
    match condition:
        case Literal() | Name():
            return any(value.lower() not in FALSE for value in _values(condition, known))
        case Compared(left=left, sign=sign, right=right):
            return _compare(_values(left, known), sign, _values(right, known))
        case Joined(word="and", parts=parts):
            return all(holds(part, known) for part in parts)
        case Joined(parts=parts):
            return any(holds(part, known) for part in parts)
        case Not(inner=inner):
            return not holds(inner, known)


def _values(value: Literal | Name, known: Known) -> tuple[str, ...]:
    if isinstance(value, Literal):
        return value.values
    match value.parts:
        case ("execution", "kind"):
            return (known.kind,)
        case ("option", name):
            return (known.options.get(name, ""),)
    seen = known.steps.get(value.parts[1])
    if seen is None:
        return ("",)
    match value.parts[2:]:
        case ("exit_code",):
            return ("" if seen.exit_code is None else str(seen.exit_code),)
        case ("value", key):
            return (seen.values.get(key, ""),)
        case _:
            return (seen.state,)


def _compare(left: Sequence[str], sign: str, right: Sequence[str]) -> bool:
    if sign == "in":
        return left[0] in right
    if sign == "not in":
        return left[0] not in right
    one, other = left[0], right[0]
    numbers = (_number(one), _number(other))
    if sign in ("==", "!="):
        is_same = numbers[0] == numbers[1] if None not in numbers else one == other
        return is_same is (sign == "==")
    low, high = numbers
    if low is None or high is None:  # words are in no order that anybody would expect
        return False
    return {"<": low < high, "<=": low <= high, ">": low > high, ">=": low >= high}[sign]


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?", text) else None


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while text[at:].strip():
        match = TOKEN.match(text, at)
        if match is None:
            rest = text[at:].strip()[:20]
            raise WhenError(f'{rest!r} cannot be read: write something like option.env == "prod"')
        kind = match.lastgroup or ""
        found.append(_Token(kind, match[kind]))
        at = match.end()
    if not found:
        raise WhenError("the condition is empty: leave it out, or write what must hold")
    return found


class _Parser:
    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def whole(self) -> Condition:
        found = self._or()
        if self._peek() is not None:
            raise WhenError(f"{self._text()!r} is too much: join conditions by `and` or `or`")
        return found

    def _peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _text(self) -> str:
        found = self._peek()
        return found.text if found else "the end"

    def _take(self, *texts: str) -> str | None:
        found = self._peek()
        if found is None or found.kind == "text" or found.text not in texts:
            return None
        self._at += 1
        return found.text

    def _or(self) -> Condition:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise WhenError(f"parentheses go at most {DEPTH_MAX} deep")
        parts = [self._and()]
        while self._take("or"):
            parts.append(self._and())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else Joined("or", tuple(parts))

    def _and(self) -> Condition:
        parts = [self._not()]
        while self._take("and"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else Joined("and", tuple(parts))

    def _not(self) -> Condition:
        count = 0
        while self._take("not"):
            count += 1
        found = self._compared()
        return Not(found) if count % 2 else found

    def _compared(self) -> Condition:
        if self._take("("):
            inner = self._or()
            if not self._take(")"):
                raise WhenError(f"a closing parenthesis is missing before {self._text()!r}")
            return inner
        left = self._value()
        sign = self._take(*SIGNS, "in")
        if sign is None and self._take("not"):
            sign = "not in" if self._take("in") else None
            if sign is None:
                raise WhenError("after `not` behind a value comes `in`")
        if sign is None:
            return left
        right = self._value()
        if isinstance(left, Literal) and left.is_list:
            raise WhenError("a list stands on the right, behind `in`")
        is_list = isinstance(right, Literal) and right.is_list
        if is_list is not (sign in ("in", "not in")):
            raise WhenError(f"behind `{sign}` comes {'one value' if is_list else 'a list: [..., ...]'}")
        return Compared(left, sign, right)

    def _value(self) -> Literal | Name:
        if self._take("["):
            values: list[str] = []
            while not self._take("]"):
                one = self._value()
                if isinstance(one, Name) or one.is_list:
                    raise WhenError("a list holds texts and numbers")
                values += one.values
                if not self._take(",") and self._peek() is not None and self._text() != "]":
                    raise WhenError(f"a comma is missing before {self._text()!r}")
            return Literal(tuple(values), is_list=True)
        found = self._peek()
        if found is None or found.kind == "sign" or found.text in ("and", "or", "in", "not"):
            raise WhenError(f"a value is missing before {self._text()!r}")
        self._at += 1
        if found.kind == "text":
            return Literal((found.text[1:-1],))
        if found.kind == "number" or found.text in ("true", "false"):
            return Literal((found.text,))
        return _name(found.text)


def _name(text: str) -> Name:
    parts = tuple(text.split("."))
    match parts:
        case ("option", _) | ("step", _) | ("step", _, "exit_code") | ("step", _, "value", _) | ("execution", "kind"):
            return Name(parts)
        case ("step", name, "state"):
            return Name(("step", name))
    raise WhenError(
        f"{text!r} is no name here: write option.NAME, step.NAME, step.NAME.exit_code, step.NAME.value.KEY or "
        'execution.kind, and put texts between quotes: "prod"'
    )
