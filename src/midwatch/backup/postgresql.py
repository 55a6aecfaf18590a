"""On PostgreSQL a backup is PostgreSQL's own: `pg_dump`, with the password out of the command line.

It is put back in one transaction that also puts paging on hold: what the database holds is the restore and its hold, or
what was there before.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from midwatch.backup.archive import POSTGRESQL_DUMP, BackupError
from midwatch.core import clock

VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "passfile": "PGPASSFILE",
}
SIX_HOURS_SECONDS = 6 * 3_600


def dump(database_url: str, file: Path, *, is_replacing: bool = False) -> None:
    """`pg_dump --format=custom` into `file`, complete or not at all, mode 600. Raises `BackupError`."""
    if file.exists() and not is_replacing:
        raise BackupError(f"{file} exists: name another file, or replace it with --force")
    program = _program("pg_dump", f"pg_dump --format=custom --file={file} DATABASE")
    unfinished = file.with_name(f".{file.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    try:
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        done = _run(
            [program, "--format=custom", "--no-owner", "--no-privileges", f"--file={unfinished}"],
            environment(database_url),
        )
        if done.returncode != 0:
            raise BackupError(_why_not_dumped(done.stderr))
        os.replace(unfinished, file)
    except OSError as error:
        raise BackupError(f"{file} cannot be written: {error.strerror or error}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _program(name: str, instead: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise BackupError(
            f"{name} is not installed here: install PostgreSQL's client programs, or on the database's machine type {instead}"
        )
    return found


def _run(command: list[str], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=dict(env), capture_output=True, text=True, errors="replace", timeout=SIX_HOURS_SECONDS, check=False
    )


def _words(text: str) -> str:
    return " ".join(text.split())[:500]


def _why_not_dumped(said: str) -> str:
    if "server version mismatch" in said:
        versions = re.findall(r"version: (\d+)", said)
        server = versions[0] if versions else "newer"
        return (
            f"pg_dump here is older than the server ({_words(said)}): install the client programs of "
            f"PostgreSQL {server} (Debian: postgresql-client-{server})"
        )
    return f"pg_dump failed: {_words(said)}"


@dataclass(frozen=True, slots=True)
class PutBack:
    """`backup_at`: when the dump was made, ISO 8601, or "" when it does not say."""

    database: str
    backup_at: str


def put_back(database_url: str, file: Path, *, is_forced: bool = False) -> PutBack:
    """Restore a dump and put paging on hold, in one transaction. Raises `BackupError`.

    Refused while anybody is connected to the database, and when it holds tables, unless `is_forced`: then they go.
    """
    contents = _contents(file)
    table = re.search(r"TABLE ([A-Za-z_][A-Za-z0-9_]*) engine_hold ", contents)
    if table is None:
        raise BackupError(
            f"{file} is of a Midwatch that knows no hold, or of something else: put it back with {how_to_restore(file)}, "
            "run `midwatch upgrade`, and `midwatch restore --hold` before you start an engine"
        )
    made = re.search(r"Archive created at (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC", contents)
    backup_at = f"{made[1]}T{made[2]}+00:00" if made else ""
    name = str(conninfo_to_dict(database_url).get("dbname", ""))
    try:
        with psycopg.connect(database_url, connect_timeout=10, autocommit=True) as connection:
            _nobody_else(connection, name)
            tables = _tables(connection)
    except psycopg.Error as error:
        raise BackupError(f"the database {name} cannot be reached: {_words(str(error))}") from error
    if tables and not is_forced:
        raise BackupError(
            f"the database {name} holds {len(tables)} tables: name an empty one, or replace what is there with --force"
        )
    _load(database_url, file, _before(tables), _after(table[1], backup_at))
    return PutBack(name, backup_at)


def _contents(file: Path) -> str:
    """The dump's own table of contents."""
    if not file.is_file():
        raise BackupError(f"there is no file {file}")
    with file.open("rb") as raw:
        start = raw.read(len(POSTGRESQL_DUMP))
    if start[:2] == b"\x1f\x8b":
        raise BackupError(
            f"{file} is a backup of the embedded database: restore it without MIDWATCH_DATABASE_URL, then "
            "`midwatch move --to` brings it to PostgreSQL"
        )
    if start != POSTGRESQL_DUMP:
        raise BackupError(f"{file} is no dump of `midwatch backup` (pg_dump --format=custom)")
    program = _program("pg_restore", how_to_restore(file))
    done = _run([program, "--list", str(file)], _own_environment())
    if "unsupported version" in done.stderr:
        raise BackupError(f"pg_restore here is older than the pg_dump that wrote {file}: {_words(done.stderr)}")
    if done.returncode != 0:
        raise BackupError(f"{file} cannot be read: {_words(done.stderr)}")
    return done.stdout


