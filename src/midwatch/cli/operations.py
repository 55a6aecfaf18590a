"""Running the installation: backup, restore, upgrade, version."""

from __future__ import annotations

import importlib
import platform
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from midwatch import __version__
from midwatch.backup import archive
from midwatch.cli.output import VerbError, complain, show
from midwatch.core.sqlite_library import library_version
from midwatch.settings import raw, settings


def _told(work: Callable[[], int]) -> int:
    try:
        return work()
    except (archive.BackupError, VerbError) as error:
        complain(str(error))
        return 1


def backup(args: Namespace) -> int:
    """One file, taken while everything runs."""
    return _told(lambda: _backup(args, args.file.expanduser()))


def _backup(args: Namespace, file: Path) -> int:
    found = settings()
    if not found.is_sqlite:
        postgresql = importlib.import_module("midwatch.backup.postgresql")  # psycopg is loaded only where it is used
        postgresql.dump(found.database_url, file, is_replacing=args.force)
        how = f"midwatch restore {file}"
        lines = [
            f"Written: {file}. Put it back into an empty database with: {how}",
            "The secret key is not in it (MIDWATCH_SECRET_KEY): keep it too.",
        ]
        show(args, {"file": str(file), "restore": how}, lines)
        return 0
    manifest = archive.write(found.data_dir, file, is_replacing=args.force)
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in manifest.counts.items())
    lines = [
        f"Written: {file} ({file.stat().st_size / 1e6:.1f} MB): {counts}.",
        "It holds the secret key, tokens' digests and contact addresses: keep it as safe as the data directory.",
    ]
    if raw("SECRET_KEY"):
        lines.append("The secret key is set in the environment and is not in it: keep it too.")
    show(args, {"file": str(file), **asdict(manifest)}, lines)
    return 0


def version(args: Namespace) -> int:
    found = {
        "midwatch": __version__,
        "python": platform.python_version(),
        "sqlite": ".".join(map(str, library_version())),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    show(args, found, [f"{name} {value}" for name, value in found.items()])
    return 0
