"""What sources say: firing, again, resolved, silent; heartbeats; changes."""

from __future__ import annotations

from midwatch.catalog.models import ChangeEvent
from midwatch.core import guard
from midwatch.respond.alerts.models import Alert
from stories.story import Story


def test_while_open_an_alert_only_counts_and_after_its_resolve_it_is_a_new_one(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    first = story.fires()
    ana.rings_with("#1")
    for _ in range(3):
        story.fires()
    assert story.alert(first).count == 4
    ana.is_silent()
    story.resolves()
    ana.is_told("#1 is resolved", kind="resolved")
    story.forward(minutes=20)
    assert story.fires() != first
    ana.rings_with("#2")


def test_an_acknowledged_alert_that_fires_again_wakes_nobody(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.fires()
    story.press(ana.rings_with())
    story.fires()
    story.nothing_else_happens(minutes=10)


def test_resolved_closes_what_firing_opened_whatever_else_changed(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    (alert,) = story.prometheus("db3", severity="critical", group="g1")
    ana.rings_with()
    story.prometheus("db3", severity="warning", group="another", status="resolved")
    assert story.alert(alert).status == "resolved"


def test_a_resolve_of_nothing_is_dropped(story: Story) -> None:
    story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.resolves(title="never fired")
    assert not Alert.objects.exists()
    story.nothing_else_happens()


def test_the_order_of_one_key_within_a_batch_is_kept(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    source = story.source()
    for status in ("firing", "resolved", "firing"):
        story.arrives(source, {"title": "flap", "status": status, "priority": "P1"})
    story.settle()
    assert list(Alert.objects.order_by("id").values_list("status", flat=True)) == ["resolved", "firing"]
    ana.rings_with("#2")
    story.nothing_else_happens()


def test_what_resolves_and_fires_again_in_one_batch_is_one_batch(story: Story) -> None:
    """A batch that fails is repeated event by event, and says so: this is not one that does."""
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    first = story.fires()
    ana.rings_with("#1")
    source = story.source()
    story.arrives(source, {"title": "disk full", "status": "resolved"})
    story.arrives(source, {"title": "disk full", "priority": "P1"})
    story.settle()
    ana.rings_with("#2")
    ana.is_told("#1 is resolved", kind="resolved")
    assert story.alert(first).status == "resolved"
    assert not guard.failures


def test_a_label_names_the_service_and_the_priority(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m")])
    story.policy("search", team="search", steps=[("ben", "0m")])
    source = story.source(service_label="app", priority_label="urgency", priorities={"wake": "P1"})
    story.sends(source, {"title": "slow", "labels": {"app": "search", "urgency": "wake"}})
    ben.rings_with("[P1] Search: slow")
    story.sends(source, {"title": "odd", "labels": {"app": "nobody-knows-it", "urgency": "wake"}})
    ana.rings_with("[P1] Checkout: odd")


def test_outside_its_support_hours_a_service_is_not_urgent(story: Story) -> None:
    ana = story.person("ana", methods=("webhook", "ntfy"))
    story.policy(steps=[("ana", "0m")])
    hours = {"timeZone": "Europe/Prague", "days": ["mon", "tue"], "from": "08:00", "to": "18:00", "outside": "low"}
    story.service(support_hours=hours)
    story.fires(title="at night", priority="P1")
    ana.rings_with("at night")
    story.nothing_else_happens(minutes=60)
    story.forward(hours=5)
    story.fires(title="by day", priority="P1")
    ana.rings_with("by day", by="webhook")
    story.forward(minutes=1)
    ana.rings_with("by day", by="ntfy")


def test_a_silent_source_becomes_an_alert_that_resolves_when_it_speaks(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    source = story.source(expect_every_seconds=300)
    story.sends(source, {"title": "watchdog", "status": "resolved"})
    story.forward(minutes=4)
    story.sends(source, {"title": "watchdog", "status": "resolved"})
    story.nothing_else_happens(minutes=4)
    story.forward(minutes=1.1)
    ana.rings_with("Source checkout-generic is silent: nothing came for 5m")
    silence = Alert.objects.get()
    story.sends(source, {"title": "watchdog", "status": "resolved"})
    assert story.alert(silence).status == "resolved"
    ana.is_told("resolved", kind="resolved")
    story.nothing_else_happens(minutes=3)


def test_heartbeats_fail_by_word_or_exit_code_and_recover(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    source = story.source()
    story.sends(source, b"backup of db3: disk full", kind="ping", minted={"ping": "fail", "exit": 3})
    ana.rings_with("checkout-generic reported exit code 3")
    alert = Alert.objects.get()
    assert alert.description == "backup of db3: disk full"
    story.sends(source, b"", kind="ping", minted={"ping": "start"})
    assert story.alert(alert).status == "firing"
    story.sends(source, b"", kind="ping", minted={"ping": "success"})
    assert story.alert(alert).status == "resolved"


def test_what_is_not_repeated_resolves_after_a_time_where_the_source_says_so(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.source(resolve_after_seconds=600)
    alert = story.fires()
    story.press(ana.rings_with())
    story.forward(minutes=9)
    story.fires()
    story.forward(minutes=9)
    assert story.alert(alert).status == "acknowledged"
    story.forward(minutes=2)
    assert story.alert(alert).status == "resolved"
    assert "The silence of its source resolved it" in story.timeline(alert)


def test_a_change_event_is_kept_and_pages_nobody(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    source = story.source(type="pagerduty")
    story.sends(source, {"payload": {"summary": "deploy v2", "source": "ci"}}, kind="change")
    assert ChangeEvent.objects.get().summary == "deploy v2"
    ana.is_silent()


def test_events_of_a_deleted_source_are_counted_and_forgotten(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    source = story.source()
    story.arrives(source, {"title": "too late"})
    source.delete()
    story.settle()
    assert not Alert.objects.exists()
    story.fires(title="the log goes on")
    ana.rings_with("the log goes on")
