"""What changed reaches whoever looks, in whatever order the database shows it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from midwatch.core import clock, topics, wake
from midwatch.core.models import Presence, TopicEvent
from midwatch.core.topics import Topic

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _rooms(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    room = Topic("room", lambda user, key: key != "secret", has_presence=True)
    quiet = Topic("quiet", lambda user, key: True)
    monkeypatch.setattr(topics, "known", lambda: {"room": room, "quiet": quiet})
    seconds = iter(range(1_000_000))
    monkeypatch.setattr(clock, "monotonic", lambda: float(next(seconds)))
    clock.freeze(NOON)
    yield
    with transaction.atomic():
        TopicEvent.objects.all().delete()


def touch(*names: str) -> int:
    with transaction.atomic():
        topics.touch(*names)
    return topics.latest()


def test_listeners_are_woken_after_the_commit_and_never_without() -> None:
    with wake.using(wake.LocalBus()) as bus, bus.waiter(topics.WAKE) as ear:
        with transaction.atomic():
            topics.touch("room:1")
            assert not ear.wait(0)
        assert ear.wait(0)
        with transaction.atomic():
            topics.touch("room:1")
            transaction.set_rollback(True)
        assert not ear.wait(0)


def test_the_reader_says_each_change_once() -> None:
    touch("room:0")
    reader = topics.Reader()
    assert reader.read() == set()
    touch("room:1", "room:2", "room:1")
    assert reader.read() == {"room:1", "room:2"}
    assert reader.read() == set()
    last = touch("room:1")
    assert reader.read() == {"room:1"}
    assert reader.position == last


def _event(key: int, topic: str) -> None:
    """As it becomes visible: on PostgreSQL a lower id may come after a higher one."""
    with transaction.atomic():
        TopicEvent.objects.create(pk=key, topic=topic, at=clock.now())


def test_an_id_that_comes_late_is_not_lost() -> None:
    base = touch("room:0") + 100
    _event(base, "room:0")
    reader = topics.Reader()
    _event(base + 2, "room:2")
    assert reader.read() == {"room:2"}
    _event(base + 1, "room:1")
    assert reader.read() == {"room:1"}
    assert reader.read() == set()


def test_an_id_that_was_on_its_way_when_the_reader_began_is_not_lost() -> None:
    base = touch("room:0") + 100
    _event(base + 1, "room:1")
    reader = topics.Reader()
    _event(base, "room:0")
    assert reader.read() == {"room:0"}


def test_an_id_that_never_comes_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    base = touch("room:0")
    reader = topics.Reader()
    _event(base + 2, "room:2")
    reader.read()
    assert reader._floor == base
    monkeypatch.setattr(clock, "monotonic", lambda: 10.0**9)
    reader.read()
    assert reader._floor == base + 2
    assert not reader._seen


def test_a_flood_is_told_as_a_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = topics.Reader()
    monkeypatch.setattr(topics, "READ_MAX", 3)
    for _ in range(3):
        touch("room:1")
    assert reader.read() is None
    touch("room:2")
    assert reader.read() == {"room:2"}


def test_whoever_comes_back_is_told_what_was_missed() -> None:
    at = touch("room:1")
    clock.forward(timedelta(minutes=5))
    assert topics.changed(["room:1", "room:2"], at) == []
    touch("room:2")
    assert topics.changed(["room:1", "room:2"], at) == ["room:2"]
    assert topics.changed(["room:1", "room:2"], 10**9) == ["room:1", "room:2"], "a position that nobody knows"


def test_what_became_visible_late_is_told_to_whoever_comes_back() -> None:
    base = touch("room:0") + 100
    _event(base + 1, "room:1")
    _event(base, "room:2")  # a moment later, with a lower id
    assert "room:2" in topics.changed(["room:2"], base + 1)


def test_permission_is_the_rooms() -> None:
    assert topics.may_follow(None, "room:1")
    assert not topics.may_follow(None, "room:secret")
    for name in ("unknown:1", "room:../x", "", "room:" + "a" * 61, "Room:1", "room:1\n"):
        assert not topics.may_follow(None, name), name


def test_presence_is_written_rarely_and_ends_by_itself() -> None:
    topics.see(7, ["room:1", "quiet:1"])
    assert topics.present("room:1") == [7]
    assert topics.present("quiet:1") == []
    before = topics.latest()
    with connection.execute_wrapper(_no_writes):
        for _ in range(4):
            clock.forward(timedelta(seconds=9))
            topics.see(7, ["room:1"])
    clock.forward(timedelta(seconds=9))
    topics.see(7, ["room:1"])
    assert topics.latest() == before, "who stays has not changed anything"
    topics.see(8, ["room:1"])
    assert topics.present("room:1") == [7, 8]
    assert topics.latest() > before
    clock.forward(topics.PRESENT - timedelta(seconds=1))
    topics.see(8, ["room:1"])
    clock.forward(timedelta(seconds=2))
    assert topics.present("room:1") == [8]
    topics.leave(8, ["room:1"])
    assert topics.present("room:1") == []


def _no_writes(execute, sql, params, many, context):  # type: ignore[no-untyped-def]
    assert sql.lstrip().startswith("SELECT"), sql
    return execute(sql, params, many, context)


def test_old_events_go_and_the_position_stays() -> None:
    first = touch("room:1")
    topics.see(7, ["room:1"])
    clock.forward(topics.KEPT + timedelta(minutes=1))
    last = topics.latest()
    assert topics.forget_old(clock.now(), 100) == 2
    assert topics.latest() == last > first
    assert not Presence.objects.exists()
    assert touch("room:1") == last + 1
