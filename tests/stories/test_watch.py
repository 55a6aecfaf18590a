"""When an outside monitor hears "all is well", and when it must not."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError

from midwatch.core import clock
from midwatch.engine import watch as watching
from midwatch.engine.watch import Watch
from stories.story import Story


def test_an_engine_that_cannot_write_is_not_well(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full or read-only disk: reading goes on, so that each tick looks like one."""
    watch = Watch("story:1")
    watch.beat()
    assert watch.is_well

    class Full:
        @staticmethod
        def atomic() -> Any:
            raise OperationalError("database or disk is full")

    monkeypatch.setattr(watching, "transaction", Full)
    monotonic = clock.monotonic
    monkeypatch.setattr(clock, "monotonic", lambda: monotonic() + watching.STALLED_SECONDS + 1)
    watch._beat_at = 0.0
    with pytest.raises(OperationalError):
        watch.beat()
    assert not watch.is_well
    monkeypatch.undo()
    watch._beat_at = 0.0
    watch.beat()
    assert watch.is_well
