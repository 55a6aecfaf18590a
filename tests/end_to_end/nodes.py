"""Several machines on one PostgreSQL: web and engine nodes, each with a data directory and a way to the database of its
own that can be cut. A client posts through both web nodes, as through a load balancer."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import postgres
from end_to_end.ledger import Arrival, Pager, Senders
from end_to_end.running import Program, free_port, on_postgresql, request, run_verb, wait_until
from end_to_end.team_documents import NO_STORMS, documents
from fakes.tcp_proxy import TcpProxy

DATABASE = "nodes"
PEOPLE = 10
LEASE_SECONDS = 20.0  # of a delivery
TAKE_OVER_SECONDS = 2.0  # after the lease, at most
TESTS = Path(__file__).resolve().parents[1]


def database_url(ports: Sequence[int]) -> str:
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    several = "?target_session_attrs=read-write" if len(ports) > 1 else ""
    return f"postgresql://midwatch@{hosts}/{DATABASE}{several}"


def next_release() -> dict[str, str]:
    """The environment of a node with the next release: today's code and one more app with a migration."""
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return {"DJANGO_SETTINGS_MODULE": "end_to_end.next_release.settings", "PYTHONPATH": path}


class Node(Program):
    """`midwatch web` or `midwatch engine`. `ports`: PostgreSQL's, one a server."""

    def __init__(self, directory: Path, name: str, verb: str, ports: Sequence[int]) -> None:
        self.verb = verb
        self.ways = [TcpProxy(port) for port in ports]
        self.port = free_port()
        given = {
            **{name: "" for name in os.environ if name.startswith("MIDWATCH_")},  # the suite's own
            **NO_STORMS,
            **on_postgresql(database_url([way.port for way in self.ways])),
            "MIDWATCH_DATA_DIR": str(directory / name),
            "MIDWATCH_BASE_URL": "http://midwatch.example",
            "PYTHONUNBUFFERED": "1",
        }
        port = "--port" if verb == "web" else "--health-port"
        command = [sys.executable, "-m", "midwatch.cli", verb, port, str(self.port)]
        super().__init__(command, directory, name, given)

    def runs(self, release: dict[str, str]) -> Node:
        """From the next start on."""
        self.environment = {**self.environment, **release}
        return self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def status(self, path: str) -> int:
        try:
            return request("GET", f"{self.url}{path}", timeout=5).status
        except OSError:
            return 0

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.name} ended:\n{self.tail()}"
        return self.status("/readyz") == 200

    def wait_until_ready(self) -> None:
        wait_until(self.is_ready, seconds=120, what=f"readiness of {self.name}")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def cut(self, how: str) -> None:
        """`refuse`, `hang` or `reset`."""
        for way in self.ways:
            getattr(way, how)()

    def heal(self) -> None:
        for way in self.ways:
            way.heal()

    def close(self) -> None:
        with suppress(ProcessLookupError, AssertionError):
            self.thaw()
        self.heal()
        self.stop()
        for way in self.ways:
            way.close()


class Stall(threading.Thread):
    """How long this machine itself stood still, at most: what a measured time may be longer for nobody's fault."""

    BEAT = 0.05

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seconds = 0.0
        self._stop = threading.Event()

    def run(self) -> None:
        last = time.monotonic()
        while not self._stop.wait(self.BEAT):
            now = time.monotonic()
            self.seconds = max(self.seconds, now - last - self.BEAT)
            last = now

    def stop(self) -> None:
        self._stop.set()


