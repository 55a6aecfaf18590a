"""The embedded database as the move reads it: tables, rows in order, and the event log with how far it was read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2 as sqlite

from midwatch.backup.archive import LOG, MAIN, BackupError, opened_database
from midwatch.core import clock, restore_mark

# The target's own: its migrations, and the log's offset, which has another meaning there.
SKIPPED = frozenset({"django_migrations", "intake_offset"})
NODE_ALIVE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Source:
    main: Any
    log: Any | None

    def migrations(self) -> set[tuple[str, str]]:
        return set(self.main.execute("SELECT app, name FROM django_migrations"))

    def tables(self) -> list[str]:
        # Not the search's own (virtual and shadow tables): PostgreSQL has its own way to the same.
        found = self.main.execute(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' ORDER BY name"
        )
        return [name for (name,) in found if name not in SKIPPED and not name.startswith("sqlite_")]

    def columns(self, table: str) -> list[str]:
        return [row[1] for row in self.main.execute(f'PRAGMA table_info("{table}")')]

    def count(self, table: str) -> int:
        return int(self.main.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])  # noqa: S608 - a name of ours

    def rows(self, table: str, columns: Sequence[str], after: int, limit: int) -> Iterator[tuple[int, Sequence[Any]]]:
        """(place, values) in the order of places, from the one behind `after`."""
        names = ", ".join(f'"{name}"' for name in columns)
        query = f'SELECT rowid, {names} FROM "{table}" WHERE rowid > ? ORDER BY rowid LIMIT ?'  # noqa: S608 - names of ours
        for row in self.main.execute(query, (after, limit)):
            yield row[0], row[1:]

    def read_until(self) -> tuple[int, int]:
        """(the last event that became alerts, how many items of the next one did)."""
        row = self.main.execute("SELECT epoch, offset, items_done FROM intake_offset WHERE id = 1").fetchone()
        if row is None or self.log is None:
            return 0, 0
        epoch = self.log.execute("SELECT uuid FROM epoch").fetchone()
        last = self.log.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'event'").fetchone()
        is_ours = epoch is not None and row[0] == epoch[0] and row[1] <= last[0]
        return (int(row[1]), int(row[2])) if is_ours else (0, 0)

    def count_events(self) -> int:
        return 0 if self.log is None else int(self.log.execute("SELECT count(*) FROM event").fetchone()[0])

    def events(self, after: int, limit: int) -> Iterator[Sequence[Any]]:
        if self.log is not None:
            query = (
                "SELECT id, token, source_id, kind, received_at, content_type, minted, body FROM event "
                "WHERE id > ? ORDER BY id LIMIT ?"
            )
            yield from self.log.execute(query, (after, limit))


@contextmanager
def opened_source(data_dir: Path) -> Iterator[Source]:
    """For reading, while nobody else uses it. Raises `BackupError`."""
    if not (data_dir / MAIN).is_file():
        raise BackupError(f"there is no database in {data_dir}: name the data directory with --data")
    if restore_mark.read(data_dir) is not None:
        raise BackupError(
            f"{data_dir} was restored and never started: `midwatch restore --list` first, it makes the hold"
        )
    with opened_database(data_dir / MAIN, mode="rw") as main:  # reading what a kill left behind may have to write
        main.execute("PRAGMA query_only=ON")
        main.text_factory = _text
        _no_engine(main)
        if not (data_dir / LOG).is_file():
            yield Source(main, None)
            return
        with opened_database(data_dir / LOG, mode="rw") as log:
            log.execute("PRAGMA query_only=ON")
            log.text_factory = _text
            yield Source(main, log)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _no_engine(main: Any) -> None:
    """`serve` holds locks; an engine that was started alone shows by its ticks."""
    since = f"{clock.machine_now().timestamp() - NODE_ALIVE_SECONDS:.0f}"
    query = "SELECT name FROM engine_node WHERE stopped_at IS NULL AND ticked_at > datetime(?, 'unixepoch')"
    try:
        alive = [name for (name,) in main.execute(query, (since,))]
    except sqlite.OperationalError as error:
        raise BackupError(f"the database is of another version ({error}): run `midwatch upgrade` first") from error
    if alive:
        raise BackupError(
            f"an engine ticked a moment ago ({', '.join(alive[:3])}): stop `midwatch serve` or `midwatch engine`, "
            f"and try again after {NODE_ALIVE_SECONDS:.0f} s"
        )
