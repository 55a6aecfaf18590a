"""What starts a runbook by itself, what holds it back, and why it may be trusted."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import models
from django.db.models import Q

from midwatch.catalog.models import Service
from midwatch.people.models import Team
from midwatch.prepare.runbooks.models.documents import Runbook
from midwatch.prepare.runbooks.models.executions import STEP_NAME_MAX, ExecutionKind

REASON_MAX = 500
TARGET_MAX = 200


class TriggerKind(models.TextChoices):
    ALERT = "alert"
    SCHEDULE = "schedule"
    WEBHOOK = "webhook"


class Trigger(models.Model):
    """Starts a runbook without a person.

    Of an alert: of one service, with these labels, words in its title and priorities; `hold_page_seconds` 0 runs it beside
    the page. Labels are compared and titles searched, never matched by a pattern: this is asked while an alert opens.
    Of a schedule: `every_seconds` or `cron`. Of a webhook: whoever has the token.
    """

    name = models.SlugField(max_length=63, unique=True)
    runbook = models.ForeignKey(Runbook, on_delete=models.CASCADE, related_name="triggers")
    kind = models.CharField(max_length=8, choices=TriggerKind)
    run_as = models.CharField(max_length=8, choices=ExecutionKind, default=ExecutionKind.REAL)
    is_active = models.BooleanField(default=True)
    options = models.JSONField(default=dict)
    # alert
    service = models.ForeignKey(Service, on_delete=models.CASCADE, null=True, related_name="+")
    labels = models.JSONField(default=dict)
    title_has = models.CharField(max_length=200, default="", blank=True)
    priorities = models.JSONField(default=list)  # [] any
    hold_page_seconds = models.PositiveIntegerField(default=0)
    # schedule
    every_seconds = models.PositiveIntegerField(null=True)
    cron = models.CharField(max_length=100, default="", blank=True)
    time_zone = models.CharField(max_length=63, default="UTC")
    due_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)
    missed = models.PositiveIntegerField(default=0)  # moments that passed while nothing could start it
    # webhook
    token_digest = models.CharField(max_length=64, default="", blank=True)
    # all
    last_at = models.DateTimeField(null=True)
    last_execution = models.PositiveBigIntegerField(null=True)
    problem = models.CharField(max_length=REASON_MAX, default="", blank=True)
    who = models.CharField(max_length=200)
    user_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        indexes = [
            models.Index(fields=["due_at"], name="runbook_trigger_due", condition=~Q(due_at=None)),
            models.Index(
                fields=["service", "name"], name="runbook_trigger_alert", condition=Q(kind="alert", is_active=True)
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["token_digest"], condition=~Q(token_digest=""), name="runbook_trigger_token_once"
            )
        ]

    def __str__(self) -> str:
        return self.name

    def answers(self, priority: str, title: str, labels: Mapping[str, str]) -> bool:
        """Whether an alert of its service is meant."""
        return (
            (not self.priorities or priority in self.priorities)
            and self.title_has.lower() in title.lower()
            and all(labels.get(name) == value for name, value in self.labels.items())
        )


class Freeze(models.Model):
    """Nothing starts by itself in this window: of one team, one service, or everywhere. An IC may override it."""

    title = models.CharField(max_length=200)
    reason = models.CharField(max_length=REASON_MAX)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, related_name="+")
    service = models.ForeignKey(Service, on_delete=models.CASCADE, null=True, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    who = models.CharField(max_length=200)
    user_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["starts_at", "id"]
        indexes = [models.Index(fields=["ends_at"], name="runbook_freeze_end")]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=models.F("starts_at")), name="runbook_freeze_has_length")
        ]

    def __str__(self) -> str:
        return self.title


class FreezeOverride(models.Model):
    """The IC of one incident lets runbooks run for it in spite of the freeze: who, and why."""

    freeze = models.ForeignKey(Freeze, on_delete=models.CASCADE, related_name="overrides")
    incident_number = models.PositiveBigIntegerField()
    reason = models.CharField(max_length=REASON_MAX)
    who = models.CharField(max_length=200)
    user_id = models.BigIntegerField(null=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["freeze", "incident_number"], name="runbook_freeze_override_once")
        ]


class Brake(models.Model):
    """ "Stop everything": while one is on, nothing starts by itself and nothing that is queued begins."""

    is_on = models.BooleanField(default=True)
    reason = models.CharField(max_length=REASON_MAX)
    cancels_running = models.BooleanField(default=False)
    who = models.CharField(max_length=200)
    user_id = models.BigIntegerField(null=True)
    at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)
    released_by = models.CharField(max_length=200, default="", blank=True)
    release_reason = models.CharField(max_length=REASON_MAX, default="", blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["is_on"], condition=Q(is_on=True), name="runbook_brake_one_is_on")
        ]


class Permit(models.Model):
    """`auto` steps of this runbook may run by themselves; without one they wait for somebody to press."""

    runbook = models.OneToOneField(Runbook, on_delete=models.CASCADE, related_name="+")
    reason = models.CharField(max_length=REASON_MAX)
    who = models.CharField(max_length=200)
    user_id = models.BigIntegerField(null=True)
    at = models.DateTimeField()


class Direction(models.TextChoices):
    PROMOTE = "promote"
    DEMOTE = "demote"


class DecisionState(models.TextChoices):
    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    SUPERSEDED = "superseded"  # what it rested on is not so any more


class Promotion(models.Model):
    """A step should rise or fall a rung: proposed with its evidence, decided by a person. Never silent, never deleted."""

    runbook = models.ForeignKey(Runbook, on_delete=models.CASCADE, related_name="promotions")
    step = models.CharField(max_length=STEP_NAME_MAX)
    direction = models.CharField(max_length=7, choices=Direction)
    from_kind = models.CharField(max_length=8)
    to_kind = models.CharField(max_length=8)
    state = models.CharField(max_length=10, choices=DecisionState, default=DecisionState.PROPOSED)
    why = models.CharField(max_length=REASON_MAX)
    evidence = models.JSONField(default=dict)
    last_execution = models.PositiveBigIntegerField(default=0)  # what came later is new evidence
    proposed_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    who = models.CharField(max_length=200, default="", blank=True)
    user_id = models.BigIntegerField(null=True)
    reason = models.CharField(max_length=REASON_MAX, default="", blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["runbook", "step"], condition=Q(state="proposed"), name="runbook_promotion_one_open"
            )
        ]


class ProbeKind(models.TextChoices):
    URL = "url"
    HOST = "host"
    PROGRAM = "program"
    PERSON = "person"
    SERVICE = "service"
    SECRET = "secret"  # noqa: S105 - a word


class ProbeState(models.TextChoices):
    UNKNOWN = "unknown"  # not asked yet, or it could not be asked
    OK = "ok"
    BROKEN = "broken"


class Round(models.Model):
    """When what a runbook refers to is looked at again: once a night."""

    runbook = models.OneToOneField(Runbook, on_delete=models.CASCADE, related_name="round")
    due_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)
    began_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="runbook_round_due", condition=~Q(due_at=None))]


class Probe(models.Model):
    """One thing a runbook refers to, and whether it is still there. Asked once a night, an errand each."""

    runbook = models.ForeignKey(Runbook, on_delete=models.CASCADE, related_name="probes")
    kind = models.CharField(max_length=8, choices=ProbeKind)
    subject = models.CharField(max_length=500)
    state = models.CharField(max_length=8, choices=ProbeState, default=ProbeState.UNKNOWN)
    sentence = models.CharField(max_length=REASON_MAX, default="", blank=True)
    since = models.DateTimeField(null=True)  # it has been in this state
    checked_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    problem = models.CharField(max_length=REASON_MAX, default="", blank=True)

    class Meta:
        ordering = ["kind", "subject"]
        constraints = [models.UniqueConstraint(fields=["runbook", "kind", "subject"], name="runbook_probe_once")]
        indexes = [models.Index(fields=["due_at"], name="runbook_probe_due", condition=~Q(due_at=None))]


class Drill(models.Model):
    """A drill or a dry run as it was scored when it ended. `scores`: what is looked at, in words and figures."""

    execution_number = models.PositiveBigIntegerField(unique=True)
    runbook = models.ForeignKey(Runbook, on_delete=models.CASCADE, related_name="drills")
    kind = models.CharField(max_length=8, choices=ExecutionKind)
    score = models.PositiveSmallIntegerField()  # 0 to 100
    sentence = models.CharField(max_length=REASON_MAX)
    steps = models.JSONField(default=list)  # [{"step", "state", "seconds", "expected", "coverage"?, "deviation"?}]
    exercised = models.PositiveIntegerField(default=0)
    of = models.PositiveIntegerField(default=0)
    deviations = models.PositiveIntegerField(default=0)
    ended_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["runbook", "-ended_at"], name="runbook_drill_runbook")]


class TargetUse(models.Model):
    """A step touched a target: what rate limits count. Forgotten after a day."""

    target = models.CharField(max_length=TARGET_MAX)
    at = models.DateTimeField()
    execution_number = models.PositiveBigIntegerField()

    class Meta:
        indexes = [
            models.Index(fields=["target", "-at"], name="runbook_target_use"),
            models.Index(fields=["at"], name="runbook_target_use_at"),
        ]
