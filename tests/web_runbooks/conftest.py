"""The screens of runbooks are looked at through a browser's eyes: logged-in clients of four people."""

from __future__ import annotations

from web_world import as_, noon, world

__all__ = ["as_", "noon", "world"]
