"""What was applied last, by owner."""

from __future__ import annotations

from django.db import models


class Applied(models.Model):
    """One row an owner. `problem`: why the configuration at the last start was refused; the one before is in force."""

    owner = models.CharField(max_length=63, unique=True)
    directory = models.CharField(max_length=1_000, default="")
    applied_at = models.DateTimeField(null=True)
    digest = models.CharField(max_length=64, default="")
    problem = models.TextField(default="", blank=True)
    problem_at = models.DateTimeField(null=True)
