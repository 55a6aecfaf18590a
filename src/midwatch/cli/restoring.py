"""`midwatch restore`: an archive is put back, and starts on hold; the hold is listed, released or dropped."""

from __future__ import annotations

import importlib
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from midwatch.backup import BackupError
from midwatch.backup import restore as putting_back
from midwatch.cli.output import VerbError, complain
from midwatch.settings import settings

ACTS = {"list": "show_hold", "release": "release", "drop": "drop", "hold": "begin"}


def restore(args: Namespace) -> int:
    """Into an empty data directory or database; or, without a file, about the hold of the one that runs."""
    if (args.file is None) == (args.act is None):
        complain("restore: name an archive, or one of --list, --release, --drop, --hold")
        return 2
    if args.act is not None:
        return _on_the_database(args, ACTS[args.act], needs="database")
    return _told(lambda: _restore(args, args.file.expanduser()))


def _told(work: Callable[[], int]) -> int:
    try:
        return work()
    except (BackupError, VerbError) as error:
        complain(str(error))
        return 1


def _on_the_database(args: Namespace, function: str, *, needs: str) -> int:
    ground = importlib.import_module("midwatch.cli.ground")  # Django, for which a restore of files does not wait
    verb = replace(args.verb, call=f"midwatch.cli.hold:{function}", needs=needs)
    return int(ground.run(Namespace(**{**vars(args), "verb": verb})))


def _restore(args: Namespace, file: Path) -> int:
    found = settings()
    if not found.is_sqlite:
        postgresql = importlib.import_module("midwatch.backup.postgresql")
        put_back = postgresql.put_back(found.database_url, file, is_forced=args.force)
        args.restored = _Restored(
            {"database": put_back.database, "backup_at": put_back.backup_at},
            [f"Restored into the database {put_back.database}: the state of {put_back.backup_at or 'the dump'}."],
        )
        return _on_the_database(args, "after_restore", needs="django")
    manifest, aside = putting_back(file, found.data_dir, is_forced=args.force)
    lines = [f"Restored into {found.data_dir}: the state of {manifest.created_at}, Midwatch {manifest.version}."]
    if aside is not None:
        lines.append(f"What was there before is in {aside}.")
    data = {"data_dir": str(found.data_dir), "aside": str(aside) if aside else None, **asdict(manifest)}
    args.restored = _Restored(data, lines)
    return _on_the_database(args, "after_restore", needs="database")


class _Restored:
    """What the restore has to say, before the hold's list."""

    def __init__(self, data: dict[str, Any], lines: list[str]) -> None:
        self.data = data
        self.lines = lines
