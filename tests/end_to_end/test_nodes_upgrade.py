"""A new release with a migration, brought to two web and three engine nodes one at a time, while events come in."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

import postgres
from end_to_end.nodes import Cluster, next_release
from end_to_end.running import clean_environment, wait_until

pytestmark = pytest.mark.slow
# The body of `midwatch upgrade`, which itself knows today's release alone.
UPGRADE = "import django; django.setup(); from midwatch.startup import upgrade; print(upgrade())"


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with postgres.running() as server:
        made = Cluster(tmp_path_factory.mktemp("upgrade"), [server])
        try:
            made.start()
            yield made
        finally:
            made.close()


def upgrade(cluster: Cluster) -> str:
    env = clean_environment(**cluster.settings, **next_release(), MIDWATCH_DATA_DIR=str(cluster.directory / "admin"))
    done = subprocess.run([sys.executable, "-c", UPGRADE], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_one_node_at_a_time(cluster: Cluster) -> None:
    with cluster.load("upgrade") as senders:

        def goes_on(title: str) -> None:
            """An event that comes now pages somebody."""
            senders.post(title, 2)
            wait_until(lambda: cluster.pager.of(title), what=f"the page about {title!r}")

        early, *others = cluster.engines
        early.stop()
        early.runs(next_release()).start()
        wait_until(lambda: "1 migrations are pending" in early.tail(), what="a node that was upgraded too early waits")
        assert early.status("/readyz") == 503
        goes_on("before the migration")

        assert "next_release.0001_initial" in upgrade(cluster)
        goes_on("old nodes on the new schema")
        early.wait_until_ready()
        goes_on("old and new nodes together")

        old = others[0]
        old.stop()
        old.start().wait_until_ready()  # the old release also starts on the new schema: the way back is open
        old_web = cluster.webs[0]
        old_web.stop()
        old_web.start().wait_until_ready()

        for node in [*cluster.webs, *others]:
            node.stop()
            goes_on(f"without {node.name}")
            node.runs(next_release()).start().wait_until_ready()
            goes_on(f"with the new {node.name}")
    assert cluster.rows("SELECT count(*) FROM next_release_remark") == [(0,)]
