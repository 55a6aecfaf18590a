"""Open pages beside a real server: they hear what others write, come back after a restart and miss nothing, cost little, and
never keep the process from ending."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from running import Serve, serving, until

import installation
import postgres

pytestmark = pytest.mark.postgresql
LISTENERS = 200
KIB_EACH_MAX = 150  # measured: 37


class Other:
    """Another process of the installation: it makes a person, and touches topics."""

    def __init__(self, env: Mapping[str, str]) -> None:
        program = Path(__file__).with_name("live_person.py")
        self.process = subprocess.Popen(
            [sys.executable, str(program)], env=dict(env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.cookie = self._line()

    def touch(self, *topics: str) -> int:
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(topics) + "\n")
        self.process.stdin.flush()
        return int(self._line())

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(20)


class Listener:
    """A browser's stream, as bytes."""

    def __init__(self, port: int, cookie: str, query: str, more: str = "") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.sendall(
            f"GET /live?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n"
            f"Cookie: midwatch_session={cookie}\r\n{more}\r\n".encode()
        )
        self.heard = ""
        self.is_over = False

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def read(self) -> str:
        """What has come by now, without waiting."""
        while not self.is_over and select.select([self.socket], [], [], 0)[0]:
            try:
                chunk = self.socket.recv(65_536)
            except ConnectionResetError:
                chunk = b""
            self.is_over = not chunk
            self.heard += chunk.decode()
        return self.heard

    def until(self, words: str) -> str:
        return str(until(lambda: words in self.read() and self.heard))

    @property
    def position(self) -> int:
        return int(re.findall(r"^id: (\d+)\r?$", self.heard, re.MULTILINE)[-1])


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Serve, Other]]:
    """On the database of the run."""
    data_dir = tmp_path / "data"
    url = ""
    if os.environ.get("MIDWATCH_TEST_DATABASE") == "postgresql":
        url = postgres.shared().create_database(f"live_{os.getpid()}_{time.monotonic_ns()}")
    env = {**installation.environment(data_dir, url), "MIDWATCH_LIVE_STREAMS_PER_PERSON": "1000"}
    installation.prepare(env)
    with serving(data_dir, env) as serve:
        other = Other(env)
        try:
            yield serve, other
        finally:
            other.close()


def test_a_restart_loses_nothing(both: tuple[Serve, Other]) -> None:
    serve, other = both
    with Listener(serve.port, other.cookie, "topic=alert:7") as page:
        page.until("event: hello")
        page.until("event: changed")
        at = other.touch("alert:7")
        until(lambda: page.read() is not None and page.position == at)
        os.kill(serve.children()["web"], signal.SIGKILL)
        until(lambda: page.read() is not None and page.is_over)
    missed = other.touch("alert:7", "alert:8")
    serve.wait_until_up()
    with Listener(serve.port, other.cookie, "topic=alert:7", f"Last-Event-ID: {at}\r\n") as page:
        page.until("event: changed")
        assert page.position >= missed - 1
    # An end in good order says so, and the new process answers the same position.
    with Listener(serve.port, other.cookie, "topic=alert:7") as page:
        page.until("event: changed")
        assert serve.end() == 0
        assert "event: bye" in page.read()
    at = page.position
    other.touch("alert:7")
    serve.start().wait_until_up()
    with Listener(serve.port, other.cookie, f"topic=alert:7&after={at}") as page:
        page.until("event: changed")


def test_many_pages_cost_little_and_do_not_keep_it_from_ending(both: tuple[Serve, Other]) -> None:
    serve, other = both
    other.touch("alert:1")
    web = psutil.Process(serve.children()["web"])
    with ExitStack() as stack:
        first = stack.enter_context(Listener(serve.port, other.cookie, "topic=alert:1"))
        first.until("event: hello")
        before = web.memory_info().rss
        cpu = sum(web.cpu_times()[:2])
        pages = [stack.enter_context(Listener(serve.port, other.cookie, "topic=alert:1")) for _ in range(LISTENERS - 1)]
        for page in pages:
            page.until("event: changed")
        opened = sum(web.cpu_times()[:2]) - cpu
        each = (web.memory_info().rss - before) / 1024 / LISTENERS
        metrics = serve.ask("/metrics")[1].decode()
        assert f"midwatch_live_streams {LISTENERS}.0" in metrics
        told = [page.heard.count("event: changed") for page in pages]
        started = time.monotonic()
        other.touch("alert:1")
        for page, count in zip(pages, told, strict=True):
            until(lambda page=page, count=count: page.read().count("event: changed") > count)
        took = time.monotonic() - started
        print(f"{LISTENERS} pages: {each:.0f} KiB each, {opened:.2f} s of CPU to open, all told in {took:.2f} s")
        assert each < KIB_EACH_MAX
        started = time.monotonic()
        assert serve.end() == 0
        ended = time.monotonic() - started
        assert ended < 15
        print(f"ended in {ended:.1f} s")
        for page in pages:
            until(lambda page=page: page.read() is not None and page.is_over)
            assert "event: bye" in page.heard
    assert "Traceback" not in serve.said()