def _nobody_else(connection: psycopg.Connection[Any], name: str) -> None:
    others = connection.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND backend_type = 'client backend'"
    ).fetchone()
    if others is not None and others[0]:
        raise BackupError(
            f"{others[0]} sessions are connected to {name}: stop every `midwatch web` and `midwatch engine` on it first"
        )


def _tables(connection: psycopg.Connection[Any]) -> list[str]:
    found = connection.execute(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = current_schema()"
    )
    return [str(row[0]) for row in found]


def _before(tables: list[str]) -> str:
    dropped = "".join(f"DROP TABLE IF EXISTS {table} CASCADE;\n" for table in tables)
    return f"BEGIN;\nSET LOCAL client_min_messages = warning;\n{dropped}"


def _after(schema: str, backup_at: str) -> str:
    began_at = clock.now().isoformat()
    moment = f"'{backup_at}'" if backup_at else "NULL"
    columns = '"token", "began_at", "by", "reason", "backup_at", "dropped_by", "released_by"'
    values = f"'{secrets.token_hex(16)}', '{began_at}', 'midwatch restore', 'a backup was restored', {moment}, '', ''"
    return f'INSERT INTO "{schema}".engine_hold ({columns}) VALUES ({values});\nCOMMIT;\n'  # noqa: S608 - ours, a name


def _load(database_url: str, file: Path, before: str, after: str) -> None:
    """pg_restore writes SQL, psql takes it; only when the first has ended well does the second hear COMMIT."""
    restoring = [_program("pg_restore", how_to_restore(file)), "--no-owner", "--no-privileges", "--file=-", str(file)]
    taking = [_program("psql", how_to_restore(file)), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"]
    with (
        subprocess.Popen(
            taking,
            env=environment(database_url),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as psql,
        subprocess.Popen(restoring, env=_own_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as source,
    ):
        assert psql.stdin is not None, "asked for above"
        assert source.stdout is not None, "asked for above"
        with suppress(BrokenPipeError):  # psql has stopped, and says why on its own standard error
            psql.stdin.write(before.encode())
            shutil.copyfileobj(source.stdout, psql.stdin, 1024 * 1024)
        source.stdout.close()
        problem = source.stderr.read().decode("utf-8", "replace") if source.stderr is not None else ""
        is_whole = source.wait() == 0
        with suppress(BrokenPipeError):
            if is_whole:
                psql.stdin.write(after.encode())
            psql.stdin.close()  # without COMMIT everything is rolled back
        refused = psql.stderr.read().decode("utf-8", "replace") if psql.stderr is not None else ""
        if psql.wait() != 0:
            raise BackupError(f"nothing was changed; PostgreSQL refused: {_words(refused)}")
    if not is_whole:
        raise BackupError(f"nothing was changed; {file} is damaged: {_words(problem)}")


def _own_environment() -> dict[str, str]:
    """For programs that need no database. Dumps carry their time in the writer's zone: ours are in UTC."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "MIDWATCH_"))}
    return {**kept, "TZ": "UTC", "LC_ALL": "C"}


def environment(database_url: str) -> dict[str, str]:
    """libpq's variables, since the arguments of a process can be read by every user of the machine."""
    given = conninfo_to_dict(database_url)
    found = {VARIABLES[name]: str(value) for name, value in given.items() if name in VARIABLES}
    return {**_own_environment(), **found}


def how_to_restore(file: Path) -> str:
    return f"pg_restore --no-owner --no-privileges --dbname=DATABASE {file}"
