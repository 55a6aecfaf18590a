"""The floor under the lane: a server that only answers, and a database that only inserts; and the lane's part of both.

    python benchmarks/bare.py [--json] [--quick]

All in one run on one machine, SQLite and PostgreSQL: requests a second of the bare server, single inserts (one commit each, as
pgbench does), inserts of a hundred rows a commit, and the lane, which takes a request and commits it before it answers.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import psycopg
import pysqlite3.dbapi2 as sqlite
from measuring import rig
from measuring.figures import Figure, parser, report

import installation
import intake
import postgres

TABLE = "CREATE TABLE bare (id {key}, token text NOT NULL, received_at bigint NOT NULL, body {bytes} NOT NULL)"
BATCH = 100
WRITERS = 8  # pgbench -c 8: PostgreSQL shares one sync among those who wait for it
CONNECTIONS = 32


def rate(insert: Callable[[], int], seconds: float) -> float:
    """Rows a second."""
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        count += insert()
    return count / (time.perf_counter() - started)


def sqlite_rates(directory: Path, seconds: float) -> dict[str, float]:
    connection = sqlite.connect(str(directory / "bare.sqlite3"), isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(TABLE.format(key="INTEGER PRIMARY KEY AUTOINCREMENT", bytes="BLOB"))
    row = "INSERT INTO bare (token, received_at, body) VALUES (?, ?, ?)"
    values = ("0123456789abcdef", 1, intake.BODY)

    def one() -> int:
        connection.execute(row, values)
        return 1

    def many() -> int:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(row, [values] * BATCH)
        connection.execute("COMMIT")
        return BATCH

    found = {"single": rate(one, seconds), "batch": rate(many, seconds)}
    connection.close()
    return found


def postgres_rates(url: str, seconds: float) -> dict[str, float]:
    row = "INSERT INTO bare (token, received_at, body) VALUES (%s, %s, %s)"
    values = ("0123456789abcdef", 1, intake.BODY)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLE.format(key="bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY", bytes="bytea").encode())

        def one() -> int:
            connection.execute(row, values)
            return 1

        def many() -> int:
            with connection.transaction(), connection.cursor() as cursor:
                cursor.executemany(row, [values] * BATCH)
            return BATCH

        found = {"single": rate(one, seconds), "batch": rate(many, seconds)}
    counts: list[float] = []

    def client() -> None:
        with psycopg.connect(url, autocommit=True) as own:
            counts.append(rate(lambda: int(own.execute(row, values).rowcount), seconds))

    threads = [threading.Thread(target=client) for _ in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found | {"together": sum(counts)}


def lane(env: dict[str, str], code: str, seconds: float) -> Any:
    with rig.server(code, env) as (pid, port):
        return intake.measure("", pid, port, CONNECTIONS, seconds)


def figures(seconds: float) -> list[Figure]:
    directory = Path(tempfile.mkdtemp(prefix="midwatch-bench-"))
    try:
        found = _on_sqlite(directory, seconds)
        with postgres.running() as server:
            found += _on_postgresql(directory, server, seconds)
        return found
    finally:
        shutil.rmtree(directory)


def _on_sqlite(directory: Path, seconds: float) -> list[Figure]:
    env = installation.environment(directory / "lane")
    (directory / "lane").mkdir()
    installation.prepare(env)
    bare = lane(env, intake.BARE, seconds)
    ours = lane(env, intake.LANE, seconds)
    database = sqlite_rates(directory, seconds)
    return [
        Figure(f"Bare server, {CONNECTIONS} connections", bare.rate, "requests/s"),
        Figure("SQLite, one insert a commit", database["single"], "rows/s"),
        Figure(f"SQLite, {BATCH} inserts a commit", database["batch"], "rows/s"),
        Figure("Lane on SQLite, every event committed", ours.rate, "events/s"),
        Figure("Lane on SQLite against the bare server", ours.rate / bare.rate, "ratio", ">= 0.45"),
        Figure("Lane on SQLite against one insert a commit", ours.rate / database["single"], "ratio"),
        Figure(f"Lane on SQLite against {BATCH} inserts a commit", ours.rate / database["batch"], "ratio"),
    ]


def _on_postgresql(directory: Path, server: postgres.Server, seconds: float) -> list[Figure]:
    database = postgres_rates(server.create_database("bare"), seconds)
    env = installation.environment(directory / "lane-postgresql", server.create_database("lane"))
    (directory / "lane-postgresql").mkdir()
    installation.prepare(env)
    bare = lane(env, intake.BARE, seconds)
    ours = lane(env, intake.LANE, seconds)
    return [
        Figure("PostgreSQL, one insert a commit, 1 client", database["single"], "rows/s"),
        Figure(f"PostgreSQL, one insert a commit, {WRITERS} clients", database["together"], "rows/s"),
        Figure(f"PostgreSQL, {BATCH} inserts a commit", database["batch"], "rows/s"),
        Figure("Lane on PostgreSQL, every event committed", ours.rate, "events/s"),
        Figure("Lane on PostgreSQL against the bare server", ours.rate / bare.rate, "ratio", ">= 0.4"),
        Figure(
            f"Lane on PostgreSQL against one insert a commit, {WRITERS} clients",
            ours.rate / database["together"],
            "ratio",
        ),
        Figure(f"Lane on PostgreSQL against {BATCH} inserts a commit", ours.rate / database["batch"], "ratio"),
    ]


def main() -> None:
    given = parser(__doc__).parse_args()
    report("bare", figures(0.5 if given.quick else 4.0), as_json=given.json)


if __name__ == "__main__":
    main()
