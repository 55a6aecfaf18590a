"""Refused is not lost: what could not be taken becomes one alert a source and hour to its team."""

from __future__ import annotations

from midwatch.respond.alerts.models import Alert, SourceProblem
from stories.story import START, Story


def refused(
    story: Story, *, status: int = 413, size: int = 3_355_443, reason: str = "", type: str = "alertmanager"
) -> None:
    why = reason or "larger than 1.0 MiB"
    story.sends(story.source(type=type), b"", kind="refused", minted={"status": status, "reason": why, "size": size})


def test_a_payload_that_is_too_large_pages_the_team_once_an_hour(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    refused(story)
    page = ana.rings_with("[P2]")
    assert "a payload of 3.2 MiB was refused (413), pages may be missing" in page.text
    assert "Set max_alerts" in page.text
    refused(story)
    story.forward(minutes=4)
    refused(story)
    story.nothing_else_happens()
    assert Alert.objects.count() == 1
    assert SourceProblem.objects.count() == 3
    ana.acknowledges(Alert.objects.get())
    story.forward(to=START.replace(hour=3))
    ana.forgets()
    refused(story)
    ana.rings_with("[P2]")
    assert Alert.objects.count() == 2


def test_each_source_has_its_own(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    refused(story)
    refused(story, type="grafana", status=400, size=20, reason="not JSON: line 1")
    ana.rings_with("checkout-alertmanager"), ana.rings_with("checkout-grafana: a payload was refused (400)")


def test_alerts_that_the_sender_left_out_are_told_of_and_the_others_are_taken(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.prometheus("db0", truncatedAlerts=17)
    ana.rings_with("db0")
    ana.rings_with("17 alerts were left out by the sender, pages may be missing: set max_alerts to 0")


def test_what_the_parser_refuses_is_kept_shown_and_told(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.sends(story.source(), {"title": ["not", "a", "text"]})
    ana.rings_with("title: expected text, got a list")
    problem = SourceProblem.objects.get()
    assert problem.kind == "parser"
    assert story.store is not None
    assert problem.event_token != ""


def test_one_bad_item_of_a_payload_costs_only_itself(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    good = {"status": "firing", "fingerprint": "f1", "labels": {"alertname": "Good", "severity": "critical"}}
    bad = {"status": "exploded", "fingerprint": "f2", "labels": {}}
    source = story.source(type="alertmanager")
    story.sends(source, {"version": "4", "groupKey": "g", "status": "firing", "alerts": [good, bad, "nonsense"]})
    ana.rings_with("Good")
    ana.rings_with('alerts[1].status: expected "firing" or "resolved"')
    assert SourceProblem.objects.filter(source=source).count() == 2


def test_a_thousand_bad_items_are_twenty_rows_and_one_page(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    alerts = [{"status": "exploded"} for _ in range(1_000)]
    story.sends(story.source(type="alertmanager"), {"version": "4", "groupKey": "g", "alerts": alerts})
    ana.rings_with("[P2]")
    story.nothing_else_happens()
    assert SourceProblem.objects.count() == 20


def test_after_its_resolve_the_hours_alert_does_not_come_back_within_the_hour(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    refused(story)
    ana.rings_with("[P2]")
    ana.resolves(Alert.objects.get())
    refused(story)
    story.nothing_else_happens()
    assert Alert.objects.count() == 1
