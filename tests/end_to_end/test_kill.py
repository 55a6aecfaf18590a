"""Killed at any point: every event that was answered 202 becomes an alert, and every due page goes out.

Real processes, `kill -9` at random moments while a client posts; SQLite. One seed a run, printed.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from end_to_end.running import Midwatch, wait_until
from fakes.webhook import FakeWebhook

KEY = "0123456789abcdef0123456789abcdef"
PEOPLE = 10


def documents(hook: str) -> str:
    parts = [
        f"""
apiVersion: midwatch.dev/v1
kind: User
metadata: {{name: p{index}}}
spec:
  displayName: P{index}
  contactMethods: [{{name: hook, type: webhook, address: "{hook}/p{index}"}}]
  notificationRules: {{high: [{{after: 0s, contact: hook}}], low: [{{after: 0s, contact: hook}}], repeatAfter: 0s}}
---
apiVersion: midwatch.dev/v1
kind: EscalationPolicy
metadata: {{name: p{index}}}
spec: {{team: ops, steps: [{{name: level 1, targets: [{{user: p{index}}}], after: 0s}}]}}
---
apiVersion: midwatch.dev/v1
kind: Service
metadata: {{name: s{index}}}
spec: {{displayName: S{index}, team: ops, escalationPolicy: p{index}}}
---"""
        for index in range(PEOPLE)
    ]
    return (
        "\n".join(parts)
        + f"""
apiVersion: midwatch.dev/v1
kind: Team
metadata: {{name: ops}}
spec: {{displayName: Ops, members: [{{user: p0, role: manager}}]}}
---
apiVersion: midwatch.dev/v1
kind: Source
metadata: {{name: curl}}
spec: {{type: generic, key: "{KEY}", service: s0, serviceLabel: service}}
"""
    )


class Sender:
    """Posts until told to stop; remembers what was accepted. An error or a 503 means: not accepted, say it again."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.accepted: list[str] = []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        count = 0
        while not self.stop.is_set():
            title = f"killed {count}"
            body = json.dumps({"title": title, "priority": "P1", "labels": {"service": f"s{count % PEOPLE}"}})
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("POST", f"/in/{KEY}", body, {"Content-Type": "application/json"})
                status = connection.getresponse().status
                connection.close()
            except (OSError, http.client.HTTPException):
                self.stop.wait(0.05)
                continue
            if status == 202:
                self.accepted.append(title)
                count += 1
            self.stop.wait(0.02)


def children(parent: int) -> dict[str, int]:
    found = {}
    for line in subprocess.run(
        ["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True
    ).stdout.splitlines():
        fields = line.split(None, 2)
        if len(fields) == 3 and fields[1] == str(parent):
            for kind in ("web", "engine"):
                if f" {kind} " in f"{fields[2]} ":
                    found[kind] = int(fields[0])
    return found


def run(directory: Path, *, kills: int, seed: int) -> tuple[int, int, int]:
    chance = random.Random(seed)
    with FakeWebhook() as phones:
        midwatch = Midwatch(directory, documents(phones.url), MIDWATCH_STORM_OTHER_PER_MINUTE="6000")
        midwatch.start()
        sender = Sender(midwatch.port)
        sender.thread.start()
        try:
            for _ in range(kills):
                time.sleep(chance.uniform(0.3, 1.5))
                victim = chance.choice(["web", "engine", "everything"])
                assert midwatch.process is not None
                if victim == "everything":
                    midwatch.kill_group()
                    midwatch.start()
                elif (pid := children(midwatch.process.pid).get(victim)) is not None:
                    os.kill(pid, signal.SIGKILL)
            wait_until(midwatch.is_ready, seconds=90, what="readiness")
            sender.stop.set()
            sender.thread.join(10)
            wanted = set(sender.accepted)
            wait_until(lambda: wanted <= paged(phones), seconds=120, what=f"all pages (seed {seed})")
            sent = sum(1 for request in phones.requests if request.json["kind"] == "page")
            return len(wanted), sent, len(titles(midwatch))
        finally:
            sender.stop.set()
            midwatch.stop()


def paged(phones: FakeWebhook) -> set[str]:
    found = set()
    for message in phones.messages:
        found |= {alert["title"] for alert in message.get("alerts", [])} | {
            (message.get("alert") or {}).get("title", "")
        }
    return found


def titles(midwatch: Midwatch) -> list[str]:
    found: list[str] = []
    cursor = ""
    while True:
        answer = midwatch.api("GET", f"/alerts?limit=200&cursor={cursor}").json
        found += [alert["title"] for alert in answer["items"] if alert["title"].startswith("killed")]
        cursor = answer["next_cursor"] or ""
        if not cursor:
            return found


def check(directory: Path, *, kills: int) -> None:
    seed = int(os.environ.get("MIDWATCH_KILL_SEED", random.SystemRandom().randrange(1_000_000)))
    accepted, sent, alerts = run(directory, kills=kills, seed=seed)
    print(f"seed {seed}: {accepted} events accepted, {alerts} alerts, {sent} page requests, {kills} kills, 0 lost")
    # An event whose 202 was lost with the web process is sent again with the same title: it counts, and opens nothing.
    assert accepted <= alerts <= accepted + kills + 1
    # One message may go out twice for each killed engine and sender thread, and no more.
    assert sent <= alerts + kills * 8


def test_three_kills(tmp_path: Path) -> None:
    check(tmp_path, kills=3)


@pytest.mark.slow
def test_twenty_five_kills(tmp_path: Path) -> None:
    check(tmp_path, kills=25)
