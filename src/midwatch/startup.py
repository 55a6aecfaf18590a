"""What happens before Midwatch serves: the database is made or brought up to date, configuration as code is applied.

Import this module after `django.setup()`.
"""

from __future__ import annotations

import importlib
import logging
from dataclasses import dataclass
from pathlib import Path

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor

from midwatch import __version__, backup
from midwatch.core import clock
from midwatch.core.migrating import migrate
from midwatch.core.postgresql.lock import upgrading
from midwatch.engine import hold
from midwatch.people.actions import ensure_api_token_user, setup_code
from midwatch.settings import api_token, settings

log = logging.getLogger("midwatch.startup")

BACKUPS_KEPT = 3
HALF_MOVED = "(a `midwatch move` into this database is not finished: run it again)"


@dataclass(frozen=True, slots=True)
class Prepared:
    """`setup_code`: opens the set-up page while there is no administrator. `problem`: why pages cannot be served."""

    setup_code: str | None = None
    problem: str = ""


def prepare(config: Path | None) -> Prepared:
    """Bring everything to where requests can be served. Ends the process with a sentence when that cannot be.

    On PostgreSQL only `midwatch upgrade` migrates: several nodes start at different moments.
    """
    if config is not None and not config.is_dir():
        raise SystemExit(f"--config {config}: there is no such directory")
    if settings().is_sqlite:
        _migrate_embedded()
    else:
        problem = _problem_of_the_server()
        if problem:
            log.error("%s", problem)
            return Prepared(problem=problem)
    adopt_hold()
    if api_token():
        ensure_api_token_user()
    if config is not None:
        importlib.import_module("midwatch.gitops.startup").apply_at_start(config)  # YAML only for those who use it
    return Prepared(setup_code=setup_code())


def adopt_hold() -> bool:
    """A restore into the data directory starts on hold. Before any engine runs; PostgreSQL has its hold inside."""
    return settings().is_sqlite and hold.adopt(settings().data_dir)


def pending_migrations() -> list[str]:
    """Names of the migrations that the database has not seen: `alerts.0002_more`. Half a move is none that may be used."""
    if connection.vendor == "postgresql" and _is_half_moved():
        return [HALF_MOVED]
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def _is_half_moved() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('midwatch_move') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return False
        cursor.execute("SELECT count(*) FROM midwatch_move WHERE state <> 'done'")
        return bool(cursor.fetchone()[0])


def upgrade() -> list[str]:
    """Migrate, one node at a time; returns what was applied. The database of `midwatch upgrade`."""
    if settings().is_sqlite:
        pending = pending_migrations()
        _migrate_embedded()
        return pending
    with upgrading(connection):
        pending = pending_migrations()
        if pending == [HALF_MOVED]:
            raise SystemExit("a `midwatch move` into this database is not finished: run it again first")
        migrate()
    return pending


def _migrate_embedded() -> None:
    """A database that has data is copied first: `backups/` keeps the last three."""
    pending = pending_migrations()
    if not pending:
        return
    if "django_migrations" in connection.introspection.table_names():
        _back_up()
        log.info("migrating the database: %d steps", len(pending))
    migrate()


def _back_up() -> None:
    directory = settings().data_dir / "backups"
    file = directory / f"before-{__version__}-{clock.now():%Y%m%dT%H%M%S%f}.tar.gz"
    try:
        directory.mkdir(exist_ok=True, mode=0o700)
        backup.write(settings().data_dir, file)
    except (backup.BackupError, OSError) as error:
        raise SystemExit(f"no migration without a backup, and {directory} takes none: {error}") from error
    log.info("backup before the migration: %s", file)
    kept = sorted(directory.glob("before-*.tar.gz"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in kept[BACKUPS_KEPT:]:
        old.unlink()


def _problem_of_the_server() -> str:
    """Why the PostgreSQL database cannot be used yet, or ""."""
    try:
        pending = pending_migrations()
    except Error as error:
        return f"PostgreSQL cannot be reached ({type(error).__name__}): pages answer 503 until it can"
    return f"{len(pending)} migrations are pending: run `midwatch upgrade`" if pending else ""
