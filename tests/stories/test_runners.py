"""Steps that runners on other machines do: who may take them, what is lost with one, and what is said twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.integration import Outcome
from midwatch.core.models import AuditEntry
from midwatch.people.models import Team
from midwatch.people.queries import actor_of
from midwatch.prepare.runbooks import actions
from midwatch.prepare.runbooks.actions import claiming, remote, runners
from midwatch.prepare.runbooks.actions.remote import LostStepError
from midwatch.prepare.runbooks.actions.secrets import set_secret
from midwatch.prepare.runbooks.checks import steps_find_runners
from midwatch.prepare.runbooks.models import Execution, LogChunk, Runner, StepRun
from midwatch.prepare.runbooks.queries.runners import runners_seen
from midwatch.prepare.runbooks.wire import Hello, Job, Piece, job_from, job_values
from stories.story import Story

CLI = Actor("apply", "cli")
HELLO = Hello("1.0", "host-a", "nonce-of-a-claim", "process-one", ("local",))
VALUE = "hunter22-the-value"
STEP = """---
title: Restart
---
```sh {{"name": "restart", "kind": "auto", "executor": "local", "runnerTags": "linux,eu"{more}}}
systemctl restart checkout
```
"""


def begun(story: Story, more: str = "", name: str = "restart") -> Execution:
    story.phones("ana", "bo") if not story.people else None
    ana = story.people["ana"].user
    if not Team.objects.filter(name="payments").exists():
        story.team("payments", "ana", "bo")
    team = Team.objects.get(name="payments")
    made = actions.save_runbook(name, actions.RunbookFields(team=team, title="Restart"), CLI)
    actions.revise(made, STEP.format(more=more), CLI, is_trusted=True)
    made.refresh_from_db()
    return actions.start(made, {}, actor_of(ana, "web"))


def runner(name: str = "build-1", tags: tuple[str, ...] = ("linux", "eu"), **more: Any) -> Runner:
    return runners.create_runner(name, CLI, tags=tags, **more)[0]


def claimed(by: Runner, hello: Hello = HELLO) -> Job:
    found = remote.claim_for(by, hello)
    assert found is not None
    return found


def step() -> StepRun:
    return StepRun.objects.get(step="restart")


def said() -> list[tuple[str, str]]:
    return list(LogChunk.objects.order_by("seq").values_list("stream", "text"))


def test_only_a_runner_with_all_tags_the_executor_and_the_team_takes_it(story: Story) -> None:
    begun(story)
    other = story.team("storage", "bo")
    assert remote.claim_for(runner("one-tag", ("linux",)), HELLO) is None
    assert remote.claim_for(runner("other-team", team=other), HELLO) is None
    assert remote.claim_for(runner("no-executor"), replace(HELLO, executors=("ssh",))) is None
    assert remote.claim_for(runner("narrowed"), replace(HELLO, tags=("linux",))) is None
    assert remote.claim_for(runner("draining"), replace(HELLO, is_draining=True)) is None
    with pytest.raises(ValueError, match="has no tag windows"):
        remote.claim_for(runner("greedy"), replace(HELLO, tags=("windows",)))
    assert claimed(runner("right", ("linux", "eu", "big"))).task.body == "systemctl restart checkout\n"
    assert (step().state, step().claimed_by) == ("running", "right")


def test_the_engine_leaves_it_alone_and_a_step_without_tags_is_no_runner_s(story: Story) -> None:
    execution = begun(story)
    story.forward(minutes=5)
    assert step().state == "queued"
    execution.refresh_from_db()
    with transaction.atomic():
        StepRun.objects.update(tags=[])
    assert remote.claim_for(runner(), HELLO) is None


def test_steps_that_wait_for_a_runner_keep_nothing_of_the_engine_s_waiting(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claiming, "LOOKED_AT_MAX", 1)
    begun(story, name="waits-for-a-runner")
    assert not claiming.HAS_QUEUED(clock.now())
    begun(story, name="the-engine-s-own")
    own = StepRun.objects.get(execution__runbook__name="the-engine-s-own")
    with transaction.atomic():
        StepRun.objects.filter(pk=own.pk).update(tags=[])
    assert [row.pk for row in claiming.claim("node", limit=5)] == [own.pk]


def test_a_step_is_done_there_and_its_output_and_outcome_come_back(story: Story) -> None:
    execution = begun(story)
    mine = runner()
    job = job_from(job_values(claimed(mine)))
    assert not remote.take_output(mine, job.step, job.fence, 0, [Piece("one\n"), Piece("two\n", "stderr")]).is_cancelled
    remote.take_outcome(mine, job.step, job.fence, Outcome("ok", "exit 0", 0))
    assert said() == [("stdout", "one\n"), ("stderr", "two\n")]
    execution.refresh_from_db()
    assert (step().state, step().exit_code, execution.state) == ("ok", 0, "ok")


def test_what_is_said_twice_is_taken_once(story: Story) -> None:
    begun(story)
    mine = runner()
    job = claimed(mine)
    assert claimed(mine) == job  # the answer was lost: the same claim, the same step
    assert remote.claim_for(mine, replace(HELLO, nonce="another-claim")) is None
    first, second = [Piece("one\n"), Piece("two\n")], [Piece("two\n"), Piece("three\n")]
    remote.take_output(mine, job.step, job.fence, 0, first)
    remote.take_output(mine, job.step, job.fence, 0, first)
    remote.take_output(mine, job.step, job.fence, 1, second)
    with pytest.raises(ValueError, match="some are missing"):
        remote.take_output(mine, job.step, job.fence, 7, second)
    assert [text for _, text in said()] == ["one\n", "two\n", "three\n"]
    for _ in range(2):
        remote.take_outcome(mine, job.step, job.fence, Outcome("ok", "exit 0", 0))
    assert step().state == "ok"


def test_a_runner_that_renews_keeps_its_step_and_one_that_does_not_loses_it(story: Story) -> None:
    execution = begun(story)
    mine = runner()
    job = claimed(mine)
    for _ in range(5):
        story.forward(seconds=40)
        remote.renew_for(mine, job.step, job.fence)
    assert step().state == "running"
    story.forward(seconds=62)
    execution.refresh_from_db()
    assert (step().state, execution.state) == ("unknown", "unknown")
    assert "build-1 was lost" in step().sentence
    for act in (
        lambda: remote.renew_for(mine, job.step, job.fence),
        lambda: remote.take_output(mine, job.step, job.fence, 0, [Piece("late\n")]),
        lambda: remote.take_outcome(mine, job.step, job.fence, Outcome("ok", "exit 0", 0)),
    ):
        with pytest.raises(LostStepError):
            act()
    assert step().state == "unknown"
    assert said() == [("midwatch", "build-1 came back too late and says: ok, exit code 0: exit 0")]


def test_what_may_be_done_twice_goes_to_another_runner(story: Story) -> None:
    begun(story, ', "idempotent": "yes"')
    first, second = runner("build-1"), runner("build-2")
    lost = claimed(first)
    story.forward(seconds=62)
    assert step().state == "queued"
    job = claimed(second, replace(HELLO, nonce="another-claim"))
    assert (job.step, job.fence > lost.fence) == (lost.step, True)
    with pytest.raises(LostStepError):
        remote.take_outcome(first, lost.step, lost.fence, Outcome("failed", "exit 1", 1))
    with pytest.raises(LostStepError):
        remote.renew_for(first, job.step, job.fence)  # a fence that was guessed is no claim
    remote.take_outcome(second, job.step, job.fence, Outcome("ok", "exit 0", 0))
    assert step().state == "ok"


def test_a_cancel_reaches_it_with_the_next_word(story: Story) -> None:
    execution = begun(story)
    mine = runner()
    job = claimed(mine)
    actions.cancel(execution, actor_of(story.people["ana"].user, "web"), "not now")
    assert remote.renew_for(mine, job.step, job.fence).is_cancelled
    remote.take_outcome(mine, job.step, job.fence, Outcome("failed", "cancelled; its processes were ended"))
    assert step().state == "cancelled"


def test_secrets_go_to_the_runner_that_claimed_it_and_each_read_is_written_down(story: Story) -> None:
    begun(story, ', "secrets": "DB_PASSWORD=db"')
    mine = runner()
    assert remote.claim_for(mine, HELLO) is None  # nobody has set it: the step has failed before it began
    assert (step().state, "no secret db" in step().sentence) == ("failed", True)
    set_secret("db", Team.objects.get(name="payments"), VALUE, CLI)
    with transaction.atomic():
        StepRun.objects.update(state="queued", due_at=step().started_at, ended_at=None)
    job = claimed(mine, replace(HELLO, nonce="another-claim"))
    assert job.task.secrets == {"DB_PASSWORD": VALUE}
    assert VALUE not in repr(job)
    read = AuditEntry.objects.get(verb="read", object_kind="secret")
    assert (read.detail["place"], read.detail["step"]) == ("build-1", "restart")
    assert VALUE not in str(StepRun.objects.values())


def test_a_runner_does_so_many_steps_at_a_time(story: Story) -> None:
    for number in range(3):
        begun(story, name=f"book-{number}")
    mine = runner(steps_max=2)
    jobs = [remote.claim_for(mine, replace(HELLO, nonce=f"claim-number-{number}")) for number in range(3)]
    assert [job is not None for job in jobs] == [True, True, False]
    assert [(one.state, one.steps) for one in runners_seen()] == [("ready", 2)]


def test_the_list_and_the_doctor_say_who_is_there_and_what_waits_in_vain(story: Story) -> None:
    begun(story)
    mine = runner(tags=("linux",))
    assert [one.state for one in runners_seen()] == ["never seen"]
    remote.claim_for(mine, HELLO)
    story.forward(minutes=1)
    assert [one.state for one in runners_seen()] == ["ready"]
    (check,) = steps_find_runners()
    assert check.state == "failed"
    assert "execution 1, restart (executor local, tags linux, eu)" in check.sentence
    right = runner("right")
    remote.claim_for(right, replace(HELLO, is_draining=True))
    assert {one.runner.name: one.state for one in runners_seen()}["right"] == "draining"
    story.forward(minutes=3)
    assert {one.state for one in runners_seen()} == {"away"}
    runners.turn_off_runner(right, CLI)
    assert {one.state for one in runners_seen()} == {"away", "off"}


def test_a_claim_that_waits_while_its_process_drains_gets_nothing(story: Story) -> None:
    begun(story)
    mine = runner()
    remote.claim_for(mine, replace(HELLO, is_draining=True))
    mine.refresh_from_db()
    assert remote.claim_for(mine, HELLO) is None
    assert [one.state for one in runners_seen()] == ["draining"]
    assert claimed(mine, replace(HELLO, process="process-two")).step == step().pk  # it was started again
    assert [one.state for one in runners_seen()] == ["ready"]


def test_a_token_that_was_renewed_or_turned_off_opens_nothing(story: Story) -> None:
    mine, old = runners.create_runner("build-1", CLI)
    assert runners.runner_of(old) == mine
    new = runners.renew_token(mine, CLI)
    assert (runners.runner_of(old), runners.runner_of(new)) == (None, mine)
    runners.turn_off_runner(mine, CLI)
    assert runners.runner_of(new) is None
    assert not AuditEntry.objects.filter(detail__icontains=new).exists()


def test_the_lease_is_longer_than_what_a_runner_needs_to_say_so() -> None:
    assert 4 * timedelta(seconds=10) <= remote.LEASE
