"""How far the engine has read the event log. On PostgreSQL the log itself is two tables of the first migration."""

from __future__ import annotations

from django.db import models


class Offset(models.Model):
    """SQLite: the last event that became alerts, one row, id 1. It moves in the transaction that makes them."""

    epoch = models.CharField(max_length=36, default="")  # whose ids these are; another one means another log file
    offset = models.BigIntegerField(default=0)
