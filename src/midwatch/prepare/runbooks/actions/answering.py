"""What people say to an execution: done, seen, yes, no, once more, stop."""

from __future__ import annotations

from django.db import transaction

from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.people.models import User
from midwatch.prepare.runbooks import permits
from midwatch.prepare.runbooks.actions import carrying, shown
from midwatch.prepare.runbooks.models import (
    STEP_ENDED,
    Approval,
    Execution,
    StepKind,
    StepRun,
    StepState,
    Verdict,
)

SEEN_MAX = 20_000
REASON_MAX = 500
ANSWERS = {"done": StepState.OK, "failed": StepState.FAILED, "skip": StepState.SKIPPED}


def _held(step_run: StepRun) -> tuple[Execution, list[StepRun], StepRun]:
    """The execution, locked, its steps, and this one as it is now."""
    execution = carrying.hold(step_run.execution_id)
    if execution.is_ended:
        raise ValueError(f"{execution} has ended ({execution.state})")
    rows = carrying.rows_of(execution)
    return execution, rows, next(row for row in rows if row.pk == step_run.pk)


def _check_digest(row: StepRun, digest: str) -> None:
    if digest and digest != row.digest:
        raise ValueError(f"{row.step} has changed since it was shown: look at it again")


def _record(by: Actor, verb: str, execution: Execution, row: StepRun, **detail: object) -> None:
    audit.record(by, verb, "execution", str(execution.number), {"step": row.step, **detail})


def answer(step_run: StepRun, by: Actor, verdict: str, *, seen: str = "", reason: str = "", digest: str = "") -> None:
    """A step that a person does: `done`, `failed` or `skip` (with a reason). `seen`: what they saw.

    Raises ValueError with a sentence.
    """
    if verdict not in ANSWERS:
        raise ValueError(f"{clean(verdict, 40)!r} is no answer: give {', '.join(ANSWERS)}")
    why = clean(reason, REASON_MAX, is_one_line=True)
    if verdict == "skip" and not why:
        raise ValueError("say why the step is passed by: whoever reads this later will ask")
    now = clock.now()
    with transaction.atomic():
        execution, _, row = _held(step_run)
        if row.state != StepState.WAITING_PERSON:
            raise ValueError(f"{row.step} does not wait for a person: it is {_words(row)}")
        _check_digest(row, digest)
        carrying.write(
            row,
            now,
            state=ANSWERS[verdict],
            seen=clean(seen, SEEN_MAX),
            sentence=why if verdict == "failed" else row.sentence,
            skip_reason=why if verdict == "skip" else "",
            answered_by=str(by)[:200],
            answered_by_id=by.user_id,
            answered_at=now,
            due_at=None,
            ended_at=now,
        )
        _record(by, f"answer {verdict}", execution, row, reason=why)
        carrying.tell_ended(execution, row)
        carrying.advance(execution, now)
    step_run.refresh_from_db()


def _words(row: StepRun) -> str:
    said = row.state.replace("_", " ")
    return f"{said}, by {row.answered_by}" if row.answered_by and row.is_ended else said


def press_run(step_run: StepRun, by: Actor, *, digest: str) -> None:
    """Somebody lets the machine do it, exactly as it was shown to them. Raises ValueError with a sentence."""
    now = clock.now()
    with transaction.atomic():
        execution, _, row = _held(step_run)
        if row.kind not in (StepKind.RUN, StepKind.AUTO) or row.state != StepState.WAITING_PERSON:
            raise ValueError(f"{row.step} does not wait to be run: it is {_words(row)}")
        if digest != row.digest:
            raise ValueError(f"{row.step} has changed since it was shown: look at it again")
        carrying.write(
            row,
            now,
            state=StepState.QUEUED,
            due_at=now,
            answered_by=str(by)[:200],
            answered_by_id=by.user_id,
            answered_at=now,
        )
        _record(by, "run", execution, row, digest=digest)
        carrying.advance(execution, now)
    step_run.refresh_from_db()


