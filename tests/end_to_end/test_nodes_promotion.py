"""A primary and a synchronous standby, both started here: the standby goes away and comes back, then the primary dies and
the standby is promoted. What was accepted is on both, or was not accepted."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

import postgres
from end_to_end.nodes import Cluster
from end_to_end.running import request, run_verb, wait_until
from end_to_end.team_documents import KEY, event

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with postgres.running() as primary, postgres.standby_of(primary, "second") as standby:
        primary.set("synchronous_standby_names", "second")
        made = Cluster(tmp_path_factory.mktemp("promotion"), [primary, standby])
        try:
            made.start()
            yield made
        finally:
            made.close()


def sessions(cluster: Cluster) -> int:
    return int(cluster.rows("SELECT count(*) FROM pg_stat_activity WHERE usename = 'midwatch'")[0][0])


def standby_check(cluster: Cluster) -> dict[str, str]:
    said = json.loads(run_verb(cluster.directory, "doctor", "--json", codes=(0, 1), **cluster.settings))
    return next(check for check in said["checks"] if check["name"] == "database.standby")


def test_doctor_knows_the_standby(cluster: Cluster) -> None:
    primary = cluster.servers[0]
    assert standby_check(cluster)["state"] == "ok"
    primary.set("synchronous_standby_names", "")
    wait_until(lambda: standby_check(cluster)["state"] == "warning", what="the warning")
    assert "none is waited for" in standby_check(cluster)["sentence"]
    primary.set("synchronous_standby_names", "second")
    wait_until(lambda: standby_check(cluster)["state"] == "ok", what="the warning's end")
    primary.set("synchronous_standby_names", "third")
    wait_until(lambda: standby_check(cluster)["state"] == "failed", what="the failure")
    primary.set("synchronous_standby_names", "second")


def test_without_its_standby_nothing_is_accepted_that_one_machine_alone_would_have(cluster: Cluster) -> None:
    _, standby = cluster.servers
    before = sessions(cluster)
    with cluster.load("synchronous standby away") as senders:
        standby.stop()
        url = f"{cluster.webs[0].url}/in/{KEY}"

        def is_refused() -> bool:
            return request("POST", url, event("one copy", 0), timeout=60).status == 503

        wait_until(is_refused, what="503, since the commit waits for the second copy")
        assert cluster.webs[0].status("/healthz") == 200
        standby.start_again()
        back = time.monotonic()
        count = len(senders.accepted)
        wait_until(lambda: len(senders.accepted) > count, what="an event")
        print(f"first event accepted {time.monotonic() - back:.1f} s after the standby was back")
        for node in cluster.nodes:
            node.wait_until_ready()
    wait_until(lambda: sessions(cluster) <= before + 5, what="no session that nobody owns stays behind")


def test_the_standby_is_promoted(cluster: Cluster) -> None:
    primary, standby = cluster.servers
    with cluster.load("standby promoted") as senders:
        count = len(senders.accepted)
        wait_until(lambda: len(senders.accepted) > count + 50, what="events")
        primary.kill()
        died = time.monotonic()
        standby.promote()
        promoted = time.monotonic()
        count = len(senders.accepted)
        wait_until(lambda: len(senders.accepted) > count, what="an event on the new primary")
        first = max(senders.accepted.values())
        for node in cluster.nodes:
            node.wait_until_ready()
        print(
            f"promoted {promoted - died:.1f} s after the primary died; first event accepted {first - promoted:.1f} s later, "
            f"all nodes ready {time.monotonic() - promoted:.1f} s after the promotion"
        )
