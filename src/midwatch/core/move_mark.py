"""What a move to PostgreSQL leaves in the old data directory, so that nothing pages from there by accident.

`begun`: half of it may be over there already, and what changed here now would be missing. `moved`: all of it is there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MARK = "moved-to-postgresql.json"


def read(data_dir: Path) -> Mapping[str, Any] | None:
    """None: there is none. A mark that cannot be read is a mark all the same."""
    try:
        given = json.loads((data_dir / MARK).read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, OSError):
        return {}
    return given if isinstance(given, dict) else {}


def write(data_dir: Path, said: Mapping[str, Any]) -> None:
    """Durable when it returns. Raises `OSError`."""
    unfinished = data_dir / f".{MARK}"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(dict(said), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, data_dir / MARK)


def remove(data_dir: Path) -> None:
    (data_dir / MARK).unlink(missing_ok=True)


def problem(data_dir: Path) -> str:
    """Why the embedded database in this directory is not to be used, or ""."""
    said = read(data_dir)
    if said is None:
        return ""
    where = said.get("to", "PostgreSQL")
    if said.get("state") == "moved":
        return (
            f"{data_dir} was moved to {where} at {said.get('at', 'an unknown time')}: set MIDWATCH_DATABASE_URL to that "
            f"(and MIDWATCH_SECRET_KEY_FILE={data_dir / 'secret-key'}); `midwatch move --back` makes the directory usable again"
        )
    return (
        f"a move of {data_dir} to {where} was begun and is not finished: run `midwatch move --to` again, "
        "or give it up with `midwatch move --back`"
    )
