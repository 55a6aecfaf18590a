"""A step that is a job of a real Rundeck: start it, pass its log on, abort it when somebody cancels."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from midwatch.core.asking import Stopped
from midwatch.core.integration import Outcome, Output, Preview, RunnerConfig, Task
from midwatch.core.net import AddressRefused, NetError, check_written
from midwatch.core.running import (
    Captures,
    Patience,
    filled_within,
    number_of,
    problems_of_captures,
    settled,
    text_of,
    unknown_attributes,
)
from midwatch.core.text import without_controls
from midwatch.integrations.rundeck.client import LINES_MAX, Client, Refused, segment

EXECUTOR = "rundeck"
TITLE = "Rundeck job"
ATTRIBUTES: Mapping[str, str] = {
    "url": "Rundeck's address, https://rundeck.example.com",
    "job": "the job's UUID, or with `project` its name, group/name",
    "project": "the project, when the job is given by its name",
    "options": 'a map of the job\'s options, {"version": "${OPTION_VERSION}"}',
    "filter": "a node filter instead of the job's own",
    "api": "the API version to speak, 14 or newer; 41 by default",
    "token": "the name of the secret that holds the API token; RUNDECK_TOKEN by default",
    "ca": "the certificate authority of its certificate, as PEM, when it is its own",
    "captures": 'values to take from the log: {"NAME": "the words before the value"}',
}
UUID = re.compile(r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}|\d{1,12}")
APART = frozenset({"captures", "options"})  # options may hold secrets too
POLL_SECONDS = 1.0
SILENCE_SECONDS_MAX = 60.0
ABORT_SECONDS = 20.0
GOING = frozenset({"running", "scheduled", "queued"})
LOUD = frozenset({"ERROR", "WARN"})


def missing(config: RunnerConfig) -> str:
    return ""


def problems(task: Task) -> Sequence[str]:
    try:
        task = settled(task, apart=APART)
    except ValueError as error:
        return [str(error)]
    found = unknown_attributes(task.settings, ATTRIBUTES) + problems_of_captures(task.settings)
    job = text_of(task.settings, "job")
    if not job:
        found.append("job: give the job's UUID, or its name with `project`")
    elif not UUID.fullmatch(job) and not text_of(task.settings, "project"):
        found.append("project: the job is given by its name, so say in which project")
    if task.targets:
        found.append("targets: Rundeck chooses the nodes; give `filter`")
    if not _token(task):
        found.append(f"give the secret {_token_name(task)} with an API token of Rundeck")
    try:
        check_written(text_of(task.settings, "url"))
        number_of(task.settings, "api", 41, 14, 999)
        _options(task)
    except (ValueError, AddressRefused) as error:
        found.append(str(error))
    return found


def preview(task: Task, config: RunnerConfig) -> Preview:
    note = "Rundeck has no dry run: it is only asked whether the job is there"
    try:
        task = settled(task, apart=APART)
    except ValueError as error:
        return Preview([str(error)], "none", note)
    lines = [f"on {text_of(task.settings, 'url')}: job {text_of(task.settings, 'job')}"]
    if text_of(task.settings, "project"):
        lines[0] += f" of project {text_of(task.settings, 'project')}"
    if text_of(task.settings, "filter"):
        lines.append(f"on the nodes {text_of(task.settings, 'filter')}")
    try:
        lines += [f"{name}={value}" for name, value in sorted(_options(task).items())]
    except ValueError as error:
        lines.append(str(error))
    return Preview(lines, "none", note)


def run(task: Task, out: Output, config: RunnerConfig) -> Outcome:
    task = settled(task, apart=APART)
    patience = Patience(task.timeout_seconds, out.is_cancelled)
    base = f"{text_of(task.settings, 'url').rstrip('/')}/api/{number_of(task.settings, 'api', 41, 14, 999)}"
    client = Client(base, _token(task), text_of(task.settings, "ca"), task.is_trusted, patience)
    try:
        job = _job(task, client)
        if task.is_dry_run:
            client.get(f"job/{segment(job)}/info")
            return Outcome("ok", "the job is there; nothing was started", coverage=(0, 1))
    except (Refused, NetError) as error:
        return Outcome("failed", f"not begun: {error}")
    except Stopped as stopped:
        return Outcome("failed", f"not begun: {stopped.words}")
    wish = {"options": _options(task), "filter": text_of(task.settings, "filter")}
    try:
        started = client.post(f"job/{segment(job)}/run", {name: value for name, value in wish.items() if value})
    except Refused as error:
        if error.status < 500:
            return Outcome("failed", f"not begun: {error}")
        return Outcome("unknown", f"{error}; look in Rundeck whether the job runs")
    except NetError as error:
        if error.may_have_arrived:
            return Outcome("unknown", f"{error}; the request had gone, look in Rundeck whether the job runs")
        return Outcome("failed", f"not begun: {error}")
    except Stopped as stopped:
        return Outcome("unknown", f"{stopped.words} before Rundeck answered; look there whether the job runs")
    number = started.get("id") if isinstance(started, dict) else None
    if not isinstance(number, int):
        return Outcome("unknown", "Rundeck's answer has no execution's id; look there whether the job runs")
    out.write(f"Rundeck execution {number}: {started.get('permalink') or ''}\n", stream="midwatch")
    return _Following(client, number, task, out).outcome()


class _Following:
    def __init__(self, client: Client, number: int, task: Task, out: Output) -> None:
        self._client = client
        self._number = number
        self._task = task
        self._out = out
        self._captures = Captures(task.settings)
        self._offset = self._modified = "0"

    def outcome(self) -> Outcome:
        try:
            self._follow()
            return self._ended(self._client.get(f"execution/{self._number}"), "")
        except Stopped as stopped:
            return self._abort(stopped.words)
        except (Refused, NetError) as error:
            return Outcome(
                "unknown", f"{error}; execution {self._number} may go on there", values=self._captures.values()
            )

    def _follow(self) -> None:
        """Until it has ended and all of its log is here. Raises `Stopped`, `Refused`, `NetError`."""
        silence = Patience(SILENCE_SECONDS_MAX, lambda: False)
        while True:
            try:
                page = self._client.get(
                    f"execution/{self._number}/output",
                    offset=self._offset,
                    lastmod=self._modified,
                    maxlines=str(LINES_MAX),
                )
            except (Refused, NetError) as error:
                # It may be restarted while its job goes on; a refusal of the request itself does not get better.
                if silence.why_over() or (isinstance(error, Refused) and error.status < 500):
                    raise
            else:
                silence = Patience(SILENCE_SECONDS_MAX, lambda: False)
                has_more = self._say(page)
                if _is(page, "execCompleted") and _is(page, "completed"):
                    return
                if has_more:
                    continue
            why = self._client.patience.pause(POLL_SECONDS)
            if why:
                raise Stopped(why)

    def _say(self, page: Mapping[str, Any]) -> bool:
        entries = page.get("entries") or []
        for entry in entries:
            text = without_controls(str(entry.get("log") or "").replace("\0", "\ufffd")) + "\n"
            node = str(entry.get("node") or "")
            if entry.get("level") not in LOUD:
                self._captures.feed(text)
            self._out.write(text, stream="stderr" if entry.get("level") in LOUD else "stdout", target=node)
        before = self._offset
        self._offset = str(page.get("offset") or self._offset)
        self._modified = str(page.get("lastModified") or self._modified)
        return bool(entries) and self._offset != before

    def _ended(self, execution: Mapping[str, Any], words: str) -> Outcome:
        status = str(execution.get("status") or "")
        targets = {str(node): "ok" for node in execution.get("successfulNodes") or []}
        targets |= {str(node): "failed" for node in execution.get("failedNodes") or []}
        of = f"Rundeck execution {self._number}"
        values = self._captures.values()
        if status == "succeeded":
            return Outcome("ok", f"{words}{of} succeeded", 0, values, targets=targets)
        if status in GOING or not status:
            return Outcome(
                "unknown", f"{words}{of} is {status or 'of unknown state'} there", None, values, targets=targets
            )
        shown = str(execution.get("customStatus") or status)
        return Outcome("failed", f"{words}{of}: {shown[:100]}", 1, values, targets=targets)

    def _abort(self, words: str) -> Outcome:
        patience = Patience(ABORT_SECONDS, lambda: False)
        try:
            self._client.get(f"execution/{self._number}/abort", patience)
            while True:
                execution = self._client.get(f"execution/{self._number}", patience)
                if execution.get("status") not in GOING or patience.pause(POLL_SECONDS):
                    return self._ended(execution, f"{words}; ")
        except (Refused, NetError, Stopped) as error:
            sentence = f"{words}, and the abort failed ({error}); execution {self._number} may go on there"
            return Outcome("unknown", sentence, values=self._captures.values())


def _is(page: Mapping[str, Any], name: str) -> bool:
    return page.get(name) in {True, "true"}


def _job(task: Task, client: Client) -> str:
    """Its UUID. Raises `Refused`, `NetError`, `Stopped`."""
    job, project = text_of(task.settings, "job"), text_of(task.settings, "project")
    if UUID.fullmatch(job):
        return job
    group, _, name = job.rpartition("/")
    found = client.get(f"project/{segment(project)}/jobs", jobExactFilter=name, groupPathExact=group or "-")
    ids = (
        [str(one["id"]) for one in found if isinstance(one, dict) and one.get("id")] if isinstance(found, list) else []
    )
    if len(ids) != 1:
        raise Refused(f"project {project} has {len(ids)} jobs of the name {job}: give the job's UUID", 404)
    return ids[0]


def _options(task: Task) -> dict[str, str]:
    """Raises `ValueError`."""
    given = task.settings.get("options") or {}
    if not isinstance(given, Mapping):
        raise ValueError('options: write a map, {"version": "${OPTION_VERSION}"}')
    made = filled_within(given, {**task.variables, **task.secrets})
    return {name: ",".join(map(str, value)) if isinstance(value, list) else str(value) for name, value in made.items()}


def _token_name(task: Task) -> str:
    return text_of(task.settings, "token") or "RUNDECK_TOKEN"


def _token(task: Task) -> str:
    return task.secrets.get(_token_name(task), "")
