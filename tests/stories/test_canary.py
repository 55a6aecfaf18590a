"""The canary goes the whole way of a page; whatever part breaks, the dead-man ping stops and administrators hear of it once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from unittest import mock

import pytest
from django.db import OperationalError, transaction

from midwatch.core import clock, net
from midwatch.core.models import AuditEntry
from midwatch.engine import canary, hold, invariants, watch
from midwatch.engine.models import Canary
from midwatch.intake import canary as door
from midwatch.people.models import User
from midwatch.people.queries import people as everybody
from midwatch.respond.alerts.actions import record
from midwatch.respond.alerts.models import OPEN, Alert
from midwatch.respond.alerts.queries import AlertFilter, alerts
from midwatch.respond.escalation.models import Escalation
from midwatch.respond.notify import metrics as notify_metrics
from midwatch.respond.notify.models import Delivery
from stories.phones import PhonesNetwork
from stories.story import Story


class Flight:
    """The keeper beside a story's engine: `minutes` lets both run by the clock. Parts can be taken out."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.keeper = canary.Keeper("one:1", self.enter)
        self.is_lane_up = True
        self.is_engine_up = True
        self.arrived = 0

    def enter(self, token: str) -> None:
        if not self.is_lane_up:
            raise canary.DoorError("connection refused")
        source = mock.Mock(pk=door.CANARY_SOURCE)
        self.story.arrives(source, {"title": "canary", "key": token}, kind="canary")

    def minutes(self, count: int) -> int:
        """How many arrived meanwhile."""
        before = self.arrived
        for _ in range(count):
            for _ in range(4):
                self.step()
                clock.forward(timedelta(seconds=15))
        self.step()
        return self.arrived - before

    def step(self) -> None:
        self.arrived += self.keeper.step()
        if self.is_engine_up:
            self.story.settle()
        self.arrived += self.keeper.step()


@pytest.fixture
def flight(story: Story) -> Iterator[Flight]:
    (admin,) = story.phones("root")
    with transaction.atomic():
        User.objects.filter(pk=admin.user.pk).update(role="administrator")
    return Flight(story)


def own_alert() -> Alert | None:
    return Alert.objects.filter(dedup_key=canary.TITLE).order_by("-pk").first()


def test_it_arrives_each_minute_and_leaves_no_trace(story: Story, flight: Flight) -> None:
    pages = notify_metrics.PAGE_LATENCY._sum.get()  # type: ignore[attr-defined]
    people, audit = User.objects.count(), AuditEntry.objects.count()
    assert flight.minutes(3) >= 3
    found = canary.last()
    assert (found.problem, found.took_seconds) == ("", 0)
    assert Canary.objects.exclude(arrived_at=None).count() >= 3
    assert not Alert.objects.exists()
    assert not Escalation.objects.exists()
    assert not Delivery.objects.exists()
    assert not alerts(AlertFilter())
    assert User.objects.count() == people
    assert not [user for user in everybody() if "canary" in user.name]
    assert AuditEntry.objects.count() == audit
    assert notify_metrics.PAGE_LATENCY._sum.get() == pages  # type: ignore[attr-defined]
    assert invariants.violations(now=clock.now(), is_engine_alive=True) == []
    clock.forward(timedelta(hours=2))
    flight.minutes(1)
    assert Canary.objects.count() <= 2, "rows of an hour ago are gone"
    story.nothing_else_happens()


def test_a_number_is_never_taken(story: Story, flight: Flight) -> None:
    first = story.fires(title="one")
    flight.minutes(2)
    assert (story.fires(title="two").number or 0) == (first.number or 0) + 1


