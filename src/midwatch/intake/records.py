"""What the event log holds, and what both kinds of log can do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol

Kind = Literal["event", "change", "ping", "refused", "canary"]
EVENT: Kind = "event"
CHANGE: Kind = "change"
PING: Kind = "ping"
REFUSED: Kind = "refused"
CANARY: Kind = "canary"  # of Midwatch itself, and counted nowhere
CANARY_KEPT = timedelta(hours=1)  # in the log

# (token, source_id, kind, received in microseconds, content type, minted as JSON or "", body): what the lane writes
Row = tuple[str, int, str, int, str, str, bytes]
COLUMNS = "token, source_id, kind, received_at, content_type, minted, body"
BODY_MAX = 2**30  # more than any body: "all of it"
BATCH_BYTES_MAX = 4 * 1024 * 1024  # bodies read at once; a batch has one event at least, however large
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Record:
    """One raw event as it came. `token`: the event_id the sender was given.

    `kind`: event, change (PagerDuty's change event), ping, or refused (answered 4xx; `minted`: status, reason, size).
    `minted`: what the lane made at the door, for a ping {"ping": "success|start|fail", "exit": n}.
    `items_done`: so many of the items that its payload holds are alerts already.
    """

    id: int
    token: str
    source_id: int
    kind: Kind
    received_at: datetime
    body: bytes
    minted: Mapping[str, Any] = field(default_factory=dict)
    content_type: str = ""
    items_done: int = 0


class ConflictError(Exception):
    """Another consumer moved the offset meanwhile. Roll back: its alerts exist already."""


class LogError(Exception):
    """The event log cannot be written (nothing of this batch was kept) or read now."""


@dataclass(slots=True)
class Batch:
    """The next events in order. Call `done()` in the transaction that makes them alerts.

    `is_replayed`: this is not the log that the offset belongs to (a restore, a lost file), so it is read from its
    start: tell the administrators.
    """

    records: list[Record]
    finish: Callable[[int, int], None] = lambda _count, _items: None
    is_replayed: bool = False

    def done(self, count: int | None = None, items: int = 0) -> None:
        """The first `count` of these events count now; left out, all of them. `items`: of the one behind them, so many
        of its items: a payload may hold more than one transaction should. Raises `ConflictError` when somebody else was
        faster."""
        self.finish(len(self.records) if count is None else count, items)

    def __bool__(self) -> bool:
        return bool(self.records)


class EventLog(Protocol):
    """Reading the log: the engine, and the source's page. The embedded one raises `LogError`, the other Django's."""

    def next_batch(self, limit: int) -> AbstractContextManager[Batch]:
        """Inside the caller's `transaction.atomic()`. Empty when there is nothing, or another node has it in hand."""

    def is_waiting(self) -> bool:
        """Is there anything for `next_batch`? Cheap, and takes no lock."""

    def backlog(self) -> int:
        """Events that are not alerts yet."""

    def waits_since(self) -> datetime | None:
        """When the next event to be read came; None: nothing waits."""

    def events_of(self, source_id: int, limit: int, *, body_max: int | None = None) -> list[Record]:
        """The last events of a source, newest first. `body_max`: only so many bytes of each body are read."""

    def find(self, token: str, source_id: int) -> Record | None:
        """One event of a source by its event_id."""


class Store(Protocol):
    """Writing the log. All methods run in the lane's writer thread and raise `LogError`."""

    def open(self) -> None: ...

    def write(self, rows: Sequence[Row]) -> None:
        """One durable transaction; after it the engine has been woken, or will be by its poll."""

    def check(self) -> None:
        """A small durable write, to learn whether the log can be written again."""

    def prune(self, before: datetime, limit: int) -> int:
        """Forget up to `limit` events that became alerts and were received before. Only the lane's writer does."""

    def close(self) -> None: ...


def microseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000)


def moment(at_microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_microseconds)


def minted_text(minted: Mapping[str, Any]) -> str:
    """ASCII, so that neither database minds what is inside."""
    return json.dumps(dict(minted), separators=(",", ":")) if minted else ""


def minted_value(text: str) -> dict[str, Any]:
    return json.loads(text) if text else {}
