"""Two web and three engine nodes on one PostgreSQL: killed, paused, cut off, restarted. Nothing accepted is lost, nothing
doubles unmarked, and what a node had in hand is taken over within its lease and two seconds.

The instants compared are the receiver's and the database's own; `Stall` is what this machine itself stood still meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

import postgres
from end_to_end.ledger import Senders
from end_to_end.nodes import TAKE_OVER_SECONDS, Cluster, Node, Stall
from end_to_end.running import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with postgres.running() as server:
        made = Cluster(tmp_path_factory.mktemp("nodes"), [server])
        try:
            made.start()
            yield made
        finally:
            made.close()


@pytest.fixture
def stall() -> Iterator[Stall]:
    made = Stall()
    made.start()
    yield made
    made.stop()


def take(cluster: Cluster, senders: Senders, title: str, service: int) -> Node:
    """Some engine has sent a page about it, and waits for the answer."""
    cluster.pager.hold(title)
    senders.post(title, service)
    wait_until(lambda: cluster.pager.of(title), what="the page")
    return cluster.holder(title)


def taken_over(cluster: Cluster, title: str, lease_end: float, stall: Stall, what: str) -> None:
    """Another node sends the message again, when the lease is over and soon."""
    wait_until(lambda: len(cluster.pager.of(title)) > 1, seconds=60, what="the take-over")
    first, second, *more = cluster.pager.of(title)
    late = second.at - lease_end
    print(f"{what}: sent again {late:.2f} s after the lease's end (this machine stood still for {stall.seconds:.2f} s)")
    assert not more
    assert second.delivery == first.delivery
    assert -0.5 < late < TAKE_OVER_SECONDS + 3 * stall.seconds


def test_an_engine_is_killed_with_a_page_in_hand(cluster: Cluster, stall: Stall) -> None:
    title = "killed with it in hand"
    with cluster.load("engine killed") as senders:
        victim = take(cluster, senders, title, 3)
        lease_end = cluster.lease_end(title)
        victim.kill()
        taken_over(cluster, title, lease_end, stall, "engine killed")
        cluster.pager.release(title)
        victim.start().wait_until_ready()
    assert "sent again: the try before was cut off" in cluster.timeline(title)


def test_an_engine_is_paused_for_longer_than_its_lease(cluster: Cluster, stall: Stall) -> None:
    title = "paused with it in hand"
    with cluster.load("engine paused") as senders:
        sleeper = take(cluster, senders, title, 4)
        lease_end = cluster.lease_end(title)
        sleeper.freeze()
        try:
            taken_over(cluster, title, lease_end, stall, "engine paused")
            cluster.pager.release(title)
            receipt = (
                "SELECT handed_over_at, claimed_by FROM notify_delivery d JOIN alerts_alert a ON a.id = d.alert_id "
            )
            query = receipt + "WHERE a.title = %s AND d.state = 'handed over'"
            wait_until(lambda: cluster.rows(query, title), what="the receipt of the second node")
            written = cluster.rows(query, title)
        finally:
            sleeper.thaw()
        wait_until(lambda: cluster.timeline(title).count("handed over") == 2, what="the sleeper's receipt")
        sleeper.wait_until_ready()
        assert cluster.rows(query, title) == written  # it wrote over nothing
    assert len(cluster.pager.of(title)) == 2
    told = cluster.timeline(title)
    assert "sent again: the try before was cut off" in told
    assert "sent again: another node had sent it while this one stood still" in told


def test_every_engine_but_one_is_paused(cluster: Cluster) -> None:
    """Whatever they held, the log's lock too, comes free: the database ends sessions that idle in a transaction."""
    with cluster.load("two of three engines paused") as senders:
        sleepers = cluster.engines[:2]
        for _ in range(3):
            for node in sleepers:
                node.freeze()
            count = len(senders.accepted)
            wait_until(lambda count=count: len(senders.accepted) > count + 20, what="events")
            title = f"while they sleep {count}"
            senders.post(title, 5)
            wait_until(lambda title=title: cluster.pager.of(title), what="a page by the one that is awake")
            for node in sleepers:
                node.thaw()
            for node in sleepers:
                node.wait_until_ready()


@pytest.mark.parametrize("how", ["refuse", "reset"])
def test_an_engine_is_cut_off(cluster: Cluster, how: str) -> None:
    with cluster.load(f"engine cut off ({how})") as senders:
        for node in cluster.engines[:2]:
            node.cut(how)
            if how == "refuse":
                wait_until(lambda node=node: node.status("/readyz") == 503, what="the engine's own word for it")
            assert node.status("/healthz") == 200
            senders.post(f"beside {node.name}, {how}", 6)
            node.heal()
            wait_until(lambda node=node: node.status("/readyz") == 200, what="recovery by itself")


def test_an_engine_hangs_on_the_way_to_the_database(cluster: Cluster, stall: Stall) -> None:
    title = "its receipt hangs"
    with cluster.load("engine cut off (hang)") as senders:
        node = take(cluster, senders, title, 7)
        lease_end = cluster.lease_end(title)
        node.cut("hang")
        cluster.pager.release(title)  # sent, and the receipt cannot be written
        taken_over(cluster, title, lease_end, stall, "engine cut off (hang)")
        wait_until(lambda: node.status("/readyz") == 503, what="the engine's own word for it")
        node.heal()
        wait_until(lambda: node.status("/readyz") == 200, what="recovery by itself")
    assert "sent again" in cluster.timeline(title)


def test_a_web_node_is_killed(cluster: Cluster) -> None:
    with cluster.load("web node killed") as senders:
        for node in cluster.webs:
            count = len(senders.accepted)
            node.kill()
            wait_until(lambda count=count: len(senders.accepted) > count + 20, what="events through the other one")
            node.start().wait_until_ready()


def test_a_web_node_is_paused(cluster: Cluster) -> None:
    with cluster.load("web node paused") as senders:
        node = cluster.webs[0]
        node.freeze()
        count = len(senders.accepted)
        wait_until(lambda: len(senders.accepted) > count + 20, what="events through the other one")
        node.thaw()
        node.wait_until_ready()


def test_the_database_is_restarted(cluster: Cluster) -> None:
    (server,) = cluster.servers
    with cluster.load("PostgreSQL restarted") as senders:
        for crash in (False, True):
            if crash:
                server.kill()  # the log is replayed at the start
            server.stop()
            wait_until(
                lambda: all(node.status("/readyz") == 503 for node in cluster.nodes), what="everybody's word for it"
            )
            assert {node.status("/healthz") for node in cluster.nodes} == {200}
            server.start_again()
            back = time.monotonic()
            count = len(senders.accepted)
            wait_until(lambda count=count: len(senders.accepted) > count, what="an event")
            print(f"first event accepted {time.monotonic() - back:.1f} s after PostgreSQL was back")
            for node in cluster.nodes:
                node.wait_until_ready()
