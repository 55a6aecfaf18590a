"""Sessions in the database. Ending one is a write, and writes are transactions here (see `core.sqlite`)."""

from __future__ import annotations

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db import transaction


class SessionStore(DatabaseStore):
    def delete(self, session_key: str | None = None) -> None:
        with transaction.atomic():
            super().delete(session_key)
