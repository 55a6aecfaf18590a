"""How long a person's acknowledgement takes while a storm comes in and the engine works, on the real program.

    python benchmarks/acknowledge.py [--seconds 20] [--rate 2000] [--json] [--quick]

`midwatch serve` on SQLite; a client posts events at a rate, most of them seen before, one in twenty new; three people
acknowledge at the same time, one by the web's form, one by the API, one by the link of a page. Then the engine is stopped
(SIGSTOP) while the storm goes on: intake must not feel it.
"""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from measuring import rig
from measuring.figures import Figure, parser, percentile, report
from measuring.program import session_cookie

from end_to_end.running import Midwatch  # isort: skip - rig puts it on the path
from paging import KEY, documents, engine_pids  # isort: skip

PEOPLE = 40

STORM = """
import asyncio, json, random, sys, time
port, key, rate, seconds, connections, people = int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4]), 8, 40
took = []
async def one(index):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    every, due, count = connections / rate, time.perf_counter() + random.random() * connections / rate, 0
    until = time.perf_counter() + seconds
    while due < until:
        await asyncio.sleep(max(0, due - time.perf_counter()))
        due += every
        count += 1
        fresh = count % 20 == 0
        name = f"storm {index} {count}" if fresh else f"storm {index} {count % 19}"
        body = json.dumps({"title": name, "priority": "P4", "labels": {"service": f"s{count % people}"}}).encode()
        started = time.perf_counter()
        writer.write(b"POST /in/%s HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: %d\\r\\n\\r\\n" % (key.encode(), len(body)) + body)
        head = await reader.readuntil(b"\\r\\n\\r\\n")
        assert b" 202 " in head, head
        await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\\r\\n")[0]))
        took.append(time.perf_counter() - started)
async def main():
    await asyncio.gather(*(one(index) for index in range(connections)))
asyncio.run(main())
print(json.dumps(took))
"""


class Storm(threading.Thread):
    """The client is a process of its own; `took`: seconds of each answer."""

    def __init__(self, port: int, rate: float, seconds: float) -> None:
        super().__init__()
        self.arguments = [str(port), KEY, str(rate), str(seconds)]
        self.took: list[float] = []
        self.start()

    def run(self) -> None:
        done = subprocess.run(
            [sys.executable, "-c", STORM, *self.arguments], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-2_000:])
        self.took = json.loads(done.stdout)


class Person(threading.Thread):
    """Acknowledges one alert after the other, and notes how long each took."""

    def __init__(self, name: str, alerts: list[int], act: Callable[[int], int], until: float) -> None:
        super().__init__()
        self.name, self.alerts, self.act, self.until = name, alerts, act, until
        self.took: list[float] = []
        self.start()

    def run(self) -> None:
        for number in self.alerts:
            if time.monotonic() > self.until:
                break
            started = time.perf_counter()
            status = self.act(number)
            self.took.append(time.perf_counter() - started)
            assert status in {200, 302}, (self.name, status)
            time.sleep(0.1)


def page_alerts(script: rig.Browser, headers: dict[str, str], count: int) -> list[int]:
    """New alerts, to be acknowledged."""
    found = []
    for index in range(count):
        wanted = {"title": f"page {index}", "priority": "P2", "service": f"s{index % PEOPLE}"}
        status, _, text = script.ask("/api/v1/alerts", json.dumps(wanted).encode(), headers)
        assert status == 201, text[:300]
        found.append(int(json.loads(text)["number"]))
    return found


class Links:
    """Where the pages' webhooks arrive; keeps the link of each alert's page."""

    def __init__(self) -> None:
        self.by_number: dict[int, str] = {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for alert in [said.get("alert"), *(said.get("alerts") or ())]:
                    if alert and said.get("ack_url"):
                        outer.by_number[int(alert["number"])] = urllib.parse.urlsplit(said["ack_url"]).path
                self.send_response(204)
                self.end_headers()

            def log_message(self, *given: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"


def acknowledging(
    program: Midwatch, browser: rig.Browser, links: Links, numbers: list[int], seconds: float
) -> list[Person]:
    """Three people at the same time, each with a third of the alerts; the one with links takes those that have one."""
    headers = {"Authorization": f"Bearer {program.token}"}
    linked = [number for number in numbers if number in links.by_number][: len(numbers) // 3]
    others = [number for number in numbers if number not in set(linked)]
    phone, script = rig.Browser(program.port), rig.Browser(program.port)
    until = time.monotonic() + seconds
    acts: dict[str, tuple[list[int], Callable[[int], int]]] = {
        "the web's form": (others[::2], lambda n: browser.ask(f"/alerts/{n}/acknowledge", {"next": "/"})[0]),
        "the API": (others[1::2], lambda n: script.ask(f"/api/v1/alerts/{n}/acknowledge", b"", headers)[0]),
        "the link of a page": (linked, lambda n: phone.ask(links.by_number[n], {"action": "acknowledge"})[0]),
    }
    people = [Person(name, chosen, act, until) for name, (chosen, act) in acts.items()]
    for person in people:
        person.join()
    return people


def measure(directory: Path, seconds: float, rate: float) -> list[Figure]:
    links = Links()
    with Midwatch(directory, documents(links.url, PEOPLE)) as midwatch:
        headers = {"Authorization": f"Bearer {midwatch.token}", "Content-Type": "application/json"}
        numbers = page_alerts(rig.Browser(midwatch.port), headers, int(seconds * 12))
        time.sleep(5.0)  # their pages leave; those held back as a storm have no link, and go by the web
        browser = rig.Browser(midwatch.port)
        env = {
            **os.environ,
            "MIDWATCH_DATA_DIR": str(midwatch.data),
            "DJANGO_SETTINGS_MODULE": "midwatch.django_settings",
        }
        name, value = session_cookie(env).split("=", 1)
        browser.cookies[name] = value
        browser.ask("/alerts")  # with a form, for the CSRF token
        quiet = acknowledging(midwatch, browser, links, numbers[::3], seconds / 3)
        storm = Storm(midwatch.port, rate, seconds + 4)
        time.sleep(3.0)
        rest = [number for index, number in enumerate(numbers) if index % 3]
        busy = acknowledging(midwatch, browser, links, rest, seconds)
        storm.join()
        pids = engine_pids(midwatch)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        stopped = Storm(midwatch.port, rate, seconds / 3)
        stopped.join()
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    figures = []
    for when, people in (("quiet", quiet), (f"{rate:,.0f} events/s", busy)):
        for person in people:
            figures.append(
                Figure(
                    f"{when}: acknowledge by {person.name}, p99 of {len(person.took)}",
                    percentile(person.took, 0.99) * 1e3,
                    "ms",
                    "<= 300",
                )
            )
            figures.append(
                Figure(f"{when}: acknowledge by {person.name}, p50", percentile(person.took, 0.5) * 1e3, "ms")
            )
    figures.append(Figure(f"{rate:,.0f} events/s: an event's 202, p99", percentile(storm.took, 0.99) * 1e3, "ms"))
    figures.append(
        Figure(f"{rate:,.0f} events/s, engine stopped: an event's 202, p99", percentile(stopped.took, 0.99) * 1e3, "ms")
    )
    return figures


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--seconds", type=float, default=20.0)
    options.add_argument("--rate", type=float, default=2_000.0)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="midwatch-bench-") as directory:
        figures = measure(Path(directory), 6.0 if given.quick else given.seconds, given.rate)
    report("acknowledge", figures, as_json=given.json)


if __name__ == "__main__":
    main()
