"""Sessions in the database. Ending one is a write, and writes are transactions here (see `core.sqlite`)."""

from __future__ import annotations

from typing import Any

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.models import Session
from django.db import transaction

from midwatch.core import clock
from midwatch.core.statements import Select

# Read for every page of everybody who is logged in, so compiled once.
_SESSION = Select(lambda key: Session.objects.filter(session_key=key).values_list("session_data", "expire_date"))


class SessionStore(DatabaseStore):
    def load(self) -> dict[str, Any]:
        """What is kept under the browser's key. A key that is unknown or has expired is forgotten."""
        found = _SESSION(self.session_key) if self.session_key else []
        if found and found[0][1] > clock.machine_now():
            data: dict[str, Any] = self.decode(found[0][0])
            return data
        self._session_key = None
        return {}

    def delete(self, session_key: str | None = None) -> None:
        with transaction.atomic():
            super().delete(session_key)