def test_it_is_recorded_in_one_batch_with_real_events_and_counted_once(story: Story, flight: Flight) -> None:
    """The real deduplication has it: a repeat counts up, and opens nothing."""
    ana = story.phones("ana")[0]
    story.policy(steps=[("ana", "0m")])
    source = story.source()
    flight.keeper.step()
    story.arrives(source, {"title": "disk full", "priority": "P1"})
    with mock.patch("midwatch.engine.events.record", wraps=record) as recorded:
        story.settle()
    (given,) = [call.args[0] for call in recorded.call_args_list]
    assert sorted({arrival.event.title.split()[0] for arrival in given}) == ["canary", "disk"]
    alert = Alert.objects.get(dedup_key__startswith=canary.PREFIX)
    assert (alert.count, alert.number, alert.source, alert.team, alert.is_test) == (
        canary.TIMES,
        None,
        None,
        None,
        True,
    )
    assert flight.keeper.step(), "it arrived"
    ana.rings_with("disk full")
    assert [one.title for one in Alert.objects.all()] == ["disk full"]


def test_a_deduplication_that_counts_nothing_is_seen(story: Story, flight: Flight) -> None:
    flight.minutes(1)
    with mock.patch("midwatch.engine.canary.TIMES", 1):  # the repeat never comes to be counted
        clock.forward(timedelta(minutes=1))
        flight.keeper.step()
        arrived = canary.arrivals([Canary.objects.order_by("-pk").values_list("token", flat=True)[0]])
    with transaction.atomic():
        canary.opened([alert for alert, _ in record(arrived).opened])
    clock.forward(timedelta(seconds=31))
    flight.step()
    assert canary.last().problem == "its event and the repeat of it are not one alert"


def broken_lane(flight: Flight) -> None:
    flight.is_lane_up = False


def stuck_engine(flight: Flight) -> None:
    flight.is_engine_up = False


@pytest.mark.parametrize(
    ("patched", "words"),
    [
        ("lane", "the lane did not take it: connection refused"),
        ("engine", "no engine read it from the event log"),
        ("midwatch.engine.tick.run_due", "its escalation did not run"),
        ("midwatch.engine.pools.send_claimed", "the channel's pool did not send it"),
    ],
)
def test_whatever_breaks_the_ping_stops_and_it_is_told_once(
    story: Story, flight: Flight, patched: str, words: str
) -> None:
    assert flight.minutes(2) >= 2
    flight.is_lane_up, flight.is_engine_up = patched != "lane", patched != "engine"
    if "." in patched:
        with mock.patch(patched, return_value=0):
            assert flight.minutes(5) <= 1  # one may have been under way
            assert words in canary.last().problem
    else:
        assert flight.minutes(5) <= 1
        assert words in canary.last().problem
    alert = own_alert()
    assert alert is not None
    assert (alert.priority, alert.status) == ("P2", "firing")
    assert words in alert.description
    assert Alert.objects.filter(dedup_key=canary.TITLE).count() == 1
    flight.is_lane_up = flight.is_engine_up = True
    assert flight.minutes(4) >= 3
    story.people["root"].rings_with("canary does not arrive")
    assert story.alert(alert).status == "resolved"
    assert not Alert.objects.filter(is_test=False, status__in=OPEN).exists()


def test_one_that_is_lost_alone_wakes_nobody(story: Story, flight: Flight) -> None:
    flight.minutes(2)
    flight.is_lane_up = False
    clock.forward(timedelta(minutes=1))
    flight.step()
    clock.forward(timedelta(seconds=31))
    flight.step()
    assert canary.last().problem
    flight.is_lane_up = True
    assert flight.minutes(3) >= 2
    assert own_alert() is None
    story.nothing_else_happens()


def test_whoever_resolves_it_while_it_is_broken_is_not_told_again(story: Story, flight: Flight) -> None:
    flight.minutes(1)
    flight.is_lane_up = False
    flight.minutes(4)
    alert = own_alert()
    assert alert is not None
    story.people["root"].resolves(alert)
    flight.minutes(5)
    assert Alert.objects.filter(dedup_key=canary.TITLE).count() == 1


