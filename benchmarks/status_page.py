"""How many times a second one process gives out a status page in the news; beside the same server with the same bytes and
nothing behind it.

    python benchmarks/status_page.py [--seconds 5] [--connections 64] [--json] [--quick]

The page has fifteen components with ninety days of bars, one open incident, and changes while it is measured. The client is
a process of its own with keep-alive connections, one request at a time each. CPU is the server process's, from /proc.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from measuring import rig
from measuring.figures import Figure, parser, percentile, report

import installation

PATH = "/status/shop"
AIM = 2_000  # pages/s

FILL = """
from datetime import timedelta
from midwatch.catalog import actions as catalog
from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.people.models import Team
from midwatch.respond.availability.actions import open_outage
from midwatch.respond.statuspage import actions
from midwatch.respond.statuspage.actions import ComponentFields, NewNotice, PageFields

by = Actor("Benchmark", "cli")
team = Team.objects.order_by("pk").first()
page = actions.create_page("shop", PageFields(team, "Example Shop"), by)
now = clock.now()
for number in range(15):
    service = catalog.create_service(f"bench-{number}", catalog.ServiceFields(team, f"Service {number}"), by)
    begun = (now - timedelta(days=100)).date()
    one = actions.add_component(page, ComponentFields(f"Component {number}", service=service, started_on=begun), by)
    for day in range(number, 90, 11):
        start = now - timedelta(days=day, hours=2)
        open_outage(service, by, level="partial", starts_at=start, ends_at=start + timedelta(minutes=30))
actions.open_notice(page, NewNotice("Cards fail", "Some cards are declined.", components={one: "partial_outage"}), by)
"""

LANE = """
import django, sys
django.setup()
from midwatch.server import Address, run
sys.exit(run(Address(port=int(sys.argv[1]))))
"""

BARE = """
import django, sys
django.setup()
from midwatch import server
import uvicorn

BODY = b"x" * SIZE

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    head = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"%d" % len(BODY))]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": BODY})

sys.setswitchinterval(server.SWITCH_SECONDS)
uvicorn.Server(server.config(app, server.Address(port=int(sys.argv[1])))).run()
"""


class Reader(asyncio.Protocol):
    """One connection that asks again as soon as it has the whole page."""

    def __init__(self, request: bytes, until: float, took: list[float], failures: list[bytes]) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request, self._until, self._took, self._failures = request, until, took, failures
        self._heard = b""
        self._wanted = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._started = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        if not self._wanted:
            head, found, _ = self._heard.partition(b"\r\n\r\n")
            if not found:
                return
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            self._wanted = len(head) + 4 + int(length.partition(b":")[2])
            if not head.startswith(b"HTTP/1.1 200"):
                self._failures.append(head[:40])
        if len(self._heard) < self._wanted:
            return
        now = time.perf_counter()
        self._took.append(now - self._started)
        self._heard, self._wanted = b"", 0
        if now < self._until:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


def client(port: int, connections: int, seconds: float, results: Any) -> None:
    async def main() -> None:
        request = f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/html\r\n\r\n".encode()
        took: list[float] = []
        failures: list[bytes] = []
        until = time.perf_counter() + seconds
        loop = asyncio.get_running_loop()
        readers = []
        for _ in range(connections):
            _, reader = await loop.create_connection(lambda: Reader(request, until, took, failures), "127.0.0.1", port)
            readers.append(reader.done)
        await asyncio.gather(*readers)
        results.put((took, len(failures)))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def measure(pid: int, port: int, connections: int, seconds: float) -> tuple[float, float, float]:
    """Pages a second, CPU microseconds a page, p99 in milliseconds."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()

    def run(length: float) -> tuple[list[float], int, float]:
        worker = context.Process(target=client, args=(port, connections, length, results))
        before = rig.cpu_seconds(pid)
        worker.start()
        took, failures = results.get()
        worker.join()
        return took, failures, rig.cpu_seconds(pid) - before

    run(0.5)  # warm up
    took, failures, cpu = run(seconds)
    assert not failures, f"{failures} answers were no 200"
    return len(took) / seconds, cpu / len(took) * 1e6, percentile(took, 0.99) * 1e3


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--seconds", type=float, default=5.0)
    options.add_argument("--connections", type=int, default=64)
    given = options.parse_args()
    seconds = 1.0 if given.quick else given.seconds
    directory = Path(tempfile.mkdtemp(prefix="midwatch-bench-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory)
        env = installation.environment(directory, "")
        installation.prepare(env)
        rig.in_installation(FILL, env)
        with rig.server(LANE, env) as (pid, port):
            _, _, body = rig.Browser(port).ask(PATH)
            rate, cpu, p99 = measure(pid, port, given.connections, seconds)
        with rig.server(BARE.replace("SIZE", str(len(body))), env) as (pid, port):
            bare_rate, bare_cpu, _ = measure(pid, port, given.connections, seconds)
        figures = [
            Figure("size of the page", len(body) / 1024, "KiB", "<= 100"),
            Figure(f"pages given out, {given.connections} connections", rate, "pages/s", f">= {AIM}"),
            Figure("of the bare server's rate", rate / bare_rate, "ratio", ">= 0.4"),
            Figure("CPU a page", cpu, "us"),
            Figure("CPU of the bare server", bare_cpu, "us"),
            Figure("answer at saturation, p99", p99, "ms"),
        ]
        report("status_page", figures, as_json=given.json)


if __name__ == "__main__":
    main()
