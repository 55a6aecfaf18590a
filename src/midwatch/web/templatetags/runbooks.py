"""The small parts of the pages of runbooks: `{% load runbooks %}`. A state is told by icon, word and colour."""

from __future__ import annotations

from collections.abc import Mapping

from django import template
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from midwatch.prepare.runbooks.document import Step
from midwatch.prepare.runbooks.freshness import Freshness
from midwatch.prepare.runbooks.models import ExecutionKind, ExecutionState, StepKind, StepState
from midwatch.prepare.runbooks.queries import Proof
from midwatch.web.templatetags.ui import Look, icon, spell, text

register = template.Library()

STEPS: Mapping[str, Look] = {
    StepState.PENDING: Look(_("Not yet"), "circle-dashed", "quiet"),
    StepState.WAITING_PERSON: Look(_("Waits for a person"), "hand-stop", "warn"),
    StepState.WAITING_APPROVAL: Look(_("Waits for approval"), "user-check", "warn"),
    StepState.QUEUED: Look(_("Queued"), "hourglass", "info"),
    StepState.RUNNING: Look(_("Running"), "player-play", "info"),
    StepState.OK: Look(_("Done"), "circle-check", "ok"),
    StepState.FAILED: Look(_("Failed"), "alert-triangle", "danger"),
    StepState.UNKNOWN: Look(_("Unknown: was it done?"), "question-mark", "violet"),
    StepState.SKIPPED: Look(_("Skipped"), "player-skip-forward", "quiet"),
    StepState.CANCELLED: Look(_("Cancelled"), "ban", "quiet"),
}
EXECUTIONS: Mapping[str, Look] = {
    ExecutionState.RUNNING: Look(_("Running"), "player-play", "info"),
    ExecutionState.WAITING: Look(_("Waits for a person"), "hand-stop", "warn"),
    ExecutionState.OK: Look(_("Done"), "circle-check", "ok"),
    ExecutionState.FAILED: Look(_("Failed"), "alert-triangle", "danger"),
    ExecutionState.UNKNOWN: Look(_("Unknown"), "question-mark", "violet"),
    ExecutionState.CANCELLED: Look(_("Cancelled"), "ban", "quiet"),
}
KINDS: Mapping[str, Look] = {
    ExecutionKind.DRY_RUN: Look(_("Dry run"), "test-pipe", "violet"),
    ExecutionKind.DRILL: Look(_("Drill"), "barbell", "violet"),
}
RUNGS: Mapping[str, Look] = {
    StepKind.MANUAL: Look(_("By hand"), "hand-stop", "quiet"),
    StepKind.COPY: Look(_("Copy and paste"), "copy", "quiet"),
    StepKind.APPROVE: Look(_("Approval"), "user-check", "quiet"),
    StepKind.RUN: Look(_("You press, it runs"), "player-play", "quiet"),
    StepKind.AUTO: Look(_("Runs by itself"), "robot", "quiet"),
}

IDEMPOTENT = {
    "yes": _("may be repeated without harm"),
    "no": _("never repeated by itself"),
    "check": _("asks whether it was done before it is repeated"),
}


def _badge(looks: Mapping[str, Look], name: str) -> SafeString:
    look = looks.get(name) or Look(name, "question-mark", "quiet")
    return SafeString(
        f'<span class="badge tone-{text(look.tone)}">{icon(look.icon)}<span>{text(look.word)}</span></span>'
    )


@register.simple_tag
def step_badge(state: str) -> SafeString:
    return _badge(STEPS, state)


@register.simple_tag
def execution_badge(state: str) -> SafeString:
    return _badge(EXECUTIONS, state)


@register.simple_tag
def kind_badge(kind: str) -> SafeString:
    """Nothing for a real one."""
    return _badge(KINDS, kind) if kind in KINDS else SafeString("")


@register.simple_tag
def rung(kind: str) -> SafeString:
    """How far up a step has climbed: by hand, copy, press, by itself."""
    look = RUNGS.get(kind) or Look(kind, "question-mark", "quiet")
    return SafeString(f'<span class="rung">{icon(look.icon)}<span>{text(look.word)}</span></span>')


@register.simple_tag
def step_icon(state: str) -> SafeString:
    """In a list of steps, where the word stands beside it."""
    look = STEPS.get(state) or Look(state, "question-mark", "quiet")
    return SafeString(f'<span class="step-dot tone-{text(look.tone)}">{icon(look.icon)}</span>')


@register.simple_tag
def step_word(state: str) -> str:
    look = STEPS.get(state)
    return str(look.word) if look is not None else state


@register.simple_tag
def proof_badge(proof: Proof | None) -> SafeString:
    """What proves it, in one sentence: well proven, never run, or failing."""
    if proof is None:
        return SafeString("")
    found = proof.evidence
    if found.failed_last:
        look = ("danger", "alert-triangle")
    elif found.proven_at is not None:
        look = ("ok", "shield-check")
    else:
        look = ("quiet", "shield")
    tone, picture = look
    return SafeString(
        f'<span class="badge proof tone-{tone}">{icon(picture)}<span>{text(proof.sentence)}</span></span>'
    )


FRESHNESS: Mapping[str, Look] = {
    "ageing": Look(_("Ageing"), "hourglass", "warn"),
    "stale": Look(_("Stale"), "alert-triangle", "danger"),
}


@register.simple_tag
def freshness_badge(found: Freshness | None) -> SafeString:
    """Nothing for a fresh one; the reasons as its title."""
    look = FRESHNESS.get(found.state) if found is not None else None
    if found is None or look is None:
        return SafeString("")
    said = f'<span class="badge tone-{look.tone}" title="{text(found.sentence)}">'
    return SafeString(f"{said}{icon(look.icon)}<span>{text(look.word)}</span></span>")


@register.simple_tag
def step_terms(step: Step) -> list[str]:
    """What decides whether, where and how often it is done, in words."""
    words = [gettext("on %s") % ", ".join(step.targets)] if step.targets else []
    if step.is_handler:
        words.append(gettext("only when another step fails"))
    if "when" in step.attributes:
        words.append(gettext("when %s") % step.attributes["when"])
    if step.needs is not None:
        who = ", ".join(step.needs.who) or gettext("whoever may carry it out")
        words.append(gettext("needs %(count)d of %(who)s") % {"count": step.needs.count, "who": who})
    if step.retry.attempts > 1:
        words.append(gettext("up to %d tries") % step.retry.attempts)
    if step.timeout is not None:
        words.append(gettext("at most %s") % spell(int(step.timeout.total_seconds())))
    if step.kind in {"run", "auto"}:
        words.append(str(IDEMPOTENT.get(step.idempotent, "")))
        if not step.can_dry_run:
            words.append(gettext("cannot be simulated"))
    if step.on_failure != "stop":
        goes_on = step.on_failure == "continue"
        words.append(gettext("goes on when it fails") if goes_on else gettext("when it fails: %s") % step.on_failure)
    return [word for word in words if word]
