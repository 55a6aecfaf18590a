"""Tables of action items: what we said we would do, who does it, by when, and how we know that it was done."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q

from midwatch.catalog.models import Service
from midwatch.people.models import Team, User
from midwatch.respond.incidents.models import Incident

TITLE_MAX = 300


class ItemType(models.TextChoices):
    DETECT = "detect"  # see it sooner
    MITIGATE = "mitigate"  # suffer less from it
    PREVENT = "prevent"  # not again
    PROCESS = "process"  # work together better


class ItemPriority(models.TextChoices):
    """Order of work, and the usual time for it: a fortnight, a month, a quarter."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class ItemState(models.TextChoices):
    DRAFT = "draft"  # noted in a meeting; nobody has it yet
    OPEN = "open"
    DONE = "done"
    DROPPED = "dropped"  # decided against, with a reason


class ItemNumber(models.Model):
    """The last number given: one row, id 1."""

    last = models.PositiveBigIntegerField(default=0)


class ActionItem(models.Model):
    """One thing that one person does by a date. Only a draft is without an owner, and no post-mortem is approved with one.

    `proof`: how Midwatch sees by itself that it is done, {"kind": "check", "name": "database.integrity"}; {} when somebody
    says so. An item that was closed by proof opens again when the proof breaks.
    """

    number = models.PositiveBigIntegerField(unique=True)
    title = models.CharField(max_length=TITLE_MAX)
    description = models.TextField(default="", blank=True)  # Markdown
    type = models.CharField(max_length=8, choices=ItemType, default=ItemType.PREVENT)
    priority = models.CharField(max_length=6, choices=ItemPriority, default=ItemPriority.MEDIUM)
    state = models.CharField(max_length=7, choices=ItemState, default=ItemState.DRAFT)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    due_on = models.DateField(null=True)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    service = models.ForeignKey(Service, on_delete=models.SET_NULL, null=True, related_name="+")
    incident = models.ForeignKey(Incident, on_delete=models.SET_NULL, null=True, related_name="+")
    origin = models.CharField(max_length=40, default="by hand")  # post-mortem, shift report, drill, by hand...
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    done_by = models.CharField(max_length=200, default="", db_default="")
    outcome = models.CharField(max_length=1_000, default="", db_default="")  # what was done, or why it was dropped
    proof = models.JSONField(default=dict)
    is_proven = models.BooleanField(default=False)
    proof_said = models.CharField(max_length=500, default="", db_default="")
    proof_due_at = models.DateTimeField(null=True)  # when it is asked again
    remind_at = models.DateTimeField(null=True)
    reminded = models.PositiveSmallIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["draft", "dropped"]) | Q(owner__isnull=False, due_on__isnull=False),
                name="item_has_owner_and_date",
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "state", "due_on"], name="item_owner"),
            models.Index(fields=["team", "state", "due_on"], name="item_team"),
            models.Index(fields=["state", "due_on"], name="item_state"),
            models.Index(fields=["remind_at"], name="item_remind", condition=~Q(remind_at=None)),
            models.Index(fields=["proof_due_at"], name="item_proof", condition=~Q(proof_due_at=None)),
        ]

    def __str__(self) -> str:
        return f"AI-{self.number}"

    @property
    def is_private(self) -> bool:
        return self.incident is not None and self.incident.is_private


class ItemEntry(models.Model):
    """What happened to an item; written once."""

    item = models.ForeignKey(ActionItem, on_delete=models.CASCADE, related_name="history")
    at = models.DateTimeField()
    who = models.CharField(max_length=200)
    text = models.CharField(max_length=1_000)

    class Meta:
        ordering = ["id"]

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("an entry is written once; write another one")
        super().save(*args, **kwargs)


class ItemIssue(models.Model):
    """The item as an issue of a tracker. `url` "": it is not made yet. `is_closed`: as both sides last agreed."""

    item = models.ForeignKey(ActionItem, on_delete=models.CASCADE, related_name="issues")
    provider = models.CharField(max_length=30)
    place = models.CharField(max_length=200)
    external = models.JSONField(default=dict)
    url = models.CharField(max_length=1_000, default="", db_default="")
    title = models.CharField(max_length=200, default="", db_default="")
    is_closed = models.BooleanField(default=False)
    looked_at = models.DateTimeField(null=True)
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    problem = models.CharField(max_length=500, default="", db_default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["item", "provider"], name="item_issue_once")]
        indexes = [models.Index(fields=["due_at"], name="item_issue_due", condition=~Q(due_at=None))]


class DebtAnswer(models.Model):
    """ "Would AI-123 have prevented this?", asked of a new incident and answered by a person (N4)."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="+")
    item = models.ForeignKey(ActionItem, on_delete=models.CASCADE, related_name="debts")
    would_have_prevented = models.BooleanField()
    days_overdue = models.IntegerField()  # when it was answered; negative: it was not due yet
    who = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["incident", "item"], name="debt_answer_once")]
