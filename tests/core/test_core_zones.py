"""The wall clock against the raw TZif files, and the package as the only source of zones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zoneinfo
from datetime import UTC, datetime, timedelta
from importlib import resources
from itertools import pairwise
from pathlib import Path

import pytest

from midwatch.core import zones
from midwatch.core.zones import (
    SECOND,
    UnknownZoneError,
    all_zones,
    comes_at,
    is_zone,
    microseconds,
    wall_at,
    wall_clock,
)
from raw_zones import raw_changes, raw_zone


def test_gap_comes_at_the_jump_and_a_doubled_hour_counts_once() -> None:
    jump = datetime(2026, 3, 29, 1, tzinfo=UTC)
    for minute in (0, 15, 59):
        assert comes_at(datetime(2026, 3, 29, 2, minute), "Europe/Prague") == jump
    assert comes_at(datetime(2026, 3, 29, 3), "Europe/Prague") == jump
    assert comes_at(datetime(2026, 3, 29, 3, 1), "Europe/Prague") == jump + timedelta(minutes=1)
    assert comes_at(datetime(2026, 10, 25, 2, 30), "Europe/Prague") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert comes_at(datetime(2026, 10, 25, 3), "Europe/Prague") == datetime(2026, 10, 25, 2, tzinfo=UTC)
    assert comes_at(datetime(2011, 12, 30, 12), "Pacific/Apia") == datetime(2011, 12, 30, 10, tzinfo=UTC)  # a day gone
    assert wall_at(datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "Europe/Prague") == datetime(2026, 10, 25, 2, 30)


def test_what_the_wall_has_reached_never_goes_back() -> None:
    start = microseconds(datetime(2026, 10, 25, tzinfo=UTC))
    clock = wall_clock("Europe/Prague", start, start)
    reached = [clock.reached(start + minute * 60 * SECOND) for minute in range(240)]
    assert reached == sorted(reached)
    assert clock.shows(start + 90 * 60 * SECOND) == clock.shows(start + 30 * 60 * SECOND)


def test_every_change_of_every_zone_is_found() -> None:
    """`WallClock` asks zones day by day; the files list the moments."""
    seen: set[bytes] = set()
    first, last = datetime(2015, 1, 1, tzinfo=UTC), datetime(2037, 1, 1, tzinfo=UTC)
    for name in all_zones():
        data = raw_zone(name)
        if data in seen:
            continue
        seen.add(data)
        changes = raw_changes(data)
        moments = [at for at, _, _ in changes]
        assert all(b - a > timedelta(days=3) for a, b in pairwise(moments)), name
        clock = wall_clock(name, microseconds(first), microseconds(last))
        starts = [start for start in clock._starts if microseconds(first) <= start < microseconds(last)]
        assert starts == [microseconds(at) for at in moments if first <= at < last], name
        for at, before, after in changes:
            if first <= at < last:
                instant = microseconds(at)
                assert clock.shows(instant) - instant == after // timedelta(microseconds=1), name
                assert clock.shows(instant - 1) - (instant - 1) == before // timedelta(microseconds=1), name
    assert len(seen) > 300


def test_names() -> None:
    assert is_zone("Europe/Prague")
    assert is_zone("UTC")
    assert len(all_zones()) > 590
    assert all(zones.zone(name).key == name for name in all_zones())
    for bad in (
        "europe/prague",
        "Factory",
        "localtime",
        "",
        "../../etc/passwd",
        "/etc/localtime",
        "a\ud800",
        "x" * 999,
    ):
        assert not is_zone(bad)
        with pytest.raises(UnknownZoneError, match="give an IANA name such as"):
            zones.zone(bad)
    with pytest.raises(UnknownZoneError, match="Europe/Prague"):
        zones.zone("Europe/Pargue")
    with pytest.raises(UnknownZoneError, match="America/New_York"):
        zones.zone("america/new_york")


@pytest.mark.parametrize("at", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)])
def test_hostile_years_are_refused_with_a_sentence(at: datetime) -> None:
    with pytest.raises(ValueError, match="give a time between the years 1971 and 2199"):
        microseconds(at)
    with pytest.raises(ValueError, match="give a time between the years"):
        comes_at(at.replace(tzinfo=None), "UTC")


def test_naive_and_aware_are_not_confused() -> None:
    with pytest.raises(ValueError, match="aware"):
        microseconds(datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="without offset"):
        comes_at(datetime(2026, 1, 1, tzinfo=UTC), "UTC")


def test_the_systems_files_are_never_read(tmp_path: Path) -> None:
    """A machine whose own Europe/Prague is Tokyo's still agrees with everybody else, and so does plain `ZoneInfo`."""
    assert zoneinfo.TZPATH == ()
    (tmp_path / "Europe").mkdir()
    shutil.copy(str(resources.files("tzdata").joinpath("zoneinfo", "Asia", "Tokyo")), tmp_path / "Europe" / "Prague")
    program = (
        "import zoneinfo, datetime as d; early = zoneinfo.ZoneInfo('Europe/Prague');"
        "from midwatch.core.zones import zone; at = d.datetime(2026, 1, 1, tzinfo=d.UTC);"
        "print(*(at.astimezone(z).hour for z in (early, zone('Europe/Prague'), zoneinfo.ZoneInfo('Europe/Prague'))))"
    )
    source = str(Path(zones.__file__).parents[2])
    environment = {**os.environ, "PYTHONTZPATH": str(tmp_path), "PYTHONPATH": source}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["9", "1", "1"]
