"""The ground of runs: an environment of its own, and a fresh database for each run, copied from a migrated one.

`synchronous=OFF` is honest here: what dies in a run are processes, never the machine, so nothing that was written to a
file is lost. The statements and transactions are the real ones.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from pathlib import Path
from urllib.parse import quote

import django
import psycopg
from psycopg import sql

SECRET = "simulation-" + "s" * 40
PUBLIC = "http://midwatch.example"
FIXED = {
    "MIDWATCH_BASE_URL": PUBLIC,
    "MIDWATCH_SECRET_KEY": SECRET,
    "MIDWATCH_EMAIL_URL": "smtp://127.0.0.1:9",
    "MIDWATCH_EMAIL_FROM": "midwatch@midwatch.example",
    "MIDWATCH_TWILIO_ACCOUNT_SID": "AC0123456789",
    "MIDWATCH_TWILIO_AUTH_TOKEN": "twilio-token-of-the-simulation",
    "MIDWATCH_TWILIO_FROM": "+15005550006",
    "MIDWATCH_TWILIO_BASE_URL": "http://twilio.example",
    "DJANGO_SETTINGS_MODULE": "midwatch.django_settings",
}


def scratch() -> Path:
    """A directory in memory where there is one: a run writes a lot, and nothing of it is kept."""
    shared = Path("/dev/shm")  # noqa: S108 - the kernel's own memory file system
    parent = shared if shared.is_dir() and os.access(shared, os.W_OK) else Path(tempfile.gettempdir())
    return Path(tempfile.mkdtemp(prefix="midwatch-sim-", dir=parent))


def database_of(url: str, worker: int) -> str:
    """Each worker has a database of its own: the first the one that was named, the others beside it, made when missing.

    `url` "": SQLite, where each has a file of its own anyway.
    """
    if not url or not worker:
        return url
    base, _, options = url.partition("?")
    server, _, name = base.rpartition("/")
    beside = f"{name}_{worker}"
    with psycopg.connect(url, autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [beside]).fetchone()
        if known is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(beside)))
    return f"{server}/{beside}{f'?{options}' if options else ''}"


def _relaxed(url: str) -> str:
    """Sessions of a simulation: a commit need not reach the disk, and the machine's time, which means nothing in a run,
    ends none of them."""
    own = quote("-c synchronous_commit=off -c idle_in_transaction_session_timeout=0 -c statement_timeout=0")
    return f"{url}{'&' if '?' in url else '?'}options={own}"


def prepare(data_dir: Path, database_url: str = "") -> None:
    """Once a process, before anything of Django is imported: settings from here alone, whatever the shell has set."""
    for name in [name for name in os.environ if name.startswith("MIDWATCH_")]:
        del os.environ[name]
    os.environ.update(FIXED)
    os.environ["MIDWATCH_DATA_DIR"] = str(data_dir)
    if database_url:
        os.environ["MIDWATCH_DATABASE_URL"] = _relaxed(database_url)
    django.setup()
    logging.getLogger().addHandler(logging.NullHandler())  # what fails is heard by the run, which looks at it
    logging.getLogger("midwatch").propagate = False


def forget(data_dir: Path) -> None:
    shutil.rmtree(data_dir, ignore_errors=True)
