"""Tables of the catalog."""

from __future__ import annotations

from django.db import models

from midwatch.people.models import Managed, Team


class ServiceUrgency(models.TextChoices):
    BY_PRIORITY = "by-priority"
    HIGH = "high"
    LOW = "low"


class Service(Managed):
    """Something we run and answer for."""

    name = models.SlugField(max_length=63, unique=True)
    display_name = models.CharField(max_length=200)
    description = models.TextField(default="", blank=True)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    tier = models.PositiveSmallIntegerField(default=3)
    urgency = models.CharField(max_length=12, choices=ServiceUrgency, default=ServiceUrgency.BY_PRIORITY)
    support_hours = models.JSONField(
        null=True
    )  # {"timeZone", "days": ["mon", ...], "from": "09:00", "to": "17:00", "outside": "low"}
    page_after_seconds = models.PositiveIntegerField(default=0)
    auto_resolve_after_seconds = models.PositiveIntegerField(null=True)
    links = models.JSONField(default=list)  # [{"title", "url"}]
    depends_on = models.ManyToManyField("self", symmetrical=False, related_name="dependents", blank=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.display_name or self.name


class ChangeEvent(models.Model):
    """A deployment or another change, as a pipeline reported it."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="change_events")
    at = models.DateTimeField()
    received_at = models.DateTimeField()
    summary = models.CharField(max_length=1_000)
    origin = models.CharField(max_length=255, default="")
    links = models.JSONField(default=list)
    details = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["service", "-at"], name="change_event_service")]
