"""Runners: processes on other machines that do steps there."""

from __future__ import annotations

from django.db import models

from midwatch.people.models import Team
from midwatch.prepare.runbooks.models.executions import StepRun


class Runner(models.Model):
    """A process on another machine that does steps. What it may take is decided here, not there: `tags` and `team`."""

    name = models.SlugField(max_length=63, unique=True)
    token_digest = models.CharField(max_length=64, unique=True)
    tags = models.JSONField(default=list)  # it takes steps whose tags are all among these; its name is one too
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, related_name="+", db_index=False)
    steps_max = models.PositiveSmallIntegerField(default=4)  # at the same time
    version = models.CharField(max_length=40, default="", db_default="")  # that it said it is of
    wanted_tags = models.JSONField(default=list)  # it said that it takes only these now; []: all of its tags
    executors = models.JSONField(default=list)  # it said that it can do these
    host = models.CharField(max_length=200, default="", db_default="")  # that it said it is on
    last_seen_at = models.DateTimeField(null=True)
    is_draining = models.BooleanField(default=False)  # it finishes what it has and takes nothing new
    draining_process = models.CharField(max_length=64, default="", db_default="")  # which one said so
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class RemoteClaim(models.Model):
    """What a runner was given last of a step, so that what it says twice is taken once.

    `nonce`: of its claim; said again, it is answered with the same step. `pieces`: of output, taken so far. `is_told`: its
    outcome was taken.
    """

    step_run = models.OneToOneField(StepRun, on_delete=models.CASCADE, related_name="+")
    runner = models.ForeignKey(Runner, on_delete=models.CASCADE, related_name="+")
    fence = models.PositiveIntegerField()
    nonce = models.CharField(max_length=64)
    pieces = models.PositiveIntegerField(default=0)
    is_told = models.BooleanField(default=False)
    at = models.DateTimeField()
