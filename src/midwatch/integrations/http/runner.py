"""One request, through the one door: checked and pinned addresses, redirects checked again, one time-out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from midwatch.core.asking import Stopped, ask
from midwatch.core.integration import Outcome, Output, Preview, RunnerConfig, Task
from midwatch.core.net import AddressRefused, HttpAnswer, NetError, check_written
from midwatch.core.running import Patience, number_of, problems_of_captures, text_of, unknown_attributes, words_of
from midwatch.core.text import without_controls
from midwatch.integrations.http import captures, filling

EXECUTOR = "http"
TITLE = "HTTP request"
ATTRIBUTES: Mapping[str, str] = {
    "method": "GET, POST, ...; or the fence's first line says method and address, as in `POST https://api.example.com/restart`",
    "url": "the address; ${OPTION_NAME} stands for a value",
    "headers": 'a map, {"Authorization": "Bearer ${TOKEN}"}',
    "expect": "which answers are good, 200, 2xx or a list of them; 2xx by default",
    "redirects": "how many redirects are followed, 0 to 5; 0 by default",
    "answer_seconds": "how long one answer may take, 1 to 600; 30 by default",
    "captures": 'values to take from the answer: {"ID": "$.id", "WHERE": "header:location"}',
}
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
FIRST_LINE = re.compile(r"([A-Z]+)\s+(\S+)(?:\s+HTTP/[\d.]+)?\s*")
EXPECTED = re.compile(r"[1-5](xx|\d\d)")
TYPES: Mapping[str, str] = {"json": "application/json", "yaml": "application/yaml", "xml": "application/xml"}
SHOWN_MAX = 262_144


@dataclass(frozen=True, slots=True)
class Wish:
    """A request as it is written. `url`, `headers` and `body` may hold references to values."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: str

    @property
    def kind(self) -> str:
        return next((value.lower() for name, value in self.headers.items() if name.lower() == "content-type"), "")


def missing(config: RunnerConfig) -> str:
    return ""


def problems(task: Task) -> Sequence[str]:
    found = unknown_attributes(task.settings, ATTRIBUTES)
    found += problems_of_captures(task.settings) + captures.problems(task.settings)
    if task.targets:
        found.append("an http step has an address, no targets: take them away")
    try:
        _expected(task)
        _numbers(task)
        _made(_wish(task), task)
    except (ValueError, AddressRefused) as error:
        found.append(str(error))
    return found


def preview(task: Task, config: RunnerConfig) -> Preview:
    note = "a dry run shows the request and sends nothing"
    try:
        wish = _wish(task)
        names = {**task.variables, **task.secrets}  # what is secret of it, the guard masks
        url, _ = filling.url(wish.url, names)
        lines = [f"{wish.method} {url}"]
        lines += [f"{name}: {value}" for name, value in wish.headers.items()]
        lines += ["", *filling.body(wish.body, wish.kind, names).splitlines()] if wish.body else []
    except ValueError as error:
        return Preview([str(error)], "preview", note)
    return Preview(lines, "preview", note)


def run(task: Task, out: Output, config: RunnerConfig) -> Outcome:
    if task.is_dry_run:
        for line in preview(task, config).lines:
            out.write(line + "\n")
        return Outcome("ok", "shown, nothing was sent", coverage=(0, 1))
    wish = _wish(task)
    url, headers, body, is_trusted = _made(wish, task)
    redirects, seconds = _numbers(task)
    patience = Patience(task.timeout_seconds, out.is_cancelled)
    try:
        answer = ask(
            patience,
            wish.method,
            url,
            answer_seconds=seconds,
            is_trusted=is_trusted,
            headers=headers,
            body=body,
            redirects_max=redirects,
        )
    except Stopped as stopped:
        if wish.method in HARMLESS:
            return Outcome("failed", stopped.words)
        return Outcome("unknown", f"{stopped.words} before an answer came; the other side may have done it")
    except NetError as error:
        if error.may_have_arrived and wish.method not in HARMLESS:
            return Outcome("unknown", f"{error}; the request had gone, the other side may have done it")
        return Outcome("failed", str(error))
    return _outcome(task, wish, answer, out)


