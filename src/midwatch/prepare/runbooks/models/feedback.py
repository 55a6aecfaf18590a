"""What people said about a runbook after a page: one tap, by the one who was there."""

from __future__ import annotations

from django.db import models

from midwatch.prepare.runbooks.models.documents import Runbook


class FeedbackVerdict(models.TextChoices):
    """Missing: it has no words for this, or there is none at all."""

    HELPED = "helped"
    WRONG = "wrong"
    MISSING = "missing"


class Feedback(models.Model):
    """`runbook` None: none answered that alert. One word of a person on a runbook and an alert; the last one counts."""

    runbook = models.ForeignKey(Runbook, on_delete=models.CASCADE, null=True, related_name="feedback", db_index=False)
    alert_number = models.PositiveBigIntegerField(null=True)
    service_slug = models.CharField(max_length=63, default="", db_default="")
    verdict = models.CharField(max_length=7, choices=FeedbackVerdict)
    note = models.CharField(max_length=500, default="", db_default="")
    who = models.CharField(max_length=200)
    user_id = models.BigIntegerField(null=True)
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["runbook", "at"], name="runbook_feedback_of"),
            models.Index(fields=["alert_number"], name="runbook_feedback_alert"),
        ]

    def __str__(self) -> str:
        return self.verdict
