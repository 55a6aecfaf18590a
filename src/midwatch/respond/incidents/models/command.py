"""Tables of command: the incident, its severities and types, who holds which role, and what it is linked with."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from midwatch.catalog.models import Service
from midwatch.people.models import Managed, Team, User
from midwatch.respond.alerts.models import Alert

TITLE_MAX = 200


class Severity(models.TextChoices):
    SEV1 = "SEV1"
    SEV2 = "SEV2"
    SEV3 = "SEV3"
    SEV4 = "SEV4"


class SeverityRule(Managed):
    """What a severity means here, and what follows from it, where it differs from `queries.severities.DEFAULTS`.

    Minutes None: nothing is promised to that audience.
    """

    severity = models.CharField(max_length=4, choices=Severity, unique=True)
    meaning = models.CharField(max_length=500)
    internal_every_minutes = models.PositiveIntegerField(null=True)
    external_every_minutes = models.PositiveIntegerField(null=True)
    first_external_minutes = models.PositiveIntegerField(null=True)
    is_postmortem_demanded = models.BooleanField(default=False)
    is_approval_demanded = models.BooleanField(default=False)  # external words need the IC's approval

    class Meta:
        ordering = ["severity"]


class IncidentType(Managed):
    """A kind of incident ("security", "data"), chosen at declaration; what it adds is words and a checklist."""

    name = models.SlugField(max_length=63, unique=True)
    title = models.CharField(max_length=100)
    description = models.CharField(max_length=500, default="", blank=True)
    tasks = models.JSONField(default=list)  # [{"title", "role", "minutes"}] opened at declaration
    is_private = models.BooleanField(default=False)

    class Meta:
        ordering = ["title"]

    def __str__(self) -> str:
        return self.title


class IncidentRole(Managed):
    """A role beside IC, CM and DC, which always exist. `duties`: names of `duties.Duty` that its holder takes over."""

    name = models.SlugField(max_length=30, unique=True)
    title = models.CharField(max_length=100)
    description = models.CharField(max_length=500, default="", blank=True)
    duties = models.JSONField(default=list)
    is_single = models.BooleanField(default=True)

    class Meta:
        ordering = ["title"]

    def __str__(self) -> str:
        return self.title


class Phase(models.TextChoices):
    """In this order; each has its own moment. Mitigated: the bleeding is stopped. Resolved: the service is restored."""

    DETECTED = "detected"
    ACKNOWLEDGED = "acknowledged"
    MITIGATED = "mitigated"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Lesson(models.TextChoices):
    """What the post-mortem came to; `learn.postmortems` writes it through `actions.set_lesson`."""

    NONE = "none"
    OPEN = "open"
    PUBLISHED = "published"
    WAIVED = "waived"


class IncidentNumber(models.Model):
    """The last incident number given: one row, id 1."""

    last = models.PositiveBigIntegerField(default=0)


class Incident(models.Model):
    """People coordinating one response."""

    number = models.PositiveBigIntegerField(unique=True)
    title = models.CharField(max_length=TITLE_MAX)
    summary = models.TextField(default="", blank=True)  # Markdown: what is known now
    severity = models.CharField(max_length=4, choices=Severity)
    type = models.ForeignKey(IncidentType, on_delete=models.PROTECT, null=True, related_name="+")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    phase = models.CharField(max_length=12, choices=Phase, default=Phase.DETECTED)
    is_private = models.BooleanField(default=False)
    is_drill = models.BooleanField(default=False)
    is_backfilled = models.BooleanField(default=False)
    is_long = models.BooleanField(default=False)  # somebody decided on the slower rhythm of a long incident
    declared_at = models.DateTimeField()
    declared_by = models.CharField(max_length=200)
    started_at = models.DateTimeField()  # when the impact began, as far as it is known
    detected_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True)
    mitigated_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    clients_checked_at = models.DateTimeField(null=True)  # "checked, none affected" is an answer (seed)
    clients_checked_by = models.CharField(max_length=200, default="", db_default="")
    lesson = models.CharField(max_length=10, choices=Lesson, default=Lesson.NONE)
    lesson_by = models.CharField(max_length=200, default="", db_default="")
    lesson_why = models.CharField(max_length=500, default="", db_default="")
    merged_into = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    prompted_at = models.DateTimeField(null=True)  # when prompts.py looks at it again; None: never (closed)

    class Meta:
        indexes = [
            models.Index(fields=["-declared_at"], name="incident_declared"),
            models.Index(fields=["phase", "-number"], name="incident_phase"),
            models.Index(fields=["service", "-number"], name="incident_service"),
            models.Index(fields=["team", "-number"], name="incident_team"),
            models.Index(fields=["severity", "-number"], name="incident_severity"),
            models.Index(fields=["prompted_at"], name="incident_prompt", condition=~Q(prompted_at=None)),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(resolved_at=None) | Q(resolved_at__gte=F("started_at")), name="incident_ends_after_start"
            ),
        ]

    def __str__(self) -> str:
        return f"incident {self.number}"

    @property
    def is_open(self) -> bool:
        """Nobody has closed it; a resolved one is open until what follows from it is seen to."""
        return self.closed_at is None

    @property
    def is_active(self) -> bool:
        return self.resolved_at is None and self.closed_at is None


class ImportedIncident(models.Model):
    """Where a back-filled incident came from, so that the same archive twice is once. `key`: "github-statuses/9632825"."""

    incident = models.OneToOneField(Incident, on_delete=models.CASCADE, related_name="imported")
    key = models.CharField(max_length=200, unique=True)
    at = models.DateTimeField()


class LinkedAlert(models.Model):
    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="linked_alerts")
    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()
    who = models.CharField(max_length=200, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["incident", "alert"], name="linked_alert_once")]


class LinkKind(models.TextChoices):
    RELATED = "related"
    DUPLICATE = "duplicate"  # `other` was merged into `incident`
    FOLLOWS = "follows"  # a repeat


class LinkedIncident(models.Model):
    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="links")
    other = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, choices=LinkKind, default=LinkKind.RELATED)
    at = models.DateTimeField()
    who = models.CharField(max_length=200, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["incident", "other"], name="linked_incident_once")]


class How(models.TextChoices):
    """Why somebody holds a role. What a rule or a declaration gave is provisional: who answers takes it."""

    ACKNOWLEDGED = "acknowledged"
    ON_CALL = "on call"
    DECLARED = "declared"
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    LAST_RESORT = "last resort"


PROVISIONAL = (How.ON_CALL, How.DECLARED, How.LAST_RESORT)


class RoleHolding(models.Model):
    """Who held which role from when to when. Written once; only its end is added."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="holdings")
    role = models.CharField(max_length=30)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    how = models.CharField(max_length=12, choices=How)
    given_by = models.CharField(max_length=200, default="")
    is_single = models.BooleanField(default=False)  # of the role: one holder at a time
    assumed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["assumed_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "role"],
                condition=Q(ended_at=None, is_single=True),
                name="role_holder_once",
            ),
            models.UniqueConstraint(
                fields=["incident", "role", "user"], condition=Q(ended_at=None), name="role_held_once"
            ),
        ]
        indexes = [models.Index(fields=["user"], name="role_held_now", condition=Q(ended_at=None))]


