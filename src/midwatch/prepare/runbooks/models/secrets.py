"""Secrets that steps may be given."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from midwatch.people.models import Team

SECRET_NAME_MAX = 63
REFERENCE_MAX = 500
DIRECTORY_MAX = 1_000


class SecretSource(models.TextChoices):
    """Where the value is: here, encrypted; in the environment of the process; in a file of the configuration directory."""

    STORED = "stored"
    ENV = "env"
    FILE = "file"


class Secret(models.Model):
    """A value that only steps which name it get. Of a team, for its runbooks; or of nobody, for all of them.

    The value of a stored one is encrypted with the installation's secret key; `key_id` says with which one, `version`
    rises with each new value. Of the others there is only where to look.
    """

    name = models.SlugField(max_length=SECRET_NAME_MAX, db_index=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, related_name="+", db_index=False)
    source = models.CharField(max_length=6, choices=SecretSource, default=SecretSource.STORED)
    ciphertext = models.TextField(default="", db_default="")
    key_id = models.CharField(max_length=16, default="", db_default="")
    reference = models.CharField(max_length=REFERENCE_MAX, default="", db_default="")  # the variable, or the path
    directory = models.CharField(max_length=DIRECTORY_MAX, default="", db_default="")  # that the path is below
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    rotated_at = models.DateTimeField(null=True)  # when it was encrypted anew, its value unchanged

    class Meta:
        ordering = ["name", "team"]
        constraints = [
            models.UniqueConstraint(fields=["team", "name"], name="secret_once_a_team"),
            models.UniqueConstraint(fields=["name"], condition=Q(team=None), name="secret_once_for_all"),
        ]

    def __str__(self) -> str:
        return self.name
