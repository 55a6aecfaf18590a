"""`midwatch upgrade`: the database is made, or brought to this version."""

from __future__ import annotations

import os
from argparse import Namespace

from midwatch.cli.output import show
from midwatch.settings import settings
from midwatch.startup import upgrade as bring_up_to_date


def upgrade(args: Namespace) -> int:
    """SQLite: after a backup. PostgreSQL: one node at a time, under an advisory lock."""
    os.umask(0o077)  # what is made here is ours alone
    applied = bring_up_to_date()
    if not applied:
        lines = ["The database is of this version already."]
    else:
        lines = [f"Applied {len(applied)} migrations; the last: {applied[-1]}."]
        if settings().is_sqlite and (settings().data_dir / "backups").is_dir():
            lines.append(f"A backup from before is in {settings().data_dir / 'backups'}.")
    show(args, {"applied": applied}, lines)
    return 0
