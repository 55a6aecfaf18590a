"""Executions of runbooks while the whole program is killed again and again, on the real program with real processes.

A ledger outside says what was really done: each step appends one line to a file, and the file is compared with what
Midwatch says. Whoever sits before it decides what is in doubt by looking into the ledger, as a person would.
"""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from end_to_end.running import Midwatch, wait_until

LEASE_SECONDS = 30.0
STEPS = ("once", "often", "checked", "look", "last")
DOCUMENTS = """apiVersion: midwatch.dev/v1
kind: User
metadata: {{name: ana}}
spec: {{displayName: Ana, email: ana@example.com, contactMethods: [{{name: hook, type: webhook, address: "http://127.0.0.1:9/ana"}}]}}
---
apiVersion: midwatch.dev/v1
kind: Team
metadata: {{name: payments}}
spec: {{displayName: Payments, members: [{{user: ana}}]}}
---
apiVersion: midwatch.dev/v1
kind: Runbook
metadata: {{name: ledger}}
spec:
  title: Ledger
  team: payments
  concurrency: 100
  body: |
    # Ledger

    ```sh {{"name": "once", "kind": "auto", "executor": "local", "idempotent": "no"}}
    set -e
    echo "$EXECUTION_NUMBER once" >> {ledger}
    sleep 0.2
    ```

    ```sh {{"name": "often", "kind": "auto", "executor": "local", "idempotent": "yes"}}
    echo "$EXECUTION_NUMBER often" >> {ledger}
    ```

    ```sh {{"name": "checked", "kind": "auto", "executor": "local", "idempotent": "check"}}
    echo "$EXECUTION_NUMBER checked" >> {ledger}
    ```

    ```sh {{"verifies": "checked"}}
    grep -q "^$EXECUTION_NUMBER checked$" {ledger}
    ```

    ```text {{"name": "look", "kind": "manual"}}
    What do you see?
    ```

    ```sh {{"name": "last", "kind": "auto", "executor": "local", "idempotent": "no"}}
    echo "$EXECUTION_NUMBER last" >> {ledger}
    ```
"""


@dataclass
class Found:
    executions: int
    kills: int = 0
    doubled: list[str] = field(default_factory=list)  # may not be run twice, and was
    lost: list[str] = field(default_factory=list)  # Midwatch says done, the ledger does not
    not_ended: list[str] = field(default_factory=list)
    waits_lost: int = 0
    in_doubt: int = 0
    repeated: int = 0  # steps that may be run twice, and were
    lease_left_min: float = LEASE_SECONDS
    late_seconds_max: float = 0.0  # after a lease ran out, while an engine was up
    seconds: float = 0.0

    def line(self) -> str:
        return (
            f"executions={self.executions} kills={self.kills} doubled={len(self.doubled)} lost={len(self.lost)} "
            f"not_ended={len(self.not_ended)} waits_lost={self.waits_lost} in_doubt={self.in_doubt} "
            f"repeated={self.repeated} taken_over_late_by={self.late_seconds_max:.2f}s "
            f"lease_left_min={self.lease_left_min:.2f}s took={self.seconds:.0f}s"
        )


