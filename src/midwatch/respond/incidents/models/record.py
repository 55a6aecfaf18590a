"""Tables of what is known and done: the timeline, tasks, responders, impact, clients, evidence."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, Q

from midwatch.catalog.models import Service
from midwatch.people.models import Team, User
from midwatch.respond.alerts.models import Alert
from midwatch.respond.incidents.models.command import Incident


class Entry(models.Model):
    """A line of the timeline. Written once: a mistake is mended by another entry that names the first (`amends`).

    `at`: when it was written down; `happened_at`: when it happened. `is_automatic`: Midwatch wrote it, not a person.
    """

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="timeline")
    at = models.DateTimeField()
    happened_at = models.DateTimeField()
    kind = models.CharField(max_length=40)
    who = models.CharField(max_length=200, default="")
    user_id = models.BigIntegerField(null=True)
    text = models.CharField(max_length=4_000)  # Markdown when a person wrote it
    is_automatic = models.BooleanField(default=True)
    amends = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="amendments")
    detail = models.JSONField(default=dict)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["incident", "id"], name="incident_entry"),
            models.Index(fields=["incident", "kind", "id"], name="incident_entry_kind"),
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("a timeline entry is written once; write another one that amends it")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("a timeline never forgets")


class Star(models.Model):
    """An entry that the post-mortem should start from."""

    entry = models.OneToOneField(Entry, on_delete=models.CASCADE, related_name="star")
    who = models.CharField(max_length=200)
    at = models.DateTimeField()


class Attachment(models.Model):
    """A file beside an entry. `file_id` names a stored file of core.files."""

    entry = models.ForeignKey(Entry, on_delete=models.CASCADE, related_name="attachments")
    file_id = models.BigIntegerField()
    name = models.CharField(max_length=200)


class Task(models.Model):
    """Something one named person does, in a time box, and says that they have it (R8)."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="tasks")
    title = models.CharField(max_length=300)
    role = models.CharField(max_length=30, default="dc")
    doer = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")  # None: the role's holder
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    box_seconds = models.PositiveIntegerField(null=True)
    due_at = models.DateTimeField(null=True)  # the end of the box; asked about then
    asked_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=1_000, default="", db_default="")
    is_dropped = models.BooleanField(default=False)

    class Meta:
        ordering = ["created_at", "id"]
        indexes = [
            models.Index(fields=["due_at"], name="incident_task_due", condition=Q(done_at=None) & ~Q(due_at=None)),
        ]


class Responder(models.Model):
    """Somebody paged into the incident: a team, service or person, through its policy; `alert` is that page."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="responders")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, null=True, related_name="+")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, related_name="+")
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    alert = models.ForeignKey(Alert, on_delete=models.SET_NULL, null=True, related_name="+")
    message = models.CharField(max_length=500, default="", db_default="")
    asked_by = models.CharField(max_length=200)
    asked_at = models.DateTimeField()
    answered_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    answered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["asked_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(service__isnull=False, team=None, user=None)
                | Q(service=None, team__isnull=False, user=None)
                | Q(service=None, team=None, user__isnull=False),
                name="responder_is_one",
            )
        ]


class Level(models.TextChoices):
    DEGRADED = "degraded"
    PARTIAL = "partial"
    MAJOR = "major"


class AffectedService(models.Model):
    """When and how much a service suffered. The room of availability keeps the interval; this says whose it is."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="affected_services")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+")
    level = models.CharField(max_length=8, choices=Level, default=Level.MAJOR)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=500, default="", db_default="")

    class Meta:
        ordering = ["starts_at", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at=None) | Q(ends_at__gte=F("starts_at")), name="impact_has_length")
        ]


class AffectedClient(models.Model):
    """A client, what they suffered, and how we know (R12)."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="affected_clients")
    name = models.CharField(max_length=200)
    contact = models.CharField(max_length=300, default="", db_default="")  # e-mail, for what is published to them
    impact = models.CharField(max_length=1_000)
    evidence = models.CharField(max_length=1_000, default="", db_default="")
    query = models.CharField(max_length=2_000, default="", db_default="")  # the query that found them
    checked_by = models.CharField(max_length=200)
    checked_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name", "id"]


class Evidence(models.Model):
    """What was so at a moment, kept as a file with its hash, before anybody repairs anything (N2).

    `kind`: alerts, people, changes, series, upload. `claimed_until`/`due_at`: what must be fetched from outside (series)
    is fetched by a leased job; `problem` says why it could not.
    """

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="evidence")
    kind = models.CharField(max_length=20)
    title = models.CharField(max_length=200)
    reason = models.CharField(
        max_length=200, default="", db_default=""
    )  # "declared", "before runbook step 3", "by hand"
    taken_at = models.DateTimeField()
    taken_by = models.CharField(max_length=200)
    content = models.JSONField(null=True)
    file_id = models.BigIntegerField(null=True)  # of core.files, for what is larger or binary
    sha256 = models.CharField(max_length=64, default="", db_default="")
    request = models.JSONField(null=True)  # {"url", "query", "start", "end", "step"} of what is still to be fetched
    due_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    problem = models.CharField(max_length=500, default="", db_default="")

    class Meta:
        ordering = ["taken_at", "id"]
        indexes = [models.Index(fields=["due_at"], name="evidence_due", condition=~Q(due_at=None))]
