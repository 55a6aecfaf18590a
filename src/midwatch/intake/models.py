"""How far the engine has read the event log. On PostgreSQL the log itself is two tables of the first migration."""

from __future__ import annotations

from django.db import models


class Offset(models.Model):
    """SQLite: the last event that became alerts, one row, id 1. It moves in the transaction that makes them."""

    epoch = models.CharField(max_length=36, default="")  # whose ids these are; another one means another log file
    offset = models.BigIntegerField(default=0)
    # Of the event behind it, so many items are alerts already. PostgreSQL: of the event `offset`, and only this is used.
    items_done = models.IntegerField(default=0, db_default=0)
