"""What every executor keeps, whoever wrote it. The tasks are its folder's samples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from midwatch.core.integration import Outcome, Preview, RunnerConfig, Task, runners
from midwatch.core.integration.guarded import GuardedRunner

FOLDER = Path(__file__).parents[2] / "src" / "midwatch" / "integrations"
SECRET = "kit-secret-7Qx9"


class Heard:
    """An output that keeps what was written."""

    def __init__(self, *, is_cancelled: bool = False) -> None:
        self.text = ""
        self._is_cancelled = is_cancelled

    def write(self, text: str, *, stream: str = "stdout", target: str = "") -> None:
        self.text += text

    def is_cancelled(self) -> bool:
        return self._is_cancelled


def task_of(given: Mapping[str, Any]) -> Task:
    return Task(**{"key": "1/sample/1", **given})


def samples() -> list[Any]:
    return [
        pytest.param(path, id=f"{path.parts[-3]}/{path.stem}") for path in sorted(FOLDER.glob("*/samples/*.task.json"))
    ]


def read(path: Path) -> Task:
    return task_of(json.loads(path.read_text("utf-8")))


@pytest.mark.parametrize("word", sorted(runners()))
def test_an_executor_says_what_it_is(word: str) -> None:
    runner = runners()[word]
    assert word == runner.EXECUTOR
    assert runner.TITLE
    assert runner.ATTRIBUTES
    assert all(sentence and not sentence.endswith(".") for sentence in runner.ATTRIBUTES.values())
    assert isinstance(runner.missing(RunnerConfig()), str)
    assert list((FOLDER / word / "samples").glob("*.task.json")), "an executor has samples: NAME.task.json"


@pytest.mark.parametrize("path", samples())
def test_a_sample_is_previewed_as_written(path: Path) -> None:
    """`python tests/kit/shown_tasks.py VENDOR` writes the expected file; read it."""
    task = read(path)
    runner = runners()[path.parts[-3]]
    expected = json.loads(path.with_name(path.name.replace(".task.json", ".preview.json")).read_text("utf-8"))
    assert shown(task, runner) == expected


def shown(task: Task, runner: Any) -> dict[str, Any]:
    preview = runner.preview(task, RunnerConfig(programs=("sh", "bash", "python")))
    return {
        "problems": list(runner.problems(task)),
        "lines": list(preview.lines),
        "dry_run": preview.dry_run,
        "note": preview.note,
    }


@pytest.mark.parametrize("path", samples())
def test_a_secret_is_in_no_preview_and_in_no_problem(path: Path) -> None:
    runner = runners()[path.parts[-3]]
    task = read(path)
    task = replace(
        task, secrets={**dict.fromkeys(task.secrets, SECRET), "KIT": SECRET}, body=f"{task.body}\n# {SECRET}"
    )
    said = json.dumps(shown(task, runner))
    assert SECRET not in said


@pytest.mark.parametrize("path", samples())
@pytest.mark.parametrize("name", ["LD_PRELOAD", "MIDWATCH_SECRET_KEY", "PATH", "a b", "x;y", "BASH_ENV", ""])
def test_a_name_that_steers_programs_is_refused(path: Path, name: str) -> None:
    task = replace(read(path), variables={name: "x"})
    runner = runners()[path.parts[-3]]
    assert any("variable" in problem for problem in runner.problems(task))
    heard = Heard()
    outcome = runner.run(task, heard, RunnerConfig())
    assert outcome.state == "failed"
    assert "not begun" in outcome.sentence
    assert heard.text == ""


class _Teller:
    """A runner that tells everything."""

    EXECUTOR = TITLE = "teller"
    ATTRIBUTES = {"how": "as you like"}

    def missing(self, config: RunnerConfig) -> str:
        return ""

    def problems(self, task: Task) -> list[str]:
        return [f"no {value} here" for value in task.settings.get("problems", [])]

    def preview(self, task: Task, config: RunnerConfig) -> Preview:
        return Preview([f"say {task.secrets['PASSWORD']}"], "none", task.secrets["PASSWORD"])

    def run(self, task: Task, out: Any, config: RunnerConfig) -> Outcome:
        secret = task.secrets["PASSWORD"]
        out.write(f"one {secret[:5]}")
        out.write(f"{secret[5:]} two", stream="stdout")
        out.write(f"{Path(task.workdir).stat().st_mode & 0o777:o}", stream="stderr")
        return Outcome("ok", f"it was {secret}", 0, {"WORD": secret}, None, {secret: "ok"})


def test_the_guard_masks_whatever_a_runner_tells() -> None:
    guarded = GuardedRunner(_Teller())
    task = Task("1/a/1", "sh", "", secrets={"PASSWORD": SECRET})
    heard = Heard()
    outcome = guarded.run(task, heard, RunnerConfig())
    assert heard.text == "one 700•••••• two" or heard.text == "one •••••• two700"
    assert SECRET not in repr((heard.text, outcome, guarded.preview(task, RunnerConfig())))
    assert SECRET not in repr(task)
    refused = guarded.run(replace(task, settings={"problems": [SECRET]}), heard, RunnerConfig())
    assert (refused.state, refused.sentence) == ("failed", "not begun: no •••••• here")
