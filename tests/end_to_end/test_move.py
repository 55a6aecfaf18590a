"""`midwatch move`: the embedded database goes to PostgreSQL, killed on the way, and pages from there."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest

import postgres
from end_to_end.ledger import Pager, Senders
from end_to_end.running import Midwatch, clean_environment, on_postgresql, request, run_verb, wait_until
from end_to_end.team_documents import KEY, NO_STORMS, documents, event
from end_to_end.test_drill import refused
from midwatch.intake.sqlite_log import SqliteStore

PEOPLE = 5
ANY_BYTES = bytes(range(256))
MORE = 20_000  # timeline entries, so that there is something to be killed in


@pytest.fixture
def pager() -> Iterator[Pager]:
    with Pager() as made:
        yield made


@pytest.fixture
def stopped(pager: Pager, tmp_path: Path) -> tuple[Midwatch, set[str]]:
    """An embedded installation with alerts, a long history and a log with unread events, stopped; what it accepted."""
    midwatch = Midwatch(tmp_path, documents(pager.url, PEOPLE), **NO_STORMS)
    with midwatch:
        with Senders([midwatch.port], services=PEOPLE) as senders:
            wait_until(lambda: len(senders.accepted) >= 100, what="a hundred events")
        wait_until(lambda: set(senders.accepted) <= {a["title"] for a in midwatch.all_alerts()}, what="their alerts")
    main = midwatch.data / "midwatch.sqlite3"
    with sqlite.connect(main) as connection:
        (source,) = connection.execute("SELECT id FROM alerts_source WHERE name = 'posts'").fetchone()
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "INSERT INTO alerts_timelineentry (alert_id, at, kind, text, who, detail) "
            "SELECT (SELECT max(id) FROM alerts_alert), '2026-01-01 00:00:00.5', 'note', 'filler', 'test', '{}' FROM n",
            [MORE],
        )
        connection.execute(
            "INSERT INTO core_storedfile (id, name, content_type, size, sha256, created_at, who, owner) "
            "VALUES (7, 'a.zip', 'application/zip', 512, '', '2026-01-01 00:00:00', 'Ana', 'incident:1')"
        )
        for index, half in enumerate((ANY_BYTES, ANY_BYTES[::-1])):
            connection.execute('INSERT INTO core_filechunk (file_id, "index", body) VALUES (7, ?, ?)', [index, half])
    store = SqliteStore(midwatch.data / "events.sqlite3", main)
    unread = [f"unread {number}" for number in range(30)]
    at = int(time.time() * 1_000_000)
    store.write(
        [
            (f"{n:032x}", source, "event", at + n, "application/json", "", event(t, n % PEOPLE))
            for n, t in enumerate(unread)
        ]
    )
    store.close()
    return midwatch, set(senders.accepted) | set(unread)


def begun(directory: Path, to: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "midwatch.cli", "move", "--to", to]
    env = clean_environment(MIDWATCH_DATA_DIR=str(directory / "data"))
    return subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def killed_midway(directory: Path, to: str, chance: random.Random) -> None:
    """After so many lines of progress; a line is said when its batch is committed."""
    moving = begun(directory, to)
    assert moving.stderr is not None
    for _ in range(chance.randint(1, 8)):
        assert moving.stderr.readline(), "it ended before it was killed"
    moving.send_signal(signal.SIGKILL)
    moving.wait(20)
    moving.stderr.close()


def test_killed_on_the_way_and_run_again_all_of_it_is_there_and_pages(
    stopped: tuple[Midwatch, set[str]], pager: Pager, tmp_path: Path
) -> None:
    seed = int(os.environ.get("MIDWATCH_MOVE_SEED", random.SystemRandom().randrange(1_000_000)))
    print(f"seed {seed}")
    old, accepted = stopped
    server = postgres.shared()
    to = server.create_database("move_target")
    new = on_postgresql(to) | {"MIDWATCH_SECRET_KEY": (old.data / "secret-key").read_text().strip()}
    chance = random.Random(seed)
    for _ in range(2):
        killed_midway(tmp_path, to, chance)
    assert "is not finished" in refused(tmp_path, "serve", "--port", "0", "--data", str(old.data))
    assert "is not finished" in refused(tmp_path, "alerts")
    said = json.loads(run_verb(tmp_path, "move", "--to", to, "--json"))
    tables = said["tables"]
    assert all(count["here"] == count["there"] for count in tables.values())
    assert tables["alerts_timelineentry"]["there"] > MORE
    assert said["unread_events"] == 30
    assert "was moved to" in refused(tmp_path, "serve", "--port", "0", "--data", str(old.data))
    assert "was moved to" in refused(tmp_path, "move", "--to", to)
    with server.connect("move_target") as connection:
        wrong = connection.execute(
            "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated"
        ).fetchone()
        keys = connection.execute("SELECT count(*) FROM pg_constraint WHERE contype = 'f'").fetchone()
        assert (wrong, keys is not None and keys[0] > 30) == ((0,), True), "a foreign key is missing"
        assert connection.execute("SELECT to_regclass('midwatch_move')").fetchone() == (None,)
        pieces = connection.execute('SELECT body FROM core_filechunk WHERE file_id = 7 ORDER BY "index"').fetchall()
        assert pieces == [(ANY_BYTES,), (ANY_BYTES[::-1],)], "an attachment"
    (tmp_path / "new").mkdir()
    with Midwatch(tmp_path / "new", documents(pager.url, PEOPLE), **NO_STORMS, **new) as moved:
        wait_until(lambda: accepted <= {a["title"] for a in moved.all_alerts()}, what="every event as an alert")
        assert max(Counter(a["title"] for a in moved.all_alerts()).values()) == 1
        wait_until(lambda: accepted <= pager.first_page.keys(), what="every page")
        assert request("POST", f"{moved.url}/in/{KEY}", event("after the move", 1)).status == 202
        wait_until(lambda: "after the move" in pager.first_page, what="a page of what came after the move")
    assert "may be used again" in run_verb(tmp_path, "move", "--back")
    assert run_verb(tmp_path, "alerts", "--json")


def test_what_is_refused(tmp_path: Path, pager: Pager) -> None:
    server = postgres.shared()
    full = server.create_database("move_full")
    with server.connect("move_full") as connection:
        connection.execute("CREATE TABLE something (id int)")
    midwatch = Midwatch(tmp_path, documents(pager.url, PEOPLE))
    with midwatch:
        assert "is running" in refused(tmp_path, "move", "--to", full)
    assert "holds 1 tables" in refused(tmp_path, "move", "--to", full)
    assert "cannot be reached" in refused(tmp_path, "move", "--to", "postgresql://midwatch@127.0.0.1:9/nowhere")
    assert "is no address" in refused(tmp_path, "move", "--to", "postgresql://[")
    assert "unset it" in refused(tmp_path, "move", "--to", full, MIDWATCH_DATABASE_URL=full)
    assert "was not moved" in refused(tmp_path, "move", "--back")
    main = midwatch.data / "midwatch.sqlite3"
    with sqlite.connect(main) as connection:
        connection.execute("UPDATE engine_node SET stopped_at = NULL, ticked_at = datetime('now')")
    assert "an engine ticked a moment ago" in refused(tmp_path, "move", "--to", server.create_database("move_empty"))
    assert not (midwatch.data / "moved-to-postgresql.json").exists()
