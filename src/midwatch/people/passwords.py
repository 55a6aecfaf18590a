"""Passwords: Argon2id with OWASP's figures, and the log-in backend."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth import hashers
from django.contrib.auth.backends import BaseBackend
from django.db import connection
from django.http import HttpRequest

from midwatch.core.statements import Select
from midwatch.people.models import User
from midwatch.people.queries import user_for_login

HASHES_AT_ONCE = 2  # each takes 19 MiB; a flood of log-ins must not take the machine
LOGINS_AT_ONCE = HASHES_AT_ONCE + 2  # nor all the threads: somebody else wants to acknowledge
UNKNOWN = hashers.UNUSABLE_PASSWORD_PREFIX  # nobody's hash
_slots = threading.BoundedSemaphore(HASHES_AT_ONCE)
_turns = threading.BoundedSemaphore(LOGINS_AT_ONCE)


@contextmanager
def turn() -> Iterator[bool]:
    """Is there room for one more log-in right now? Whoever is told no comes back; nobody waits in a thread."""
    is_taken = _turns.acquire(blocking=False)
    try:
        yield is_taken
    finally:
        if is_taken:
            _turns.release()


class Argon2id(hashers.Argon2PasswordHasher):
    """m = 19 MiB, t = 2, p = 1 (OWASP Password Storage Cheat Sheet), at most two at a time in a process."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        with _slots:
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with _slots:
            return super().verify(password, encoded)


class Backend(BaseBackend):
    """Log in by name or e-mail. An unknown name takes as long as a wrong password."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **credentials: Any
    ) -> User | None:
        if not username or password is None:
            return None
        user = user_for_login(username)
        # An unusable hash makes check_password hash something else of the same cost.
        is_right = hashers.check_password(password, user.password if user is not None else UNKNOWN)
        return user if user is not None and is_right and user.is_active else None

    def get_user(self, user_id: int) -> User | None:
        """Asked for every page, so compiled once. Who was turned off is nobody from that moment on."""
        found = _ACTIVE(user_id)
        return User.from_db(connection.alias, _FIELDS, found[0]) if found else None


_FIELDS = [field.attname for field in User._meta.concrete_fields]
_ACTIVE = Select(lambda pk: User.objects.filter(pk=pk, is_active=True).values_list(*_FIELDS))
