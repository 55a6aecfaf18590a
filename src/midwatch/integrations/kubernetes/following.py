"""From the creation to the end: conditions, pods, their logs, and the deletion when somebody cancels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from midwatch.core.asking import Stopped
from midwatch.core.integration import Outcome, Output, Task
from midwatch.core.net import NetError
from midwatch.core.running import Captures, Patience, text_of
from midwatch.core.text import clean, without_controls
from midwatch.integrations.kubernetes.client import Api, Refused, segment
from midwatch.integrations.kubernetes.logs import Log
from midwatch.integrations.kubernetes.objects import Wanted

POLL_SECONDS = 1.0
SILENCE_SECONDS_MAX = 60.0
DELETE_SECONDS = 45.0


class Following:
    def __init__(self, api: Api, path: str, one: Wanted, task: Task, out: Output, captures: Captures) -> None:
        self._api = api
        self._collection = path
        self._path = f"{path}/{segment(one.name)}"
        self._pods = f"/api/v1/namespaces/{segment(one.namespace)}/pods"
        self._one = one
        self._task = task
        self._out = out
        self._captures = captures
        self._logs: dict[str, Log] = {}
        self._said: set[str] = set()
        self._exit_code: int | None = None
        self._is_deleted = False

    def job(self) -> Outcome:
        """A job ends by its own conditions; its pods' logs come meanwhile."""
        return self._until(self._look_at_job)

    def condition(self) -> Outcome:
        """A custom resource ends when the wanted condition holds."""
        if not text_of(self._task.settings, "condition"):
            return Outcome("ok", f"{self._one.kind} {self._one.name} is created")
        return self._until(self._look_at_conditions)

    def clear(self, outcome: Outcome) -> Outcome:
        """Takes it away. What cannot be deleted is said."""
        if self._is_deleted:
            return outcome
        problem = self._delete("Background", is_awaited=False)
        if problem:
            self._out.write(f"{self._one.kind} {self._one.name} could not be deleted: {problem}\n", stream="midwatch")
        return outcome

    def _until(self, look: Any) -> Outcome:
        silence = Patience(SILENCE_SECONDS_MAX, lambda: False)
        while True:
            try:
                outcome = look()
                if outcome is not None:
                    return self._with_values(outcome)
                silence = Patience(SILENCE_SECONDS_MAX, lambda: False)
                why = self._api.patience.pause(POLL_SECONDS)
            except Stopped as stopped:
                why = stopped.why
            except (Refused, NetError) as error:
                if silence.why_over() or (isinstance(error, Refused) and error.status < 500 and error.status != 429):
                    sentence = f"{error}; {self._one.kind} {self._one.name} may go on there"
                    return self._with_values(Outcome("unknown", sentence))
                why = self._api.patience.pause(POLL_SECONDS)
            if why:
                return self._with_values(self._stop("cancelled" if why == "cancelled" else "the time-out passed"))

    def _with_values(self, outcome: Outcome) -> Outcome:
        return Outcome(outcome.state, outcome.sentence, self._exit_code, self._captures.values())

    def _stop(self, words: str) -> Outcome:
        if not self._one.is_job:
            return Outcome(
                "unknown", f"{words}; what {self._one.kind} {self._one.name} began in the cluster may go on there"
            )
        problem = self._delete("Foreground", is_awaited=True)
        if problem:
            return Outcome("unknown", f"{words}; its pods may still run there ({problem})")
        return Outcome("failed", f"{words}; the job and its pods were deleted")

    def _delete(self, propagation: str, *, is_awaited: bool) -> str:
        """ "" when it is gone, or goes; else why not."""
        patience = Patience(DELETE_SECONDS, lambda: False)
        last = self._api.with_patience(patience)
        try:
            last.delete(self._path, propagation=propagation)
            self._is_deleted = True
            while is_awaited:
                try:
                    last.get(self._path)
                except Refused as error:
                    if error.status != 404:
                        raise
                    return ""
                if patience.pause(POLL_SECONDS):
                    return f"the deletion was not over after {DELETE_SECONDS:g} s"
        except (Refused, NetError, Stopped) as error:
            return str(error)
        return ""

    def _look_at_job(self) -> Outcome | None:
        status = self._api.get(self._path).get("status") or {}
        ended = _holding(status, ("Complete", "True")) or _holding(status, ("Failed", "True"))
        pods = self._api.get(self._pods, labelSelector=f"job-name={self._one.name}").get("items") or []
        for pod in pods:
            self._look_at_pod(pod, is_over=ended is not None)
        if ended is None:
            return None
        if ended.get("type") == "Complete":
            return Outcome("ok", "the job is complete")
        return Outcome("failed", f"the job failed: {_words(ended)}")

    def _look_at_pod(self, pod: Mapping[str, Any], *, is_over: bool) -> None:
        name = str(pod["metadata"]["name"])
        chosen = text_of(self._task.settings, "container")
        statuses = (pod.get("status") or {}).get("containerStatuses") or []
        container = next((one for one in statuses if not chosen or one.get("name") == chosen), None)
        state = (container or {}).get("state") or {}
        waiting = state.get("waiting") or {}
        if waiting.get("reason") not in {None, "ContainerCreating", "PodInitializing"}:
            self._say(f"{name} waits: {_words(waiting)}")
        terminated = state.get("terminated")
        if terminated is not None and isinstance(terminated.get("exitCode"), int):
            self._exit_code = terminated["exitCode"]
        if container is None or not (terminated is not None or state.get("running") is not None):
            return
        log = self._logs.get(name)
        if log is None:
            log = self._logs[name] = self._log(name, str(container["name"]))
            self._say(f"the log of {name} begins")
        try:
            log.go_on(is_over=terminated is not None or is_over)
        except Refused as error:
            if error.status not in {400, 404}:  # it has no log yet, or no longer
                raise
            self._say(f"the log of {name} cannot be read: {error}")

    def _log(self, pod: str, container: str) -> Log:
        path = f"{self._pods}/{segment(pod)}/log"

        def read(query: dict[str, str]) -> str:
            return self._api.text(path, container=container, **query)

        def write(text: str) -> None:
            text = without_controls(text.replace("\0", "\ufffd"))
            self._captures.feed(text)
            self._out.write(text)

        return Log(read, write)

    def _look_at_conditions(self) -> Outcome | None:
        found = self._api.get(self._path)
        status = found.get("status") or {}
        generation = (found.get("metadata") or {}).get("generation")
        for one in status.get("conditions") or []:
            line = f"{one.get('type')}={one.get('status')}: {_words(one)}"
            self._captures.feed(line + "\n")
            self._say(line)
        good = _holding(status, _pair(text_of(self._task.settings, "condition")), generation)
        bad = _holding(status, _pair(text_of(self._task.settings, "failed_condition") or "Failed"), generation)
        if bad is not None:
            return Outcome("failed", f"{bad.get('type')}: {_words(bad)}")
        if good is not None:
            return Outcome("ok", f"{good.get('type')}: {_words(good)}")
        return None

    def _say(self, line: str) -> None:
        """Once."""
        if line not in self._said and len(self._said) < 1_000:
            self._said.add(line)
            self._out.write(line + "\n", stream="midwatch")


def _pair(text: str) -> tuple[str, str]:
    kind, _, status = text.partition("=")
    return kind, status or "True"


def _holding(status: Mapping[str, Any], wanted: tuple[str, str], generation: object = None) -> Mapping[str, Any] | None:
    """The condition, unless it is about an earlier text of the object than the one that we wrote."""
    for one in status.get("conditions") or []:
        observed = one.get("observedGeneration")
        is_old = isinstance(observed, int) and isinstance(generation, int) and observed < generation
        if (one.get("type"), one.get("status")) == wanted and not is_old:
            return dict(one)
    return None


def _words(one: Mapping[str, Any]) -> str:
    said = ": ".join(str(one[name]) for name in ("reason", "message") if one.get(name))
    return clean(said, 500, is_one_line=True) or "no reason is given"
