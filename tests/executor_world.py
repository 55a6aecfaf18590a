"""Executors of steps, against the real thing where there is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from midwatch.core.integration import Outcome, RunnerConfig, Task, runners

SECRET = "s3cret of the step"


class Heard:
    """An output that keeps what was written, by stream and target; `cancel_at` cancels when that was said."""

    def __init__(self, cancel_at: str = "") -> None:
        self.said: list[tuple[str, str, str]] = []
        self._cancel_at = cancel_at
        self._is_cancelled = False

    def write(self, text: str, *, stream: str = "stdout", target: str = "") -> None:
        self.said.append((stream, target, text))
        if self._cancel_at and self._cancel_at in self.text(target=target):
            self._is_cancelled = True

    def is_cancelled(self) -> bool:
        return self._is_cancelled

    def text(self, stream: str = "", target: str | None = None) -> str:
        return "".join(text for on, of, text in self.said if stream in {"", on} and target in {None, of})


Does = Callable[..., tuple[Outcome, Heard]]


@pytest.fixture
def does() -> Does:
    """`outcome, heard = does("ssh", "uptime", targets=["db1"], settings={...})`, through the guard as the engine does it."""

    def run(
        executor: str,
        body: str = "",
        *,
        language: str = "sh",
        variables: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        settings: Mapping[str, Any] | None = None,
        targets: Sequence[str] = (),
        seconds: float = 60,
        is_dry_run: bool = False,
        is_trusted: bool = True,
        config: RunnerConfig | None = None,
        cancel_at: str = "",
    ) -> tuple[Outcome, Heard]:
        heard = Heard(cancel_at)
        task = Task(
            "7/step/1",
            language,
            body,
            variables or {},
            secrets or {},
            settings or {},
            targets,
            seconds,
            is_dry_run,
            is_trusted,
        )
        outcome = runners()[executor].run(task, heard, config or RunnerConfig())
        for secret in task.secrets.values():
            assert secret not in repr((outcome, heard.said)), "a secret came out"
        return outcome, heard

    return run
