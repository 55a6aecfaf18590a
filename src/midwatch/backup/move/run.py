"""The move from its first look to its last count."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from midwatch.backup.archive import BackupError
from midwatch.backup.move.source import Source, opened_source
from midwatch.backup.move.target import Notes, Target
from midwatch.backup.restore import held
from midwatch.core import clock, move_mark
from midwatch.intake.records import moment

BATCH_ROWS = 5_000
EVENTS = "intake_event"
EVENT_COLUMNS = ("id", "token", "source_id", "kind", "received_at", "content_type", "minted", "body", "done_at")
EVENT_BATCH_ROWS = 500
SESSIONS_END_SECONDS = 10.0
UPGRADE_SECONDS = 600
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Moved:
    """`counts`: rows here and there, by table. `unread`: events that the engine over there still has to read."""

    to: str
    counts: dict[str, tuple[int, int]]
    unread: int
    notes: Notes


def move(data_dir: Path, url: str, *, secret_key: str, say: Say = lambda text: None) -> Moved:
    """Everything of the embedded database into the PostgreSQL database `url`. Raises `BackupError`.

    Interrupted at any moment it goes on where it was when it is called again with the same two.
    """
    to = _shown(url)
    mark = move_mark.read(data_dir)
    if mark is not None and mark.get("state") == "moved":
        raise BackupError(move_mark.problem(data_dir))
    if mark is not None and mark.get("to") != to:
        raise BackupError(move_mark.problem(data_dir))
    with held(data_dir), opened_source(data_dir) as source:
        if not _look(url, mark):
            _upgrade(url, secret_key)  # never in the middle: it would add rows that are still to be copied
        try:
            with psycopg.connect(url, connect_timeout=10, autocommit=True) as connection:
                connection.execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
                return _copy(data_dir, source, Target(connection), to, mark, say)
        except psycopg.Error as error:
            raise BackupError(
                f"PostgreSQL refused: {_words(error)}; run the same again to go on where it was"
            ) from error


def back(data_dir: Path) -> str:
    """The data directory is usable again. Returns where it had been moved to. Raises `BackupError`."""
    mark = move_mark.read(data_dir)
    if mark is None:
        raise BackupError(f"{data_dir} was not moved: there is nothing to take back")
    with held(data_dir):
        move_mark.remove(data_dir)
    return str(mark.get("to", "PostgreSQL"))


def _shown(url: str) -> str:
    """The address without user and password."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error as error:
        raise BackupError(
            f"--to is no address of PostgreSQL ({_words(error)}): write postgresql://user@host/name"
        ) from error
    return f"postgresql://{given.get('host', '')}:{given.get('port', 5432)}/{given.get('dbname', '')}"


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _look(url: str, mark: Any) -> bool:
    """Before anything is made over there: can it be reached, is it free, is it empty? True: it is half of this move."""
    try:
        with psycopg.connect(url, connect_timeout=10, autocommit=True) as connection:
            target = Target(connection)
            _alone(target)
            begun, tables = target.state(), target.tables()
    except psycopg.Error as error:
        raise BackupError(f"{_shown(url)} cannot be reached: {_words(error)}") from error
    is_ours = mark is not None and (begun is None or begun[0] == mark.get("token"))
    if begun is not None and not is_ours:
        raise BackupError(f"{_shown(url)} holds the half of another move: name an empty database")
    if tables and not is_ours:
        raise BackupError(f"{_shown(url)} holds {len(tables)} tables: name an empty database")
    return begun is not None


def _alone(target: Target) -> None:
    until = time.monotonic() + SESSIONS_END_SECONDS
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND backend_type = 'client backend'"
    )
    while others := int(target.one(query)):
        if time.monotonic() > until:
            raise BackupError(f"{others} sessions are connected to that database: stop every `midwatch` on it first")
        time.sleep(0.2)  # those of a move that was killed end by themselves


def _upgrade(url: str, secret_key: str) -> None:
    """The tables, by the migrations of this version, in a process of its own: settings are read once a process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MIDWATCH_DATABASE_URL")}
    done = subprocess.run(
        [sys.executable, "-m", "midwatch.cli", "upgrade"],
        env={**kept, "MIDWATCH_DATABASE_URL": url, "MIDWATCH_SECRET_KEY": secret_key},
        capture_output=True,
        text=True,
        timeout=UPGRADE_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise BackupError(f"the tables could not be made: {' '.join(done.stderr.split())[-400:]}")


def _copy(data_dir: Path, source: Source, target: Target, to: str, mark: Any, say: Say) -> Moved:
    if source.migrations() - target.migrations():
        raise BackupError("the data directory is of a newer version than this program: use the program that wrote it")
    if target.migrations() - source.migrations():
        raise BackupError("the data directory is of an older version: run `midwatch upgrade` on it first")
    tables = source.tables()
    if mark is None:
        mark = {"state": "begun", "to": to, "token": secrets.token_hex(16), "at": clock.now().isoformat()}
        move_mark.write(data_dir, mark)
    begun = target.state()
    if begun is None:
        target.begin(str(mark["token"]), [*tables, EVENTS])
    if begun is None or begun[1] != "done":
        for table in tables:
            columns = source.columns(table)
            _copy_table(target, table, columns, _rows_of(source, table, columns), say)
        _copy_table(target, EVENTS, EVENT_COLUMNS, _events_of(source), say)
        read, items = source.read_until()
        target.finish((read + 1 if items else 0, items))
    counts = {table: (source.count(table), target.count(table)) for table in tables}
    counts[EVENTS] = (source.count_events(), target.count(EVENTS))
    wrong = [f"{table}: {here} here, {there} there" for table, (here, there) in counts.items() if here != there]
    if wrong:
        raise BackupError(f"the counts differ, the data directory stays in force: {'; '.join(wrong[:5])}")
    unread = int(target.one("SELECT count(*) FROM intake_event WHERE done_at IS NULL"))
    move_mark.write(data_dir, {**mark, "state": "moved", "at": clock.now().isoformat(timespec="seconds")})
    target.forget()
    return Moved(to, counts, unread, target.notes)


Batch = Callable[[int], Iterator[tuple[int, Sequence[Any]]]]


def _copy_table(target: Target, table: str, columns: Sequence[str], batch: Batch, say: Say) -> None:
    last, copied, is_done = target.place(table)
    while not is_done:
        count = target.add(table, columns, batch(last))
        last, copied, is_done = target.place(table)
        if count:
            say(f"{table}: {copied} rows")


def _rows_of(source: Source, table: str, columns: Sequence[str]) -> Batch:
    return lambda last: source.rows(table, columns, last, BATCH_ROWS)


def _events_of(source: Source) -> Batch:
    """Those that became alerts are done; the others are read by the engine over there, in their order."""
    read, _ = source.read_until()

    def batch(last: int) -> Iterator[tuple[int, Sequence[Any]]]:
        for number, token, source_id, kind, received, content_type, minted, body in source.events(
            last, EVENT_BATCH_ROWS
        ):
            at = moment(received).isoformat()
            done_at = at if number <= read else None
            yield number, (number, token, source_id, kind, at, content_type, minted, bytes(body), done_at)

    return batch
