"""Rundeck's clients ask a small world, whose local steps are done by whatever the test says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.test import Client

from api_world import BY
from midwatch.api.rundeck.door import pace
from midwatch.core.integration import Outcome, Output, Preview, RunnerConfig, Task
from midwatch.people import actions as people
from midwatch.people.models import User
from midwatch.prepare.runbooks.actions import claiming
from midwatch.prepare.runbooks.models import StepRun

JOB = "3b8a6e54-69fb-42b7-b98f-f82e59238478"


@dataclass
class Local:
    """The executor `local`, without a program."""

    does: Callable[[Task, Output], Outcome] = lambda task, out: Outcome("ok", "done", 0)
    tasks: list[Task] = field(default_factory=list)
    EXECUTOR = "local"
    TITLE = "Here"
    ATTRIBUTES: Mapping[str, str] = field(default_factory=dict)

    def missing(self, config: RunnerConfig) -> str:
        return ""

    def problems(self, task: Task) -> Sequence[str]:
        return ()

    def preview(self, task: Task, config: RunnerConfig) -> Preview:
        return Preview([task.body], "none")

    def run(self, task: Task, out: Output, config: RunnerConfig) -> Outcome:
        self.tasks.append(task)
        return self.does(task, out)

    def work(self) -> int:
        """Every step that is queued, here and now, as the engine does it but for its threads."""
        done = 0
        while rows := claiming.claim("test", limit=10):
            for row in rows:
                outcome = self.run(claiming.task_of(row, {}), Written(row), RunnerConfig())
                claiming.finish(row.pk, row.fence, outcome)
                done += 1
        return done


@dataclass
class Written:
    row: StepRun

    def write(self, text: str, *, stream: str = "stdout", target: str = "") -> None:
        claiming.write_output(self.row.pk, self.row.fence, [claiming.Piece(text, stream, target)])

    def is_cancelled(self) -> bool:
        return False


class Caller:
    """A client with a token of its own. Every GET has a body `null`, as Ansible's."""

    def __init__(self, user: User | None, version: int = 39) -> None:
        pace.forget()
        self.token = people.create_token(user, "test", BY) if user is not None else "wrong"
        self.version = version

    def __call__(self, method: str, path: str, body: Any = None, *, status: int = 200, **headers: str) -> Any:
        answer = self.raw(method, path, body, **headers)
        assert answer.status_code == status, answer.content
        return answer.json() if answer.content else None

    def raw(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = headers.pop("content_type", "application/json")
        return Client().generic(
            method,
            f"/rundeck/api/{self.version}/{path}",
            data,
            content_type=kind,
            headers={"X-Rundeck-Auth-Token": self.token, **headers},
        )
