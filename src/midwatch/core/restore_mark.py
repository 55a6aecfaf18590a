"""What a restore leaves in the data directory, so that whatever starts there is on hold. Needs no database.

Written before the restored database is put in place: a restore that is cut off at any moment leaves nothing that pages.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from midwatch.core import clock
from midwatch.core.marks import Mark

MARK = "restore-hold.json"
_MARK = Mark(MARK)
read, remove = _MARK.read, _MARK.remove


def write(data_dir: Path, *, backup_at: str, by: str = "midwatch restore") -> None:
    """`token` names this restore, so that it is one hold however often the mark is read. Raises `OSError`."""
    said = {"token": secrets.token_hex(16), "began_at": clock.now().isoformat(), "backup_at": backup_at, "by": by}
    _MARK.write(data_dir, said)
