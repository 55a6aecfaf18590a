"""Being woken through PostgreSQL: LISTEN/NOTIFY. Loaded by `core.wake` when the database is PostgreSQL."""

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress

import psycopg
from django.db import Error, connection

from midwatch.core.postgresql.base import Connection, parameters
from midwatch.core.wake import Closing, Waiter, drain, pipe, ready_of

log = logging.getLogger("midwatch.wake")

PG_CHANNEL = "midwatch"
RECONNECT_SECONDS_MAX = 5.0


class PostgresWaiter(Closing):
    """LISTEN on a connection of its own, which comes back after every failure."""

    def __init__(self, url: str, topic: str) -> None:
        self._url = url
        self._topic = topic
        self._connection: Connection | None = None
        self._retry_at = 0.0
        self._retry_seconds = 0.1
        self._reader, self._writer = pipe()
        self._connect()

    def _connect(self) -> bool:
        """True when we listen anew."""
        if time.monotonic() < self._retry_at:
            return False
        try:
            # Listening is idle by nature: the limit on idle transactions stays, no statement runs here.
            made = Connection.open(**{**parameters(self._url), "autocommit": True})
            made.execute(f"LISTEN {PG_CHANNEL}")
        except psycopg.Error as error:
            log.warning("cannot listen for work, polling: %s", type(error).__name__)
            self._retry_seconds = min(self._retry_seconds * 2, RECONNECT_SECONDS_MAX)
            self._retry_at = time.monotonic() + self._retry_seconds
            return False
        self._connection = made
        self._retry_seconds = 0.1
        return True

    def wait(self, timeout_seconds: float) -> bool:
        until = time.monotonic() + timeout_seconds
        if self._connection is None and self._connect():
            return True  # a call may have been missed in between
        while True:
            if self._heard():
                return True
            left = until - time.monotonic()
            if left <= 0:
                return False
            watched = [self._reader] if self._connection is None else [self._reader, self._connection.fileno()]
            if self._reader in ready_of(watched, left):
                drain(self._reader)
                return True

    def _heard(self) -> bool:
        if self._connection is None:
            return False
        try:
            heard = [call.payload for call in self._connection.notifies(timeout=0)]  # all of them: many calls are one
            return self._topic in heard
        except psycopg.Error:
            log.warning("the connection that listens for work is gone")
            self._connection.close()
            self._connection = None
            return True

    def interrupt(self) -> None:
        with suppress(BlockingIOError, OSError):
            os.write(self._writer, b"!")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        for descriptor in (self._reader, self._writer):
            with suppress(OSError):
                os.close(descriptor)


class PostgresBus:
    """NOTIFY by Django's connection: one small statement after the commit."""

    def __init__(self, url: str) -> None:
        self._url = url

    def wake(self, topic: str) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_notify(%s, %s)", [PG_CHANNEL, topic])
        except Error as error:
            log.warning("NOTIFY failed, the poll will find the work: %s", type(error).__name__)

    def waiter(self, topic: str) -> Waiter:
        return PostgresWaiter(self._url, topic)
