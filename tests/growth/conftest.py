"""What grows with time is looked at through the plans of the database: how long it took says nothing on a test's machine."""

from __future__ import annotations

from web_world import as_, noon, world

__all__ = ["as_", "noon", "world"]
