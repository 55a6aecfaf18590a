"""Is the ground floor well: settings, database, clock, disk, what had to be put aside?"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from urllib.parse import urlsplit

from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from midwatch.core import clock, sqlite_library
from midwatch.core.contribute import Check
from midwatch.core.models import OutboxEvent
from midwatch.settings import BY_NAME, PREFIX, settings

SKEW_SECONDS_MAX = 2.0
DISK_FREE_WARNING = 1_000_000_000
DISK_FREE_FAILED = 100_000_000
WAL_BYTES_MAX = 256 * 1024 * 1024
SECRET_FILES = ("secret-key", "admin-token", "midwatch.sqlite3", "events.sqlite3")


def read_settings() -> list[Check]:
    question = "Are the settings ones that Midwatch knows, and fit for other machines?"
    found = settings()
    known = {PREFIX + name for name in BY_NAME} | {f"{PREFIX}{name}_FILE" for name in BY_NAME}
    others = sorted(
        name
        for name in os.environ
        if name.startswith(PREFIX) and name not in known and not name.startswith((f"{PREFIX}REF_", f"{PREFIX}TEST_"))
    )
    checks = []
    if others:
        checks.append(
            Check(
                "settings.names",
                question,
                "warning",
                f"nothing reads {', '.join(others[:10])}",
                "correct the names: docs/reference/settings.md lists them",
            )
        )
    url = urlsplit(found.public_url)
    if url.hostname in {"localhost", "127.0.0.1", "::1"}:
        checks.append(
            Check(
                "settings.public_url",
                question,
                "warning",
                f"links in messages lead to {found.public_url}, which no phone can open",
                "set MIDWATCH_BASE_URL, or MIDWATCH_PUBLIC_URL, to the address people reach",
            )
        )
    elif url.scheme != "https":
        checks.append(
            Check(
                "settings.public_url",
                question,
                "warning",
                f"{found.public_url} is not encrypted: log-ins and links can be read on the way",
                "put a proxy with a certificate before Midwatch and set MIDWATCH_BASE_URL to https://...",
            )
        )
    return checks or [Check("settings", question, "ok", f"base address {found.base_url}, data in {found.data_dir}")]


def file_modes() -> Check:
    question = "Can other users of this machine read the secrets?"
    open_to_others = [
        name
        for name in SECRET_FILES
        if (settings().data_dir / name).is_file() and _mode(settings().data_dir / name) & 0o077
    ]
    directory = settings().data_dir
    if open_to_others and directory.is_dir() and _mode(directory) & 0o077:
        return Check(
            "data.modes",
            question,
            "warning",
            f"{', '.join(open_to_others)} in {directory} can be read by others",
            f"chmod 700 {directory}",
        )
    return Check("data.modes", question, "ok", f"{directory} is private")


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def database() -> list[Check]:
    return _sqlite() if connection.vendor == "sqlite" else _postgresql()


def _sqlite() -> list[Check]:
    version = sqlite_library.library_version()
    text = ".".join(map(str, version))
    question = "Does the embedded database keep what it was given?"
    checks = []
    if sqlite_library.is_safe(version):
        checks.append(Check("database.library", question, "ok", f"SQLite {text} has the fix of the WAL-reset bug"))
    else:
        remedy = "install pysqlite3 0.6.1 or later, or use PostgreSQL"
        checks.append(Check("database.library", question, "failed", f"SQLite {text} can lose committed data", remedy))
    with connection.cursor() as cursor:
        settings_found = {name: _pragma(cursor, name) for name in ("journal_mode", "synchronous", "foreign_keys")}
        problem = _pragma(cursor, "quick_check(1)")
    wanted = {"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"}
    wrong = [f"{name} is {settings_found[name]}" for name in wanted if settings_found[name] != wanted[name]]
    if wrong and settings_found["journal_mode"] != "memory":
        remedy = "the disk may not allow write-ahead logging (network file system?): use a local disk or PostgreSQL"
        checks.append(Check("database.durability", question, "failed", "; ".join(wrong), remedy))
    else:
        checks.append(Check("database.durability", question, "ok", "write-ahead log, every commit synced"))
    if problem != "ok":
        remedy = "stop Midwatch, keep a copy of the data directory, and restore the last backup"
        checks.append(Check("database.integrity", question, "failed", f"the database is damaged: {problem}", remedy))
    else:
        checks.append(Check("database.integrity", question, "ok", "every page of the main database is well"))
    checks.append(_wal_size())
    return checks


def _wal_size() -> Check:
    question = "Is the write-ahead log written back?"
    path = settings().main_database
    wal = path.with_name(f"{path.name}-wal")
    size = wal.stat().st_size if wal.is_file() else 0
    if size > WAL_BYTES_MAX:
        remedy = "a program may keep the database open: look for it with `fuser`, or start Midwatch again"
        return Check("database.wal", question, "warning", f"{wal.name} has {size / 1e6:.0f} MB", remedy)
    return Check("database.wal", question, "ok", f"{size / 1e6:.1f} MB wait to be written back")


def _pragma(cursor: object, name: str) -> str:
    cursor.execute(f"PRAGMA {name}")  # type: ignore[attr-defined]  # Django's cursors have no type of their own
    row = cursor.fetchone()  # type: ignore[attr-defined]
    return str(row[0]) if row else ""


def _postgresql() -> list[Check]:
    question = "Does PostgreSQL keep what it was given, also when a machine is lost?"
    with connection.cursor() as cursor:
        cursor.execute("SELECT version(), current_setting('synchronous_standby_names'), current_setting('fsync')")
        version, standbys, fsync = cursor.fetchone()
        cursor.execute(
            "SELECT current_setting('synchronous_commit'), pg_is_in_recovery(), current_setting('transaction_read_only')"
        )
        commit, is_standby, read_only = cursor.fetchone()
    checks = [Check("database.server", question, "ok", " ".join(str(version).split()[:2]))]
    if is_standby:
        remedy = "add target_session_attrs=read-write to MIDWATCH_DATABASE_URL"
        checks.append(Check("database.writable", question, "failed", "this is a standby, it cannot be written", remedy))
    elif read_only == "on":
        text = "its sessions are read-only: events are refused with 503, and nobody is paged"
        remedy = "ALTER DATABASE ... RESET default_transaction_read_only (or the role's); is the server short of disk?"
        checks.append(Check("database.writable", question, "failed", text, remedy))
    if fsync != "on" or commit == "off":
        text = f"fsync is {fsync}, synchronous_commit is {commit}: a power cut loses events"
        checks.append(Check("database.durability", question, "failed", text, "set both to on"))
    checks.append(_standbys(str(standbys)))
    return checks


def _standbys(names: str) -> Check:
    """What a promotion would cost, and whether anything is accepted without a standby."""
    question = "Does a promoted standby know every accepted event?"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), count(sync_state), count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')) "
            "FROM pg_stat_replication"
        )
        attached, shown, waited_for = cursor.fetchone()
    if names and shown == attached and not waited_for:  # who may not see the states knows nothing
        text = f"synchronous_standby_names is {names!r}, and no standby of that name is connected: nothing is accepted"
        remedy = "start the standby, or take it off synchronous_standby_names until it is back"
        return Check("database.standby", question, "failed", text, remedy)
    if names:
        return Check("database.standby", question, "ok", f"synchronous_standby_names is {names!r}")
    if attached:
        text = (
            f"replicas are attached ({attached}) and none is waited for: a promotion can lose the last accepted events"
        )
        return Check("database.standby", question, "warning", text, "set synchronous_standby_names on the primary")
    remedy = "set synchronous_standby_names, or accept it where there is one database server"
    text = "no synchronous standby: what this one server loses is lost"
    return Check("database.standby", question, "warning", text, remedy)


def migrations() -> Check:
    question = "Is the database of this version?"
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if pending:
        text = f"{len(pending)} migrations are pending"
        return Check("database.migrations", question, "failed", text, "run `midwatch upgrade`")
    return Check("database.migrations", question, "ok", "every migration is applied")


def clocks() -> Check:
    question = "Do this machine's and the database's clock agree?"
    if connection.vendor == "sqlite":
        return Check("clock", question, "ok", f"{clock.machine_now():%Y-%m-%d %H:%M:%S} UTC, the only clock there is")
    with connection.cursor() as cursor:
        asked = clock.machine_now()
        cursor.execute("SELECT clock_timestamp()")
        skew = abs((cursor.fetchone()[0] - asked).total_seconds())
    if skew > SKEW_SECONDS_MAX:
        text = f"they differ by {skew:.1f} s (the database's counts)"
        return Check("clock", question, "warning", text, "let every machine take its time from the same NTP servers")
    return Check("clock", question, "ok", f"they differ by {skew:.2f} s")


def disk() -> Check:
    question = "Is there room to write?"
    free = shutil.disk_usage(settings().data_dir).free
    text = f"{free / 1e9:.1f} GB free at {settings().data_dir}"
    if free < DISK_FREE_FAILED:
        return Check("disk", question, "failed", text, "make room now: without it events are refused with 503")
    if free < DISK_FREE_WARNING:
        remedy = "make room, or lower MIDWATCH_EVENT_RETENTION_DAYS"
        return Check("disk", question, "warning", text, remedy)
    return Check("disk", question, "ok", text)


def reactions() -> Check:
    question = "Was every event inside Midwatch acted on?"
    given_up = OutboxEvent.objects.exclude(quarantined_at=None).filter(done_at=None)
    count = given_up.count()
    if count:
        name, follower, problem = given_up.order_by("-id").values_list("name", "follower", "problem")[0]
        room = f" of {follower}" if follower else ""
        text = f"{count} could not be acted on; the last: {name}{room}: {problem}"
        return Check("outbox", question, "failed", text, "report it with the log; nothing else waits for these")
    return Check("outbox", question, "ok", "nothing had to be put aside")


CHECKS = (read_settings, file_modes, database, migrations, clocks, disk, reactions)
