"""Tables of post-mortems: the document, its history, who reviews it, what is published to whom."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from midwatch.people.models import User
from midwatch.respond.incidents.models import AffectedClient, Entry, Incident


class State(models.TextChoices):
    """Scheduling: the meeting has no date yet. In review: others read it; an edit takes it back from reviewed."""

    SCHEDULING = "scheduling"
    DRAFT = "draft"
    REVIEW = "in review"
    REVIEWED = "reviewed"
    PUBLISHED = "published"
    WAIVED = "waived"


OPEN_STATES = (State.SCHEDULING, State.DRAFT, State.REVIEW, State.REVIEWED)


class Asked(models.TextChoices):
    """How far the search for a facilitator is."""

    NOBODY = "nobody"
    ASKED = "asked"
    ACCEPTED = "accepted"
    DECLINED = "declined"


class Postmortem(models.Model):
    """What is learned from one incident; its number is the incident's. `revision` counts every change of the document."""

    incident = models.OneToOneField(Incident, on_delete=models.CASCADE, related_name="+")
    template_name = models.CharField(max_length=63)
    template_version = models.PositiveIntegerField()
    state = models.CharField(max_length=12, choices=State, default=State.SCHEDULING)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    revision = models.PositiveIntegerField(default=0)
    why = models.JSONField(default=list)  # the tree of five whys: [{"id", "parent", "text"}]
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField()  # the meeting is held by then (seed: a week)
    late_at = models.DateTimeField()  # and no later than this (seed: a week and a half)
    meeting_at = models.DateTimeField(null=True)
    meeting_minutes = models.PositiveSmallIntegerField(default=45)
    meeting_where = models.CharField(max_length=300, default="", db_default="")
    meeting_sequence = models.PositiveSmallIntegerField(default=0)
    held_at = models.DateTimeField(null=True)
    facilitator = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    facilitator_state = models.CharField(max_length=8, choices=Asked, default=Asked.NOBODY)
    facilitator_why = models.CharField(max_length=500, default="", db_default="")  # why an involved one was chosen
    facilitator_since = models.DateTimeField(null=True)
    reviewed_at = models.DateTimeField(null=True)
    published_at = models.DateTimeField(null=True)
    waived_at = models.DateTimeField(null=True)
    waived_by = models.CharField(max_length=200, default="", db_default="")
    waived_why = models.CharField(max_length=500, default="", db_default="")
    remind_at = models.DateTimeField(null=True)  # None: nothing to remind of any more
    reminded = models.PositiveSmallIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["-opened_at"], name="postmortem_opened"),
            models.Index(fields=["state", "-opened_at"], name="postmortem_state"),
            models.Index(fields=["facilitator", "-facilitator_since"], name="postmortem_facilitator"),
            models.Index(fields=["remind_at"], name="postmortem_remind", condition=~Q(remind_at=None)),
        ]

    def __str__(self) -> str:
        return f"post-mortem {self.number}"

    @property
    def number(self) -> int:
        return self.incident.number

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES


class SectionText(models.Model):
    """What stands in a section now. `revision` counts its changes: who saves names the one they began from."""

    postmortem = models.ForeignKey(Postmortem, on_delete=models.CASCADE, related_name="texts")
    key = models.CharField(max_length=40)  # of the template; EXTERNAL is what clients read
    text = models.TextField(default="", blank=True)
    revision = models.PositiveIntegerField(default=0)
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["postmortem", "key"], name="section_text_once")]


class Revision(models.Model):
    """A text as it was. Saves of one person in one sitting are one row, or each pause of three seconds would be one.

    `is_conflict`: somebody else was faster; the text was not taken, and is kept here. `base`: what it began from.
    """

    postmortem = models.ForeignKey(Postmortem, on_delete=models.CASCADE, related_name="revisions")
    key = models.CharField(max_length=40)
    number = models.PositiveIntegerField()  # the section's revision after it; of a conflict, the one it lost to
    base = models.PositiveIntegerField()
    text = models.TextField()
    who = models.CharField(max_length=200)
    user_id = models.BigIntegerField(null=True)
    began_at = models.DateTimeField()
    at = models.DateTimeField()
    is_conflict = models.BooleanField(default=False)
    settled_at = models.DateTimeField(null=True)  # of a conflict: its writer took it up or let it go

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["postmortem", "key", "-id"], name="postmortem_revision")]


