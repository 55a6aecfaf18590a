"""On PostgreSQL a backup is PostgreSQL's own: `pg_dump`, with the password out of the command line."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from midwatch.backup.archive import BackupError

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
    program = shutil.which("pg_dump")
    if program is None:
        raise BackupError(
            "pg_dump is not installed here: install PostgreSQL's client programs, or on the database's machine type "
            f"pg_dump --format=custom --file={file} DATABASE"
        )
    unfinished = file.with_name(f".{file.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    try:
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        done = subprocess.run(
            [program, "--format=custom", "--no-owner", f"--file={unfinished}"],
            env=environment(database_url),
            capture_output=True,
            text=True,
            timeout=SIX_HOURS_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise BackupError(f"pg_dump failed: {' '.join(done.stderr.split())[:500]}")
        os.replace(unfinished, file)
    except OSError as error:
        raise BackupError(f"{file} cannot be written: {error.strerror or error}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def environment(database_url: str) -> dict[str, str]:
    """libpq's variables, since the arguments of a process can be read by every user of the machine."""
    given = conninfo_to_dict(database_url)
    found = {VARIABLES[name]: str(value) for name, value in given.items() if name in VARIABLES}
    return {**{name: value for name, value in os.environ.items() if not name.startswith(("PG", "MIDWATCH_"))}, **found}


def how_to_restore(file: Path) -> str:
    return f"pg_restore --clean --if-exists --no-owner --dbname=DATABASE {file}"
