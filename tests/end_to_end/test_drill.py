"""The restore drill: a backup under load, everything killed, restored elsewhere; nothing acknowledged before is missing.

With the real program on both databases, and the hold as people meet it: nobody is paged until the release.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import postgres
from end_to_end.ledger import Pager, Senders
from end_to_end.running import Midwatch, clean_environment, on_postgresql, request, run_verb, wait_until
from end_to_end.team_documents import KEY, NO_STORMS, documents, event

PEOPLE = 5


@pytest.fixture
def pager() -> Iterator[Pager]:
    with Pager() as made:
        yield made


def refused(directory: Path, *arguments: str, **environment: str) -> str:
    """A verb that must not do it; what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "midwatch.cli", *arguments],
        env=clean_environment(MIDWATCH_DATA_DIR=str(directory / "data"), **environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr


def installation(directory: Path, pager: Pager, **environment: str) -> Midwatch:
    directory.mkdir()
    return Midwatch(directory, documents(pager.url, PEOPLE), **NO_STORMS, **environment)


def loaded(midwatch: Midwatch, take: Callable[[], object]) -> set[str]:
    """Events arrive while the backup is taken; returns what was accepted before it began."""
    with Senders([midwatch.port], services=PEOPLE) as senders:
        wait_until(lambda: len(senders.accepted) >= 60, what="sixty events")
        before = set(senders.accepted)
        take()
        wait_until(lambda: len(senders.accepted) >= len(before) + 20, what="twenty more events")
    return before


def check_drill(midwatch: Midwatch, before: set[str], pager: Pager, **environment: str) -> None:
    """On the restored installation, which runs."""
    directory = midwatch.directory
    assert request("GET", f"{midwatch.url}/readyz").json["hold"]["reason"] == "a backup was restored"

    def titles() -> Counter[str]:
        return Counter(alert["title"] for alert in midwatch.all_alerts())

    wait_until(lambda: before <= titles().keys(), what="every event that was accepted before the backup")
    assert not [title for title, count in titles().items() if count > 1], "an alert came twice"
    rang = len(pager.arrivals)
    assert request("POST", f"{midwatch.url}/in/{KEY}", event("during the hold", 1)).status == 202
    wait_until(lambda: titles()["during the hold"], what="the event of the hold")
    listed = json.loads(run_verb(directory, "restore", "--list", "--json", **environment))
    assert listed["on_hold"]
    assert "during the hold" in [item["title"] for item in listed["items"]]
    assert midwatch.api("GET", "/hold").json["alerts_count"] == listed["alerts_count"]
    assert len(pager.arrivals) == rang, "somebody was paged during the hold"
    assert "Released" in run_verb(directory, "restore", "--release", **environment)
    wait_until(lambda: "during the hold" in pager.first_page, what="the page after the release")
    assert "not on hold" in refused(directory, "restore", "--release", **environment)
    assert "hold" not in request("GET", f"{midwatch.url}/readyz").json


def test_the_embedded_database(pager: Pager, tmp_path: Path) -> None:
    file = tmp_path / "midwatch.tar.gz"
    first = installation(tmp_path / "first", pager)
    first.start()
    try:
        before = loaded(first, lambda: run_verb(first.directory, "backup", str(file)))
        assert "is running" in refused(first.directory, "restore", str(file), "--force")
    finally:
        first.kill_group()
    second = installation(tmp_path / "second", pager)
    assert "Paging is on hold" in run_verb(second.directory, "restore", str(file))
    with second:
        check_drill(second, before, pager)


@pytest.mark.slow
def test_postgresql(pager: Pager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = postgres.shared()
    monkeypatch.setenv("PATH", f"{postgres.binaries()}:{os.environ['PATH']}")
    file = tmp_path / "midwatch.dump"
    one, two = (on_postgresql(server.create_database(name)) for name in ("drill_one", "drill_two"))
    first = installation(tmp_path / "first", pager, **one)
    run_verb(first.directory, "upgrade", **one)
    first.start()
    try:
        before = loaded(first, lambda: run_verb(first.directory, "backup", str(file), **one))
        assert "sessions are connected" in refused(first.directory, "restore", str(file), "--force", **one)
    finally:
        first.kill_group()
    second = installation(tmp_path / "second", pager, **two)
    cut = tmp_path / "cut.dump"
    cut.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert "cut.dump" in refused(second.directory, "restore", str(cut), **two)
    with server.connect("drill_two") as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
    assert "Paging is on hold" in run_verb(second.directory, "restore", str(file), **two)
    assert "--force" in refused(second.directory, "restore", str(file), **two)
    assert "Paging is on hold" in run_verb(second.directory, "restore", str(file), "--force", **two)
    with second:
        check_drill(second, before, pager, **two)
