"""The engine's own table: which nodes live."""

from __future__ import annotations

from django.db import models


class Node(models.Model):
    """One engine process. `ticked_at` is written about once a second while it is well."""

    name = models.CharField(max_length=200, unique=True)  # host:pid
    version = models.CharField(max_length=40)
    started_at = models.DateTimeField()
    ticked_at = models.DateTimeField(null=True)
    stopped_at = models.DateTimeField(null=True)
    slowest_job = models.CharField(max_length=80, default="", db_default="")
    lateness_seconds = models.FloatField(default=0, db_default=0)

    class Meta:
        indexes = [models.Index(fields=["ticked_at"], name="node_ticked")]
