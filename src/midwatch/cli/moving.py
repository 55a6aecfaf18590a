"""`midwatch move`: from the embedded database to PostgreSQL, and the way back."""

from __future__ import annotations

import importlib
import sys
from argparse import Namespace

from midwatch.backup import BackupError
from midwatch.cli.output import complain, show, table
from midwatch.settings import secret_key, settings


def move(args: Namespace) -> int:
    """Midwatch is stopped meanwhile. Run again, it goes on where it was."""
    found = settings()
    if not found.is_sqlite:
        complain("MIDWATCH_DATABASE_URL is set: unset it, `move` starts from the embedded database of a data directory")
        return 1
    work = importlib.import_module("midwatch.backup.move")  # psycopg is loaded only where it is used
    try:
        if args.back:
            return _back(args, work.back(found.data_dir))
        key = secret_key() if found.main_database.is_file() else "none yet, and the move will say so itself"
        moved = work.move(found.data_dir, args.to, secret_key=key, say=_say)
    except BackupError as error:
        complain(str(error))
        return 1
    rows = [(name, here, there) for name, (here, there) in sorted(moved.counts.items())]
    lines = [
        *table(rows, ("TABLE", "ROWS HERE", "ROWS THERE")),
        "",
        f"Moved to {moved.to}; {moved.unread} events are still to be read there, in their order.",
        f"{found.data_dir} is marked: nothing starts on it any more (`midwatch move --back` takes that away).",
        "Now set MIDWATCH_DATABASE_URL to the new address on every node, and the same secret key:",
        f"  MIDWATCH_SECRET_KEY_FILE={found.data_dir / 'secret-key'}",
    ]
    if moved.notes.nul_count or moved.notes.cut_count:
        lines.append(
            f"PostgreSQL is stricter: {moved.notes.nul_count} texts lost a NUL, {moved.notes.cut_count} were cut to their length."
        )
    data = {
        "to": moved.to,
        "tables": {name: {"here": here, "there": there} for name, here, there in rows},
        "unread_events": moved.unread,
        "texts_without_nul": moved.notes.nul_count,
        "texts_cut": moved.notes.cut_count,
    }
    show(args, data, lines)
    return 0


def _back(args: Namespace, was: str) -> int:
    lines = [
        f"{settings().data_dir} may be used again. What happened in {was} since the move is not in it:",
        "stop every node there first, or both page.",
    ]
    show(args, {"back": str(settings().data_dir), "was": was}, lines)
    return 0


def _say(text: str) -> None:
    """How far it is, beside what is printed."""
    sys.stderr.write(f"{text}\n")
