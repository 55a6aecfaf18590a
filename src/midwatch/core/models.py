"""Tables of the ground floor: the audit log and the outbox."""

from __future__ import annotations

from django.db import models


class AuditEntry(models.Model):
    """Who did what to what, and by which way. Written by `core.audit.record` with the act; never changed."""

    at = models.DateTimeField()
    who = models.CharField(max_length=200)
    user_id = models.BigIntegerField(null=True)
    via = models.CharField(max_length=20)
    verb = models.CharField(max_length=80)
    object_kind = models.CharField(max_length=40)
    object_name = models.CharField(max_length=200)
    detail = models.JSONField(default=dict)

    class Meta:
        indexes = [
            models.Index(fields=["object_kind", "object_name", "-id"], name="audit_object"),
            models.Index(fields=["user_id", "-id"], name="audit_user"),
        ]


class OutboxEvent(models.Model):
    """Something happened that a higher room may react to; committed with the change itself.

    `engine/reactions.py` does what follows from it; a reaction commits with `done_at`. One that keeps failing is
    quarantined, visible in the doctor and the metrics, and never stops the rest.
    """

    name = models.CharField(max_length=80)
    payload = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    done_at = models.DateTimeField(null=True)
    quarantined_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=500, default="", db_default="")

    class Meta:
        indexes = [
            models.Index(
                fields=["due_at", "id"],
                name="outbox_due",
                condition=models.Q(done_at=None, quarantined_at=None),
            ),
            models.Index(fields=["done_at"], name="outbox_done"),
            models.Index(
                fields=["quarantined_at"], name="outbox_quarantined", condition=~models.Q(quarantined_at=None)
            ),
        ]
