"""Django's PostgreSQL backend with three differences.

The connection is `MIDWATCH_DATABASE_URL` as libpq reads it (several hosts, `target_session_attrs=read-write`). Every
session gets the limits of `session_options`: a paused or cut-off node must not hold a lock that others wait for. And a
server that does not answer is given up: its own time limits do not help while it stands still itself.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import suppress
from typing import Any, Self

import psycopg
from django.db.backends.postgresql import base
from django.db.backends.postgresql.psycopg_any import get_adapters_template  # type: ignore[import-untyped]
from psycopg.conninfo import conninfo_to_dict

ANSWER_SECONDS = 35.0  # longer than statement_timeout, so that a server that is well speaks first
CANCEL_SECONDS = 2.0
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


class NoAnswerError(psycopg.OperationalError):
    """The server did not answer in time: it hangs, or the network between swallows everything."""


class Connection(psycopg.Connection[Any]):
    """psycopg's, but it waits `answer_seconds` for an answer and no longer; None: for ever.

    A storage that hangs, a paused machine or a dead proxy acknowledges bytes and answers nothing: neither keepalives nor
    `tcp_user_timeout` notice. What waits for a synchronous standby is told to stop first, or each try would leave
    a session waiting on the server. Its transaction may be committed: whoever waited must take it for failed and repeat.
    """

    answer_seconds: float | None = ANSWER_SECONDS

    @classmethod
    def open(cls, **given: Any) -> Self:
        """`given`: of `parameters`."""
        return cls.connect(**given)

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        if self.answer_seconds is None:
            return super().wait(gen, *args, **kwargs)
        return super().wait(self._until(gen, time.monotonic() + self.answer_seconds), *args, **kwargs)

    def _until(self, gen: Any, deadline: float) -> Generator[Any, Any, Any]:
        """`gen` speaks psycopg's protocol: it yields what it waits for, and is sent 0 now and then when nothing came."""
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > deadline:
                    gen.close()
                    self._give_up()
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value

    def _give_up(self) -> None:
        with suppress(psycopg.Error):
            self.cancel_safe(timeout=CANCEL_SECONDS)
        self.close()
        raise NoAnswerError(f"PostgreSQL did not answer within {self.answer_seconds:g} s")


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection:
        self.isolation_level = psycopg.IsolationLevel.READ_COMMITTED  # as Django's; what follows it is ours
        return Connection.open(**conn_params)

    def get_connection_params(self) -> dict[str, Any]:
        found = parameters(str(self.settings_dict["OPTIONS"].get("conninfo", "")))
        name = self.settings_dict["NAME"]  # None: Django asks for the maintenance database, to make a test one
        found["dbname"] = "postgres" if name is None else name or found.get("dbname", "midwatch")
        found["client_encoding"] = "UTF8"
        found["cursor_factory"] = base.Cursor  # type: ignore[attr-defined]
        found["prepare_threshold"] = None  # statements prepared in a session break behind transaction poolers
        found["context"] = get_adapters_template(self.settings_dict.get("USE_TZ", True), self.timezone)
        return found
