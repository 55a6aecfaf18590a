"""How many events a second the lane takes, each on disk before its sender hears 202; beside the same server without a log.

    python benchmarks/intake.py [--seconds 5] [--connections 32 128] [--postgresql URL|own] [--json] [--quick]

Both servers run in the same minute on the same machine, so their ratio means more than their figures. The client is a
process of its own with keep-alive connections, one request at a time each. CPU is the server process's, from /proc.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import random
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from measuring import rig
from measuring.figures import Figure, parser, report

import installation
import postgres

PACE = 2_000  # events/s: below saturation, what a storm is

BODY = json.dumps(
    {
        "key": "disk/db3/var",
        "status": "firing",
        "title": "Disk of db3 is 97 % full",
        "priority": "P2",
        "description": "The volume /var on db3 has 2.1 GiB left and grows by 300 MiB an hour. " * 4,
        "labels": {
            "instance": "db3:9100",
            "job": "node",
            "mountpoint": "/var",
            "severity": "critical",
            "team": "storage",
        },
        "links": [{"href": "https://grafana.example.com/d/disk?var-host=db3", "text": "Dashboard"}],
    }
).encode()

LANE = """
import django, sys
django.setup()
from midwatch.server import Address, run
sys.exit(run(Address(port=int(sys.argv[1]))))
"""

BARE = """
import asyncio, django, sys
django.setup()
from midwatch import server
import uvicorn

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    while (await receive()).get("more_body"):
        pass
    body = b'{"status":"accepted","event_id":"0123456789abcdef0123456789abcdef"}'
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 202, "headers": head})
    await send({"type": "http.response.body", "body": body})

sys.setswitchinterval(server.SWITCH_SECONDS)
uvicorn.Server(server.config(app, server.Address(port=int(sys.argv[1])))).run()
"""


@dataclass
class Figures:
    name: str
    connections: int
    events: int
    failures: int
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    cpu_us: float

    @property
    def rate(self) -> float:
        return self.events / self.seconds

    def __str__(self) -> str:
        return (
            f"{self.name:<22} {self.connections:>4} connections {self.rate:>9,.0f} events/s   p50 {self.p50_ms:6.2f} ms   "
            f"p99 {self.p99_ms:6.2f} ms   max {self.max_ms:6.1f} ms   {self.cpu_us:5.0f} us CPU an event   {self.failures} failed"
        )


class Sender(asyncio.Protocol):
    """One connection: sends the next request when the answer is there."""

    def __init__(
        self, request: bytes, until: float, took: list[float], failures: list[bytes], every: float = 0.0
    ) -> None:
        self.request = request
        self.until = until
        self.took = took
        self.failures = failures
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.every = every  # seconds from one request to the next, unless the answer takes longer
        self.sent_at = 0.0
        self.received = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        asyncio.get_running_loop().call_later(random.random() * self.every, self.send)

    def send(self) -> None:
        self.sent_at = time.perf_counter()
        if self.sent_at > self.until:
            self.transport.close()
            return
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        if len(body) < length:
            return
        if head.startswith(b"HTTP/1.1 202"):
            self.took.append(time.perf_counter() - self.sent_at)
        else:
            self.failures.append(head[:40])
        self.received = b""
        if self.every:
            wait = self.sent_at + self.every - time.perf_counter()
            asyncio.get_running_loop().call_later(max(0.0, wait), self.send)
        else:
            self.send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


def client(port: int, connections: int, seconds: float, path: str, results: Any, rate: float = 0.0) -> None:
    async def main() -> None:
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
        request = head.encode() + BODY
        took: list[float] = []
        failures: list[bytes] = []
        until = time.perf_counter() + seconds
        loop = asyncio.get_running_loop()
        senders = []
        for _ in range(connections):
            _, sender = await loop.create_connection(
                lambda: Sender(request, until, took, failures, connections / rate if rate else 0.0), "127.0.0.1", port
            )
            senders.append(sender.done)
        await asyncio.gather(*senders)
        results.put((took, len(failures)))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def measure(name: str, pid: int, port: int, connections: int, seconds: float, rate: float = 0.0) -> Figures:
    """`rate`: of all connections together; 0: as fast as they are answered."""
    path = f"/in/{installation.GENERIC_KEY}"
    context = multiprocessing.get_context("spawn")
    results = context.Queue()

    def run(length: float) -> tuple[list[float], int, float]:
        worker = context.Process(target=client, args=(port, connections, length, path, results, rate))
        before = rig.cpu_seconds(pid)
        worker.start()
        took, failures = results.get()
        worker.join()
        return took, failures, rig.cpu_seconds(pid) - before

    run(1.0)  # warm up
    took, failures, cpu = run(seconds)
    took.sort()
    return Figures(
        name, connections, len(took), failures, seconds,
        took[len(took) // 2] * 1e3, took[int(len(took) * 0.99)] * 1e3, took[-1] * 1e3, cpu / len(took) * 1e6,
    )  # fmt: skip


def figures_of(lane: Figures, bare: Figures, paced: Figures, kind: str) -> list[Figure]:
    at = f"{kind}, {lane.connections} connections"
    limit = {32: "<= 25", 128: "<= 60"}.get(lane.connections)
    return [
        Figure(f"{at}: durable events", lane.rate, "events/s"),
        Figure(f"{at}: of the bare server's rate", lane.rate / bare.rate, "ratio", ">= 0.45" if kind == "SQLite" else ">= 0.4"),
        Figure(f"{at}: CPU an event", lane.cpu_us, "us", "<= 130"),
        Figure(f"{at}: CPU of the bare server", bare.cpu_us, "us"),
        Figure(f"{at}: answer at saturation, p50", lane.p50_ms, "ms"),
        Figure(f"{at}: answer at saturation, p99", lane.p99_ms, "ms", limit),
        Figure(f"{at}: answer at {PACE:,} events/s, p99", paced.p99_ms, "ms", limit),
    ]  # fmt: skip


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--seconds", type=float, default=5.0)
    options.add_argument("--connections", type=int, nargs="+", default=[32, 128])
    options.add_argument("--postgresql", metavar="URL", help="an empty database, or `own`: a server started for this")
    given = options.parse_args()
    seconds = 1.5 if given.quick else given.seconds
    directory = Path(tempfile.mkdtemp(prefix="midwatch-bench-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory)
        url = given.postgresql or ""
        if url == "own":
            url = stack.enter_context(postgres.running()).create_database("intake")
        env = installation.environment(directory, url)
        installation.prepare(env)
        kind = "PostgreSQL" if url else "SQLite"
        figures: list[Figure] = []
        for connections in given.connections:
            with rig.server(LANE, env) as (pid, port):
                rig.Browser(port).ask("/login")  # so that the pages' code is not loaded while events are measured
                lane = measure(f"lane, {kind}", pid, port, connections, seconds)
                paced = measure(f"lane, {kind}, paced", pid, port, connections, seconds, PACE)
            with rig.server(BARE, env) as (pid, port):
                bare = measure("bare server", pid, port, connections, seconds)
            print(lane, paced, bare, sep="\n", flush=True)
            figures += figures_of(lane, bare, paced, kind)
        report("intake", figures, as_json=given.json)


if __name__ == "__main__":
    main()
