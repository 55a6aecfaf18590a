"""Runbooks being carried out: people and machines, step by step, through crashes, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.integration import Outcome, Output, Preview, RunnerConfig, Task
from midwatch.core.integration.guarded import GuardedRunner
from midwatch.people.queries import actor_of
from midwatch.prepare.runbooks import actions
from midwatch.prepare.runbooks.actions import claiming
from midwatch.prepare.runbooks.models import Approval, Execution, LogChunk, Runbook, StepRun
from midwatch.prepare.runbooks.queries.queue import queued_steps, steps_by_state
from midwatch.respond.incidents import actions as incidents
from midwatch.respond.incidents.models import Entry
from stories.story import Story

CLI = Actor("apply", "cli")
LONG = timedelta(weeks=3)


@dataclass
class Machine:
    """An executor for tests: does what `acts` says for a step's body, once each; else ok."""

    EXECUTOR: str = "local"
    TITLE: str = "test"
    ATTRIBUTES: Mapping[str, str] = field(default_factory=dict)
    done: list[Task] = field(default_factory=list)
    acts: dict[str, list[Outcome | Callable[[], None]]] = field(default_factory=dict)

    def missing(self, config: RunnerConfig) -> str:
        return ""

    def problems(self, task: Task) -> Sequence[str]:
        return ()

    def preview(self, task: Task, config: RunnerConfig) -> Preview:
        return Preview([task.body], "simulated")

    def run(self, task: Task, out: Output, config: RunnerConfig) -> Outcome:
        self.done.append(task)
        out.write(f"did {task.body.strip()} with {dict(task.variables).get('OPTION_HOST', '')}\n")
        planned = self.acts.get(task.body.strip())
        act = planned.pop(0) if planned else Outcome("ok", "exit 0", 0)
        if isinstance(act, Outcome):
            return act
        act()
        return Outcome("ok", "exit 0", 0)

    @property
    def bodies(self) -> list[str]:
        return [task.body.strip() for task in self.done]


@pytest.fixture
def machine(story: Story) -> Machine:
    made = Machine()
    story.runners = {"local": GuardedRunner(made)}
    return made


def runbook(story: Story, text: str, name: str = "disk-full", **fields: Any) -> Runbook:
    """Of the team payments (ana, bo), from configuration as code."""
    if not story.people:
        story.phones("ana", "bo")
        story.team("payments", "ana", "bo")
    team = story.people["ana"].user.memberships.get().team
    made = actions.save_runbook(name, actions.RunbookFields(team=team, title="Disk full", **fields), CLI)
    actions.revise(made, text, CLI, is_trusted=True)
    made.refresh_from_db()
    return made


def ana(story: Story) -> Actor:
    return actor_of(story.people["ana"].user, "web")


def bo(story: Story) -> Actor:
    return actor_of(story.people["bo"].user, "web")


def step(execution: Execution, name: str) -> StepRun:
    return StepRun.objects.select_related("execution").get(execution=execution, step=name)


def states(execution: Execution) -> dict[str, str]:
    return dict(StepRun.objects.filter(execution=execution).order_by("position").values_list("step", "state"))


def now(execution: Execution) -> str:
    execution.refresh_from_db()
    return execution.state


WHOLE = """---
options:
  - {name: host, required: true}
---
# Disk full

Look first.

```text {"name": "look", "kind": "manual"}
What does the dashboard say?
```

```sh {"name": "check", "kind": "copy"}
df -h ${option.host}
```

```text {"name": "agree", "kind": "approve", "needs": 2}
May we delete?
```

```sh {"name": "delete", "kind": "run", "executor": "local"}
delete
```

```sh {"name": "tidy", "kind": "auto", "executor": "local"}
tidy
```
"""


def test_people_and_machines_in_turn(story: Story, machine: Machine) -> None:
    story.phones("ana", "bo", "cy", "dana")
    story.team("payments", "ana", "bo", "cy", "dana")
    cy, dana = (actor_of(story.people[name].user, "web") for name in ("cy", "dana"))
    book = runbook(story, WHOLE)
    execution = actions.start(book, {"host": "db 3"}, ana(story))
    story.settle()
    assert now(execution) == "waiting"
    assert states(execution)["look"] == "waiting_person"

    story.is_now(clock.now() + LONG)  # weeks pass, and restarts: it is a row
    actions.answer(step(execution, "look"), ana(story), "done", seen="97 %")
    assert step(execution, "check").rendered["body"].strip().endswith("df -h 'db 3'")
    actions.answer(step(execution, "check"), ana(story), "done", seen="full")

    gate = step(execution, "agree")
    assert gate.state == "waiting_approval"
    with pytest.raises(ValueError, match="somebody else approves"):
        actions.approve(gate, ana(story), "approved", digest=gate.digest)
    with pytest.raises(ValueError, match="has changed since"):
        actions.approve(gate, bo(story), "approved", digest="0" * 64)
    actions.approve(gate, bo(story), "approved", digest=gate.digest)
    assert states(execution)["agree"] == "waiting_approval", "one of two"
    actions.approve(gate, cy, "approved", digest=gate.digest)

    asked = step(execution, "delete")
    assert (asked.state, machine.done) == ("waiting_person", [])
    actions.press_run(asked, dana, digest=asked.digest)
    story.settle()
    assert now(execution) == "ok"
    assert machine.bodies == ["delete", "tidy"]
    assert machine.done[0].variables["OPTION_HOST"] == "db 3"
    assert LogChunk.objects.get(step_run=step(execution, "delete")).text == "did delete with db 3\n"


