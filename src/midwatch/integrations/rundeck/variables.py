"""Rundeck's variables in commands and scripts, written as environment variables of ours. Pure.

`${option.x}` in a command, `@option.x@` in a script and `$RD_OPTION_X` in both become `OPTION_X`, which a step gets in its
environment: a value is never pasted into a line, so it needs no trust. What is known at import (`${job.name}`) is written
out. What cannot be known (`${data.x}`, a global of that server) makes the step a person's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_REFERENCE = re.compile(
    r"\$\{(unquoted)?(option|job|node|data|execution|globals|secureOption|export)[.:]([^}\s]{1,200})\}"
)
_TOKEN = re.compile(r"@(option|job|node|data|globals|export)\.([\w.:-]{1,200})@")
_ENVIRONMENT = re.compile(r"\bRD_(OPTION|NODE|JOB|GLOBALS|DATA|EXPORT|SECUREOPTION)_([A-Z0-9_]{1,200})\b")
_ODD = re.compile(r"[^A-Za-z0-9]")


@dataclass(slots=True)
class Known:
    """`options`: Rundeck's name -> ours. `job`: what is known at import (`name`, `group`, `project`, `id`)."""

    options: Mapping[str, str]
    job: Mapping[str, str]
    unknown: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)  # names of ours that were used

    def variable(self, area: str, name: str) -> str | None:
        """The environment variable, None when there is none; then it is noted."""
        if area in {"option", "secureOption"}:
            ours = self.options.get(name.removesuffix(".value"))
            if ours is not None:
                self.used.add(ours)
                return environment_name(ours)
        elif area == "job" and name == "execid":
            return "EXECUTION_NUMBER"
        self.unknown.add(f"${{{area}.{name}}}")
        return None

    def text(self, area: str, name: str) -> str | None:
        """What is known at import."""
        return self.job.get(name) if area == "job" else None


def environment_name(option: str) -> str:
    return "OPTION_" + _ODD.sub("_", option).upper()


def in_shell(text: str, known: Known, *, has_tokens: bool = False) -> str:
    """A line or script of a shell. Where a reference stands decides how it is written: bare, in "..." or in '...'."""
    found: list[str] = []
    inside: list[str] = []  # the quote around each parenthesis that is open
    quote, place = "", 0
    while place < len(text):
        here = text[place]
        match = _REFERENCE.match(text, place) or (_TOKEN.match(text, place) if has_tokens else None)
        if match is not None:
            area, name = match.groups()[-2:]
            if "`" in text[:place] or "<<" in text[:place]:
                known.unknown.add(f"{match[0]} inside `...` or <<")
            found.append(_written(area, name, quote, known, match[0]))
            place = match.end()
            continue
        taken = 1
        if here == "\\" and quote != "'":
            taken = 2
        elif here == "#" and not quote and text[place - 1 : place] in {"", " ", "\t", "\n", ";"}:
            end = text.find("\n", place)  # a comment: its apostrophes open nothing
            taken = (end if end >= 0 else len(text)) - place
            found.append(_REFERENCE.sub(lambda one: _named(one, known), text[place : place + taken]))
            place += taken
            continue
        elif here in "'\"" and quote in {"", here}:
            quote = "" if quote else here
        elif here == "(" and (not quote or (quote == '"' and text[place - 1 : place] == "$")):
            inside.append(quote)
            quote = ""
        elif here == ")" and not quote and inside:
            quote = inside.pop()
        found.append(text[place : place + taken])
        place += taken
    return in_environment("".join(found), known)


def _named(found: re.Match[str], known: Known) -> str:
    """In a comment: the variable's name, for who reads it."""
    area, name = found.groups()[-2:]
    ours = known.options.get(name.removesuffix(".value")) if area in {"option", "secureOption"} else None
    return f"${environment_name(ours)}" if ours else f"{area}.{name}"


def _written(area: str, name: str, quote: str, known: Known, as_it_was: str) -> str:
    fixed = known.text(area, name)
    if fixed is not None:
        bare = "'" + fixed.replace("'", "'\\''") + "'"
        return {"": bare, '"': f'"{bare}"', "'": f"'{bare}'"}[quote]
    variable = known.variable(area, name)
    if variable is None:
        return as_it_was
    return {"": f'"${{{variable}}}"', '"': f"${{{variable}}}", "'": f"'\"${{{variable}}}\"'"}[quote]


def in_environment(text: str, known: Known) -> str:
    """`RD_OPTION_X` by the name it has here, in any language."""
    by_theirs = {_ODD.sub("_", theirs).upper(): ours for theirs, ours in known.options.items()}

    def written(found: re.Match[str]) -> str:
        area, name = found.groups()
        if area in {"OPTION", "SECUREOPTION"} and name in by_theirs:
            known.used.add(by_theirs[name])
            return environment_name(by_theirs[name])
        if (area, name) == ("JOB", "EXECID"):
            return "EXECUTION_NUMBER"
        known.unknown.add(found[0])
        return found[0]

    return _ENVIRONMENT.sub(written, text)


def in_setting(text: str, known: Known, *, by_variable: bool = False) -> str:
    """An address, a header, arguments of another job: our own placeholder, filled when the step is shown; a request's are
    filled when it is sent (`by_variable`), so that secrets may stand there too."""

    def written(found: re.Match[str]) -> str:
        _, area, name = found.groups()
        fixed = known.text(area, name)
        if fixed is not None:
            return fixed
        ours = known.options.get(name.removesuffix(".value")) if area in {"option", "secureOption"} else None
        if ours is None:
            known.unknown.add(found[0])
            return found[0]
        known.used.add(ours)
        return f"${{{environment_name(ours)}}}" if by_variable else f"${{option.{ours}}}"

    return _REFERENCE.sub(written, text)


def has_tokens(text: str) -> bool:
    return _TOKEN.search(text) is not None


def references(text: str) -> bool:
    return _REFERENCE.search(text) is not None