def test_a_slow_database_is_seen(story: Story, flight: Flight) -> None:
    """The engine works, but 40 s later: that is no page that came in time."""
    flight.minutes(1)
    flight.is_engine_up = False
    clock.forward(timedelta(minutes=1))
    flight.step()
    clock.forward(timedelta(seconds=40))
    story.settle()
    assert flight.keeper.step() is False
    assert canary.last().problem


def test_a_database_that_is_away_asks_for_no_ping(story: Story, flight: Flight) -> None:
    with mock.patch("midwatch.engine.canary.hold.gate", side_effect=OperationalError), pytest.raises(OperationalError):
        flight.keeper.step()


def test_during_a_hold_none_flies(story: Story, flight: Flight) -> None:
    flight.minutes(1)
    with mock.patch.object(hold, "gate", return_value=object()):
        assert flight.keeper.step() is False
        clock.forward(timedelta(minutes=5))
        assert flight.keeper.step() is False
    assert own_alert() is None


def test_two_nodes_send_one(story: Story, flight: Flight) -> None:
    other = canary.Keeper("two:2", flight.enter)
    flight.keeper.step()
    other.step()
    assert Canary.objects.count() == 1


def test_one_of_a_node_that_ended_is_judged_by_another(story: Story, flight: Flight) -> None:
    other = canary.Keeper("two:2", flight.enter)
    flight.keeper.step()
    clock.forward(timedelta(seconds=50))
    other.step()
    assert not Canary.objects.exclude(failed_at=None).exists()
    clock.forward(timedelta(seconds=20))
    other.step()
    assert Canary.objects.exclude(failed_at=None).exists()


def test_an_old_one_that_is_read_again_is_nothing(story: Story, flight: Flight) -> None:
    flight.enter("0" * 32)
    flight.keeper.step()
    token = Canary.objects.get().token
    clock.forward(timedelta(minutes=2))
    flight.enter(token)
    story.settle()
    assert not Alert.objects.exists()


# -- the ping ------------------------------------------------------------------------------------------------------------


class Monitor(PhonesNetwork):
    def __init__(self, *answers: int | Exception) -> None:
        super().__init__()
        self.answers = list(answers)
        self.asked = 0

    def http(self, request: net.HttpRequest) -> net.HttpAnswer:
        assert request.url == "https://hc.example/ping/secret-of-the-check"
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return net.HttpAnswer(answer, {}, b"")


@pytest.fixture
def watching(story: Story, monkeypatch: pytest.MonkeyPatch) -> watch.Watch:
    monkeypatch.setenv("MIDWATCH_WATCHDOG_URL", "https://hc.example/ping/secret-of-the-check")
    monkeypatch.setattr(watch, "PING_AGAIN_SECONDS", 0.0)
    watch.settings.cache_clear()
    return watch.Watch("one:1")


def test_the_ping_is_tried_again_and_its_address_is_never_said(
    watching: watch.Watch, caplog: pytest.LogCaptureFixture
) -> None:
    monitor = Monitor(net.NetError("hc.example: connection refused"), 503, 200)
    with net.installed(monitor):
        watching._ping()
    assert monitor.asked == 3
    assert "connection refused" in caplog.text
    assert "answered 503" in caplog.text
    assert "secret-of-the-check" not in caplog.text


def test_only_an_arrival_while_all_is_well_asks_for_a_ping(watching: watch.Watch, flight: Flight) -> None:
    watching._keeper = flight.keeper
    assert not watching._may_ping(is_well=True)
    watching._arrived.set()
    assert watching._may_ping(is_well=True)
    assert not watching._may_ping(is_well=True)  # one ping an arrival
    watching._arrived.set()
    assert not watching._may_ping(is_well=False)
    assert not watching._may_ping(is_well=True)  # that arrival is not remembered


def test_without_a_canary_the_engine_that_ticks_pings_once_a_minute(watching: watch.Watch) -> None:
    watching._keeper = None  # on PostgreSQL an engine that is alone has a way in
    watching._ping_at = -1_000.0
    assert watching._may_ping(is_well=True)
    assert not watching._may_ping(is_well=True)