def test_an_edit_voids_the_approval_of_what_it_changes(story: Story, machine: Machine) -> None:
    story.phones("ana", "bo", "cy")
    story.team("payments", "ana", "bo", "cy")
    cy = actor_of(story.people["cy"].user, "web")
    execution = actions.start(runbook(story, WHOLE), {"host": "db3"}, ana(story))
    for name in ("look", "check"):
        actions.answer(step(execution, name), ana(story), "done")
    gate = step(execution, "agree")
    for by in (bo(story), cy):
        actions.approve(gate, by, "approved", digest=gate.digest)
    assert states(execution)["delete"] == "waiting_person"

    actions.edit_step(step(execution, "delete"), ana(story), "delete everything", reason="more room")
    assert states(execution) | {"agree": "waiting_approval", "delete": "pending"} == states(execution)
    assert all(one.voided_at and "edited" in one.void_reason for one in Approval.objects.all())
    assert step(execution, "agree").digest != gate.digest
    gate = step(execution, "agree")
    for by in (bo(story), cy):
        actions.approve(gate, by, "approved", digest=gate.digest)
    edited = step(execution, "delete")
    actions.press_run(edited, cy, digest=edited.digest)
    story.settle()
    assert machine.bodies == ["delete everything", "tidy"]
    assert [task.is_trusted for task in machine.done] == [False, True], (
        "what was edited is trusted no more than its writer"
    )
    assert now(execution) == "ok"


def auto(*attributes: str, name: str = "restart") -> str:
    more = "".join(f", {one}" for one in attributes)
    return f"""# Restart

```sh {{"name": "{name}", "kind": "auto", "executor": "local"{more}}}
{name}
```
"""


def test_a_failure_is_tried_again_after_its_delay_and_then_ends_it(story: Story, machine: Machine) -> None:
    failed = Outcome("failed", "exit 1", 1)
    machine.acts["restart"] = [failed, failed]
    text = auto('"retry": {"attempts": 2, "delay": "1m"}', '"idempotent": "yes"')
    execution = actions.start(runbook(story, text), {}, ana(story))
    story.settle()
    assert (now(execution), len(machine.done)) == ("running", 1)
    story.forward(minutes=1)
    assert (now(execution), len(machine.done)) == ("failed", 2)

    again = actions.resume(execution, bo(story))
    story.settle()
    assert (now(again), len(machine.done), again.resumed_from_id) == ("ok", 3, execution.pk)


@pytest.mark.parametrize(
    ("idempotent", "state", "times"), [("yes", "ok", 2), ("no", "unknown", 1)], ids=["may run twice", "may not"]
)
def test_whoever_ran_it_is_gone(story: Story, machine: Machine, idempotent: str, state: str, times: int) -> None:
    execution = actions.start(runbook(story, auto(f'"idempotent": "{idempotent}"')), {}, ana(story))
    machine.acts["restart"] = []
    (lost,) = claiming.claim("a node that dies", limit=5)
    machine.done.append(claiming.task_of(lost, {}))
    story.forward(seconds=29)
    assert states(execution) == {"restart": "running"}, "its lease holds"
    story.forward(seconds=2)
    assert states(execution) == {"restart": state}
    assert len(machine.done) == times
    assert not claiming.finish(lost.pk, lost.fence, Outcome("ok", "late")), "who comes back writes nothing"
    if state == "unknown":
        assert now(execution) == "unknown"
        actions.decide_unknown(step(execution, "restart"), bo(story), "done", reason="the pod is new")
    assert now(execution) == "ok"


VERIFIED = (
    auto('"idempotent": "check"')
    + """
```sh {"verifies": "restart"}
is it up
```
"""
)


@pytest.mark.parametrize(("was_done", "bodies"), [(True, ["is it up"]), (False, ["is it up", "restart", "is it up"])])
def test_after_a_crash_its_verify_says_whether_it_was_done(
    story: Story, machine: Machine, was_done: bool, bodies: list[str]
) -> None:
    machine.acts["is it up"] = [] if was_done else [Outcome("failed", "exit 1", 1)]
    execution = actions.start(runbook(story, VERIFIED), {}, ana(story))
    claiming.claim("a node that dies", limit=5)
    story.forward(seconds=31)
    assert now(execution) == "ok"
    assert machine.bodies == bodies


