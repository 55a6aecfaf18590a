"""Tables of sources and alerts."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q

from midwatch.catalog.models import Service
from midwatch.core.integration import DESCRIPTION_MAX, KEY_MAX, TITLE_MAX
from midwatch.core.quick import Quick
from midwatch.people.models import Managed, Team, Urgency, User


class Source(Managed):
    """Something that sends events: one type, one key, one default service. The lane reads this table by `key`."""

    name = models.SlugField(max_length=63, unique=True)
    type = models.CharField(max_length=30)
    key = models.CharField(max_length=64, unique=True)
    previous_key = models.CharField(max_length=64, null=True, unique=True)  # still accepted while senders are moved
    key_reference = models.JSONField(null=True)
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+")
    service_label = models.CharField(max_length=200, default="", blank=True)
    priority_label = models.CharField(max_length=200, default="", blank=True)
    priorities = models.JSONField(default=dict)  # the source's own words: {"page": "P1"}
    group_by = models.JSONField(default=list)  # whose pages join; [] means the vendor's own group key, or none
    resolve_after_seconds = models.PositiveIntegerField(null=True)
    expect_every_seconds = models.PositiveIntegerField(null=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    last_event_at = models.DateTimeField(null=True)
    expected_at = models.DateTimeField(null=True)  # when silence becomes an alert

    class Meta:
        indexes = [
            models.Index(fields=["expected_at"], name="source_expected", condition=~Q(expected_at=None)),
        ]

    def __str__(self) -> str:
        return self.name


class AlertStatus(models.TextChoices):
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


OPEN = (AlertStatus.FIRING, AlertStatus.ACKNOWLEDGED)


class NumberCounter(models.Model):
    """The last alert number given: one row, id 1."""

    last = models.PositiveBigIntegerField(default=0)


class Alert(Quick):
    """A deduplicated condition. While it is open, further events of its (source, key) only count."""

    number = models.PositiveBigIntegerField(null=True, unique=True)  # None: a test, which takes no number
    is_test = models.BooleanField(default=False)
    # No index of their own for what another index begins with: each costs every alert that opens.
    source = models.ForeignKey(Source, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    dedup_key = models.CharField(max_length=KEY_MAX)
    service = models.ForeignKey(Service, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)  # who owns it
    title = models.CharField(max_length=TITLE_MAX)
    description = models.TextField(max_length=DESCRIPTION_MAX, default="", blank=True)
    priority = models.CharField(max_length=2, default="P3")
    urgency = models.CharField(max_length=4, choices=Urgency, default=Urgency.LOW)
    status = models.CharField(max_length=12, choices=AlertStatus, default=AlertStatus.FIRING)
    labels = models.JSONField(default=dict)
    links = models.JSONField(default=list)  # [{"href", "text"}]
    group_key = models.CharField(max_length=KEY_MAX, default="", blank=True)
    count = models.PositiveIntegerField(default=1)
    starts_at = models.DateTimeField(null=True)  # as the source says
    created_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    is_acknowledged_by_machine = models.BooleanField(default=False)
    snoozed_until = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    is_resolved_by_source = models.BooleanField(default=False)
    is_still_firing = models.BooleanField(default=False)  # a person resolved it, the source disagrees
    previous = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, related_name="+"
    )  # the same condition, earlier
    expires_at = models.DateTimeField(null=True)  # a silent source's alert resolves then

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["source", "dedup_key"],
                condition=~Q(status="resolved"),
                name="alert_open_once",
            )
        ]
        indexes = [
            models.Index(fields=["source", "dedup_key", "-id"], name="alert_key"),
            models.Index(fields=["status", "-number"], name="alert_status"),
            models.Index(fields=["service", "-number", "priority", "team"], name="alert_service_list"),
            models.Index(fields=["team", "-number", "priority"], name="alert_team_list"),
            models.Index(fields=["team", "status", "-number"], name="alert_team_status"),
            models.Index(fields=["acknowledged_by", "-number"], name="alert_owner"),
            models.Index(fields=["acknowledged_by", "status", "-number"], name="alert_owner_status"),
            models.Index(fields=["service", "status", "-number"], name="alert_service_status"),
            models.Index(fields=["priority", "-number"], name="alert_priority"),
            models.Index(fields=["created_at"], name="alert_test", condition=Q(is_test=True)),
            models.Index(fields=["resolved_at"], name="alert_resolved", condition=~Q(resolved_at=None)),
            models.Index(
                fields=["expires_at"], name="alert_expires", condition=~Q(status="resolved") & ~Q(expires_at=None)
            ),
            models.Index(
                fields=["source", "group_key"], name="alert_group", condition=~Q(status="resolved") & ~Q(group_key="")
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.number}" if self.number else "TEST"

    @property
    def is_open(self) -> bool:
        return self.status != AlertStatus.RESOLVED


class TimelineEntry(Quick):
    """What happened to an alert: who, what, when. Written once; nothing in Midwatch changes or deletes one."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="timeline")
    at = models.DateTimeField()
    kind = models.CharField(max_length=40)
    who = models.CharField(max_length=200, default="")
    user_id = models.BigIntegerField(null=True)
    text = models.CharField(max_length=2_000)
    detail = models.JSONField(default=dict)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["alert", "id"], name="timeline_alert")]

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("a timeline entry is written once; write another one")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("a timeline never forgets")


class Maintenance(models.Model):
    """Planned or started now: alerts of the service are kept, nobody is paged; what still fires at its end pages."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=300, default="", blank=True)
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["service", "ends_at"], name="maintenance_service_end")]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gte=models.F("starts_at")), name="maintenance_has_length")
        ]


class SourceProblem(models.Model):
    """Something a source sent that could not become an alert, wholly or in part. Shown on the source's page."""

    class Kind(models.TextChoices):
        REFUSED_AT_THE_DOOR = "refused"  # a 4xx answer
        NOT_UNDERSTOOD = "parser"  # accepted and kept; the vendor's parser refused it, or an item of it
        QUARANTINED = "quarantined"  # accepted and kept; turning it into an alert failed
        TRUNCATED = "truncated"  # the sender left alerts out

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="problems")
    at = models.DateTimeField()
    kind = models.CharField(max_length=12, choices=Kind)
    reason = models.CharField(max_length=1_000)
    event_token = models.CharField(max_length=64, default="")  # the raw event in the log

    class Meta:
        indexes = [
            models.Index(fields=["source", "-id"], name="source_problem_source"),
            models.Index(fields=["at", "source"], name="source_problem_at"),
        ]
