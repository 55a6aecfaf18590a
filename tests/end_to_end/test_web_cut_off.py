"""A web node whose database is away: 503 with Retry-After for everybody and never 401, the truth about itself, and well
again by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import postgres
from end_to_end.nodes import Cluster, Node
from end_to_end.running import API_TOKEN, Answer, request, wait_until
from end_to_end.team_documents import KEY, event

LOGGED_IN = {"Cookie": "midwatch_session=abcdefghijklmnopqrstuvwxyz012345"}  # nobody can know that it is no session
HANG_SECONDS_MAX = 60.0  # a request that hangs: 35 s until the client gives up, and a slow machine


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with postgres.running() as server:
        made = Cluster(tmp_path_factory.mktemp("web"), [server], webs=1, engines=0)
        try:
            made.start()
            yield made
        finally:
            made.close()


def post(node: Node, key: str = KEY) -> Answer:
    return request("POST", f"{node.url}/in/{key}", event("x", 0), timeout=HANG_SECONDS_MAX)


def get(node: Node, path: str, **headers: str) -> Answer:
    return request("GET", f"{node.url}{path}", headers=headers, timeout=HANG_SECONDS_MAX)


@pytest.mark.parametrize("how", ["refuse", pytest.param("hang", marks=pytest.mark.slow)])
def test_everybody_is_told_to_come_again(cluster: Cluster, how: str) -> None:
    (node,) = cluster.webs
    assert post(node).status == 202
    node.cut(how)
    bearer = {"Authorization": f"Bearer {API_TOKEN}"}
    wrong = {"Authorization": "Bearer of-bad-news"}
    asked: list[Callable[[], Answer]] = [
        lambda: post(node),
        lambda: post(node, "f" * 32),  # nobody can know whether this key is known
        lambda: get(node, "/api/v1/alerts", **bearer),
        lambda: get(node, "/api/v1/alerts", **wrong),
        lambda: get(node, "/alerts", **LOGGED_IN),
    ]
    with ThreadPoolExecutor(len(asked) + 1) as together:
        ready = together.submit(get, node, "/readyz")
        for answer in together.map(lambda ask: ask(), asked):
            assert answer.status == 503
            assert int(answer.headers["retry-after"]) <= 30
        assert get(node, "/healthz").status == 200
        assert ready.result().status == 503
        assert ready.result().json["ready"] is False
        assert "the database cannot be reached" in ready.result().json["problems"]
    node.heal()
    wait_until(lambda: post(node).status == 202, what="events are taken again")
    wait_until(node.is_ready, what="readiness")
    assert get(node, "/api/v1/alerts", **bearer).status == 200
    assert get(node, "/alerts", **LOGGED_IN).status == 200  # the log-in
    assert post(node, "f" * 32).status == 401
