"""Both ends of Midwatch, kept count of: senders that repeat until they are told 202, and a receiver of webhook pages."""

from __future__ import annotations

import http.client
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from end_to_end.team_documents import KEY, event
from fakes.server import FakeServer, Recorded, Reply

TRY_SECONDS = 10.0
PAUSE_SECONDS_MAX = 1.0


class Senders:
    """Threads that post numbered events, each until it was accepted, as Alertmanager does: a refused connection, a lost
    answer and a 5xx mean "again". With several ports the next one is tried then, as a load balancer would."""

    def __init__(
        self, ports: Sequence[int], *, services: int, threads: int = 4, pause_seconds: float = 0.02, name: str = "event"
    ) -> None:
        self.accepted: dict[str, float] = {}  # title -> when its 202 was here
        self.refused: list[tuple[str, int]] = []  # anything else than 202 and 5xx: there must be none
        self.tries = 0
        self.statuses: dict[int, int] = defaultdict(int)
        self._ports = list(ports)
        self._services = services
        self._pause_seconds = pause_seconds
        self._name = name
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(n, threads), daemon=True) for n in range(threads)]

    def __enter__(self) -> Senders:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """The event in hand is given up: it was not accepted."""
        self._stop.set()
        for thread in self._threads:
            thread.join(TRY_SECONDS + 5)

    def post(self, title: str, service: int) -> float:
        """One event, until it is accepted; when that was."""
        return self._until_accepted(_Line(self._ports), title, service)

    def _run(self, first: int, step: int) -> None:
        line = _Line(self._ports)
        number = first
        while not self._stop.is_set():
            self._until_accepted(line, f"{self._name} {number}", number % self._services)
            number += step
            self._stop.wait(self._pause_seconds)
        line.close()

    def _until_accepted(self, line: _Line, title: str, service: int) -> float:
        pause = 0.02
        while True:
            status = line.post(title, service)
            at = time.monotonic()
            with self._lock:
                self.tries += 1
                self.statuses[status] += 1
                if status == 202:
                    self.accepted[title] = at
                elif status and status < 500:
                    self.refused.append((title, status))
            if status == 202 or (status and status < 500) or self._stop.wait(pause):
                return at
            pause = min(pause * 2, PAUSE_SECONDS_MAX)


class _Line:
    """One connection, to whichever port answered last."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = list(ports)
        self._connection: http.client.HTTPConnection | None = None

    def post(self, title: str, service: int) -> int:
        """The status, or 0 when there was no answer."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self._ports[0], timeout=TRY_SECONDS)
        try:
            self._connection.request("POST", f"/in/{KEY}", event(title, service), {"Content-Type": "application/json"})
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._next()
            return 0
        if answer.status >= 500:
            self._next()
        return answer.status

    def _next(self) -> None:
        self.close()
        self._ports.append(self._ports.pop(0))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass(slots=True)
class Arrival:
    """One request of a webhook contact method."""

    at: float
    delivery: str
    kind: str
    to: str
    titles: tuple[str, ...]
    numbers: tuple[int, ...]


@dataclass(slots=True)
class Hold:
    """Answers to messages about one title wait here."""

    released: threading.Event = field(default_factory=threading.Event)


def _alerts(said: Any) -> list[Any]:
    return said.get("alerts") or ([said["alert"]] if said.get("alert") else [])


def _titles(said: Any) -> set[str]:
    return {str(alert["title"]) for alert in _alerts(said)}


class Pager(FakeServer):
    """What people's webhooks lead to. Every request is kept, the repeated ones too."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.first_page: dict[str, float] = {}  # by title
        self._holds: dict[str, Hold] = {}
        super().__init__()

    def respond(self, request: Recorded) -> Reply:
        said: Any = request.json
        alerts = _alerts(said)
        arrival = Arrival(
            at=request.at,
            delivery=request.headers["x-midwatch-delivery"],
            kind=str(said["kind"]),
            to=str(said["to"]),
            titles=tuple(str(alert["title"]) for alert in alerts),
            numbers=tuple(int(alert["number"]) for alert in alerts),
        )
        self.arrivals.append(arrival)
        if arrival.kind in {"page", "bundle"}:
            for title in arrival.titles:
                self.first_page.setdefault(title, arrival.at)
        return Reply(204)

    def take(self, request: Recorded) -> Reply:
        reply = super().take(request)
        for title in _titles(request.json):
            hold = self._holds.get(title)
            if hold is not None:
                hold.released.wait(120)
        return reply

    def hold(self, title: str) -> None:
        """From now on messages about this title get no answer until it is released."""
        self._holds[title] = Hold()

    def release(self, title: str) -> None:
        self._holds.pop(title).released.set()

    def of(self, title: str) -> list[Arrival]:
        """Pages about it, in order."""
        return [one for one in list(self.arrivals) if title in one.titles and one.kind in {"page", "bundle"}]

    def repeated(self) -> dict[str, list[Arrival]]:
        """What came more than once under the same delivery key."""
        found: dict[str, list[Arrival]] = defaultdict(list)
        for arrival in list(self.arrivals):
            found[arrival.delivery].append(arrival)
        return {key: arrivals for key, arrivals in found.items() if len(arrivals) > 1}
