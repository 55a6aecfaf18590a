"""Tables of notification: a page is one person being called for one alert; a delivery is one message by one method."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from midwatch.core.quick import Quick
from midwatch.people.models import ContactMethod, Urgency, User
from midwatch.respond.alerts.models import Alert


class PageState(models.TextChoices):
    RUNNING = "running"
    ANSWERED = "answered"  # somebody acknowledged or resolved
    DECLINED = "declined"  # this person passed it on
    SUPERSEDED = "superseded"  # a later step or round calls the same person
    STOPPED = "stopped"  # snoozed, reassigned, in maintenance
    USED_UP = "used up"  # low urgency: every rule ran


class Page(Quick):
    """One person being called for one alert: their notification rules run from `started_at` until answered.

    `origin` is "<escalation>/<round>/<step>" and with the person makes the page unique: the same decision taken twice
    calls once. `cycle` counts how often the high rules started again.
    """

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    origin = models.CharField(max_length=80)
    step_name = models.CharField(max_length=100, default="")
    urgency = models.CharField(max_length=4, choices=Urgency)
    state = models.CharField(max_length=12, choices=PageState, default=PageState.RUNNING)
    started_at = models.DateTimeField()
    cycle = models.PositiveIntegerField(default=0)
    cycle_started_at = models.DateTimeField()
    next_rule = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(null=True)  # of the next rule; None: waits for nothing
    claimed_until = models.DateTimeField(null=True)
    handed_over_at = models.DateTimeField(null=True)  # the first message that a provider took
    failed_at = models.DateTimeField(
        null=True
    )  # when every method of a cycle had failed; None again once one is handed over
    ended_at = models.DateTimeField(null=True)
    note = models.CharField(
        max_length=300, default="", db_default=""
    )  # "Bo has it", for steps that go out after an acknowledgement
    context = models.JSONField(default=dict)  # what the words need: who else was paged, the next step and when

    class Meta:
        constraints = [models.UniqueConstraint(fields=["origin", "user"], name="page_once")]
        indexes = [
            models.Index(fields=["due_at"], name="page_due", condition=Q(state="running") & ~Q(due_at=None)),
            models.Index(fields=["alert", "state"], name="page_alert_state"),
            models.Index(fields=["user", "state"], name="page_user_state"),
        ]


class DeliveryKind(models.TextChoices):
    PAGE = "page"
    UPDATE = "update"
    RESOLVED = "resolved"
    TEST = "test"
    BUNDLE = "bundle"
    HANDOFF = "handoff"


class DeliveryState(models.TextChoices):
    WAITING = "waiting"  # to be sent, or to be tried again, at due_at
    SENDING = "sending"  # claimed; if the lease runs out it is waiting again
    HANDED_OVER = "handed over"
    FAILED = "failed"
    CANCELLED = "cancelled"  # answered or resolved before it left
    BUNDLED = "bundled"  # left inside another one


class Delivery(Quick):
    """One message to one person by one method, with its receipt. Never two with one idempotency key."""

    idempotency_key = models.CharField(max_length=200, unique=True)
    kind = models.CharField(max_length=8, choices=DeliveryKind)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    contact = models.ForeignKey(ContactMethod, on_delete=models.SET_NULL, null=True, related_name="+")
    channel = models.CharField(max_length=30)  # the contact method's type, kept for its history
    method_name = models.CharField(max_length=63, default="")
    page = models.ForeignKey(Page, on_delete=models.SET_NULL, null=True, related_name="deliveries")
    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, null=True, related_name="+")
    bundle = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="bundled")
    urgency = models.CharField(max_length=4, choices=Urgency, default=Urgency.HIGH)
    rank = models.PositiveSmallIntegerField(default=3)  # 1 to 5 as the priority; a waiting P1 goes first
    context = models.JSONField(default=dict)  # what the words need beside the alert: step, who has it, shift times...
    state = models.CharField(max_length=12, choices=DeliveryState, default=DeliveryState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    wanted_at = models.DateTimeField()  # when it should leave: 60 s later without a hand-over the next method goes out
    claimed_until = models.DateTimeField(null=True)
    claimed_by = models.CharField(max_length=100, default="", db_default="")
    handed_over_at = models.DateTimeField(null=True)
    passed_on_at = models.DateTimeField(
        null=True
    )  # 60 s without a hand-over: the next method went out, this one still tries
    finished_at = models.DateTimeField(null=True)
    receipt = models.CharField(
        max_length=12, default="", db_default=""
    )  # handed over, delivered, opened, answered, failed, unknown
    receipt_detail = models.CharField(max_length=500, default="", db_default="")
    provider_id = models.CharField(max_length=200, default="", db_default="")
    poll_at = models.DateTimeField(
        null=True
    )  # when to ask the provider what became of it; None: it calls us, or we know
    token_digest = models.CharField(max_length=64, null=True, unique=True)  # of the landing page's token

    class Meta:
        indexes = [
            models.Index(
                fields=["channel", "rank", "due_at"], name="delivery_due", condition=Q(state__in=["waiting", "sending"])
            ),
            models.Index(
                fields=["wanted_at"],
                name="delivery_overdue",
                condition=Q(state__in=["waiting", "sending"], passed_on_at=None),
            ),
            models.Index(fields=["user", "channel", "-handed_over_at"], name="delivery_user_channel"),
            models.Index(fields=["page"], name="delivery_page", condition=~Q(page=None)),
            models.Index(fields=["alert", "id"], name="delivery_alert"),
            models.Index(fields=["provider_id"], name="delivery_provider", condition=~Q(provider_id="")),
            models.Index(fields=["channel", "poll_at"], name="delivery_poll", condition=~Q(poll_at=None)),
        ]

    is_receipt_tried = False  # of a sent one: writing its receipt failed, or its commit was not heard of
    was_cut_off = False  # of a claimed one: the last try ended without a receipt, so this may be the second time


class CoveredAlert(Quick):
    """Exactly the alerts a message listed when it was rendered: what its landing page may acknowledge, and no later one."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="covered")
    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["delivery", "alert"], name="covered_alert_once")]
