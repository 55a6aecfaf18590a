"""The machine of executions: any document, any answers, any crashes, and it comes to an end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midwatch.prepare.runbooks import machine, when
from midwatch.prepare.runbooks.machine import Again, Begin, End, Run, Skip, StepFacts, TimeOut, Wait

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NAMES = ("a", "b", "c", "d", "e")


@st.composite
def documents(draw: st.DrawFn) -> list[StepFacts]:
    names = NAMES[: draw(st.integers(1, 5))]
    return [
        StepFacts(
            name,
            draw(st.sampled_from(["manual", "copy", "approve", "run", "auto"])),
            when=draw(st.sampled_from([None, when.parse("step.a == 'ok'"), when.parse("option.x == 1")])),
            on_failure=draw(st.sampled_from(["stop", "continue", *names])),
            retries=draw(st.integers(0, 2)),
            retry_delay=timedelta(seconds=draw(st.sampled_from([0, 30]))),
            idempotent=draw(st.sampled_from(["yes", "no", "check"])),
            has_verify=draw(st.booleans()),
            passed_by=draw(st.sampled_from(["", "", "", "turned off"])),
        )
        for name in names
    ]


runs = st.builds(
    Run,
    options=st.sampled_from([{}, {"x": "1"}]),
    kind=st.sampled_from(["real", "dry_run", "drill"]),
    start_at_step=st.sampled_from(["", "a", "b", "e"]),
)


@settings(max_examples=300, deadline=None)
@given(documents(), runs, st.data())
def test_it_ends_and_nothing_is_done_twice_that_may_not_be(
    steps: list[StepFacts], run: Run, data: st.DataObject
) -> None:
    """People answer, workers die, runs fail, as it comes. `done`: how often the body of each step was begun."""
    now = NOW
    done = dict.fromkeys(NAMES, 0)
    verifying: dict[int, machine.Verifying] = {}
    for _ in range(400):
        now += timedelta(seconds=1)
        act = machine.next_act(steps, run, now)
        assert act == machine.next_act(steps, run, now), "the same facts give the same act"
        match act:
            case End(state=state):
                assert not any(s.state in ("queued", "running", "waiting_person", "waiting_approval") for s in steps)
                assert state in ("ok", "failed", "cancelled")
                return
            case Skip(index=index):
                assert steps[index].state in ("pending", "queued", "waiting_person", "waiting_approval")
                steps[index] = replace(steps[index], state="cancelled" if run.is_cancelled else "skipped")
            case Begin(index=index, state=state):
                assert steps[index].state == "pending"
                steps[index] = replace(steps[index], state=state)
            case Again(index=index):
                assert steps[index].idempotent != "no"
                steps[index] = replace(steps[index], state="queued")
            case TimeOut(index=index):
                steps[index] = replace(steps[index], state="failed", due_at=None)
            case Wait(index=index):
                others = [s for i, s in enumerate(steps) if i != index]
                assert not any(s.state in ("queued", "running") for s in others), "one at a time"
                steps[index], run = _happens(steps[index], run, verifying, index, done, data)
    raise AssertionError("it does not end")


def _happens(
    step: StepFacts,
    run: Run,
    verifying: dict[int, machine.Verifying],
    index: int,
    done: dict[str, int],
    data: st.DataObject,
) -> tuple[StepFacts, Run]:
    choose = lambda *words: data.draw(st.sampled_from(words))  # noqa: E731
    if choose(*["go on"] * 15, "cancel") == "cancel" and step.state != "running":
        return step, replace(run, is_cancelled=True)
    match step.state:
        case "waiting_person" if step.kind == "run":
            return replace(step, state="queued"), run
        case "waiting_person" | "waiting_approval":
            return replace(step, state=choose("ok", "failed", "skipped")), run
        case "unknown":
            return replace(step, state=choose("ok", "failed")), run
        case "queued":
            looks = verifying.get(index, "")
            if not looks:
                done[step.name] += 1
                if step.idempotent == "no":
                    assert done[step.name] == 1, "what may not be run twice is begun once"
            return replace(step, state="running", claims=step.claims + 1, attempt=step.attempt + (not looks)), run
    looks = verifying.pop(index, "")
    if choose("ends", "ends", "is lost") == "is lost":
        settled = machine.lost(step, looks, is_cancelled=run.is_cancelled)
    else:
        state = choose("ok", "ok", "failed", "unknown")
        code = {"ok": 0, "failed": choose(1, 255, None), "unknown": None}[state]
        settled = machine.ran(step, looks, state, code, is_cancelled=run.is_cancelled)
    if settled.verifying:
        verifying[index] = settled.verifying
    return replace(step, state=settled.state), run


def act(*steps: StepFacts, **run: object) -> machine.Act:
    return machine.next_act(steps, Run(**run), NOW)  # type: ignore[arg-type]


def test_kinds_ask_for_whom_they_need() -> None:
    assert act(StepFacts("a", "manual")) == Begin(0, "waiting_person")
    assert act(StepFacts("a", "run")) == Begin(0, "waiting_person")
    assert act(StepFacts("a", "approve")) == Begin(0, "waiting_approval")
    assert act(StepFacts("a", "auto")) == Begin(0, "queued")
    assert act() == End("ok")


def test_a_dry_run_asks_nobody() -> None:
    assert act(StepFacts("a", "run"), kind="dry_run") == Begin(0, "queued")
    assert act(StepFacts("a", "approve"), kind="dry_run") == Skip(0, "a dry run asks nobody")


def test_a_handler_runs_only_for_who_names_it_and_then_the_execution_has_failed() -> None:
    failed = StepFacts("a", "auto", "failed", on_failure="undo", attempt=1)
    undo = StepFacts("undo", "auto")
    other = StepFacts("b", "auto")
    assert act(failed, other, undo) == Begin(2, "queued")
    assert act(failed, other, replace(undo, state="ok")) == End("failed", "a failed and was handled by undo")
    assert act(replace(failed, state="ok"), replace(other, state="ok"), undo) == Skip(
        2, "nothing failed that it handles"
    )


def test_retries_wait_and_then_the_failure_decides() -> None:
    step = StepFacts("a", "auto", "failed", retries=1, retry_delay=timedelta(minutes=1), idempotent="yes", attempt=1)
    assert act(step) == Again(0, NOW + timedelta(minutes=1))
    assert act(replace(step, attempt=2)) == End("failed", "a failed")
    assert act(replace(step, idempotent="no")) == End("failed", "a failed")
    assert act(replace(step, attempt=2, on_failure="continue")) == End("ok", "went on although it failed: a")


def test_it_starts_at_a_step_and_waits_no_longer_than_said() -> None:
    steps = (StepFacts("a", "auto"), StepFacts("b", "manual"))
    assert act(*steps, start_at_step="b") == Skip(0, "started at b")
    waiting = StepFacts("a", "manual", "waiting_person", due_at=NOW)
    assert act(waiting) == TimeOut(0)
    assert act(replace(waiting, due_at=NOW + timedelta(1))) == Wait(0, "person", NOW + timedelta(1))


def test_a_crash_is_told_honestly() -> None:
    step = StepFacts("a", "auto", "running", attempt=1, claims=1)
    assert machine.lost(step, "", is_cancelled=False).state == "unknown"
    assert machine.lost(replace(step, idempotent="yes"), "", is_cancelled=False).state == "queued"
    check = replace(step, idempotent="check", has_verify=True)
    assert machine.lost(check, "", is_cancelled=False) == machine.Settled("queued", "crashed")
    assert machine.ran(check, "crashed", "ok", 0, is_cancelled=False).state == "ok"
    assert machine.ran(check, "crashed", "failed", 1, is_cancelled=False).state == "queued", "it was not done"
    assert machine.ran(check, "crashed", "failed", 255, is_cancelled=False).state == "unknown", "nobody could look"


KNOWN = when.Known(
    {"env": "prod", "count": "12"},
    {"restart-db": when.StepSeen("failed", 3, {"lag": "7.5"})},
)


@pytest.mark.parametrize(
    ("text", "is_so"),
    [
        ('option.env == "prod"', True),
        ("option.env != 'prod' or option.count > 3", True),
        ("option.count < 9", False),
        ("option.count == 12.0", True),
        ('step.restart-db in ["failed", "unknown"] and step.restart-db.exit_code >= 3', True),
        ('step.restart-db.state not in ["failed"]', False),
        ("not (step.restart-db.value.lag > 7)", False),
        ("option.nothing", False),
        ("not option.nothing and execution.kind == 'real'", True),
        ("option.env < 5", False),
        ("true or false and false", True),
    ],
)
def test_conditions(text: str, is_so: bool) -> None:
    assert when.holds(when.parse(text), KNOWN) is is_so


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("prod", "no name here"),
        ('option.env = "prod"', "cannot be read"),
        ("option.env == ", "value is missing"),
        ("__import__('os')", "no name here"),
        ("(" * 30 + "true" + ")" * 30, "deep"),
        ("option.env in 'prod'", "comes a list"),
        ("option.env true", "too much"),
        ("x" * 501, "at most"),
        ("[1] == 1", "list stands on the right"),
        ("option.env not 3", "comes `in`"),
    ],
)
def test_conditions_that_cannot_be_read_say_what_to_write(text: str, says: str) -> None:
    with pytest.raises(when.WhenError, match=says):
        when.parse(text)


def test_names_that_nobody_gives_are_refused() -> None:
    when.check("option.a == 1 and step.b", options=["a"], steps=["b"])
    with pytest.raises(when.WhenError, match="no option 'c'"):
        when.check("option.c", options=["a"], steps=["b"])
    with pytest.raises(when.WhenError, match="no step 'z'"):
        when.check("step.z", options=["a"], steps=["b"])


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    try:
        condition = when.parse(text)
    except when.WhenError:
        return
    assert when.holds(condition, KNOWN) in (True, False)
