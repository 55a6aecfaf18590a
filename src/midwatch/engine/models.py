"""The engine's own tables: which nodes live, and whether paging is on hold."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from midwatch.respond.alerts.models import Alert


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


class Canary(models.Model):
    """One synthetic event on its way through the whole of Midwatch. One a minute in all, whoever is first."""

    minute = models.DateTimeField(unique=True)
    token = models.CharField(max_length=32, unique=True)
    node = models.CharField(max_length=200)
    sent_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)  # the lane has answered 202
    read_at = models.DateTimeField(null=True)  # it is an alert with an escalation
    alert_id = models.BigIntegerField(null=True)  # gone soon after
    arrived_at = models.DateTimeField(null=True)  # the null channel took its page
    failed_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=500, default="", db_default="")  # how far it came, and why no further


class Peer(models.Model):
    """Another installation that this one watches. The times are of this one's checks."""

    url = models.CharField(max_length=500, unique=True)
    checked_at = models.DateTimeField(null=True)  # moved by the node that checks: one check at a time in all
    well_at = models.DateTimeField(null=True)
    bad_count = models.PositiveIntegerField(default=0)  # in a row
    good_count = models.PositiveIntegerField(default=0)
    problem = models.CharField(max_length=500, default="", db_default="")
    alert = models.ForeignKey(Alert, on_delete=models.SET_NULL, null=True, related_name="+")


class Hold(models.Model):
    """A restored installation records everything and pages nobody until somebody has looked and released it.

    `token` is made by the restore, so that one restore is one hold however often its mark is read. `alert`: the page that
    tells administrators of a hold that is forgotten, and the only one that leaves meanwhile. `dropped_at`: the restore was
    a drill, and what it holds is never paged.
    """

    token = models.CharField(max_length=40, unique=True)
    began_at = models.DateTimeField()
    by = models.CharField(max_length=200)
    reason = models.CharField(max_length=300)
    backup_at = models.DateTimeField(null=True)  # the moment whose state was restored
    told_at = models.DateTimeField(null=True)
    alert = models.ForeignKey(Alert, on_delete=models.SET_NULL, null=True, related_name="+")
    dropped_at = models.DateTimeField(null=True)
    dropped_by = models.CharField(max_length=200, default="", db_default="")
    released_at = models.DateTimeField(null=True)
    released_by = models.CharField(max_length=200, default="", db_default="")

    class Meta:
        indexes = [models.Index(fields=["began_at"], name="hold_open", condition=Q(released_at=None))]


class Chore(models.Model):
    """Work that one node at a time does now and then: who has it in hand, and when it comes next."""

    name = models.CharField(max_length=40, unique=True)
    due_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True)
