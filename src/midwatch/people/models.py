"""Tables of people: who we are, in which teams, and how each of us is reached."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import Q

from midwatch.core.quick import Quick


class Managed(Quick):
    """May come from configuration as code: then `code_owner` names who applied it, and the web only reads it."""

    code_owner = models.CharField(max_length=63, default="", db_default="")
    code_file = models.CharField(max_length=300, default="", db_default="")  # FILE:LINE, for a link

    class Meta:
        abstract = True

    @property
    def is_from_code(self) -> bool:
        return bool(self.code_owner)


class Role(models.TextChoices):
    ADMINISTRATOR = "administrator"
    MEMBER = "member"
    VIEWER = "viewer"


CANARY_USER = "midwatch-canary"  # whom the canary's page calls, by the null channel


class PeopleManager(models.Manager["User"]):
    """Everybody but the canary, which is no person: it stands in no list, count, form or question of who is on call."""

    def get_queryset(self) -> models.QuerySet[User]:
        return super().get_queryset().exclude(name=CANARY_USER)


class User(AbstractBaseUser, Managed):
    """A person. `name` is the slug used in configuration, commands and messages."""

    objects = PeopleManager()
    with_canary = models.Manager["User"]()

    USERNAME_FIELD = "name"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    name = models.SlugField(max_length=63, unique=True)
    display_name = models.CharField(max_length=200)
    email = models.CharField(max_length=254, default="", blank=True)
    time_zone = models.CharField(max_length=63, default="UTC")
    role = models.CharField(max_length=20, choices=Role, default=Role.MEMBER)
    is_active = models.BooleanField(default=True)
    are_contacts_from_code = models.BooleanField(default=False)
    are_rules_from_code = models.BooleanField(default=False)
    repeat_after_seconds = models.PositiveIntegerField(default=300)  # of the high rules; 0: never again
    notify_on = models.JSONField(
        default=dict
    )  # {"acknowledged": "mail", "resolved": "mail", "shiftStart": ["24h", "0s"]}
    has_shortcuts = models.BooleanField(default=True)
    credentials_epoch = models.PositiveIntegerField(
        default=0
    )  # part of session hash, calendar token: raising it ends them all
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["email"], name="user_email")]

    def __str__(self) -> str:
        return self.display_name or self.name

    @property
    def is_administrator(self) -> bool:
        return self.role == Role.ADMINISTRATOR

    @property
    def may_act(self) -> bool:
        """Viewers look; everybody else may act on alerts."""
        return self.is_active and self.role != Role.VIEWER

    def get_session_auth_hash(self) -> str:
        return f"{super().get_session_auth_hash()}:{self.credentials_epoch}"


class TeamMode(models.TextChoices):
    LIVE = "live"
    SHADOW = "shadow"


class Team(Managed):
    name = models.SlugField(max_length=63, unique=True)
    display_name = models.CharField(max_length=200)
    mode = models.CharField(max_length=10, choices=TeamMode, default=TeamMode.LIVE)
    members: models.ManyToManyField[User, Membership] = models.ManyToManyField(
        User, through="Membership", related_name="teams"
    )
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.display_name or self.name


class MemberRole(models.TextChoices):
    MANAGER = "manager"
    RESPONDER = "responder"
    OBSERVER = "observer"


class Membership(Quick):
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=MemberRole, default=MemberRole.RESPONDER)
    is_paged = models.BooleanField(default=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["team", "user"], name="membership_once")]


class ContactMethod(Quick):
    """One way to reach a person. Usable when confirmed and not disabled; whether it rings is the channel's to say."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="contact_methods")
    name = models.SlugField(max_length=63)
    type = models.CharField(max_length=30)
    address = models.CharField(max_length=1_000)
    secret = models.CharField(max_length=500, default="", blank=True)
    secret_reference = models.JSONField(null=True)  # {"env": "MIDWATCH_REF_X"} or {"file": "ana.secret"}
    secret_directory = models.CharField(max_length=500, default="", db_default="")  # where {"file": ...} is relative to
    is_from_code = models.BooleanField(default=False)
    position = models.PositiveSmallIntegerField(default=0)
    confirmed_at = models.DateTimeField(null=True)
    disabled_at = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)
    problem = models.CharField(max_length=300, default="", blank=True)
    last_handed_over_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="contact_method_name_once")]
        indexes = [models.Index(fields=["type", "address"], name="contact_method_address")]

    def __str__(self) -> str:
        return f"{self.name} ({self.type})"

    @property
    def is_usable(self) -> bool:
        return self.confirmed_at is not None and self.disabled_at is None


class Urgency(models.TextChoices):
    HIGH = "high"
    LOW = "low"


class NotificationRule(Quick):
    """After so long, by this method. `opens_at`/`closes_at`: held until the window is open (person's zone)."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notification_rules")
    urgency = models.CharField(max_length=4, choices=Urgency)
    position = models.PositiveSmallIntegerField(default=0)
    after_seconds = models.PositiveIntegerField(default=0)
    contact = models.ForeignKey(ContactMethod, on_delete=models.CASCADE, related_name="rules")
    opens_at = models.TimeField(null=True)
    closes_at = models.TimeField(null=True)

    class Meta:
        ordering = ["urgency", "after_seconds", "position", "id"]


class ApiToken(models.Model):
    """A token of a person, stored as a digest; the text is shown once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)


class AccessLink(models.Model):
    """A one-time link: set-up of the installation (no user yet), invitation, or a new password."""

    class Kind(models.TextChoices):
        SETUP = "setup"
        INVITATION = "invitation"
        RESET = "reset"

    kind = models.CharField(max_length=12, choices=Kind)
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="access_links")
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)


class LoginFailures(models.Model):
    """Failed log-ins of one account from one address (`key` is a digest of both): five a minute, then growing delay."""

    key = models.CharField(max_length=64, unique=True)
    count = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField()
    blocked_until = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["last_at"], name="login_failures_last", condition=Q(count__gt=0))]
