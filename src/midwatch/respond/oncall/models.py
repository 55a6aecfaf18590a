"""Tables of on-call schedules. `queries.resolvable(schedule)` turns them into the values of the pure `resolve.py`."""

from __future__ import annotations

from django.db import models

from midwatch.people.models import Managed, Team, User


class Combine(models.TextChoices):
    COVER = "cover"  # later layers win where they cover
    ALL = "all"  # everyone of every layer is on call


class Schedule(Managed):
    name = models.SlugField(max_length=63, unique=True)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    time_zone = models.CharField(max_length=63, default="UTC")
    combine = models.CharField(max_length=5, choices=Combine, default=Combine.COVER)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Unit(models.TextChoices):
    HOURS = "hours"
    DAYS = "days"
    WEEKS = "weeks"


class Layer(models.Model):
    """One rotation. `start`/`end` are wall clock in the schedule's zone, so they are kept as text without an offset."""

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="layers")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=100)
    start = models.CharField(max_length=19)  # 2026-01-05T09:00
    end = models.CharField(max_length=19, null=True)
    every = models.PositiveIntegerField()
    unit = models.CharField(max_length=5, choices=Unit)
    turn_count = models.PositiveSmallIntegerField(default=0)  # turns without a member are `nobody`
    # As in configuration: [{"days", "from", "to"}] or [{"from": "fri 18:00", "to": "mon 09:00"}].
    restrictions = models.JSONField(default=list)

    class Meta:
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["schedule", "name"], name="layer_name_once")]


class TurnMember(models.Model):
    """Somebody in a turn of a layer; a turn may have several people, or nobody."""

    layer = models.ForeignKey(Layer, on_delete=models.CASCADE, related_name="turn_members")
    turn = models.PositiveSmallIntegerField()
    position = models.PositiveSmallIntegerField(default=0)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["turn", "position", "id"]


class Override(models.Model):
    """Data, not configuration: the web edits it even on a schedule from code."""

    class Kind(models.TextChoices):
        REPLACE = "replace"  # user instead of `replaces` (None: instead of everybody)
        ADD = "add"
        REMOVE = "remove"  # `replaces` is not on call (None: nobody is)

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="overrides")
    kind = models.CharField(max_length=7, choices=Kind, default=Kind.REPLACE)
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    replaces = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=300, default="", blank=True)
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["created_at", "id"]
        indexes = [models.Index(fields=["schedule", "ends_at"], name="override_schedule_end")]
        constraints = [
            models.CheckConstraint(condition=models.Q(ends_at__gt=models.F("starts_at")), name="override_has_length")
        ]
