"""Many alerts at once: pages join, people are not flooded, and what waits is never lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections, transaction

from midwatch.core import clock, net
from midwatch.engine.pools import Pools
from midwatch.engine.tick import Ticker
from midwatch.respond.alerts import queries as alert_queries
from midwatch.respond.alerts.actions import change_priority
from midwatch.respond.alerts.models import Alert
from midwatch.respond.escalation.actions import act_on_landing, escalate_now, landing
from midwatch.respond.notify.actions import claim_deliveries, claiming, send_claimed
from midwatch.respond.notify.models import Delivery, DeliveryState
from stories.phones import refuses
from stories.story import Story, forget_caches


def names(count: int, start: int = 0) -> list[str]:
    return [f"db{number}" for number in range(start, start + count)]


# -- joining -------------------------------------------------------------------------------------------------------------


def test_alerts_of_one_group_are_one_page_and_one_update(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.prometheus("db0")
    ana.rings_with("db0")
    story.prometheus(*names(214))
    story.forward(seconds=10)
    more = ana.is_told("+213 more of the same group as #1")
    story.nothing_else_happens()
    found = landing(more.token)
    assert found is not None
    assert len(found.alerts) == 214
    story.prometheus(*names(250))
    story.forward(minutes=1)
    ana.is_told("+249 more")


def test_a_first_payload_of_many_is_one_page_that_lists_them_soon_after(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.prometheus(*names(50))
    ana.rings_with("db0")
    story.nothing_else_happens()
    story.forward(seconds=10)
    ana.is_told("+49 more")


def test_all_shown_takes_exactly_those_shown_and_no_later_one(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.prometheus(*names(5))
    ana.rings_with("db0")
    story.forward(seconds=10)
    more = ana.is_told("+4 more")
    story.prometheus(*names(7))  # two more, after that message was written
    assert story.press(more, scope="all") == "5 of 5 acknowledged."
    firing = Alert.objects.filter(status="firing").order_by("number")
    assert [alert.number for alert in firing] == [6, 7]
    ana.rings_with("#6")  # the rest has a page of its own
    assert story.called(firing[0]) == {"ana"}


def test_the_first_pages_link_offers_what_has_joined_since_and_takes_what_it_showed(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.prometheus("db0")
    page = ana.rings_with("db0")
    story.prometheus(*names(5))
    shown = landing(page.token)
    assert shown is not None
    assert [alert.number for alert in shown.alerts] == [1, 2, 3, 4, 5]
    story.prometheus(*names(7))  # two more, after the page was opened
    _, said = act_on_landing(page.token, "acknowledge", scope="all", upto=shown.upto)
    assert said == "5 of 5 acknowledged."
    story.settle()
    assert set(Alert.objects.filter(status="firing").values_list("number", flat=True)) == {6, 7}


def test_this_one_leaves_the_others_to_the_next_of_the_group(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    story.prometheus(*names(3))
    first = ana.rings_with("db0")
    story.forward(minutes=4)
    ana.is_told("+2 more")
    assert story.press(first, scope="this") == "Ana has #1. Escalation stopped."
    ana.rings_with("#2")
    assert Alert.objects.filter(status="firing").count() == 2
    story.forward(minutes=4.9)
    ben.is_silent()
    story.forward(minutes=0.1)
    ben.rings_with("#2")


def test_a_group_whose_first_alerts_come_and_go_still_reaches_level_2(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    story.prometheus(*names(3))
    ana.rings_with("#1")
    story.forward(minutes=2)
    story.prometheus("db0", status="resolved")
    ana.rings_with("#2")
    story.forward(minutes=2)
    story.prometheus("db1", status="resolved")
    ana.rings_with("#3")
    ben.is_silent()
    story.forward(minutes=1)
    ben.rings_with("#3")


def test_a_group_that_resolves_at_once_pages_nobody_again(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.prometheus(*names(20))
    ana.rings_with("#1")
    story.forward(minutes=1)
    ana.is_told("+19 more")
    story.prometheus(*names(20), status="resolved")
    ana.is_told("#1 is resolved", kind="resolved")
    story.nothing_else_happens(minutes=30)


def test_a_more_urgent_alert_of_the_group_pages_by_itself_and_leads_from_then_on(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.prometheus("db0", severity="error")
    ana.rings_with("[P2]")
    story.prometheus("db1", severity="critical")
    ana.rings_with("[P1]")
    story.prometheus(*names(4, start=2), severity="critical")
    story.forward(seconds=10)
    ana.is_told("+4 more of the same group as #2")
    story.nothing_else_happens()


def test_a_joined_alert_that_becomes_more_urgent_pages_by_itself(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.prometheus("db0", severity="error")
    ana.rings_with("#1")
    (joined,) = story.prometheus("db1", severity="error")
    story.acts(lambda: change_priority(joined, ana.actor, "P1").sentence)
    ana.rings_with("#2")


def test_another_service_policy_urgency_or_source_does_not_join(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m")])
    story.policy("search", team="search", steps=[("ben", "0m")])
    story.prometheus("db0")
    ana.rings_with("#1")
    story.prometheus("db0", service="search")
    ben.rings_with("#2")
    story.prometheus("db1", severity="warning")
    ana.rings_with("[P3]")
    story.prometheus("db2", group="other")
    ana.rings_with("#4")


def test_a_source_says_what_it_groups_by_and_a_generic_one_does_not_group(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.fires(title="one", labels={"cluster": "a"})
    story.fires(title="two", labels={"cluster": "a"})
    ana.rings_with("one"), ana.rings_with("two")
    own = story.source(name="grouping", group_by=["cluster"])
    for title, cluster in (("three", "a"), ("four", "a"), ("five", "b")):
        story.sends(own, {"title": title, "priority": "P1", "labels": {"cluster": cluster}})
    ana.rings_with("three"), ana.rings_with("five")
    story.nothing_else_happens()


def test_answered_pages_are_not_joined(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.prometheus("db0")
    story.press(ana.rings_with("#1"))
    story.prometheus("db1")
    ana.rings_with("#2")


def test_declining_or_escalating_all_shown_is_one_act_of_the_page(story: Story) -> None:
    ana, ben, cy = story.phones("ana", "ben", "cy")
    story.policy(steps=[("ana", "0m"), ("ben", "5m"), ("cy", "10m")])
    story.prometheus(*names(20))
    ana.rings_with("#1")
    story.forward(seconds=10)
    more = ana.is_told("+19 more")
    story.press(more, "decline", scope="all")
    ben.rings_with("#1")
    cy.is_silent()
    story.acts(lambda: escalate_now(Alert.objects.get(number=7), ben.actor).sentence)  # one that only joined
    cy.rings_with("#1")
    story.nothing_else_happens()


# -- storm limits --------------------------------------------------------------------------------------------------------


def test_a_person_gets_six_messages_a_minute_and_the_rest_in_one(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    source = story.source()
    for number in range(40):
        story.arrives(source, {"title": f"alert {number}", "priority": "P1"})
    story.settle()
    for number in range(5):
        ana.rings_with(f"alert {number}")
    bundle = ana.rings_with("35 alerts", kind="bundle")
    assert bundle.body["count"] == 35
    assert len(bundle.body["alerts"]) == 35
    story.nothing_else_happens()
    story.fires(title="one more")  # waits for a slot
    story.nothing_else_happens()
    story.forward(minutes=1)
    ana.rings_with("one more")


def test_acknowledging_a_bundle_covers_exactly_the_alerts_it_listed(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    source = story.source()
    for number in range(10):
        story.arrives(source, {"title": f"alert {number}", "priority": "P1"})
    story.settle()
    bundle = ana.rings_with("alerts", kind="bundle")
    story.fires(title="later")
    assert story.press(bundle) == "5 of 5 acknowledged."
    taken = Alert.objects.filter(status="acknowledged").order_by("number")
    assert [alert.number for alert in taken] == [6, 7, 8, 9, 10]
    ana.forgets()
    story.forward(minutes=5)
    assert ben.rings_with("alert 0").kind == "page"


def test_a_bundle_that_was_answered_while_it_waited_does_not_leave(story: Story) -> None:
    (_ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    source = story.source()
    with story.broken("ana"):
        for number in range(10):
            story.arrives(source, {"title": f"alert {number}", "priority": "P1"})
        story.settle()
        for number in range(10):
            story.arrives(source, {"title": f"alert {number}", "status": "resolved"})
        story.settle()
    story.nothing_else_happens(minutes=20)


def test_texts_are_two_a_minute_and_a_waiting_p1_goes_first(story: Story) -> None:
    ana = story.person("ana", methods=("sms",))
    story.policy(steps=[("ana", "0m")])
    source = story.source()
    for number in range(4):
        story.arrives(source, {"title": f"warning {number}", "priority": "P2"})
    story.arrives(source, {"title": "the house burns", "priority": "P1"})
    story.settle()
    first = ana.rings_with(by="sms")
    assert "P1" in first.text
    assert "the house burns" in first.text
    assert "4 alerts" in ana.rings_with(by="sms").text
    story.fires(title="info", priority="P2")
    story.fires(title="fire again", priority="P1")
    story.forward(seconds=59)
    ana.is_silent()
    story.forward(seconds=2)
    assert "fire again" in ana.rings_with(by="sms").text
    assert "info" in ana.rings_with(by="sms").text


def test_one_call_at_a_time_the_next_two_minutes_later(story: Story) -> None:
    ana = story.person("ana", methods=("voice",))
    story.policy(steps=[("ana", "0m")])
    story.fires(title="one")
    call = ana.rings_with(by="voice")
    story.fires(title="two")
    story.fires(title="three")
    story.forward(seconds=119)
    ana.is_silent()
    story.forward(seconds=1)
    both = ana.rings_with(by="voice")
    assert "alert 2 and 1 more" in ana.picks_up(both)
    assert "alert 1, Checkout: one" in ana.picks_up(call)


def test_a_bundle_of_pages_after_an_acknowledgement_says_who_has_it(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m", "unresolved")])
    source = story.source()
    for number in range(20):
        story.arrives(source, {"title": f"alert {number}", "priority": "P1"})
    story.settle()
    for alert in Alert.objects.all():
        ana.acknowledges(alert)
    ana.forgets(), ben.forgets()
    story.forward(minutes=5)
    bundle = ben.rings_with("alerts", kind="bundle")
    assert "Ana has #" in bundle.everything
    assert "more are taken" in bundle.everything
    ben.forgets()


def test_what_waits_for_the_same_slot_to_the_second_shares_it(story: Story) -> None:
    ana = story.person("ana", methods=("voice",))
    story.policy(steps=[("ana", "0m")])
    story.fires(title="one")
    ana.rings_with(by="voice")
    story.fires(title="two")
    third = story.fires(title="three")
    waiting = Delivery.objects.get(alert=third, state="waiting")
    with transaction.atomic():
        Delivery.objects.filter(pk=waiting.pk).update(due_at=waiting.due_at + timedelta(seconds=0.5))
    story.forward(seconds=120)
    assert "alert 2 and 1 more" in ana.picks_up(ana.rings_with(by="voice"))


def test_a_new_page_does_not_take_the_slot_that_others_wait_for(story: Story) -> None:
    """It would ring alone, and what waits for longer would wait for another two minutes."""
    ana = story.person("ana", methods=("voice",))
    story.policy(steps=[("ana", "0m")])
    story.fires(title="one")
    ana.rings_with(by="voice")
    story.fires(title="two")
    story.fires(title="three")
    story.forward(seconds=119)
    story.arrives(story.source(), {"title": "four", "priority": "P1"})  # read at the moment the slot is free
    story.forward(seconds=1)
    assert "alert 2 and 2 more" in ana.picks_up(ana.rings_with(by="voice"))


def test_a_clock_that_is_set_back_keeps_nobody_waiting_for_their_next_call(story: Story) -> None:
    ana = story.person("ana", methods=("voice",))
    story.policy(steps=[("ana", "0m")])
    story.fires(title="one")
    ana.rings_with(by="voice")
    clock.freeze(clock.now() - timedelta(minutes=10))
    story.fires(title="two")
    assert "alert 2" in ana.picks_up(ana.rings_with(by="voice"))


def test_limits_are_settings(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDWATCH_STORM_OTHER_PER_MINUTE", "2")
    forget_caches()
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    for number in range(3):
        story.arrives(story.source(), {"title": f"alert {number}", "priority": "P1"})
    story.settle()
    ana.rings_with("alert 0")
    ana.rings_with("2 alerts", kind="bundle")
    story.nothing_else_happens()


def test_news_in_a_storm_is_one_message_and_not_a_queue_of_hours(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[(["ana", "ben"], "0m")])
    source = story.source()
    for number in range(60):
        story.arrives(source, {"title": f"alert {number}", "priority": "P1"})
    story.settle()
    story.forward(minutes=2)
    ana.forgets(), ben.forgets()
    for number in range(60):
        story.arrives(source, {"title": f"alert {number}", "status": "resolved"})
    story.settle()
    ben.is_told("updates: #1 is resolved by checkout-generic; #2 is resolved")
    story.forward(minutes=2)
    assert ana.forgets() <= 3
    ben.forgets()
    story.nothing_else_happens(minutes=10)


def test_pages_go_before_news_when_there_is_one_slot(story: Story) -> None:
    ana, ben = story.person("ana", methods=("sms",)), story.person("ben")
    story.policy(steps=[("ana", "0m")])
    one, two = story.fires(title="one"), story.fires(title="two")
    ana.rings_with("one"), ana.rings_with("two")
    story.forward(seconds=30)
    for alert in (one, two):
        ben.acknowledges(alert)
    story.fires(title="three")
    story.fires(title="four")
    story.forward(seconds=30)
    texts = [heard.text for heard in story.network.heard]
    assert "2 alerts" in texts[0]
    assert "2 updates" in texts[1]


def test_what_waits_for_its_turn_has_not_failed(story: Story) -> None:
    """Storm limits are our own doing: they do not make level 2 ring."""
    ana, ben = story.person("ana", methods=("voice",)), story.person("ben")
    story.policy(steps=[("ana", "0m"), ("ben", "30m")])
    story.fires(title="one")
    story.fires(title="two")
    story.forward(minutes=10)
    ben.is_silent()
    assert not Delivery.objects.filter(passed_on_at__isnull=False).exists()
    assert ana.forgets() > 1


def test_a_message_handed_over_while_the_limit_is_counted_counts_once(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receipt of another node's message is written between the two questions of the count."""
    story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.arrives(story.source(), {"title": "disk full", "priority": "P1"})
    story.ticker = Ticker()
    while story.ticker.tick():
        pass
    (sent,) = claim_deliveries("webhook", by="another", limit=1)
    asked: list[str] = []

    def second(name: str, ask: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
        def asking(*values: Any) -> list[Any]:
            if asked:
                send_claimed(sent)
            asked.append(name)
            return ask(*values)

        return asking

    for name in ("LEFT_SINCE", "UNDER_WAY"):
        monkeypatch.setattr(claiming, name, second(name, getattr(claiming, name)))
    now = clock.now()
    assert claiming._recent([sent.user_id], "webhook", now - timedelta(minutes=1), ()) == {sent.user_id: [now]}
    assert len(asked) == 2


def test_two_nodes_that_send_at_once_keep_one_persons_limit_and_say_nothing_twice(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    for number in range(40):
        story.arrives(story.source(), {"title": f"alert {number}", "priority": "P1"})
    story.ticker = Ticker()  # no senders at hand: all of them wait
    while story.ticker.tick():
        pass
    both = threading.Barrier(2)
    problems: list[Exception] = []

    def node(name: str) -> None:
        try:
            both.wait(20)
            while claimed := claim_deliveries("webhook", by=name, limit=2):
                for delivery in claimed:
                    send_claimed(delivery)
        except Exception as error:  # noqa: BLE001 - shown by the test itself
            problems.append(error)
        finally:
            connections.close_all()

    nodes = [threading.Thread(target=node, args=(name,)) for name in ("one", "two")]
    for thread in nodes:
        thread.start()
    for thread in nodes:
        thread.join(60)
    assert problems == []
    assert len(story.network.heard) <= 6
    told: list[int] = []
    for heard in story.network.heard:
        told += [one["number"] for one in heard.body.get("alerts", [heard.body["alert"]])]
    assert sorted(told) == sorted(set(told)), "an alert was told twice"
    story.forward(minutes=1)
    ana.forgets()
    assert not Delivery.objects.filter(state=DeliveryState.WAITING, due_at__lte=clock.now()).exists()


# -- tests stand nowhere -------------------------------------------------------------------------------------------------


def test_a_test_alert_takes_no_number_and_stands_in_no_list(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    source = story.source()
    story.sends(source, {"title": "just a test", "priority": "P1"}, minted={"test": "1"})
    ana.is_silent()
    assert alert_queries.alerts(alert_queries.AlertFilter()) == []
    assert alert_queries.open_count() == 0
    assert Alert.objects.get(is_test=True).number is None
    assert story.fires().number == 1
    story.sends(source, {"title": "just a test", "status": "resolved"}, minted={"test": "1"})
    ana.rings_with("disk full")
    story.nothing_else_happens(minutes=1)


# -- a pool for each channel ---------------------------------------------------------------------------------------------


def test_a_provider_that_hangs_delays_no_other_channel(story: Story) -> None:
    ana, ben = story.person("ana", methods=("sms",)), story.person("ben")
    story.policy(steps=[(["ana", "ben"], "0m")])
    gate, hangs_now, has_rung = threading.Event(), threading.Event(), threading.Event()

    def hangs() -> net.HttpAnswer:
        hangs_now.set()
        assert gate.wait(20)
        return net.HttpAnswer(201, {}, b"{}")

    story.network.broken["ana/sms"] = hangs
    story.network.on_ring = has_rung.set
    story.arrives(story.source(), {"title": "disk full", "priority": "P1"})
    story.ticker = Ticker()
    while story.ticker.tick():
        pass
    pools = Pools(senders=1, node="here")
    pools.start()
    try:
        pools.wake()
        assert hangs_now.wait(20)
        assert has_rung.wait(20), "the webhook waited for the text"
        assert Delivery.objects.get(channel="sms").state == DeliveryState.SENDING
    finally:
        gate.set()
        pools.stop()
        connections.close_all()
    ben.rings_with("disk full")
    ana.is_silent()


def test_a_failing_channel_does_not_keep_others_from_leaving(story: Story) -> None:
    ana, ben = story.person("ana", methods=("ntfy",)), story.person("ben")
    story.policy(steps=[(["ana", "ben"], "0m")])
    with story.broken("ntfy", how=refuses(500)):
        for number in range(5):
            story.fires(title=f"alert {number}")
        for number in range(5):
            ben.rings_with(f"alert {number}")
    story.forward(seconds=30)
    assert ana.forgets() > 0
    assert clock.now() < story.alert(Alert.objects.get(number=1)).created_at + timedelta(minutes=1)


def test_many_questions_at_once_are_one_message_with_one_answer(story: Story) -> None:
    """The simulation found it: 250 "still on it?" left one by one, and forty minutes later alerts paged anew unasked."""
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    alerts = [story.fires(title=f"disk {n}", priority="P1") for n in range(12)]
    for alert in alerts:
        ana.acknowledges(alert)
    ana.forgets()
    story.forward(minutes=26)
    asked = [heard for heard in story.network.heard if heard.who == "ana"]
    assert len(asked) == 1
    assert asked[0].kind == "update"
    assert "still on these 12 alerts?" in asked[0].everything
    story.press(asked[0], scope="all")
    ana.forgets()
    story.forward(minutes=10)
    assert {story.alert(alert).status for alert in alerts} == {"acknowledged"}
    ana.is_silent()
