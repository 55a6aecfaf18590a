"""Waking: at once when there is work, never in the way of a start or a commit."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import postgres
from midwatch.core import wake
from midwatch.core.postgresql.wake import PostgresWaiter


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """pytest's own paths are too long for a socket."""
    import shutil
    import tempfile

    directory = Path(tempfile.mkdtemp(prefix="mw"))
    yield directory
    shutil.rmtree(directory)


def test_every_listener_hears_one_call(short_directory: Path) -> None:
    bus = wake.SocketBus(short_directory)
    with bus.waiter("work") as first, bus.waiter("work") as second, bus.waiter("other") as other:
        bus.wake("work")
        bus.wake("work")
        assert first.wait(5)
        assert second.wait(5)
        assert not first.wait(0)  # two calls in a row are one
        assert not other.wait(0)
    assert list((short_directory / "wake").iterdir()) == []


def test_a_waiting_thread_is_woken_at_once(short_directory: Path) -> None:
    bus = wake.SocketBus(short_directory)
    with bus.waiter("work") as ear:
        heard: list[float] = []

        def listen() -> None:
            assert ear.wait(10)
            heard.append(time.monotonic())

        thread = threading.Thread(target=listen)
        thread.start()
        called = time.monotonic()
        bus.wake("work")
        thread.join(10)
        assert heard[0] - called < 1


def test_nobody_listens(short_directory: Path) -> None:
    wake.SocketBus(short_directory / "missing").wake("work")


def test_a_stale_socket_is_cleared_away_and_stops_nobody(short_directory: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from midwatch.core.wake import SocketBus\n"
        "SocketBus(Path(sys.argv[1])).waiter('work'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(short_directory)], check=False, env={**os.environ})
    stale = list((short_directory / "wake").iterdir())
    assert len(stale) == 1
    bus = wake.SocketBus(short_directory)
    with bus.waiter("work") as ear:
        bus.wake("work")
        assert ear.wait(5)
    assert not stale[0].exists()


def test_a_full_queue_never_blocks(short_directory: Path) -> None:
    bus = wake.SocketBus(short_directory)
    with bus.waiter("work") as ear:
        for _ in range(5_000):
            bus.wake("work")
        assert ear.wait(0)
        assert not ear.wait(0)


def test_a_long_data_directory(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 120)
    assert not str(wake.socket_directory(long)).startswith(str(long))
    bus = wake.SocketBus(long)
    with bus.waiter("work") as ear:
        assert isinstance(ear, wake.SocketWaiter)
        bus.wake("work")
        assert ear.wait(5)


def test_a_directory_that_cannot_be_used_leaves_the_poll(short_directory: Path) -> None:
    (short_directory / "wake").write_text("a file where the directory should be")
    bus = wake.SocketBus(short_directory)
    with bus.waiter("work") as ear:
        bus.wake("work")
        assert not ear.wait(0.01)


def test_interrupt(short_directory: Path) -> None:
    for bus in (wake.SocketBus(short_directory), wake.LocalBus()):
        with bus.waiter("work") as ear:
            threading.Timer(0.05, ear.interrupt).start()
            assert ear.wait(10)


def test_a_story_wakes_within_its_process() -> None:
    with wake.using(wake.LocalBus()), wake.waiter() as ear:
        assert not ear.wait(0)
        wake.wake()
        assert ear.wait(0)
        assert not ear.wait(0)


@pytest.mark.postgresql
def test_listen_survives_its_connection() -> None:
    server = postgres.shared()
    url = server.create_database("wake")
    with PostgresWaiter(url, "work") as ear, psycopg.connect(url, autocommit=True) as caller:
        caller.execute("SELECT pg_notify('midwatch', 'other')")
        assert not ear.wait(0.1)
        caller.execute("SELECT pg_notify('midwatch', 'work')")
        assert ear.wait(10)
        caller.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN midwatch'")
        assert ear.wait(10)  # the loss itself wakes: something may have been missed
        assert ear.wait(10)  # and so does listening again
        caller.execute("SELECT pg_notify('midwatch', 'work')")
        assert ear.wait(10)
        threading.Timer(0.05, ear.interrupt).start()
        assert ear.wait(10)


@pytest.mark.postgresql
def test_listen_while_the_server_is_away() -> None:
    with PostgresWaiter(f"postgresql://nobody@127.0.0.1:{postgres.free_port()}/x", "work") as ear:
        assert not ear.wait(0.1)
