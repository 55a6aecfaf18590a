"""What this process knows of its own lane, for the health page: only a web process has one."""

from __future__ import annotations

from midwatch.intake.writer import Writer

writer: Writer | None = None
is_supervised = False  # by `midwatch serve`: an engine runs beside this process


def problem() -> str:
    """Why this process takes no events, or ""."""
    return "" if writer is None else writer.problem
