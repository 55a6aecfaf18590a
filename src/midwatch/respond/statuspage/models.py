"""Tables of status pages. `wire_id` is what is seen outside: twelve letters and digits, as Statuspage's clients expect."""

from __future__ import annotations

import secrets
import string

from django.db import models
from django.db.models import F, Q

from midwatch.catalog.models import Service
from midwatch.people.models import Managed, Team

_LETTERS = string.ascii_lowercase + string.digits
WIRE_ID_LENGTH = 12


def new_wire_id() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(WIRE_ID_LENGTH))


class Access(models.TextChoices):
    PUBLIC = "public"
    MEMBERS = "members"  # who can log in here
    TOKEN = "token"  # noqa: S105 - who has the link


class ComponentStatus(models.TextChoices):
    OPERATIONAL = "operational"
    MAINTENANCE = "under_maintenance"
    DEGRADED = "degraded_performance"
    PARTIAL = "partial_outage"
    MAJOR = "major_outage"


class NoticeKind(models.TextChoices):
    INCIDENT = "incident"
    MAINTENANCE = "maintenance"


class NoticeStatus(models.TextChoices):
    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"
    POSTMORTEM = "postmortem"
    SCHEDULED = "scheduled"
    IN_PROGRESS = "in_progress"
    VERIFYING = "verifying"
    COMPLETED = "completed"


OVER = (NoticeStatus.RESOLVED, NoticeStatus.POSTMORTEM, NoticeStatus.COMPLETED)


class Page(Managed):
    """What one audience is told. `version` goes up with everything that can be seen: what was rendered is kept by it."""

    name = models.SlugField(max_length=63, unique=True)
    wire_id = models.CharField(max_length=12, unique=True, default=new_wire_id)
    title = models.CharField(max_length=200)
    description = models.TextField(default="", blank=True)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    access = models.CharField(max_length=10, choices=Access, default=Access.PUBLIC)
    access_digest = models.CharField(
        max_length=64, default="", blank=True
    )  # of the token in the link, when there is one
    url = models.CharField(max_length=500, default="", blank=True)  # where visitors find it; "" for our own address
    support_url = models.CharField(max_length=500, default="", blank=True)
    time_zone = models.CharField(max_length=63, default="UTC")
    takes_subscribers = models.BooleanField(default=True)
    is_hidden_from_search = models.BooleanField(default=False)
    outward = models.CharField(
        max_length=100, default="", db_default="", blank=True
    )  # "statuspage:PAGE_ID": said there too
    version = models.PositiveBigIntegerField(default=1)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.title or self.name


class Component(models.Model):
    """Something visitors know by name, or a group of them (`is_group`). One that stands for a service shows its uptime."""

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="components", db_index=False)
    wire_id = models.CharField(max_length=12, unique=True, default=new_wire_id)
    name = models.CharField(max_length=200)
    description = models.TextField(default="", blank=True)
    parent = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="children")
    is_group = models.BooleanField(default=False)
    position = models.PositiveIntegerField(default=0)
    service = models.ForeignKey(Service, on_delete=models.SET_NULL, null=True, related_name="+")
    status = models.CharField(max_length=20, choices=ComponentStatus, default=ComponentStatus.OPERATIONAL)
    is_automatic = models.BooleanField(default=False)  # shows the service's open outages without anybody's doing
    is_showcased = models.BooleanField(default=True)  # with its bars
    is_shown_only_when_degraded = models.BooleanField(default=False)
    started_on = models.DateField()  # nothing is known before
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["page", "position", "id"], name="status_component_order")]
        constraints = [
            models.CheckConstraint(condition=Q(is_group=False) | Q(parent=None), name="status_groups_do_not_nest")
        ]

    def __str__(self) -> str:
        return self.name


class ComponentChange(models.Model):
    """A component's status changed. Of one without a service, its uptime is worked out from these."""

    component = models.ForeignKey(Component, on_delete=models.CASCADE, related_name="changes", db_index=False)
    at = models.DateTimeField()
    old_status = models.CharField(max_length=20)
    new_status = models.CharField(max_length=20)

    class Meta:
        indexes = [models.Index(fields=["component", "at"], name="status_change_component")]


class Notice(models.Model):
    """What is said in public about one incident or one maintenance.

    `incident_number`: ours, when it belongs to one; nothing else of it is public. `due_at`: when the engine moves a
    maintenance on, or reminds of it.
    """

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="notices", db_index=False)
    wire_id = models.CharField(max_length=12, unique=True, default=new_wire_id)
    kind = models.CharField(max_length=12, choices=NoticeKind)
    name = models.CharField(max_length=255)
    status = models.CharField(max_length=15, choices=NoticeStatus)
    impact = models.CharField(max_length=12, default="none")
    impact_override = models.CharField(max_length=12, null=True)
    incident_number = models.PositiveBigIntegerField(null=True)
    components: models.ManyToManyField[Component, models.Model] = models.ManyToManyField(
        Component, related_name="notices"
    )
    is_backfilled = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    started_at = models.DateTimeField()
    monitoring_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)
    # of a maintenance
    scheduled_for = models.DateTimeField(null=True)
    scheduled_until = models.DateTimeField(null=True)
    reminds_before = models.BooleanField(default=False)
    reminded_at = models.DateTimeField(null=True)
    starts_by_itself = models.BooleanField(default=True)
    ends_by_itself = models.BooleanField(default=True)
    sets_maintenance = models.BooleanField(default=True)  # its components, when it starts
    sets_operational = models.BooleanField(default=True)  # and when it ends
    tells_at_start = models.BooleanField(default=True)
    tells_at_end = models.BooleanField(default=True)
    due_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)
    # kept for clients of the wire
    metadata = models.JSONField(default=dict)
    reminder_intervals = models.CharField(max_length=200, null=True)
    # what was learned
    postmortem_draft = models.TextField(null=True)
    postmortem_draft_at = models.DateTimeField(null=True)
    postmortem_body = models.TextField(null=True)
    postmortem_body_at = models.DateTimeField(null=True)
    postmortem_published_at = models.DateTimeField(null=True)
    postmortem_is_told = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(fields=["page", "-started_at"], name="status_notice_page"),
            models.Index(fields=["page"], name="status_notice_open", condition=~Q(status__in=OVER)),
            models.Index(fields=["incident_number"], name="status_notice_incident", condition=~Q(incident_number=None)),
            models.Index(fields=["due_at"], name="status_notice_due", condition=~Q(due_at=None)),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(scheduled_until=None) | Q(scheduled_until__gt=F("scheduled_for")),
                name="status_maintenance_has_length",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_over(self) -> bool:
        return self.status in OVER

    @property
    def is_maintenance(self) -> bool:
        return self.kind == NoticeKind.MAINTENANCE

    @property
    def is_planned(self) -> bool:
        return self.status == NoticeStatus.SCHEDULED


