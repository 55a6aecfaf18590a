"""Promotion and demotion of steps: proposed by what happened, decided by a person, both on record."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Max

from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.prepare.runbooks import promotion
from midwatch.prepare.runbooks.actions.documents import revise
from midwatch.prepare.runbooks.climbing import with_kind
from midwatch.prepare.runbooks.document import DocumentError, Step, parse
from midwatch.prepare.runbooks.models import (
    ENDED,
    DecisionState,
    Direction,
    Execution,
    ExecutionKind,
    Promotion,
    Runbook,
    StepRun,
)
from midwatch.prepare.runbooks.models.trust import REASON_MAX
from midwatch.prepare.runbooks.promotion import Proposal, Seen

LOOKED_AT = 30  # newest real executions
STEPS_MAX = 200


def consider(execution_id: int) -> int:
    """After a real execution: which of its steps should rise or fall a rung. Returns how many proposals were made."""
    execution = Execution.objects.select_related("runbook__current").filter(pk=execution_id).first()
    if execution is None or execution.kind != ExecutionKind.REAL or execution.runbook.current is None:
        return 0
    try:
        document = parse(execution.runbook.current.body)
    except DocumentError:
        return 0  # the page of the runbook says what is wrong with its text
    steps = {step.name: step for step in document.steps[:STEPS_MAX]}
    seen = _seen(execution.runbook, list(steps))
    with transaction.atomic():
        runbook = Runbook.objects.select_for_update(of=("self",)).get(pk=execution.runbook_id)
        return sum(_consider(runbook, step, seen.get(name, [])) for name, step in steps.items())


def _seen(runbook: Runbook, steps: list[str]) -> dict[str, list[Seen]]:
    """Newest first, of each step."""
    numbers = dict(
        Execution.objects.filter(runbook=runbook, kind=ExecutionKind.REAL, state__in=ENDED)
        .order_by("-number")
        .values_list("pk", "number")[:LOOKED_AT]
    )
    rows = StepRun.objects.filter(execution_id__in=numbers, step__in=steps).exclude(ended_at=None)
    found: dict[str, list[Seen]] = {}
    for pk, step, kind, state, is_edited in rows.values_list("execution_id", "step", "kind", "state", "is_edited"):
        found.setdefault(step, []).append(Seen(numbers[pk], kind, state, is_edited))
    for seen in found.values():
        seen.sort(key=lambda one: -one.number)
    return found


def _consider(runbook: Runbook, step: Step, seen: list[Seen]) -> int:
    known = Promotion.objects.filter(runbook=runbook, step=step.name)
    decided = known.exclude(state=DecisionState.PROPOSED).aggregate(number=Max("last_execution"))["number"] or 0
    proposal = promotion.propose(step.kind, seen, has_command=_has_command(step), decided_at_number=decided)
    open_one = known.filter(state=DecisionState.PROPOSED).first()
    if open_one is not None:
        if proposal is not None and _is_same(open_one, proposal):
            return 0
        why = "what happened since speaks against it" if proposal is None else f"{proposal.why}"
        Promotion.objects.filter(pk=open_one.pk).update(
            state=DecisionState.SUPERSEDED, decided_at=clock.now(), who="Midwatch", reason=why[:REASON_MAX]
        )
    if proposal is None:
        return 0
    Promotion.objects.create(
        runbook=runbook,
        step=step.name,
        direction=proposal.direction,
        from_kind=proposal.from_kind,
        to_kind=proposal.to_kind,
        why=proposal.why[:REASON_MAX],
        evidence={"executions": [one.number for one in seen[: promotion.RUNS_IN_A_ROW_AUTO]]},
        last_execution=proposal.number,
        proposed_at=clock.now(),
    )
    return 1


def _is_same(known: Promotion, proposal: Proposal) -> bool:
    return (known.direction, known.from_kind, known.to_kind) == (
        proposal.direction,
        proposal.from_kind,
        proposal.to_kind,
    )


def _has_command(step: Step) -> bool:
    return bool(step.body.strip()) and bool(step.language) and step.language not in {"text", "txt", "md", "markdown"}


def decide(proposal: Promotion, by: Actor, *, accept: bool, reason: str) -> Promotion:
    """A person's word. Accepted, the step's rung is written into the runbook's text as a new revision; of a runbook from
    configuration as code the decision is recorded, and the text is changed where it is kept.

    Raises ValueError with a sentence; nothing is decided then.
    """
    why = clean(reason, REASON_MAX, is_one_line=True).strip()
    if not why:
        raise ValueError("say why: the decision stays on record")
    if not by.is_person:
        raise ValueError("a person decides this")
    with transaction.atomic():
        current = (
            Promotion.objects.select_for_update(of=("self",)).select_related("runbook__current").get(pk=proposal.pk)
        )
        if current.state != DecisionState.PROPOSED:
            raise ValueError(f"it is decided already: {current.state} by {current.who or 'Midwatch'}")
        runbook = current.runbook
        if accept and not runbook.is_from_code:
            _write(current, by)
        current.state = DecisionState.ACCEPTED if accept else DecisionState.DECLINED
        current.decided_at, current.who, current.user_id, current.reason = clock.now(), str(by)[:200], by.user_id, why
        current.save(update_fields=["state", "decided_at", "who", "user_id", "reason"])
        what = "promote step" if current.direction == Direction.PROMOTE else "demote step"
        audit.record(
            by,
            what if accept else f"decline to {what}",
            "runbook",
            runbook.name,
            {"step": current.step, "from": current.from_kind, "to": current.to_kind, "why": current.why, "reason": why},
        )
    return current


def _write(current: Promotion, by: Actor) -> None:
    runbook = current.runbook
    if runbook.current is None:
        raise ValueError("the runbook has no text any more")
    document = parse(runbook.current.body)
    step = document.step(current.step)
    if step is None or step.kind != current.from_kind:
        raise ValueError(f"step {current.step} is no longer {current.from_kind}: this proposal is out of date")
    body = with_kind(runbook.current.body, current.step, current.to_kind)
    revise(
        runbook, body, by, note=f"{current.step}: {current.from_kind} becomes {current.to_kind}, {current.why}"[:500]
    )


def word_for_code(proposal: Promotion) -> str:
    """What to change where the text is kept, once a promotion of a runbook from code was accepted."""
    return f'In {proposal.runbook.code_file or "its file"}, step {proposal.step}: write "kind": "{proposal.to_kind}" and apply.'
