"""What a verb stands on that works with the database: Django set up, an actor, and errors in one line."""

from __future__ import annotations

import importlib
import os
from argparse import Namespace
from datetime import datetime

import django
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, OperationalError, ProgrammingError, connection

from midwatch.cli.output import VerbError, complain
from midwatch.core import logs, move_mark
from midwatch.settings import LISTEN_URL, raw, settings
from midwatch.supervisor import ADDRESS_FILE

LOGGED = "error"  # while a verb runs, on standard error, beside its own words


def run(args: Namespace) -> int:
    """Call the verb, and say in one line what went wrong."""
    try:
        if args.verb.needs == "database":
            there_must_be_a_database()
            learn_address()
        set_up_django()
        module, _, function = args.verb.call.partition(":")
        return int(getattr(importlib.import_module(module), function)(args))
    except (VerbError, ValueError, ImproperlyConfigured) as error:  # the domain refuses by a ValueError with a sentence
        complain(str(error))
    except DatabaseError as error:
        complain(_about_database(error))
    return 1


def there_must_be_a_database() -> None:
    """Setting up Django would make a data directory and a secret key where there is no Midwatch. Raises `VerbError`."""
    found = settings()
    if found.is_sqlite and not found.main_database.is_file():
        raise VerbError(
            f"there is no Midwatch in {found.data_dir}: start it with `midwatch serve`, "
            "or name its directory with --data or MIDWATCH_DATA_DIR"
        )
    if found.is_sqlite and (why := move_mark.problem(found.data_dir)):
        raise VerbError(why)


def learn_address() -> None:
    """The address that `serve` listens on, or was told, where this process was told none: links are built with it."""
    path = settings().data_dir / ADDRESS_FILE
    if not raw("BASE_URL") and path.is_file():
        os.environ[LISTEN_URL] = path.read_text("utf-8").strip()
        settings.cache_clear()


def set_up_django() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "midwatch.django_settings"
    level = settings().log_level
    django.setup()
    logs.configure(level if level.lower() == "debug" else LOGGED)


def _about_database(error: DatabaseError) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, ProgrammingError | OperationalError) and _is_schema(text):
        first = str(error).partition("\n")[0]
        return f"the database is of another version of Midwatch ({first}): run `midwatch upgrade`"
    if isinstance(error, OperationalError):
        where = settings().main_database if settings().is_sqlite else "PostgreSQL"
        return f"the database does not answer ({logs.without_secrets(text)}): {where}; nothing was changed, try again"
    return f"the database refused: {logs.without_secrets(text)}"


def _is_schema(text: str) -> bool:
    return any(part in text for part in ("no such table", "no such column", "does not exist"))


def is_postgresql() -> bool:
    return connection.vendor == "postgresql"


def shown_time(at: datetime | None) -> str:
    """As people read it in a terminal: UTC, to the minute."""
    return "" if at is None else f"{at:%Y-%m-%d %H:%M}Z"
