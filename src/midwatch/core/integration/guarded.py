"""What stands between every runner and whoever asks it: no secret passes, no odd variable, no directory is left over.

It is one place, so that an executor cannot forget it: `runners()` gives guarded ones only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from midwatch.core.integration.runners import Outcome, Output, Preview, Runner, RunnerConfig, Task, common_problems
from midwatch.core.masking import Mask, MaskedStreams
from midwatch.core.running import fresh_directory, remove_directory


class _MaskedOutput:
    def __init__(self, out: Output, streams: MaskedStreams) -> None:
        self._out = out
        self._streams = streams

    def write(self, text: str, *, stream: str = "stdout", target: str = "") -> None:
        masked = self._streams.feed(text, stream, target)
        if masked:
            self._out.write(masked, stream=stream, target=target)

    def is_cancelled(self) -> bool:
        return self._out.is_cancelled()

    def close(self) -> None:
        for text, stream, target in self._streams.rest():
            self._out.write(text, stream=stream, target=target)


def _one_line(text: str) -> str:
    """A value with a line of its own would pass for a line of the step."""
    return text.replace("\r", "\\r").replace("\n", "\\n")


class GuardedRunner:
    """A runner, with the promises that hold for all of them."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.EXECUTOR: str = runner.EXECUTOR
        self.TITLE: str = runner.TITLE
        self.ATTRIBUTES: Mapping[str, str] = runner.ATTRIBUTES

    def missing(self, config: RunnerConfig) -> str:
        return self._runner.missing(config)

    def problems(self, task: Task) -> Sequence[str]:
        mask = Mask(task.secrets.values())
        found = common_problems(task) or list(self._runner.problems(task))
        return [mask.text(problem) for problem in found]

    def preview(self, task: Task, config: RunnerConfig) -> Preview:
        mask = Mask(task.secrets.values())
        shown = self._runner.preview(task, config)
        lines = [_one_line(mask.text(line)) for line in shown.lines]
        return Preview(lines, shown.dry_run, mask.text(shown.note))

    def run(self, task: Task, out: Output, config: RunnerConfig) -> Outcome:
        """Refuses what has problems, runs the rest in a directory of its own, and masks whatever comes out."""
        problem = self.missing(config) or "; ".join(self.problems(task))
        if problem:
            return Outcome("failed", f"not begun: {problem}")
        mask = Mask(task.secrets.values())
        masked = _MaskedOutput(out, MaskedStreams(mask))
        own = "" if task.workdir else fresh_directory()
        try:
            outcome = self._runner.run(dataclasses.replace(task, workdir=task.workdir or own), masked, config)
        finally:
            masked.close()
            if own:
                remove_directory(own)
        return dataclasses.replace(
            outcome,
            sentence=mask.text(outcome.sentence),
            values=mask.mapping(outcome.values),
            targets=mask.mapping(outcome.targets),
        )