class NoticeUpdate(models.Model):
    """One message of a notice. `affected`: [{code, name, old_status, new_status}] as it was then, or null."""

    notice = models.ForeignKey(Notice, on_delete=models.CASCADE, related_name="updates", db_index=False)
    wire_id = models.CharField(max_length=12, unique=True, default=new_wire_id)
    status = models.CharField(max_length=15, choices=NoticeStatus)
    body = models.TextField(default="", blank=True)
    affected = models.JSONField(null=True)
    is_delivered = models.BooleanField(default=True)  # to subscribers
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    display_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["notice", "-display_at", "-id"], name="status_update_notice")]


class OutwardNotice(models.Model):
    """A notice on its way to a page elsewhere: an errand, done up to `last_update_id`."""

    notice = models.OneToOneField(Notice, on_delete=models.CASCADE, related_name="outward_notice")
    target = models.CharField(max_length=100)
    external_id = models.CharField(max_length=100, default="", blank=True)
    last_update_id = models.BigIntegerField(null=True)
    due_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    problem = models.CharField(max_length=500, default="", blank=True)

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="status_outward_due", condition=~Q(due_at=None))]


class SubscriberKind(models.TextChoices):
    EMAIL = "email"
    WEBHOOK = "webhook"


class SubscriberState(models.TextChoices):
    UNCONFIRMED = "unconfirmed"
    ACTIVE = "active"
    QUARANTINED = "quarantined"  # kept failing: nothing is sent until it is reactivated
    UNSUBSCRIBED = "unsubscribed"


class Subscriber(models.Model):
    """Who wants to be told. Without components: about all of the page."""

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="subscribers", db_index=False)
    wire_id = models.CharField(max_length=12, unique=True, default=new_wire_id)
    kind = models.CharField(max_length=10, choices=SubscriberKind)
    address = models.CharField(max_length=2_000)
    state = models.CharField(max_length=12, choices=SubscriberState, default=SubscriberState.UNCONFIRMED)
    components: models.ManyToManyField[Component, models.Model] = models.ManyToManyField(Component, related_name="+")
    failures = models.PositiveSmallIntegerField(default=0)  # in a row
    problem = models.CharField(max_length=300, default="", blank=True)
    created_at = models.DateTimeField()
    asked_at = models.DateTimeField(null=True)  # when a confirmation was last asked for
    confirmed_at = models.DateTimeField(null=True)
    quarantined_at = models.DateTimeField(null=True)
    purge_at = models.DateTimeField(null=True)  # when it is forgotten, if it stays as it is

    class Meta:
        indexes = [
            models.Index(fields=["page", "state", "id"], name="status_subscriber_state"),
            models.Index(fields=["purge_at"], name="status_subscriber_purge", condition=~Q(purge_at=None)),
        ]
        constraints = [models.UniqueConstraint(fields=["page", "kind", "address"], name="status_subscriber_once")]


class MessageState(models.TextChoices):
    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


class SubscriberMessage(models.Model):
    """One message to one subscriber: a row first, sent by a leased worker outside any transaction, the outcome after."""

    subscriber = models.ForeignKey(Subscriber, on_delete=models.CASCADE, related_name="messages", db_index=False)
    idempotency_key = models.CharField(max_length=120, unique=True)
    kind = models.CharField(max_length=20)  # confirm, update, reminder, postmortem, component
    update = models.ForeignKey(NoticeUpdate, on_delete=models.CASCADE, null=True, related_name="+", db_index=False)
    notice = models.ForeignKey(Notice, on_delete=models.CASCADE, null=True, related_name="+", db_index=False)
    change = models.ForeignKey(ComponentChange, on_delete=models.CASCADE, null=True, related_name="+", db_index=False)
    state = models.CharField(max_length=10, choices=MessageState, default=MessageState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True)
    problem = models.CharField(max_length=300, default="", blank=True)
    created_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["due_at", "id"], name="status_message_due", condition=Q(state="waiting")),
            models.Index(fields=["subscriber", "-id"], name="status_message_subscriber"),
            models.Index(fields=["update"], name="status_message_update", condition=~Q(update=None)),
            models.Index(fields=["done_at"], name="status_message_done", condition=~Q(done_at=None)),
        ]
