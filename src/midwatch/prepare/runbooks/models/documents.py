"""The document: a runbook, its text as it was at each time, and steps that are turned off."""

from __future__ import annotations

from django.db import models

from midwatch.catalog.models import Service
from midwatch.people.models import Managed, Team, User

TITLE_MAX = 200
BODY_MAX = 500_000  # characters


class RunbookType(models.TextChoices):
    """A runbook is a procedure with a known outcome, a playbook an investigation."""

    RUNBOOK = "runbook"
    PLAYBOOK = "playbook"


class Runbook(Managed):
    """What is done when something of this kind happens. With a `url` it is a page elsewhere, and has no steps here.

    Title, service, owner, type and matchers are what its text says at the top; they are columns to be searched by.
    """

    name = models.SlugField(max_length=63, unique=True)
    title = models.CharField(max_length=TITLE_MAX)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, null=True, related_name="+")
    owner = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    type = models.CharField(max_length=8, choices=RunbookType, default=RunbookType.RUNBOOK)
    url = models.CharField(max_length=2_000, default="", db_default="")
    is_public = models.BooleanField(default=False)  # its text may be read from a landing page, without a log-in
    matchers = models.JSONField(
        default=list
    )  # [{"service"?, "labels"?: {name: value or "~regex"}, "title"?: "~regex"}]
    scenarios = models.JSONField(default=list)  # names of pre-mortem scenarios it says it covers
    current = models.ForeignKey(
        "Revision", on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )  # None: a link
    is_active = models.BooleanField(default=True)
    is_trusted = models.BooleanField(default=False)  # its current text came from --config or apply
    concurrency_max = models.PositiveSmallIntegerField(default=1)  # executions under way at the same time
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["title", "name"]

    def __str__(self) -> str:
        return self.title or self.name

    @property
    def is_link(self) -> bool:
        return bool(self.url)


class Revision(models.Model):
    """The text as somebody wrote it: Markdown with front matter. Written once, never changed."""

    runbook = models.ForeignKey(Runbook, on_delete=models.CASCADE, related_name="revisions", db_index=False)
    number = models.PositiveIntegerField()
    body = models.TextField()
    digest = models.CharField(max_length=64)  # sha256 of the body
    note = models.CharField(max_length=500, default="", db_default="")
    who = models.CharField(max_length=200)
    user_id = models.BigIntegerField(null=True)
    via = models.CharField(max_length=20, default="", db_default="")
    is_trusted = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["runbook", "number"], name="runbook_revision_once")]

    def __str__(self) -> str:
        return f"revision {self.number}"


class StepSwitch(models.Model):
    """A step that is turned off, by whom and why; without a row it is on."""

    runbook = models.ForeignKey(Runbook, on_delete=models.CASCADE, related_name="switches", db_index=False)
    step = models.CharField(max_length=100)
    reason = models.CharField(max_length=500)
    who = models.CharField(max_length=200)
    user_id = models.BigIntegerField(null=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["runbook", "step"], name="runbook_switch_once")]
