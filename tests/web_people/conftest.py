"""The screens of people, teams, settings and the first minutes, seen by four people: ana is administrator, bo manages
payments, cy answers in it, vi only looks."""

from __future__ import annotations

from web_world import as_, noon, world

__all__ = ["as_", "noon", "world"]