def test_nobody_answers_in_time(story: Story, machine: Machine) -> None:
    text = '# Look\n\n```text {"name": "look", "kind": "manual", "timeout": "10m"}\nWhat do you see?\n```\n'
    execution = actions.start(runbook(story, text), {}, ana(story))
    story.forward(minutes=9)
    assert now(execution) == "waiting"
    story.forward(minutes=1)
    assert (now(execution), step(execution, "look").sentence) == ("failed", "nobody answered in time")


def test_a_cancel_ends_what_waits_and_asks_what_runs_to_stop(story: Story, machine: Machine) -> None:
    execution = actions.start(runbook(story, auto() + auto(name="tidy").replace("# Restart\n", "")), {}, ana(story))
    (row,) = claiming.claim("node", limit=5)
    actions.cancel(execution, bo(story), "wrong host")
    assert claiming.look_at({row.pk: row.fence})[row.pk].is_cancel_wanted
    assert now(execution) == "running", "until it has stopped"
    claiming.finish(row.pk, row.fence, Outcome("failed", "cancelled; its processes were ended"))
    story.settle()
    assert now(execution) == "cancelled"
    assert "wrong host" in execution.problem
    assert states(execution)["restart"] == "cancelled"


def test_one_step_of_a_runbook_runs_at_a_time(story: Story, machine: Machine) -> None:
    book = runbook(story, auto())
    for _ in range(3):
        actions.start(book, {}, ana(story))
    assert len(claiming.claim("node", limit=5)) == 1
    assert claiming.claim("node", limit=5) == []
    assert (steps_by_state()["queued"], steps_by_state()["running"], len(queued_steps())) == (2, 1, 2)
    actions.save_runbook(book.name, actions.RunbookFields(team=book.team, title="Disk full", concurrency_max=2), CLI)
    assert len(claiming.claim("node", limit=5)) == 1


def test_a_runbook_starts_another_and_goes_on_as_it_ended(story: Story, machine: Machine) -> None:
    runbook(story, auto(), name="inner")
    outer = runbook(
        story,
        '# Outer\n\n```yaml {"name": "call", "kind": "auto", "executor": "runbook", "runbook": "inner"}\n```\n',
        name="outer",
    )
    execution = actions.start(outer, {}, ana(story))
    story.settle()
    child = Execution.objects.get(parent__execution=execution)
    assert (child.state, now(execution)) == ("ok", "ok")
    assert machine.bodies == ["restart"]


def test_what_happens_stands_on_the_incidents_timeline(story: Story, machine: Machine) -> None:
    book = runbook(story, WHOLE)
    incident = incidents.declare_incident(incidents.Declaration("Checkout is down", "SEV2"), ana(story))
    reference = actions.Reference(incident_number=incident.number)
    execution = actions.start(book, {"host": "db3"}, ana(story), reference=reference)
    actions.answer(step(execution, "look"), ana(story), "done", seen="97 %")
    actions.answer(step(execution, "check"), ana(story), "failed", reason="no such host")
    story.settle()
    lines = list(
        Entry.objects.filter(incident=incident, kind="execution").order_by("id").values_list("text", flat=True)
    )
    assert len(lines) == 6
    assert "began" in lines[0]
    assert any("seen: 97 %" in line for line in lines)
    assert "ended: failed" in lines[-1]


def test_a_switched_off_step_is_passed_by_with_its_reason(story: Story, machine: Machine) -> None:
    book = runbook(story, auto())
    actions.change_step_switch(book, "restart", ana(story), is_on=False, reason="the unit is gone")
    execution = actions.start(book, {}, ana(story))
    story.settle()
    assert (now(execution), machine.done) == ("ok", [])
    assert step(execution, "restart").skip_reason == "turned off: the unit is gone"


def test_output_is_cut_at_its_limit_and_says_so_once(
    story: Story, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claiming, "output_limit", lambda: 1_000)
    actions.start(runbook(story, auto()), {}, ana(story))
    (row,) = claiming.claim("node", limit=1)
    for _ in range(5):
        assert claiming.write_output(row.pk, row.fence, [claiming.Piece("x" * 400)])
    kept = list(LogChunk.objects.filter(step_run=row).values_list("stream", "text"))
    assert [stream for stream, _ in kept] == ["stdout", "stdout", "midwatch"]
    assert "cut" in kept[-1][1]


def test_a_process_that_is_stopped_says_so_at_once(story: Story, machine: Machine) -> None:
    """An upgrade waits for no lease: what may be run twice goes on elsewhere, the rest is a person's to judge."""
    execution = actions.start(runbook(story, auto('"idempotent": "yes"')), {}, ana(story))
    (row,) = claiming.claim("node", limit=1)
    assert claiming.abandon(row.pk, row.fence, "node was stopped")
    assert not claiming.finish(row.pk, row.fence, Outcome("ok", "late"))
    story.settle()
    assert (now(execution), len(machine.done)) == ("ok", 1)
