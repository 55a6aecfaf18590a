"""What a restore leaves in the data directory, so that whatever starts there is on hold. Needs no database.

Written before the restored database is put in place: a restore that is cut off at any moment leaves nothing that pages.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from midwatch.core import clock

MARK = "restore-hold.json"


def write(data_dir: Path, *, backup_at: str, by: str = "midwatch restore") -> None:
    """`token` names this restore, so that it is one hold however often the mark is read. Raises `OSError`."""
    said = {"token": secrets.token_hex(16), "began_at": clock.now().isoformat(), "backup_at": backup_at, "by": by}
    unfinished = data_dir / f".{MARK}"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(said, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, data_dir / MARK)


def read(data_dir: Path) -> Mapping[str, Any] | None:
    """None: there is none. A mark that cannot be read is a mark all the same."""
    try:
        given = json.loads((data_dir / MARK).read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, OSError):
        return {}
    return given if isinstance(given, dict) else {}


def remove(data_dir: Path) -> None:
    (data_dir / MARK).unlink(missing_ok=True)
