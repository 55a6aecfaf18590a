"""One tap after a page: it helped, it was wrong, it was missing."""

from __future__ import annotations

from django.db import transaction

from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.prepare.runbooks.models import Feedback, FeedbackVerdict, Runbook

SENTENCES = {
    FeedbackVerdict.HELPED: "Thank you: it helped.",
    FeedbackVerdict.WRONG: "Thank you: its owners see that it was wrong.",
    FeedbackVerdict.MISSING: "Thank you: its owners see that something was missing.",
}


def give_feedback(
    runbook: Runbook | None, verdict: str, by: Actor, *, alert_number: int | None, service: str = "", note: str = ""
) -> str:
    """Who says something else later changes their word. Returns a sentence. Raises ValueError with one."""
    if verdict not in FeedbackVerdict.values:
        raise ValueError(f"say one of {', '.join(FeedbackVerdict.values)}")
    if runbook is None and verdict != FeedbackVerdict.MISSING:
        raise ValueError("say of which runbook: where there is none it can only be missing")
    with transaction.atomic():
        if runbook is not None:  # two taps at once are one row
            Runbook.objects.select_for_update(of=("self",)).get(pk=runbook.pk)
        said = {
            "verdict": verdict,
            "note": clean(note, 500, is_one_line=True),
            "who": str(by)[:200],
            "at": clock.now(),
            "service_slug": service[:63],
        }
        mine = Feedback.objects.filter(runbook=runbook, alert_number=alert_number, user_id=by.user_id).order_by("pk")
        before = mine.first()
        if before is None:
            Feedback.objects.create(runbook=runbook, alert_number=alert_number, user_id=by.user_id, **said)
        else:
            Feedback.objects.filter(pk=before.pk).update(**said)
        name = runbook.name if runbook is not None else ""
        audit.record(by, "say", "runbook", name, {"verdict": verdict, "alert": alert_number})
    return SENTENCES[FeedbackVerdict(verdict)]
