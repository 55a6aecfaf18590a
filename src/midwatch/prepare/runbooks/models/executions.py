"""Executions: a runbook being carried out, step by step, with what came out and who said yes.

Waiting for a person is a row, not a paused process: it survives restarts and weeks.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from midwatch.people.models import User
from midwatch.prepare.runbooks.models.documents import Revision, Runbook

STEP_NAME_MAX = 100


class ExecutionState(models.TextChoices):
    """Waiting: a person is wanted, to do or to approve. Unknown: a step may or may not have been done, and a person decides
    before it goes on."""

    RUNNING = "running"
    WAITING = "waiting"
    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


ENDED = (ExecutionState.OK, ExecutionState.FAILED, ExecutionState.CANCELLED)


class ExecutionKind(models.TextChoices):
    REAL = "real"
    DRY_RUN = "dry_run"
    DRILL = "drill"


class TriggeredBy(models.TextChoices):
    PERSON = "person"
    ALERT = "alert"
    SCHEDULE = "schedule"
    WEBHOOK = "webhook"
    API = "api"
    CHAT = "chat"
    RUNBOOK = "runbook"


class ExecutionNumber(models.Model):
    """The last number given: one row, id 1."""

    last = models.PositiveBigIntegerField(default=0)


class Execution(models.Model):
    """One carrying out of one revision. Incident, alert and service are plain values: who starts it passes them in."""

    number = models.PositiveBigIntegerField(unique=True)
    runbook = models.ForeignKey(Runbook, on_delete=models.PROTECT, related_name="executions", db_index=False)
    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="+", db_index=False)
    state = models.CharField(max_length=10, choices=ExecutionState, default=ExecutionState.RUNNING)
    kind = models.CharField(max_length=8, choices=ExecutionKind, default=ExecutionKind.REAL)
    trigger = models.CharField(max_length=8, choices=TriggeredBy, default=TriggeredBy.PERSON)
    options = models.JSONField(default=dict)  # name: value; a secret one holds {"secret": name} alone
    incident_number = models.PositiveBigIntegerField(null=True)
    alert_number = models.PositiveBigIntegerField(null=True)
    service_slug = models.CharField(max_length=63, default="", db_default="")
    started_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    who = models.CharField(max_length=200)
    via = models.CharField(max_length=20)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)  # when the machine looks at it again; None: only when something happens
    claimed_until = models.DateTimeField(null=True)
    parent = models.ForeignKey(
        "StepRun", on_delete=models.SET_NULL, null=True, related_name="children"
    )  # the step of another runbook that started it
    resumed_from = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    problem = models.CharField(max_length=500, default="", db_default="")
    start_at_step = models.CharField(max_length=STEP_NAME_MAX, default="", db_default="")
    only_targets = models.JSONField(default=list)

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], name="execution_due", condition=~Q(due_at=None)),
            models.Index(fields=["runbook", "-number"], name="execution_runbook"),
            models.Index(fields=["state", "-number"], name="execution_state"),
            models.Index(fields=["runbook"], name="execution_under_way", condition=Q(state__in=["running", "waiting"])),
            models.Index(
                fields=["incident_number", "-number"], name="execution_incident", condition=~Q(incident_number=None)
            ),
            models.Index(fields=["alert_number", "-number"], name="execution_alert", condition=~Q(alert_number=None)),
        ]

    def __str__(self) -> str:
        return f"execution {self.number}"

    @property
    def is_ended(self) -> bool:
        return self.state in ENDED


class StepKind(models.TextChoices):
    """The rungs: a step rises from the first to the last without rewriting the runbook."""

    MANUAL = "manual"
    COPY = "copy"
    APPROVE = "approve"
    RUN = "run"
    AUTO = "auto"


class StepState(models.TextChoices):
    PENDING = "pending"
    WAITING_PERSON = "waiting_person"
    WAITING_APPROVAL = "waiting_approval"
    QUEUED = "queued"
    RUNNING = "running"
    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


STEP_WAITING = (StepState.WAITING_PERSON, StepState.WAITING_APPROVAL, StepState.UNKNOWN)
STEP_ENDED = (StepState.OK, StepState.FAILED, StepState.SKIPPED, StepState.CANCELLED)


class Idempotent(models.TextChoices):
    """May it be run a second time without harm? `check`: its `verify` command says whether it was done."""

    YES = "yes"
    NO = "no"
    CHECK = "check"


class StepRun(models.Model):
    """A step of an execution. `fence` rises with each claim: an outcome is written only by who holds the last one."""

    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="steps", db_index=False)
    position = models.PositiveSmallIntegerField()
    step = models.CharField(max_length=STEP_NAME_MAX)
    title = models.CharField(max_length=200)
    kind = models.CharField(max_length=8, choices=StepKind)
    executor = models.CharField(max_length=40, default="", db_default="")
    state = models.CharField(max_length=16, choices=StepState, default=StepState.PENDING)
    attempt = models.PositiveSmallIntegerField(default=0)  # tries begun
    fence = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(null=True)  # queued: not before; waiting: the time-out
    claimed_until = models.DateTimeField(null=True)
    claimed_by = models.CharField(max_length=200, default="", db_default="")  # a node or a runner
    idempotent = models.CharField(max_length=5, choices=Idempotent, default=Idempotent.NO)
    rendered = models.JSONField(default=dict)  # as it was shown; secrets by name
    digest = models.CharField(
        max_length=64, default="", db_default=""
    )  # sha256 of `rendered`: what an approval binds to
    exit_code = models.IntegerField(null=True)
    sentence = models.CharField(max_length=1_000, default="", db_default="")
    seen = models.TextField(default="", db_default="")  # "what did you see?"
    answered_by = models.CharField(max_length=200, default="", db_default="")
    answered_by_id = models.BigIntegerField(null=True)
    answered_at = models.DateTimeField(null=True)
    skip_reason = models.CharField(max_length=500, default="", db_default="")
    is_edited = models.BooleanField(default=False)
    is_cancel_wanted = models.BooleanField(default=False)  # whoever runs it stops soon
    # What is queued or runs is its `verify`: after it "ran", after it "crashed", or because somebody "asked".
    verifying = models.CharField(max_length=8, default="", db_default="")
    coverage = models.JSONField(null=True)  # [exercised, of], of a dry run
    targets = models.JSONField(default=dict)  # {target: state}
    values = models.JSONField(default=dict)  # what it captured
    tags = models.JSONField(default=list)  # runners with all of these may take it; []: the engine
    output_bytes = models.BigIntegerField(default=0)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["execution", "position"], name="step_run_position_once"),
            models.UniqueConstraint(fields=["execution", "step"], name="step_run_step_once"),
        ]
        indexes = [
            models.Index(fields=["due_at", "id"], name="step_run_queued", condition=Q(state="queued")),
            models.Index(fields=["claimed_until"], name="step_run_running", condition=Q(state="running")),
            models.Index(
                fields=["state", "id"],
                name="step_run_waiting",
                condition=Q(state__in=["waiting_person", "waiting_approval", "unknown"]),
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.step

    @property
    def is_ended(self) -> bool:
        return self.state in STEP_ENDED


class Stream(models.TextChoices):
    """`midwatch`: what we say about it ourselves, such as that the rest was cut."""

    STDOUT = "stdout"
    STDERR = "stderr"
    MIDWATCH = "midwatch"


class LogChunk(models.Model):
    """A piece of a step's output, secrets already masked. Rows stay small; nobody holds the whole in memory."""

    step_run = models.ForeignKey(StepRun, on_delete=models.CASCADE, related_name="chunks", db_index=False)
    seq = models.PositiveIntegerField()
    attempt = models.PositiveSmallIntegerField(default=1)
    at = models.DateTimeField()
    stream = models.CharField(max_length=8, choices=Stream, default=Stream.STDOUT)
    target = models.CharField(max_length=200, default="", db_default="")
    text = models.TextField()

    class Meta:
        ordering = ["seq"]
        constraints = [models.UniqueConstraint(fields=["step_run", "seq"], name="log_chunk_once")]


class Verdict(models.TextChoices):
    APPROVED = "approved"
    REFUSED = "refused"


class Approval(models.Model):
    """Somebody said yes or no to exactly this (`digest`). Any change of it voids what was said."""

    step_run = models.ForeignKey(StepRun, on_delete=models.CASCADE, related_name="approvals")
    digest = models.CharField(max_length=64)
    verdict = models.CharField(max_length=8, choices=Verdict)
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    note = models.CharField(max_length=500, default="", db_default="")
    at = models.DateTimeField()
    voided_at = models.DateTimeField(null=True)
    void_reason = models.CharField(max_length=300, default="", db_default="")

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["step_run", "by"], condition=Q(voided_at=None), name="runbook_approval_once"
            )
        ]
