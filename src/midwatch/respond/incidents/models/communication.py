"""Tables of who is told what by when: promises, updates, stakeholders, and the places where people talk."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from midwatch.catalog.models import Service
from midwatch.people.models import Team, User
from midwatch.respond.incidents.models.command import Incident


class Audience(models.TextChoices):
    INTERNAL = "internal"  # teams and stakeholders
    EXTERNAL = "external"  # clients, the status page


class Promise(models.Model):
    """When one audience hears next. The clock starts at the last update, not at a blind interval (R6).

    `level`: how far up `cadence.ladder` it has gone: 0 nobody asked yet, 1 the CM beforehand, 2 the CM, 3 the IC, 4 level 2.
    """

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="promises")
    audience = models.CharField(max_length=8, choices=Audience)
    last_at = models.DateTimeField(null=True)  # the last update to it
    promised_at = models.DateTimeField(null=True)  # the next one; None: nothing is promised
    is_explicit = models.BooleanField(default=False)  # a person said when, rather than the severity's rhythm
    level = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(null=True)  # when the clock is looked at again
    claimed_until = models.DateTimeField(null=True)
    kept_count = models.PositiveIntegerField(default=0)
    broken_count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["incident", "audience"], name="promise_once")]
        indexes = [models.Index(fields=["due_at"], name="promise_due", condition=~Q(due_at=None))]


class UpdateState(models.TextChoices):
    DRAFT = "draft"
    WAITING = "waiting"  # for the IC's approval
    PUBLISHED = "published"
    REFUSED = "refused"


class Update(models.Model):
    """One text for several audiences. `stage`: investigating, identified, monitoring or resolved, in the outside's words.

    Published ones are never changed; a correction is another update.
    """

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="updates")
    stage = models.CharField(max_length=20)
    title = models.CharField(max_length=255, default="", db_default="")  # of the public notice
    internal_text = models.TextField(default="", blank=True)
    external_text = models.TextField(default="", blank=True)  # at most 25,000 characters, as Statuspage takes
    targets = models.JSONField(default=list)  # "room", "stakeholders", "statuspage:PAGE"
    components = models.JSONField(default=dict)  # of status pages: {"PAGE/COMPONENT": "partial_outage"}
    next_at = models.DateTimeField(null=True)  # promised in it
    state = models.CharField(max_length=10, choices=UpdateState, default=UpdateState.DRAFT)
    author = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    author_name = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    answered_by = models.CharField(max_length=200, default="", db_default="")
    answered_at = models.DateTimeField(null=True)
    why_refused = models.CharField(max_length=500, default="", db_default="")
    text_digest = models.CharField(max_length=64, default="", db_default="")  # what was approved; any change voids it
    published_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["created_at", "id"]
        indexes = [models.Index(fields=["incident", "-id"], name="incident_update")]


class Stakeholder(models.Model):
    """Somebody outside the response who asked to be told: by e-mail or a webhook, of everything, a team or a service."""

    kind = models.CharField(max_length=8, choices=[("email", "e-mail"), ("webhook", "webhook")])
    address = models.CharField(max_length=1_000)
    name = models.CharField(max_length=200, default="", db_default="")
    secret = models.CharField(max_length=500, default="", db_default="")  # signs the webhook
    audience = models.CharField(max_length=8, choices=Audience, default=Audience.INTERNAL)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, related_name="+")
    service = models.ForeignKey(Service, on_delete=models.CASCADE, null=True, related_name="+")
    severity_at_most = models.CharField(max_length=4, default="SEV4")  # SEV2: of SEV1 and SEV2 only
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    failing_since = models.DateTimeField(null=True)
    removed_at = models.DateTimeField(null=True)


class UpdateDelivery(models.Model):
    """An update on its way to one stakeholder; written with the update, sent by a leased worker."""

    update = models.ForeignKey(Update, on_delete=models.CASCADE, related_name="deliveries")
    stakeholder = models.ForeignKey(Stakeholder, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=12, default="waiting")  # waiting, handed over, failed
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)
    handed_over_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=500, default="", db_default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["update", "stakeholder"], name="update_delivery_once")]
        indexes = [models.Index(fields=["due_at"], name="update_delivery_due", condition=~Q(due_at=None))]


class ChannelState(models.TextChoices):
    WAITING = "waiting"
    READY = "ready"
    FAILED = "failed"
    ARCHIVED = "archived"


class Channel(models.Model):
    """A place where people talk about the incident, made by a provider (R2). The built-in room needs no row.

    A row is an intent: a leased worker brings the provider's room to how things stand, and failing never stops the
    incident. `external`: the provider's ids.
    """

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="channels")
    provider = models.CharField(max_length=30)
    state = models.CharField(max_length=10, choices=ChannelState, default=ChannelState.WAITING)
    title = models.CharField(max_length=200, default="", db_default="")
    url = models.CharField(max_length=1_000, default="", db_default="")
    external = models.JSONField(default=dict)
    due_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    problem = models.CharField(max_length=500, default="", db_default="")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["incident", "provider"], name="channel_once")]
        indexes = [models.Index(fields=["due_at"], name="channel_due", condition=~Q(due_at=None))]