def _outcome(task: Task, wish: Wish, answer: HttpAnswer, out: Output) -> Outcome:
    out.write(f"{wish.method}: {answer.status}\n", stream="midwatch")
    text = without_controls(answer.body[:SHOWN_MAX].decode("utf-8", "replace").replace("\0", "\ufffd"))
    if text:
        out.write(text if text.endswith("\n") else text + "\n")
    if answer.is_cut or len(answer.body) > SHOWN_MAX:
        out.write("the answer was longer; the rest is not shown\n", stream="midwatch")
    values, lost = captures.taken(task.settings, answer)
    wanted = _expected(task)
    if not any(re.fullmatch(word.replace("xx", r"\d\d"), str(answer.status)) for word in wanted):
        return Outcome(
            "failed", f"the answer was {answer.status}, expected {' or '.join(wanted)}", answer.status, values
        )
    if lost:
        return Outcome(
            "failed", f"the answer was {answer.status}, but it has no {', '.join(lost)}", answer.status, values
        )
    return Outcome("ok", f"the answer was {answer.status}", answer.status, values)


def _wish(task: Task) -> Wish:
    """Raises `ValueError`."""
    given = task.settings.get("headers") or {}
    if not isinstance(given, Mapping):
        raise ValueError('headers: write a map, {"Accept": "application/json"}')
    headers = {str(name): str(value) for name, value in given.items()}
    url = text_of(task.settings, "url")
    if url:
        method, body = text_of(task.settings, "method", "POST" if task.body.strip() else "GET").upper(), task.body
        if task.language in TYPES and not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = TYPES[task.language]
    else:
        method, url, headers, body = _read(task.body, headers)
    if method not in METHODS:
        raise ValueError(f"method {method[:20]!r}: write one of {', '.join(sorted(METHODS))}")
    return Wish(method, url, headers, body if body.strip() else "")


def _read(text: str, headers: Mapping[str, str]) -> tuple[str, str, dict[str, str], str]:
    """As people write requests in files: first line, headers, an empty line, the body."""
    first, _, rest = text.lstrip("\n").partition("\n")
    found = FIRST_LINE.fullmatch(first)
    if found is None:
        raise ValueError(
            "give the attribute `url`, or write method and address into the first line: GET https://example.com/"
        )
    made = dict(headers)
    lines = rest.split("\n")
    for at, line in enumerate(lines):
        if not line.strip():
            return found[1], found[2], made, "\n".join(lines[at + 1 :])
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"{line[:60]!r}: write `Name: value`, and an empty line before the body")
        made[name.strip()] = value.strip()
    return found[1], found[2], made, ""


def _made(wish: Wish, task: Task) -> tuple[str, dict[str, str], bytes, bool]:
    """(address, headers, body, may it go anywhere). Raises `ValueError`, `AddressRefused`."""
    names = {**task.variables, **task.secrets}
    url, is_given = filling.url(wish.url, names)
    check_written(url)
    headers = {name: filling.header(value, names) for name, value in wish.headers.items()}
    body = filling.body(wish.body, wish.kind, names) if wish.body else ""
    # A host that came from an option or a label is typed by somebody, whoever wrote the runbook.
    return url, headers, body.encode(), task.is_trusted and not is_given


def _expected(task: Task) -> Sequence[str]:
    """Raises `ValueError`."""
    given = task.settings.get("expect")
    words = (
        words_of(task.settings, "expect")
        if isinstance(given, list | tuple)
        else str(given or "2xx").replace(",", " ").split()
    )
    if not words or not all(EXPECTED.fullmatch(word.lower()) for word in words):
        raise ValueError("expect: write statuses such as 200, 2xx or 200 404")
    return [word.lower() for word in words]


def _numbers(task: Task) -> tuple[int, int]:
    """(redirects, seconds of one answer). Raises `ValueError`."""
    return number_of(task.settings, "redirects", 0, 0, 5), number_of(task.settings, "answer_seconds", 30, 1, 600)
