"""The invariants on live data: stories break none of them, and each planted breach is found by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from unittest import mock

import pytest
from django.db import transaction

from midwatch.core import clock
from midwatch.core.models import AuditEntry, OutboxEvent
from midwatch.engine import invariants
from midwatch.engine.models import Node
from midwatch.respond.alerts.models import Alert, NumberCounter, Source, TimelineEntry
from midwatch.respond.escalation.models import Escalation
from midwatch.respond.notify.models import Delivery, Page
from stories.phones import refuses
from stories.story import Story


def broken(*, is_engine_alive: bool = True) -> dict[str, tuple[str, ...]]:
    found = invariants.violations(now=clock.now(), is_engine_alive=is_engine_alive)
    assert all(one.rows and one.sentence and one.remedy for one in found)
    return {one.name: one.rows for one in found}


@pytest.fixture
def night(story: Story) -> Iterator[Alert]:
    """Two levels, an alert that level 1 heard of and does not answer."""
    story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")], repeat=2)
    yield story.fires()
    story.network.heard.clear()


@pytest.fixture(autouse=True)
def whole(story: Story) -> None:
    with transaction.atomic():
        Node.objects.create(name="one:1", version="1", started_at=clock.now(), ticked_at=clock.now())


# -- what really happens breaks nothing -----------------------------------------------------------------------------------


def test_an_empty_installation(story: Story) -> None:
    assert broken() == {}


def test_a_lived_in_night(story: Story) -> None:
    story.phones("ana", "ben", "cy")
    story.person("dan", methods=("email",))  # e-mail alone wakes nobody
    story.policy(steps=[("ana", "0m"), ("dan", "2m"), ("team:payments", "5m"), ("cy", "20m", "unresolved")], repeat=1)
    first = story.fires(title="disk full")
    assert broken() == {}
    story.forward(minutes=3)
    assert broken() == {}
    story.people["ana"].acknowledges(first)
    assert broken() == {}
    story.forward(minutes=45)  # the time-out, and a round
    assert broken() == {}
    grouped = story.prometheus("db1", "db2", "db3")
    assert broken() == {}
    story.people["ana"].resolves(grouped[0])
    assert broken() == {}
    story.forward(minutes=6)
    assert broken() == {}
    for alert in grouped[1:]:
        story.people["ben"].resolves(alert)
    story.people["ben"].resolves(first)
    assert broken() == {}
    with story.broken("ana", "ben", "cy", how=refuses(410)):
        story.fires(title="nobody can be reached")
        assert broken() == {}
        story.forward(minutes=7)
        assert broken() == {}
    story.forward(minutes=5)
    assert broken() == {}


def test_between_an_act_and_its_reaction_nothing_is_broken(story: Story, night: Alert) -> None:
    """The web has committed, the engine has not looked yet."""
    grouped = story.prometheus("db1", "db2")
    acts = story.people["ana"]
    with mock.patch.object(story, "settle"):
        acts.acknowledges(grouped[0])
        assert broken() == {}
    story.settle()
    assert broken() == {}


def test_while_no_engine_runs_lateness_is_the_doctors_to_name(story: Story, night: Alert) -> None:
    clock.forward(timedelta(hours=1))
    assert set(broken(is_engine_alive=False)) == set()
    assert "late.escalations" in broken(is_engine_alive=True)
    found = invariants.violations(now=clock.now())  # the node ticked an hour ago
    assert found == []


# -- what is planted is found ---------------------------------------------------------------------------------------------


def _later(**fields: object) -> None:
    Escalation.objects.update(**fields)


def _forward(**length: float) -> None:
    clock.forward(timedelta(**length))


def _waiting(**fields: object) -> None:
    one = Delivery.objects.get()
    values = {"state": "waiting", "handed_over_at": None, "finished_at": None, **fields}
    Delivery.objects.filter(pk=one.pk).update(**values)


def _twice() -> None:
    said = TimelineEntry.objects.get(kind="delivery")
    TimelineEntry.objects.bulk_create(
        [TimelineEntry(alert_id=said.alert_id, at=said.at, kind="delivery", text=said.text, detail=said.detail)]
    )


def _answered() -> None:
    now = clock.now()
    Alert.objects.update(status="acknowledged", acknowledged_at=now, is_acknowledged_by_machine=True)
    Delivery.objects.update(handed_over_at=now + timedelta(seconds=30))


def _someone_has_it() -> None:
    Alert.objects.update(status="acknowledged", acknowledged_by=Page.objects.get().user, acknowledged_at=clock.now())


def _snoozed() -> None:
    Alert.objects.update(status="acknowledged", acknowledged_at=clock.now(), snoozed_until=clock.now())
    _forward(seconds=30)


def _expired() -> None:
    Alert.objects.update(expires_at=clock.now())
    _forward(seconds=30)


def _silent() -> None:
    Source.objects.update(expected_at=clock.now())
    _forward(seconds=30)


def _outbox(**fields: object) -> None:
    now = clock.now()
    OutboxEvent.objects.create(**{"name": "alert.raised", "payload": {}, "created_at": now, "due_at": now, **fields})


def _joined(**fields: object) -> None:
    Escalation.objects.update(state="joined", due_at=None, **fields)


def _page(**fields: object) -> None:
    Page.objects.update(**fields)


FAR = timedelta(hours=3)
PLANTED: dict[str, list[Callable[[], object]]] = {
    "escalation.missing": [lambda: Escalation.objects.all().delete()],
    "escalation.still": [
        lambda: _later(due_at=None),
        lambda: _later(state="ended", due_at=None),
        lambda: _later(state="acknowledged"),
        lambda: _later(state="held", due_at=None),
        lambda: _later(state="exhausted", due_at=None, why=""),
        lambda: _joined(leader=None),
    ],
    "late.escalations": [lambda: _later(due_at=clock.now() - timedelta(seconds=8))],
    "late.pages": [lambda: _page(due_at=clock.now() - timedelta(seconds=8))],
    "late.deliveries": [lambda: _waiting(wanted_at=clock.now() - timedelta(seconds=63))],
    "late.reactions": [lambda: _outbox(due_at=clock.now() - timedelta(seconds=13))],
    "late.snoozes": [_snoozed],
    "late.expiries": [_expired],
    "late.silences": [_silent],
    "step.silent": [
        lambda: _page(origin="elsewhere"),
        lambda: _page(started_at=clock.now() - timedelta(minutes=10)),  # of a round before: this one paged nobody
    ],
    "page.stuck": [
        lambda: _page(due_at=None, handed_over_at=None),
        lambda: _page(due_at=None),
    ],
    "page.failed_silently": [lambda: _page(failed_at=clock.now(), handed_over_at=None)],
    "delivery.orphan": [lambda: _waiting(page=None), lambda: _waiting(alert=None)],
    "delivery.doubled": [_twice],
    "page.after_answer": [_answered],
    "timeline.disagrees": [
        lambda: Alert.objects.update(status="resolved", resolved_at=clock.now()),
        lambda: Alert.objects.update(status="acknowledged", acknowledged_at=clock.now()),
        lambda: TimelineEntry.objects.all()._raw_delete("default"),  # type: ignore[attr-defined]
    ],
    "audit.silent": [_someone_has_it],
    "numbers": [
        lambda: Alert.objects.update(number=None),
        lambda: NumberCounter.objects.update(last=0),
        lambda: Alert.objects.update(is_test=True),
    ],
    "lease.far": [
        lambda: _later(claimed_until=clock.now() + FAR),
        lambda: _page(claimed_until=clock.now() + FAR),
        lambda: _waiting(claimed_until=clock.now() + FAR),
        lambda: _outbox(claimed_until=clock.now() + FAR),
    ],
    "outbox.quarantined": [lambda: _outbox(quarantined_at=clock.now(), problem="KeyError: 'x'")],
}


def test_what_is_planted_is_found(story: Story, night: Alert) -> None:
    """One after the other in one installation: each plant is taken back."""
    at = clock.now()
    for name, plants in PLANTED.items():
        for number, plant in enumerate(plants):
            assert broken() == {}
            with transaction.atomic():
                plant()
                found = broken()
                transaction.set_rollback(True)
            clock.freeze(at)
            assert name in found, f"{name}, plant {number}: {found}"
            assert len(found[name]) == 1, f"{name}, plant {number}: {found}"


def test_an_event_that_nobody_reads_is_found(story: Story, night: Alert) -> None:
    story.arrives(story.source(), {"title": "left lying"})
    assert broken() == {}
    clock.forward(timedelta(seconds=8))
    assert "came at" in broken()["late.events"][0]


def test_a_joined_one_whose_leader_is_gone_is_found(story: Story, night: Alert) -> None:
    leader, joined = story.prometheus("db1", "db2")
    assert broken() == {}
    with transaction.atomic():
        Escalation.objects.filter(alert=leader).update(state="ended", due_at=None)
        Alert.objects.filter(pk=leader.pk).update(status="resolved", resolved_at=clock.now())
    assert f"{joined} (joined)" in broken()["escalation.still"]


def test_every_question_has_a_plant(story: Story) -> None:
    assert len(invariants.QUESTIONS) == len({*PLANTED, "late.events"})


def test_many_are_shown_up_to_the_limit(story: Story, night: Alert) -> None:
    for number in range(5):
        story.fires(title=f"disk {number}")
    with transaction.atomic():
        Escalation.objects.update(due_at=None)
    (found,) = invariants.violations(now=clock.now(), limit=3)
    assert (len(found.rows), found.is_more) == (3, True)
    (found,) = invariants.violations(now=clock.now(), limit=6)
    assert (len(found.rows), found.is_more) == (6, False)


def test_no_question_touches_what_it_looks_at(story: Story, night: Alert) -> None:
    before = [list(model.objects.order_by("pk").values()) for model in (Alert, Escalation, Page, Delivery, AuditEntry)]
    broken()
    after = [list(model.objects.order_by("pk").values()) for model in (Alert, Escalation, Page, Delivery, AuditEntry)]
    assert before == after
