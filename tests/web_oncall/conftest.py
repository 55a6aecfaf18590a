"""The screens of on call, looked at by logged-in clients of four people."""

from __future__ import annotations

from web_world import as_, noon, world

__all__ = ["as_", "noon", "world"]