class TimelineRow(models.Model):
    """A moment of the story. `entry`: it was imported from the incident's timeline and keeps the link to its evidence."""

    postmortem = models.ForeignKey(Postmortem, on_delete=models.CASCADE, related_name="rows")
    entry = models.ForeignKey(Entry, on_delete=models.SET_NULL, null=True, related_name="+")
    happened_at = models.DateTimeField()
    text = models.CharField(max_length=4_000)
    who = models.CharField(max_length=200, default="", db_default="")
    evidence = models.JSONField(default=list)  # [{"text", "url"}], addresses of ours
    removed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["happened_at", "id"]
        constraints = [models.UniqueConstraint(fields=["postmortem", "entry"], name="timeline_row_once")]


class Comment(models.Model):
    """`key`: the section it is about, "" for the whole."""

    postmortem = models.ForeignKey(Postmortem, on_delete=models.CASCADE, related_name="comments")
    key = models.CharField(max_length=40, default="", db_default="")
    text = models.CharField(max_length=4_000)
    who = models.CharField(max_length=200)
    user_id = models.BigIntegerField(null=True)
    at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    settled_by = models.CharField(max_length=200, default="", db_default="")

    class Meta:
        ordering = ["at", "id"]


class Approval(models.Model):
    """Somebody read this revision and agrees. Any later change voids it."""

    postmortem = models.ForeignKey(Postmortem, on_delete=models.CASCADE, related_name="approvals")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    revision = models.PositiveIntegerField()
    at = models.DateTimeField()
    voided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["postmortem", "user"], condition=Q(voided_at=None), name="approval_once")
        ]


class Decision(models.Model):
    """What the IC or the CM wants published, of this revision (seed: the CM with the IC publish the result if needed)."""

    postmortem = models.ForeignKey(Postmortem, on_delete=models.CASCADE, related_name="decisions")
    seat = models.CharField(max_length=2, choices=[("ic", "Incident Commander"), ("cm", "Communication Manager")])
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    is_for_page = models.BooleanField()
    is_for_clients = models.BooleanField()
    why = models.CharField(max_length=500, default="", db_default="")
    revision = models.PositiveIntegerField()
    at = models.DateTimeField()
    voided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["postmortem", "seat"], condition=Q(voided_at=None), name="decision_once")
        ]

    @property
    def choice(self) -> tuple[bool, bool]:
        return self.is_for_page, self.is_for_clients


class LetterState(models.TextChoices):
    WAITING = "waiting"
    HANDED_OVER = "handed over"
    FAILED = "failed"
    NO_ADDRESS = "no address"


class Letter(models.Model):
    """An e-mail of a post-mortem: the invitation to its meeting, or what a client reads. Written with the act, sent after.

    `client` None: to one of ours (`user`). `calendar`: an .ics that goes with it.
    """

    postmortem = models.ForeignKey(Postmortem, on_delete=models.CASCADE, related_name="letters")
    client = models.ForeignKey(AffectedClient, on_delete=models.SET_NULL, null=True, related_name="+")
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    key = models.CharField(max_length=100, unique=True)
    to_name = models.CharField(max_length=200)
    address = models.CharField(max_length=300, default="", db_default="")
    subject = models.CharField(max_length=300)
    body = models.TextField()
    calendar = models.TextField(default="", db_default="")
    state = models.CharField(max_length=12, choices=LetterState, default=LetterState.WAITING)
    created_at = models.DateTimeField()
    handed_over_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    problem = models.CharField(max_length=500, default="", db_default="")

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["due_at"], name="postmortem_letter_due", condition=~Q(due_at=None))]
