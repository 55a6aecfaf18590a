"""What another product calls a runbook: whoever asks by that id still finds it here."""

from __future__ import annotations

from django.db import models

from midwatch.prepare.runbooks.models.documents import Runbook

KEY_MAX = 100
GROUP_MAX = 300


class KnownAs(models.Model):
    """`key`: its lasting id there (a job's uuid). `group`: its folder there. `digest`: of the text as it was imported,
    to tell what was changed here since."""

    runbook = models.ForeignKey(Runbook, on_delete=models.CASCADE, related_name="known_as", db_index=False)
    product = models.CharField(max_length=30)
    key = models.CharField(max_length=KEY_MAX)
    group = models.CharField(max_length=GROUP_MAX, default="", db_default="")
    digest = models.CharField(max_length=64, default="", db_default="")
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["product", "key"], name="known_as_key_once"),
            models.UniqueConstraint(fields=["runbook", "product"], name="known_as_runbook_once"),
        ]

    def __str__(self) -> str:
        return f"{self.product} {self.key}"


class ForeignPolicy(models.Model):
    """A policy that another product's tools keep here, as written. It decides nothing: who may run what is by teams."""

    product = models.CharField(max_length=30)
    project = models.CharField(max_length=63, default="", db_default="")  # a team's name; "" for the whole installation
    name = models.CharField(max_length=200)
    text = models.TextField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["product", "project", "name"], name="foreign_policy_once"),
        ]

    def __str__(self) -> str:
        return self.name
