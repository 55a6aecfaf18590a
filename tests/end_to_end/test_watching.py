"""On the real program: the canary's way through the lane, the dead-man ping, and two installations that watch each other."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from end_to_end.running import Midwatch, free_port, request, wait_until
from fakes.server import FakeServer, Recorded, Reply
from fakes.webhook import FakeWebhook
from observability.test_rules_and_dashboard import named

PATH = "/ping/secret-of-the-check"


class Monitor(FakeServer):
    def respond(self, request: Recorded) -> Reply:
        return Reply(200, b"OK", {})

    def pings(self) -> int:
        return sum(one.path == PATH for one in self.requests)


def administrator(hook: str) -> str:
    return f"""
apiVersion: midwatch.dev/v1
kind: User
metadata: {{name: root}}
spec:
  displayName: Root
  role: administrator
  contactMethods: [{{name: hook, type: webhook, address: "{hook}/root"}}]
  notificationRules: {{high: [{{after: 0s, contact: hook}}], low: [{{after: 0s, contact: hook}}]}}
"""


def canary_of(midwatch: Midwatch) -> dict[str, object]:
    return dict(request("GET", f"{midwatch.url}/readyz").json["canary"])


def test_the_canary_comes_through_and_asks_for_the_ping(tmp_path: Path) -> None:
    with Monitor() as monitor, Midwatch(tmp_path, MIDWATCH_WATCHDOG_URL=f"{monitor.url}{PATH}") as midwatch:
        wait_until(lambda: canary_of(midwatch)["state"] == "arrived", seconds=60, what="the canary")
        wait_until(monitor.pings, seconds=20, what="the ping")
        assert midwatch.alerts() == []
        metrics = request("GET", f"{midwatch.url}/metrics").body.decode()
        assert "midwatch_events_received_total 0.0" in metrics, "the canary is nobody's event"
        missing = {name for name in named() if f"# TYPE {name} " not in metrics}
        assert not missing, "rules or dashboard name what the running program does not export"
        assert 'channel="null"' not in metrics
        assert "secret-of-the-check" not in midwatch.tail()


@pytest.mark.slow
def test_two_watch_each_other(tmp_path: Path) -> None:
    """Kill one: the other pages. Start it again: resolved. Then the other way round."""
    with FakeWebhook() as phones:
        ports = [free_port(), free_port()]
        made = []
        for index, name in enumerate(("north", "south")):
            directory = tmp_path / name
            directory.mkdir()
            peer = f"http://127.0.0.1:{ports[1 - index]}"
            one = Midwatch(
                directory, administrator(f"{phones.url}/{name}"), MIDWATCH_PEER_URL=peer, MIDWATCH_PEER_SECONDS="2"
            )
            one.command = [word if word != str(one.port) else str(ports[index]) for word in one.command]
            one.port, one.url = ports[index], f"http://127.0.0.1:{ports[index]}"
            made.append(one)
        north, south = made
        with north, south:
            wait_until(lambda: canary_of(north)["state"] == "arrived", seconds=60, what="north's canary")
            wait_until(lambda: canary_of(south)["state"] == "arrived", seconds=60, what="south's canary")
            for ended, watching in ((south, north), (north, south)):
                ended.kill_group()
                found = wait_until(lambda w=watching: w.alerts(status="firing"), seconds=200, what="the page")
                assert f":{ended.port} is not well" in found[0]["title"]
                name = "north" if watching is north else "south"
                wait_until(
                    lambda n=name: [one for one in phones.requests if one.path == f"/{n}/root"],
                    seconds=30,
                    what="ringing",
                )
                ended.start()
                wait_until(lambda w=watching: not w.alerts(status="firing"), seconds=240, what="the resolve")
                assert len(watching.alerts(status="resolved")) == 1
            for one in (north, south):
                one.stop(signal.SIGTERM)