def approve(
    step_run: StepRun,
    by: Actor,
    verdict: str,
    *,
    digest: str,
    note: str = "",
    leads: permits.Leads = permits.nobody_leads,
) -> None:
    """Yes or no to exactly what has this digest. Raises ValueError with a sentence."""
    if verdict not in Verdict.values:
        raise ValueError(f"{clean(verdict, 40)!r} is no verdict: give {' or '.join(Verdict.values)}")
    user = User.objects.filter(pk=by.user_id).first() if by.user_id is not None else None
    if user is None:
        raise ValueError("an approval is a person's: log in as yourself")
    now = clock.now()
    with transaction.atomic():
        execution, _, row = _held(step_run)
        if row.state != StepState.WAITING_APPROVAL:
            raise ValueError(f"{row.step} does not wait for an approval: it is {_words(row)}")
        if digest != row.digest:
            raise ValueError("what is to be approved has changed since it was shown: look at it again")
        step = shown.document_of(execution).step(row.step)
        needs = step.needs if step is not None else None
        count = needs.count if needs else 1
        refusal = who_may_not(user, execution, needs.who if needs else (), count, leads)
        if refusal:
            raise ValueError(refusal)
        said = {"digest": digest, "verdict": verdict, "note": clean(note, REASON_MAX), "at": now}
        Approval.objects.update_or_create(step_run=row, by=user, voided_at=None, defaults=said)
        _record(by, verdict, execution, row, digest=digest)
        _count(execution, row, by, count)
        carrying.advance(execution, now)
    step_run.refresh_from_db()


def who_may_not(
    user: User, execution: Execution, who: tuple[str, ...], count: int, leads: permits.Leads = permits.nobody_leads
) -> str:
    """ "" when this person may approve here, else the sentence. Where two are asked for, nobody is one for themselves."""
    if not permits.is_asked(user, who, execution, leads):
        return f"This approval is for {', '.join(who) or 'members of its team'}."
    if count >= 2 and execution.started_by_id == user.pk:
        return f"You started it, and this step asks for {count} others: somebody else approves."
    return ""


def _count(execution: Execution, row: StepRun, by: Actor, count: int) -> None:
    now = clock.now()
    said = Approval.objects.filter(step_run=row, voided_at=None, digest=row.digest)
    refused = said.filter(verdict=Verdict.REFUSED).select_related("by").first()
    yes = said.filter(verdict=Verdict.APPROVED).count()
    if refused is None and yes < count:
        carrying.write(row, now, sentence=f"{yes} of {count} have approved")
        return
    ending = {
        "state": StepState.FAILED if refused else StepState.OK,
        "sentence": clean(f"refused by {refused.by}: {refused.note}" if refused else f"approved by {yes}", 1_000),
    }
    answered = {"answered_by": str(by)[:200], "answered_by_id": by.user_id, "answered_at": now}
    carrying.write(row, now, **ending, **answered, due_at=None, ended_at=now)
    carrying.tell_ended(execution, row)


def decide_unknown(step_run: StepRun, by: Actor, verdict: str, *, reason: str = "") -> None:
    """Nobody knows whether it was done: a person says `done`, `again`, `failed`, or lets its `verify` look (`check`)."""
    now = clock.now()
    with transaction.atomic():
        execution, _, row = _held(step_run)
        if row.state != StepState.UNKNOWN:
            raise ValueError(f"{row.step} is not in doubt: it is {_words(row)}")
        values: dict[str, object]
        match verdict:
            case "done" | "failed":
                state = StepState.OK if verdict == "done" else StepState.FAILED
                values = {"state": state, "ended_at": now, "due_at": None}
            case "again":
                values = {"state": StepState.QUEUED, "due_at": now, "ended_at": None, "verifying": ""}
            case "check" if row.rendered.get("verify"):
                values = {"state": StepState.QUEUED, "due_at": now, "ended_at": None, "verifying": "asked"}
            case "check":
                raise ValueError(
                    "this step has no `verify` that could look: look yourself, and say done, again or failed"
                )
            case _:
                raise ValueError(f"{clean(verdict, 40)!r} is no answer: give done, again, failed or check")
        why = clean(reason, REASON_MAX, is_one_line=True)
        answered = {"answered_by": str(by)[:200], "answered_by_id": by.user_id, "answered_at": now}
        carrying.write(row, now, **values, **answered)
        _record(by, f"decide {verdict}", execution, row, reason=why)
        if row.state in STEP_ENDED:
            carrying.tell_ended(execution, row)
        carrying.advance(execution, now)
    step_run.refresh_from_db()


