"""What a move to PostgreSQL leaves in the old data directory, so that nothing pages from there by accident.

`begun`: half of it may be over there already, and what changed here now would be missing. `moved`: all of it is there.
"""

from __future__ import annotations

from pathlib import Path

from midwatch.core.marks import Mark

_MARK = Mark("moved-to-postgresql.json")
read, write, remove = _MARK.read, _MARK.write, _MARK.remove


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