class HandOverState(models.TextChoices):
    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


class HandOver(models.Model):
    """A role offered to somebody. The leaving one holds it until the other says yes (seed: clear hand-offs)."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="hand_overs")
    role = models.CharField(max_length=30)
    leaving = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    taking = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    brief = models.TextField()  # Markdown, generated when offered
    why = models.CharField(max_length=200, default="", db_default="")
    offered_by = models.CharField(max_length=200)
    offered_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=HandOverState, default=HandOverState.OFFERED)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["offered_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "role"], condition=Q(state="offered"), name="hand_over_open_once"
            )
        ]
        indexes = [models.Index(fields=["taking"], name="hand_over_taking", condition=Q(state="offered"))]


class DeclarationRule(Managed):
    """Alerts that declare an incident by themselves. `step` None: as soon as they open; else when that step of the
    policy went out (1 is level 1) and nobody has answered."""

    name = models.SlugField(max_length=63, unique=True)
    service = models.ForeignKey(Service, on_delete=models.CASCADE, null=True, related_name="+")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, related_name="+")
    priorities = models.JSONField(default=list)  # ["P1"]; [] means each
    step = models.PositiveSmallIntegerField(null=True)
    severity = models.CharField(max_length=4, choices=Severity, default=Severity.SEV2)
    type = models.ForeignKey(IncidentType, on_delete=models.SET_NULL, null=True, related_name="+")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()  # alerts that opened before it are left alone

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(service__isnull=False, team=None) | Q(service=None, team__isnull=False),
                name="declaration_rule_is_for_one",
            )
        ]

    def __str__(self) -> str:
        return self.name