class Cluster:
    """`servers`: the first is the primary when the cluster starts."""

    def __init__(self, directory: Path, servers: Sequence[postgres.Server], *, webs: int = 2, engines: int = 3) -> None:
        self.directory = directory
        self.servers = list(servers)
        self.pager = Pager()
        ports = [server.port for server in servers]
        self.webs = [Node(directory, f"web-{n}", "web", ports) for n in range(webs)]
        self.engines = [Node(directory, f"engine-{n}", "engine", ports) for n in range(engines)]
        self.settings = {**NO_STORMS, **on_postgresql(database_url(ports))}

    @property
    def nodes(self) -> list[Node]:
        return [*self.webs, *self.engines]

    def start(self) -> None:
        self.servers[0].create_database(DATABASE)
        run_verb(self.directory, "upgrade", **self.settings)
        config = self.directory / "config"
        config.mkdir()
        (config / "midwatch.yaml").write_text(documents(self.pager.url, PEOPLE), "utf-8")
        run_verb(self.directory, "apply", str(config), **self.settings)
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            node.wait_until_ready()

    def close(self) -> None:
        for node in self.nodes:
            node.close()
        self.pager.close()

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Asked of the database itself, whichever server is the primary now."""
        for server in self.servers:
            with suppress(postgres.psycopg.OperationalError), server.connect(DATABASE) as connection:
                if connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,):
                    return list(connection.execute(query.encode(), values).fetchall())
        raise AssertionError("no server can be written")

    def holder(self, title: str) -> Node:
        """Which engine has the page about it in hand."""
        query = (
            "SELECT claimed_by FROM notify_delivery d JOIN alerts_alert a ON a.id = d.alert_id "
            "WHERE a.title = %s AND d.state = 'sending'"
        )
        pid = int(str(self.rows(query, title)[0][0]).rsplit(":", 1)[1])
        return next(node for node in self.engines if node.pid == pid)

    def lease_end(self, title: str) -> float:
        """When the lease of the page about it ends, on our monotonic clock, by the database's record."""
        query = (
            "SELECT extract(epoch FROM claimed_until - clock_timestamp()) FROM notify_delivery d "
            "JOIN alerts_alert a ON a.id = d.alert_id WHERE a.title = %s AND d.state = 'sending'"
        )
        return float(self.rows(query, title)[0][0]) + time.monotonic()

    def timeline(self, title: str) -> str:
        query = (
            "SELECT t.text FROM alerts_timelineentry t JOIN alerts_alert a ON a.id = t.alert_id "
            "WHERE a.title = %s ORDER BY t.id"
        )
        return "\n".join(str(text) for (text,) in self.rows(query, title))

    def doubled_alerts(self) -> list[str]:
        return [str(row[0]) for row in self.rows("SELECT title FROM alerts_alert GROUP BY title HAVING count(*) > 1")]

    def unmarked(self) -> list[list[Arrival]]:
        """Messages that came again under their key, and whose alert's timeline does not say so."""
        return [
            arrivals
            for arrivals in self.pager.repeated().values()
            if arrivals[0].titles and "sent again" not in self.timeline(arrivals[0].titles[0])
        ]

    def is_quiet(self) -> bool:
        """Nothing is due, under way or waiting."""
        query = (
            "SELECT (SELECT count(*) FROM notify_delivery WHERE state IN ('waiting', 'sending')) "
            "+ (SELECT count(*) FROM intake_event WHERE done_at IS NULL)"
        )
        return self.rows(query)[0][0] == 0

    @contextmanager
    def load(self, name: str) -> Iterator[Senders]:
        """Events come in all the while; at the end every accepted one has paged somebody, once, or marked."""
        with ExitStack() as stack:
            ports = [web.port for web in self.webs]
            senders = stack.enter_context(Senders(ports, services=PEOPLE, threads=2, pause_seconds=0.05, name=name))
            yield senders
            senders.stop()
            self.settle(senders, name)

    def settle(self, senders: Senders, name: str) -> None:
        accepted = dict(senders.accepted)
        wait_until(lambda: accepted.keys() <= self.pager.first_page.keys(), seconds=120, what="every page")
        wait_until(self.is_quiet, seconds=60, what="the end of all work")
        delays = sorted(self.pager.first_page[title] - at for title, at in accepted.items())
        repeats = sum(len(arrivals) - 1 for arrivals in self.pager.repeated().values())
        statuses = ", ".join(f"{count} x {status or 'no answer'}" for status, count in sorted(senders.statuses.items()))
        print(
            f"{name}: {len(accepted)} events accepted ({statuses}), 0 lost, accepted to page p50 "
            f"{delays[len(delays) // 2]:.2f} s, max {delays[-1]:.1f} s; {repeats} repeated messages so far"
        )
        assert senders.refused == []
        assert self.doubled_alerts() == []
        assert self.unmarked() == []
