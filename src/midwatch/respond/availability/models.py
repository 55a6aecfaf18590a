"""Tables of availability."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from midwatch.catalog.models import Service


class OutageLevel(models.TextChoices):
    DEGRADED = "degraded"  # slow or with errors here and there
    PARTIAL = "partial"  # down for some
    MAJOR = "major"  # down for all


class Outage(models.Model):
    """From when until when a service was not well. Every other figure of up and down is worked out from these rows.

    `origin`: who says so, "incident/42" or "" for by hand. `is_private`: never on a page outside. Rows are changed by
    `actions` alone, each change audited with what it was before; a withdrawn one never happened.
    """

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="+", db_index=False)
    level = models.CharField(max_length=10, choices=OutageLevel)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    origin = models.CharField(max_length=100, default="", blank=True)
    note = models.CharField(max_length=1_000, default="", blank=True)
    is_private = models.BooleanField(default=False)
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["service", "starts_at"], name="outage_service_start", condition=Q(withdrawn_at=None)),
            models.Index(fields=["service"], name="outage_open", condition=Q(ends_at=None, withdrawn_at=None)),
            models.Index(fields=["origin"], name="outage_origin", condition=~Q(origin="")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gte=F("starts_at")), name="outage_ends_after_start"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.level} of {self.service_id} from {self.starts_at.isoformat()}"
