"""Tables of the ground floor: the audit log, the outbox, attachments, what changed and who looks at it."""

from __future__ import annotations

from django.db import models

from midwatch.core.quick import Quick


class AuditEntry(Quick):
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


class OutboxEvent(Quick):
    """Something happened that a higher room may react to; committed with the change itself.

    `engine/reactions.py` does what follows from it; a reaction commits with `done_at`. One that keeps failing is
    quarantined, visible in the doctor and the metrics, and never stops the rest. `follower`: the one room whose reaction
    this is, where several follow the event, or it failed; "": the lowest one's, which writes the rows of the others.
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
    follower = models.CharField(max_length=40, default="", db_default="")

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


class StoredFile(models.Model):
    """An attachment (`core.files`). `owner`: what it belongs to, "incident:42"; "" while nothing has claimed it.

    `content_type` is ours, found by looking at the bytes. `size` is 0 and `sha256` empty until all of it has come in.
    """

    name = models.CharField(max_length=140)
    content_type = models.CharField(max_length=60, default="")
    size = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, default="")
    created_at = models.DateTimeField()
    who = models.CharField(max_length=200)
    user_id = models.BigIntegerField(null=True)
    owner = models.CharField(max_length=80, default="")

    class Meta:
        indexes = [
            models.Index(fields=["owner", "id"], name="file_owner"),
            models.Index(fields=["created_at"], name="file_loose", condition=models.Q(owner="")),
        ]


class FileChunk(models.Model):
    """A piece of a file: rows stay small, and nobody holds a whole file in memory."""

    file = models.ForeignKey(StoredFile, on_delete=models.CASCADE, db_index=False)
    index = models.PositiveIntegerField()
    body = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["file", "index"], name="file_chunk")]


class TopicEvent(models.Model):
    """Something about `topic` changed ("incident:42"): who looks at it reads it again. Written by `core.topics.touch`.

    Ids are never used twice, and on PostgreSQL they become visible out of order.
    """

    topic = models.CharField(max_length=100)
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["topic", "id"], name="topic_event"),
            models.Index(fields=["at"], name="topic_at"),
        ]


class Presence(models.Model):
    """Who has a topic open, as its page said last; over after `core.topics.PRESENT`."""

    topic = models.CharField(max_length=100)
    user_id = models.BigIntegerField()
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["topic", "user_id"], name="presence_topic_user")]
        indexes = [models.Index(fields=["seen_at"], name="presence_seen")]
