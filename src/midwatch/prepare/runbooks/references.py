"""What a runbook refers to, and so what can be looked at by a machine: links, hosts, programs, people, services, secrets.

Pure. Only what stands there in full: an address with a placeholder in it is known when somebody runs it, not before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from midwatch.prepare.runbooks.document import Document, Prose, Step

OF_KIND_MAX = 30
SUBJECT_MAX = 500
LINK = re.compile(r"https?://[^\s<>\"'`)\]}|\\]+")
_WORD = re.compile(r"(?:sudo\s+)?([A-Za-z_][\w.+-]*|/[\w./+-]+)(?=\s|$|;|\|)")
SHELLS = frozenset({"sh", "bash", "shell", "zsh"})
# Words of the shell itself, and what every machine has: a probe would only say so.
BUILT_IN = frozenset(
    re.findall(
        r"\w+",
        """if then else elif fi for while until do done case esac in function select time set export unset local return exit echo
    printf cd test true false read eval exec trap shift wait source alias declare readonly sleep cat grep sed awk head tail
    cut sort uniq tr wc tee ls cp mv rm mkdir date env xargs find kill sudo""",
    )
)


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """`kind`: url, host, program, person, service, secret."""

    kind: str
    subject: str


def references(document: Document) -> tuple[Reference, ...]:
    """Each once, at most thirty of a kind, in the order of the document."""
    found: dict[Reference, None] = {}
    counts: dict[str, int] = {}
    for one in _all(document):
        if one in found or not one.subject or "${" in one.subject or len(one.subject) > SUBJECT_MAX:
            continue
        if counts.get(one.kind, 0) < OF_KIND_MAX:
            found[one] = None
            counts[one.kind] = counts.get(one.kind, 0) + 1
    return tuple(found)


def _all(document: Document) -> Iterator[Reference]:
    front = document.front
    yield Reference("url", front.url)
    yield Reference("person", front.owner)
    yield Reference("service", front.service)
    for matcher in front.alerts:
        yield Reference("service", matcher.service)
    for option in front.options:
        for value in option.values if option.is_secret else ():
            yield Reference("secret", value)
    for block in document.blocks:
        match block:
            case Prose(text=text):
                yield from _links(text)
            case Step():
                yield from _of_step(block)


def _links(text: str) -> Iterator[Reference]:
    for found in LINK.findall(text):
        yield Reference("url", found.rstrip(".,;:!?*_"))


def _of_step(step: Step) -> Iterator[Reference]:
    for who in step.needs.who if step.needs is not None else ():
        if ":" not in who and who not in {"ic", "manager", "administrator"}:
            yield Reference("person", who)
    if not step.is_enabled:
        return
    url = str(step.settings.get("url", ""))
    if LINK.fullmatch(url):
        yield Reference("url", url)
    elif step.kind == "manual":
        yield from _links(step.body)
    for host in (*step.targets, str(step.settings.get("host", ""))):
        yield Reference("host", host)
    if step.kind in {"run", "auto"} and step.executor in {"", "local"}:
        yield from _programs(step)


def _programs(step: Step) -> Iterator[Reference]:
    interpreter = str(step.settings.get("interpreter", "")).split()
    yield Reference("program", interpreter[0] if interpreter else "")
    if step.language not in SHELLS or interpreter:
        return
    for line in step.body.splitlines():
        found = _WORD.match(line.strip())
        if found is not None and found[1] not in BUILT_IN:
            yield Reference("program", found[1])
