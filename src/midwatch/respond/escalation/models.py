"""Tables of escalation policies, and of the escalations that run by them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from midwatch.catalog.models import Service
from midwatch.core.integration import KEY_MAX
from midwatch.core.quick import Quick
from midwatch.people.models import Managed, Team, User
from midwatch.respond.alerts.models import Alert
from midwatch.respond.oncall.models import Schedule


class EscalationPolicy(Managed):
    """Steps, and how often all of them are repeated.

    `ack_timeout_seconds` None: 30 min for high urgency, none for low; 0: never.
    """

    name = models.SlugField(max_length=63, unique=True)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    repeat = models.PositiveSmallIntegerField(default=0)
    repeat_after_seconds = models.PositiveIntegerField(default=600)
    ack_timeout_seconds = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Condition(models.TextChoices):
    UNACKNOWLEDGED = "unacknowledged"
    UNRESOLVED = "unresolved"


class PolicyStep(Quick):
    policy = models.ForeignKey(EscalationPolicy, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=100)
    after_seconds = models.PositiveIntegerField(default=0)  # from the start of the round
    condition = models.CharField(max_length=14, choices=Condition, default=Condition.UNACKNOWLEDGED)
    # A name and no reference: a runbook that is gone is told on the alert, and holds no page.
    runbook = models.CharField(max_length=63, default="", db_default="", blank=True)
    hold_page_seconds = models.PositiveIntegerField(default=0, db_default=0)  # of the first step alone

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["policy", "position"], name="policy_step_position_once")]


class Notify(models.TextChoices):
    CURRENT = "current"  # of a schedule: on call now
    NEXT = "next"
    PREVIOUS = "previous"
    ALL = "all"  # of a team: everybody who is paged
    MANAGERS = "managers"


class StepTarget(Quick):
    """Whom a step pages: exactly one of schedule, team, user."""

    step = models.ForeignKey(PolicyStep, on_delete=models.CASCADE, related_name="targets")
    position = models.PositiveSmallIntegerField(default=0)
    schedule = models.ForeignKey(Schedule, on_delete=models.PROTECT, null=True, related_name="+")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, related_name="+")
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    notify = models.CharField(max_length=8, choices=Notify, default=Notify.CURRENT)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(schedule__isnull=False, team=None, user=None)
                | Q(schedule=None, team__isnull=False, user=None)
                | Q(schedule=None, team=None, user__isnull=False),
                name="step_target_is_one",
            )
        ]


class ServicePolicy(Quick):
    """The policy of a service. The catalog does not know policies; this row joins them."""

    service = models.OneToOneField(Service, on_delete=models.CASCADE, related_name="+")
    policy = models.ForeignKey(EscalationPolicy, on_delete=models.PROTECT, related_name="+")


class TeamPolicy(Quick):
    """What "page this team" uses."""

    team = models.OneToOneField(Team, on_delete=models.CASCADE, related_name="+")
    policy = models.ForeignKey(EscalationPolicy, on_delete=models.PROTECT, related_name="+")


class Organisation(models.Model):
    """One row, id 1: the schedule that is paged when a round reached nobody."""

    duty_schedule = models.ForeignKey(Schedule, on_delete=models.SET_NULL, null=True, related_name="+")


class EscalationState(models.TextChoices):
    PAGING = "paging"  # steps go out
    JOINED = "joined"  # pages with `leader`; its own start when the leader ends
    HELD = "held"  # maintenance: starts at its end
    ACKNOWLEDGED = "acknowledged"  # waits for the time-out of the acknowledgement
    SNOOZED = "snoozed"
    EXHAUSTED = "exhausted"  # every round ran; people's own rules still repeat
    ENDED = "ended"


class Escalation(Quick):
    """How an open alert is being escalated. One an alert; ends with it."""

    alert = models.OneToOneField(Alert, on_delete=models.CASCADE, related_name="+")
    policy = models.ForeignKey(EscalationPolicy, on_delete=models.SET_NULL, null=True, related_name="+")
    direct_user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")  # paged by hand
    direct_schedule = models.ForeignKey(Schedule, on_delete=models.SET_NULL, null=True, related_name="+")
    leader = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="joined")
    joined_count = models.PositiveIntegerField(default=0)
    joined_told_count = models.PositiveIntegerField(default=0)  # how many the last "+N more" counted
    state = models.CharField(max_length=12, choices=EscalationState, default=EscalationState.PAGING)
    why = models.CharField(max_length=300, default="", blank=True)  # why nobody is being paged, when nobody is
    round = models.PositiveIntegerField(default=1)
    round_started_at = models.DateTimeField()
    rounds_limit = models.PositiveIntegerField(default=1)  # raised by un-acknowledge, time-out, end of a snooze
    next_step = models.PositiveSmallIntegerField(default=0)
    pulled_seconds = models.PositiveIntegerField(default=0)  # by how much skipped steps brought the later ones forward
    sent_at = models.DateTimeField(null=True)  # when the last step went out in this round
    next_by = models.DateTimeField(null=True)  # the next step goes out by then: somebody added by hand had their time
    has_reached = models.BooleanField(default=False)  # somebody, in this round
    last_resort = models.PositiveIntegerField(default=0)  # how many last-resort calls went out in this round
    last_resort_at = models.DateTimeField(null=True)
    asked_at = models.DateTimeField(null=True)  # "still on it?"
    fix_until = models.DateTimeField(null=True)  # the first page waits until then at most: a runbook may fix it before
    due_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], name="escalation_due", condition=~Q(due_at=None)),
            models.Index(fields=["policy", "state"], name="escalation_policy_state"),
            models.Index(fields=["leader"], name="escalation_leader", condition=~Q(leader=None)),
        ]


class TeamChannel(models.Model):
    """Where a team reads along: each of its alerts is one message there, and who begins a shift.

    `last_number`: the newest alert that was looked at. `problem`: what the provider said last, "" while all is well.
    """

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+")
    provider = models.CharField(max_length=30)
    place = models.CharField(max_length=100)
    shows_shifts = models.BooleanField(default=True)
    last_number = models.PositiveBigIntegerField(default=0)
    problem = models.CharField(max_length=500, default="", db_default="")
    failing_since = models.DateTimeField(null=True)
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "provider"], name="team_channel_once")]


class TeamPost(models.Model):
    """A message in a team's channel: a wish that a leased worker fulfils, and edits when there is more to say.

    `is_joined`: its alert is paged with another one, whose message counts it. `count`: of a storm's, the alerts in it.
    """

    channel = models.ForeignKey(TeamChannel, on_delete=models.CASCADE, related_name="posts")
    key = models.CharField(max_length=100)  # "alert/7", "storm/7", "shift/3/20260302T080000"
    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, null=True, related_name="+")
    text = models.CharField(max_length=500, default="", db_default="")  # of a shift's
    count = models.PositiveIntegerField(default=0)
    is_joined = models.BooleanField(default=False)
    is_open = models.BooleanField(default=True)  # more may happen to it
    shown_entry = models.PositiveBigIntegerField(default=0)  # the last line of the alert's timeline that it shows
    shown_status = models.CharField(max_length=12, default="", db_default="")
    external = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    problem = models.CharField(max_length=500, default="", db_default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "key"], name="team_post_once")]
        indexes = [
            models.Index(fields=["due_at"], name="team_post_due", condition=~Q(due_at=None)),
            models.Index(fields=["channel"], name="team_post_open", condition=Q(is_open=True)),
            models.Index(fields=["channel", "created_at"], name="team_post_new"),
        ]


class RemedyState(models.TextChoices):
    WANTED = "wanted"
    RUNNING = "running"
    FIXED = "fixed"  # its execution verified so
    ENDED = "ended"  # without a verified fix
    REFUSED = "refused"  # it was not started; `sentence` says why


class Remedy(models.Model):
    """A runbook that an alert started by itself. It may hold the first page back for a moment; it never decides about one."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="+", db_index=False)
    source_id = models.BigIntegerField(null=True)  # with the key: what is fixed again and again is counted
    dedup_key = models.CharField(max_length=KEY_MAX)
    runbook = models.CharField(max_length=63)
    options = models.JSONField(default=dict)
    origin = models.CharField(max_length=200)  # "trigger restart-checkout", "level 1"
    hold_seconds = models.PositiveIntegerField(default=0)
    is_page_anyway = models.BooleanField(default=False)  # fixed twice in a day: whatever comes of it, somebody looks
    state = models.CharField(max_length=8, choices=RemedyState, default=RemedyState.WANTED)
    sentence = models.CharField(max_length=500, default="", blank=True)
    execution_number = models.PositiveBigIntegerField(null=True)
    wanted_at = models.DateTimeField()
    fixed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["alert", "runbook"], name="remedy_once")]
        indexes = [
            models.Index(
                fields=["source_id", "dedup_key", "fixed_at"], name="remedy_fixed", condition=~Q(fixed_at=None)
            ),
            models.Index(fields=["execution_number"], name="remedy_execution", condition=~Q(execution_number=None)),
        ]

    def __str__(self) -> str:
        return f"{self.runbook} for {self.alert}"
