"""Django's PostgreSQL backend with two differences.

The connection is `MIDWATCH_DATABASE_URL` as libpq reads it (several hosts, `target_session_attrs=read-write`), and every
session gets the limits of `session_options`: a paused or cut-off node must not hold a lock that others wait for.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql import base
from django.db.backends.postgresql.psycopg_any import get_adapters_template  # type: ignore[import-untyped]
from psycopg.conninfo import conninfo_to_dict

SESSION: dict[str, str] = {
    "idle_in_transaction_session_timeout": "3s",
    "lock_timeout": "5s",
    "statement_timeout": "30s",
    "synchronous_commit": "on",
    "tcp_user_timeout": "10s",
}
TRANSPORT: dict[str, str] = {
    "connect_timeout": "5",
    "keepalives": "1",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}


def session_options(given: str = "") -> str:
    """libpq's `options` with our limits first, so that what the address says wins."""
    return " ".join([*(f"-c {name}={value}" for name, value in SESSION.items()), given]).strip()


def parameters(conninfo: str) -> dict[str, Any]:
    """Connection parameters for psycopg from a URL or a conninfo string."""
    found: dict[str, Any] = {**TRANSPORT, **conninfo_to_dict(conninfo)}
    found["options"] = session_options(str(found.get("options", "")))
    return found


class DatabaseWrapper(base.DatabaseWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        found = parameters(str(self.settings_dict["OPTIONS"].get("conninfo", "")))
        name = self.settings_dict["NAME"]  # None: Django asks for the maintenance database, to make a test one
        found["dbname"] = "postgres" if name is None else name or found.get("dbname", "midwatch")
        found["client_encoding"] = "UTF8"
        found["cursor_factory"] = base.Cursor  # type: ignore[attr-defined]
        found["prepare_threshold"] = None  # statements prepared in a session break behind transaction poolers
        found["context"] = get_adapters_template(self.settings_dict.get("USE_TZ", True), self.timezone)
        return found