class Observer:
    """Looks into the database from outside: how long a step is `running` behind the end of its lease while we are up."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._up_since: float | None = None
        self._stop = threading.Event()
        self.late_max = 0.0
        self.shortest = LEASE_SECONDS  # that was left of a lease, to show that some ran low
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(5)

    def is_up(self, *, is_so: bool) -> None:
        self._up_since = time.time() if is_so else None

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            up_since = self._up_since
            if up_since is None:
                continue
            for (until,) in rows(self._path, "SELECT claimed_until FROM runbooks_steprun WHERE state = 'running'"):
                if until is not None and self._up_since == up_since:
                    due = datetime.fromisoformat(until).replace(tzinfo=UTC).timestamp()
                    self.late_max = max(self.late_max, time.time() - max(due, up_since))
                    self.shortest = min(self.shortest, due - time.time())


def rows(path: Path, query: str) -> list[Any]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        return connection.execute(query).fetchall()
    except sqlite3.OperationalError:
        return []  # it is being opened after a kill
    finally:
        connection.close()


def run(directory: Path, *, executions: int, kills: int, seed: int) -> Found:
    chance = random.Random(seed)
    shared = Path(tempfile.mkdtemp(prefix="midwatch-ledger-"))
    shared.chmod(0o777)  # steps run as another user, who does not come into the directories of tests
    ledger = shared / "ledger"
    ledger.touch()
    ledger.chmod(0o666)
    midwatch = Midwatch(directory, DOCUMENTS.format(ledger=ledger), MIDWATCH_EXECUTION_THREADS="8")
    found = Found(executions)
    database = midwatch.data / "midwatch.sqlite3"
    began = time.monotonic()
    midwatch.start()
    observer = Observer(database)
    observer.start()
    try:
        observer.is_up(is_so=True)
        starter = threading.Thread(target=_start_all, args=(midwatch, executions), daemon=True)
        starter.start()
        for _ in range(kills):
            time.sleep(chance.uniform(0.5, 4.0))
            waiting = _waiting(database)
            observer.is_up(is_so=False)
            midwatch.kill_group()
            found.kills += 1
            found.waits_lost += len(waiting - _waiting(database))
            midwatch.start()
            observer.is_up(is_so=True)
        starter.join(300)
        _answer_until_all_end(midwatch, database, ledger, executions, found)
    finally:
        observer.stop()
        midwatch.stop(signal.SIGTERM)
    found.late_seconds_max, found.lease_left_min = observer.late_max, observer.shortest
    found.seconds = time.monotonic() - began
    _judge(found, database, ledger)
    shutil.rmtree(shared)
    return found


def _start_all(midwatch: Midwatch, count: int) -> None:
    """Started one by one, whatever happens meanwhile; what was not answered is asked for again."""
    done = 0
    while done < count:
        try:
            answer = midwatch.api("POST", "/runbooks/ledger/executions", {})
        except OSError:
            time.sleep(0.1)
            continue
        assert answer.status in (201, 503), answer.body
        done += answer.status == 201


def _waiting(database: Path) -> set[int]:
    """Steps that wait for a person: nobody answers while the killing goes on."""
    return {pk for (pk,) in rows(database, "SELECT id FROM runbooks_steprun WHERE state = 'waiting_person'")}


def _answer_until_all_end(midwatch: Midwatch, database: Path, ledger: Path, count: int, found: Found) -> None:
    query = (
        "SELECT e.number, s.step, s.state FROM runbooks_steprun s JOIN runbooks_execution e ON e.id = s.execution_id "
        "WHERE s.state IN ('waiting_person', 'unknown') AND e.ended_at IS NULL"
    )

    def look() -> bool:
        done = Counter(ledger.read_text().splitlines())
        for number, step, state in rows(database, query):
            act = "done"
            if state == "unknown":
                found.in_doubt += 1
                act = "done" if done[f"{number} {step}"] else "again"
            midwatch.api("POST", f"/executions/{number}/steps/{step}/{act}", {"seen": "the ledger"})
        ((open_ones, all_of_them),) = rows(
            database, "SELECT count(*) FILTER (WHERE ended_at IS NULL), count(*) FROM runbooks_execution"
        ) or [(1, 0)]
        return bool(open_ones == 0 and all_of_them >= count)

    wait_until(look, seconds=900, what="the end of all executions")


def _judge(found: Found, database: Path, ledger: Path) -> None:
    done = Counter(ledger.read_text().splitlines())
    for number, state in rows(database, "SELECT number, state FROM runbooks_execution"):
        if state != "ok":
            found.not_ended.append(f"{number}: {state}")
        for step in STEPS:
            times = done[f"{number} {step}"]
            if step == "look":
                continue
            if times == 0:
                found.lost.append(f"{number} {step}")
            elif times > 1 and step != "often":
                found.doubled.append(f"{number} {step}")
            else:
                found.repeated += times - 1
