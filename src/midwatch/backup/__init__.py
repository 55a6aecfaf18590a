"""Backup: everything that is needed to start again elsewhere, in one file, taken while Midwatch runs.

Comes after the embedded database and the event log; before the command line and the upgrade, which call it. It imports
no Django, so that the supervisor may call it too. `docs/reference/cli.md` has what is in an archive and what is not.
"""

from midwatch.backup.archive import BackupError, Manifest, read, write
from midwatch.backup.restore import restore

__all__ = ["BackupError", "Manifest", "read", "restore", "write"]
