"""What a step of a runbook costs beside its bare program, 200 executions at once, and 100 MB of output.

    python benchmarks/executions.py [--json] [--quick]

The engine's pool on SQLite, in this process. The overhead is that of a step in a row of them, from its claim to the claim
of the next, beside `sh` started by the standard library on the same script, turn and turn about; the walls and the other
user that a local step gets are measured apart, since they are the executor's. Memory is what the process grew by.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from measuring.figures import Figure, parser, report

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import installation

SCRIPT = "true"


class Bare:
    """`sh` and nothing else: what is measured is everything around it."""

    EXECUTOR = "bare"
    TITLE = "sh, bare"
    ATTRIBUTES: Mapping[str, str] = {}

    def __init__(self) -> None:
        self.took: list[float] = []
        self.megabytes = 0

    def missing(self, config: Any) -> str:
        return ""

    def problems(self, task: Any) -> Sequence[str]:
        return ()

    def preview(self, task: Any, config: Any) -> Any:
        raise NotImplementedError("nothing here is previewed")

    def run(self, task: Any, out: Any, config: Any) -> Any:
        from midwatch.core.integration import Outcome

        if task.body.strip() == "loud":
            line = "0123456789abcdef" * 64 + "\n"
            for _ in range(self.megabytes * 1024 * 1024 // len(line)):
                out.write(line)
            return Outcome("ok", "exit code 0", 0)
        started = time.perf_counter()
        subprocess.run(["sh", "-c", task.body], check=True)
        self.took.append(time.perf_counter() - started)
        return Outcome("ok", "exit code 0", 0)


def write(name: str, steps: int, body: str, concurrency: int = 1, executor: str = "bare") -> Any:
    from midwatch.core.actor import Actor
    from midwatch.people.models import Team
    from midwatch.prepare.runbooks import actions

    text = f"# {name}\n\n" + "".join(
        f'```sh {{"name": "s{n}", "kind": "auto", "executor": "{executor}", "idempotent": "yes"}}\n{body}\n```\n\n'
        for n in range(steps)
    )
    by, team = Actor("bench", "cli"), Team.objects.order_by("pk")[0]
    made = actions.save_runbook(name, actions.RunbookFields(team=team, concurrency_max=concurrency), by)
    actions.revise(made, text, by, is_trusted=True)
    made.refresh_from_db()
    return made


def until_ended(count: int, seconds: float = 300.0) -> None:
    from midwatch.prepare.runbooks.models import Execution

    deadline = time.monotonic() + seconds
    while Execution.objects.filter(ended_at=None).exists() or Execution.objects.count() < count:
        if time.monotonic() > deadline:
            raise SystemExit(f"{Execution.objects.filter(ended_at=None).count()} executions have not ended")
        time.sleep(0.005)
    wrong = Execution.objects.exclude(state="ok").count()
    if wrong:
        raise SystemExit(f"{wrong} executions did not end well")


def memory_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1024 / 1024


class Peak:
    """The most this process holds while it runs."""

    def __enter__(self) -> Peak:
        self.before = self.most = memory_mb()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            self.most = max(self.most, memory_mb())

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()


def overhead(bare: Bare, steps: int) -> list[Figure]:
    from midwatch.core.actor import Actor
    from midwatch.prepare.runbooks import actions
    from midwatch.prepare.runbooks.models import Execution

    by = Actor("bench", "cli")
    book = write("row", steps, SCRIPT)
    done, each, cpu = Execution.objects.count(), [], []
    for _ in range(5):
        bare.took.clear()
        started, cpu_before = time.perf_counter(), time.process_time()
        actions.start(book, {}, by)
        done += 1
        until_ended(done)
        each.append((time.perf_counter() - started - sum(bare.took)) / steps * 1000)
        cpu.append((time.process_time() - cpu_before) / steps * 1000)
    alone = []
    for _ in range(steps):
        started = time.perf_counter()
        subprocess.run(["sh", "-c", SCRIPT], check=True)
        alone.append((time.perf_counter() - started) * 1000)
    return [
        Figure("overhead of a step beside its program, median of 5 rows", statistics.median(each), "ms", "under 20"),
        Figure("CPU time of our process for a step", statistics.median(cpu), "ms"),
        Figure("the bare program", statistics.median(alone), "ms"),
    ]


def at_once(count: int) -> list[Figure]:
    from midwatch.core.actor import Actor
    from midwatch.prepare.runbooks import actions
    from midwatch.prepare.runbooks.models import Execution

    by, before = Actor("bench", "cli"), Execution.objects.count()
    book = write("many", 3, SCRIPT, concurrency=100)
    started = time.perf_counter()
    for _ in range(count):
        actions.start(book, {}, by)
    begun = time.perf_counter() - started
    until_ended(before + count)
    took = time.perf_counter() - started
    return [
        Figure(f"{count} executions at once: all have begun", begun, "s"),
        Figure(f"{count} executions at once, 3 steps each: all have ended", took, "s"),
        Figure("steps a second", 3 * count / took, "steps/s"),
    ]


def loud(bare: Bare, megabytes: int) -> list[Figure]:
    from midwatch.core.actor import Actor
    from midwatch.prepare.runbooks import actions
    from midwatch.prepare.runbooks.models import Execution

    bare.megabytes = megabytes
    book = write("loud", 1, "loud")
    before = Execution.objects.count()
    with Peak() as peak:
        started = time.perf_counter()
        actions.start(book, {}, Actor("bench", "cli"))
        until_ended(before + 1)
        took = time.perf_counter() - started
    return [
        Figure(f"{megabytes} MB of output, all of it kept: memory grew by", peak.most - peak.before, "MB", "under 30"),
        Figure(f"{megabytes} MB of output, all of it kept: took", took, "s"),
    ]


def main() -> None:
    given = parser(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as directory:
        environment = installation.environment(Path(directory))
        environment |= {"MIDWATCH_EXECUTION_OUTPUT_MIB": "128", "MIDWATCH_EXECUTION_THREADS": "16"}
        installation.prepare(environment)
        os.environ.clear()
        os.environ.update(environment)
        import django

        django.setup()
        from midwatch.core.integration.guarded import GuardedRunner
        from midwatch.engine.executions import Executions

        bare = Bare()
        steps = Executions("bench", runners=lambda: {"bare": GuardedRunner(bare)})
        steps.start()
        waker = threading.Event()
        _wake_on_commit(steps)
        try:
            figures = overhead(bare, 20 if given.quick else 100)
            figures += at_once(40 if given.quick else 200)
            figures += loud(bare, 20 if given.quick else 100)
        finally:
            waker.set()
            steps.stop()
    report("executions", figures, as_json=given.json)


def _wake_on_commit(steps: Any) -> None:
    """As the engine's own thread does: what is committed wakes the pool."""
    from midwatch.core import wake

    def listen() -> None:
        with wake.waiter() as waiter:
            while True:
                if waiter.wait(1.0):
                    steps.wake()

    threading.Thread(target=listen, daemon=True).start()


if __name__ == "__main__":
    main()
