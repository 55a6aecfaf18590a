"""What is old goes, what is needed stays, and it may be broken off anywhere."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.apps import apps
from django.db import transaction

from midwatch.core import clock
from midwatch.core.models import OutboxEvent
from midwatch.engine import retention
from midwatch.engine.models import Chore
from midwatch.respond.alerts.models import Alert, TimelineEntry
from midwatch.respond.escalation.models import Escalation
from midwatch.respond.notify.models import CoveredAlert, Delivery, DeliveryState, Page
from midwatch.settings import settings
from stories.conftest import story
from stories.story import Story, forget_caches

__all__ = ["story"]
pytestmark = pytest.mark.postgresql

# Tables that hold what people set up, or one row a thing of theirs; everything else must stay flat.
KEPT = {
    "alerts.NumberCounter": "one row",
    "alerts.Source": "configuration",
    "auth.Group": "Django's own, unused",
    "auth.Permission": "Django's own, unused",
    "catalog.Service": "configuration",
    "contenttypes.ContentType": "Django's own",
    "core.AuditEntry": "bounded by its own retention, which is longer",
    "engine.Chore": "one row a chore",
    "engine.Hold": "one row a restore",
    "intake.Offset": "one row",
    "escalation.EscalationPolicy": "configuration",
    "escalation.Organisation": "one row",
    "escalation.PolicyStep": "configuration",
    "escalation.ServicePolicy": "configuration",
    "escalation.StepTarget": "configuration",
    "escalation.TeamPolicy": "configuration",
    "gitops.Applied": "configuration: one row an object",
    "oncall.Layer": "configuration",
    "oncall.Schedule": "configuration",
    "oncall.TurnMember": "configuration",
    "people.ApiToken": "one row a token, kept to know whose it was",
    "people.ContactMethod": "configuration",
    "people.Membership": "configuration",
    "people.NotificationRule": "configuration",
    "people.Team": "configuration",
    "people.User": "configuration",
}


def a_service(story: Story) -> None:
    story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.source()


def everything_old_goes(turns: int = 60) -> int:
    """Turn after turn, as the engine does."""
    count = 0
    for _ in range(turns):
        went = retention.forget()
        count += went
        clock.forward(retention.SOON if went else retention.LATER)
        if not went:
            break
    return count


def closed(story: Story, title: str) -> Alert:
    alert = story.fires("checkout", title)
    story.forward(minutes=1)
    story.resolves("checkout", title)
    story.forward(minutes=1)
    return story.alert(alert)


def test_a_closed_alert_goes_with_all_that_hangs_on_it(story: Story) -> None:
    a_service(story)
    old = closed(story, "disk full")
    assert Delivery.objects.filter(alert=old).exists()
    story.network.heard.clear()
    clock.forward(timedelta(days=399))
    everything_old_goes()
    assert Alert.objects.filter(pk=old.pk).exists()
    clock.forward(timedelta(days=2))
    everything_old_goes()
    for model in (Alert, Escalation, Page, Delivery, TimelineEntry, CoveredAlert):
        assert not model.objects.exists(), model


def test_what_something_open_needs_stays(story: Story) -> None:
    a_service(story)
    open_one, before, waiting, called, plain = (closed(story, f"alert {n}") for n in range(5))
    story.network.heard.clear()
    with transaction.atomic():
        Alert.objects.filter(pk=open_one.pk).update(status="firing", resolved_at=None, previous=before)
        Delivery.objects.filter(alert=waiting).update(state=DeliveryState.WAITING)
        Page.objects.filter(alert=called).update(state="running", due_at=None)
    clock.forward(timedelta(days=500))
    everything_old_goes()
    assert set(Alert.objects.values_list("pk", flat=True)) == {open_one.pk, before.pk, waiting.pk, called.pk}
    assert TimelineEntry.objects.filter(alert=before).exists()
    assert not TimelineEntry.objects.filter(alert=plain).exists()


def test_a_turn_is_a_few_short_transactions_and_goes_on_where_another_ended(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_service(story)
    old = closed(story, "it flapped")
    with transaction.atomic():
        TimelineEntry.objects.bulk_create(
            [TimelineEntry(alert=old, at=clock.now(), kind="note", text=str(n)) for n in range(45)]
        )
    monkeypatch.setattr(retention, "ROWS", 10)
    clock.forward(timedelta(days=500))
    entries = TimelineEntry.objects.filter(alert=old).count()
    assert 0 < retention.forget() <= 10 * retention.STEPS_A_TURN
    assert 0 < TimelineEntry.objects.filter(alert=old).count() < entries
    assert Alert.objects.filter(pk=old.pk).exists()
    clock.forward(retention.SOON)
    everything_old_goes()
    assert not Alert.objects.exists()


def test_one_node_at_a_time_and_a_dead_one_is_replaced(story: Story) -> None:
    a_service(story)
    closed(story, "disk full")
    clock.forward(timedelta(days=500))
    with transaction.atomic():
        Chore.objects.update_or_create(
            name=retention.NAME, defaults={"due_at": clock.now(), "claimed_until": clock.now() + retention.LEASE}
        )
    assert retention.forget() == 0  # another node has it in hand
    clock.forward(retention.LEASE)
    assert retention.forget() > 0


def test_nothing_grows_but_what_is_listed(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """Days of steady load with a retention of two days: at the end of day 8 there is no more than at the end of day 4."""
    monkeypatch.setenv("MIDWATCH_RETENTION_DAYS", "2")
    monkeypatch.setenv("MIDWATCH_EVENT_RETENTION_DAYS", "1")
    forget_caches()
    assert settings().retention_days == 2
    a_service(story)
    counts = []
    for day in range(1, 9):
        for n in range(3):
            closed(story, f"day {day} alert {n}")
        story.network.heard.clear()
        with transaction.atomic():
            OutboxEvent.objects.filter(done_at=None).update(done_at=clock.now())
        clock.forward(timedelta(hours=23))
        story.forward(minutes=30)
        everything_old_goes()
        if day in {5, 8}:
            counts.append(
                {
                    model._meta.label: model._default_manager.count()
                    for model in apps.get_models()
                    if model._meta.label not in KEPT
                }
            )
    first, last = counts
    assert {"alerts.Alert", "alerts.TimelineEntry", "notify.Delivery", "core.OutboxEvent"} <= first.keys()
    assert first["alerts.Alert"] > 0
    grown = {label: (first[label], count) for label, count in last.items() if count > first[label]}
    assert not grown, f"{grown}: delete what is old in engine/retention.py, or say in KEPT why it may stay"
