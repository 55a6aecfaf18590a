from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from midwatch.core import clock, guard, net, wake
from midwatch.intake import log
from stories.story import Story, forget_caches


@pytest.fixture
def story(transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """A whole installation with a clock that stands still until moved, and phones that ring."""
    monkeypatch.setenv("MIDWATCH_DATA_DIR", str(tmp_path))
    forget_caches()
    guard.failures.clear()
    told = Story()
    with net.installed(told.network), wake.using(wake.LocalBus()):
        told.open()
        yield told
        told.close()
    failed = dict(guard.failures)
    clock.thaw()
    log.event_log.cache_clear()
    monkeypatch.undo()
    forget_caches()
    assert failed.keys() <= told.expected_failures, f"jobs failed: {failed}"
