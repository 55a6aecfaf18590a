"""Lengths of time as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midwatch.core.durations import LENGTH_MAX, parse, written


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("4h", 14_400), ("1d", 86_400), ("1w", 604_800), ("1h30m", 5_400), ("0s", 0),
     (" 45 min ", 2_700), ("2 hours", 7_200), ("1 Day", 86_400), ("1h 5s", 3_605)],
)  # fmt: skip
def test_read(text: str, seconds: int) -> None:
    assert parse(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "soon", "-5m", "5 x", "1.5h", "5m!", "9" * 30 + "s", "999999999w"])
def test_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write"):
        parse(text)


@given(st.integers(0, int(LENGTH_MAX.total_seconds())))
def test_what_is_written_is_read_back(seconds: int) -> None:
    assert parse(written(timedelta(seconds=seconds))) == timedelta(seconds=seconds)