def edit_step(step_run: StepRun, by: Actor, body: str, *, reason: str) -> None:
    """Another command in this one execution. What was approved of it is void, and it is trusted no more than who writes it.

    Raises ValueError with a sentence.
    """
    why = clean(reason, REASON_MAX, is_one_line=True)
    if not why:
        raise ValueError("say why it is changed: the runbook may have to change too")
    if "\0" in body or not body.strip() or len(body) > 60_000:
        raise ValueError("a step's text is not empty, and at most 60,000 characters")
    now = clock.now()
    with transaction.atomic():
        execution, rows, row = _held(step_run)
        if row.kind == StepKind.APPROVE or row.state not in (StepState.PENDING, StepState.WAITING_PERSON):
            raise ValueError(f"{row.step} cannot be changed now: it is {_words(row)}")
        document = shown.document_of(execution)
        step = document.step(row.step)
        assert step is not None, "the rows of an execution are made from its revision"
        row.is_edited, row.rendered = True, {"written": body}
        rendered = shown.rendered_of(execution, document, step, rows)
        carrying.write(row, now, is_edited=True, rendered=rendered, digest=shown.digest_of(rendered))
        _record(by, "edit step", execution, row, reason=why, digest=row.digest)
        for gate in rows:
            is_asked = gate.state in (StepState.OK, StepState.WAITING_APPROVAL) and gate.kind == StepKind.APPROVE
            if is_asked and row.step in gate.rendered.get("opens", {}):
                carrying.ask_again(execution, gate, rows, f"{row.step} was edited by {by}", now)
                if row.state == StepState.WAITING_PERSON:  # it waits behind the approval again
                    carrying.write(row, now, state=StepState.PENDING, due_at=None)
        carrying.advance(execution, now)
    step_run.refresh_from_db()


def cancel(execution: Execution, by: Actor, reason: str) -> None:
    """Nothing more is begun; what runs is told to stop. Raises ValueError with a sentence."""
    why = clean(reason, REASON_MAX, is_one_line=True)
    now = clock.now()
    with transaction.atomic():
        held = carrying.hold(execution.pk)
        if held.is_ended:
            raise ValueError(f"{held} has ended ({held.state})")
        held.problem = clean(f"cancelled by {by}" + (f": {why}" if why else ""), 500)
        held.save(update_fields=["problem"])
        StepRun.objects.filter(execution=held).exclude(state__in=STEP_ENDED).update(is_cancel_wanted=True)
        audit.record(by, "cancel", "execution", str(held.number), {"reason": why})
        _stop_children(held, by, why)
        carrying.advance(held, now)
    execution.refresh_from_db()


def _stop_children(execution: Execution, by: Actor, why: str) -> None:
    """A step that is another runbook holds no worker: it ends now, and the reaction to this one's end ends its own."""
    own = StepRun.objects.filter(execution=execution, executor=carrying.RUNBOOK, state=StepState.RUNNING)
    own.update(state=StepState.CANCELLED, ended_at=clock.now(), claimed_until=None, sentence="cancelled")


def end_orphans(execution: Execution, by: Actor) -> None:
    """Executions that steps of this one started, after it has ended."""
    for child in Execution.objects.filter(parent__execution=execution, ended_at=None):
        cancel(child, by, f"{execution} was {execution.state}")
