"""Runbooks that alerts start: a page may wait for one for a moment, and is never lost or late by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from midwatch.core import clock, outbox
from midwatch.engine import remedies as engine_remedies
from midwatch.engine.invariants import violations
from midwatch.people.models import Team
from midwatch.prepare.runbooks.actions import RunbookFields, revise, save_runbook
from midwatch.prepare.runbooks.actions.triggers import TriggerFields, create_trigger
from midwatch.prepare.runbooks.models import Execution, Revision, Runbook, Trigger
from midwatch.respond.alerts.actions import acknowledge_alert, change_priority, snooze_alert, unacknowledge_alert
from midwatch.respond.alerts.models import Alert, AlertStatus, Maintenance
from midwatch.respond.escalation.actions import escalate_now
from midwatch.respond.escalation.models import PolicyStep, Remedy
from midwatch.respond.notify.models import Page
from stories.story import Story


@dataclass
class Shop:
    """A service whose alerts start a runbook, and executions that end as the story says."""

    story: Story
    started: list[Execution] = field(default_factory=list)
    refuses: str = ""

    def open(self) -> Shop:
        self.ana, self.ben = self.story.phones("ana", "ben")
        self.story.policy(steps=[("ana", "0m"), ("ben", "5m")])
        self.runbook("restart")
        return self

    def runbook(self, name: str, team: str = "payments") -> Runbook:
        now = clock.now()
        with transaction.atomic():
            made = Runbook.objects.create(
                name=name, title=name, team=self.story.team(team), created_at=now, updated_at=now
            )
            made.current = Revision.objects.create(
                runbook=made, number=1, body="", digest="x", who="Ana", created_at=now
            )
            made.save(update_fields=["current"])
        return made

    def trigger(self, runbook: str = "restart", *, hold: int = 60, **more: Any) -> Trigger:
        with transaction.atomic():
            return Trigger.objects.create(
                name=f"{runbook}-{hold}-{Trigger.objects.count()}",
                runbook=Runbook.objects.get(name=runbook),
                kind="alert",
                service=self.story.service(),
                hold_page_seconds=hold,
                who="Ana",
                created_at=clock.now(),
                **more,
            )

    def step(self, position: int, **values: Any) -> None:
        with transaction.atomic():
            PolicyStep.objects.filter(position=position).update(**values)

    def start(self, runbook: Runbook, options: Mapping[str, str], by: object, **how: Any) -> Execution:
        if self.refuses:
            raise ValueError(self.refuses)
        assert runbook.current is not None
        made = Execution.objects.create(
            number=len(self.started) + 1,
            runbook=runbook,
            revision=runbook.current,
            trigger="alert",
            alert_number=how["reference"].alert_number,
            who=str(by),
            via="engine",
            created_at=clock.now(),
        )
        self.started.append(made)
        return made

    def fires(self, title: str = "disk full", priority: str = "P2") -> Alert:
        return self.story.fires("checkout", title, priority=priority)

    def moves(self, state: str, *, verified: bool = False, which: int = -1) -> None:
        execution = self.started[which]
        with transaction.atomic():
            Execution.objects.filter(pk=execution.pk).update(state=state, problem="verified" if verified else "")
            said = {"execution": execution.pk, "alert": execution.alert_number, "incident": None, "state": state}
            outbox.emit("execution.waiting" if state == "waiting" else "execution.ended", said)
        self.story.settle()

    def is_well(self) -> None:
        assert violations(now=clock.now(), is_engine_alive=True) == []
        assert self.story.quarantined() == []


@pytest.fixture
def shop(story: Story, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    made = Shop(story).open()
    monkeypatch.setattr(engine_remedies, "start", made.start)
    monkeypatch.setattr(engine_remedies, "is_verified", lambda execution: execution.problem == "verified")
    yield made
    made.is_well()


def test_beside_the_page_nothing_waits(story: Story, shop: Shop) -> None:
    shop.trigger(hold=0)
    alert = shop.fires()
    shop.ana.rings_with("disk full")
    assert len(shop.started) == 1
    assert "Runbook restart started by itself (trigger restart-0-0): execution 1" in story.timeline(alert)


def test_a_verified_fix_within_the_hold_resolves_and_wakes_nobody(story: Story, shop: Shop) -> None:
    shop.trigger()
    alert = shop.fires()
    assert "waits 60 s at most for a runbook" in story.escalation(alert).why
    story.forward(seconds=30)
    shop.moves("ok", verified=True)
    assert story.alert(alert).status == AlertStatus.RESOLVED
    assert "verified that it is fixed: execution 1" in story.timeline(alert)
    assert "Runbook restart resolved it" in story.timeline(alert)
    story.nothing_else_happens(minutes=30)


def test_the_page_leaves_at_the_end_of_the_hold_whatever_the_execution_does(story: Story, shop: Shop) -> None:
    shop.trigger()
    alert = shop.fires()
    story.forward(seconds=59)
    story.nothing_else_happens()
    story.forward(seconds=1)
    page = shop.ana.rings_with("disk full")
    assert not page.text.startswith("LATE")
    story.forward(minutes=4.9)
    shop.ben.is_silent()
    story.forward(minutes=0.1)
    shop.ben.rings_with()
    shop.ana.forgets()
    shop.moves("ok", verified=True)  # late, but fixed: those who were paged may sleep on
    assert story.alert(alert).status == AlertStatus.RESOLVED
    shop.ana.is_told("resolved by runbook restart, which verified it", kind="resolved")
    shop.ben.is_told("resolved by runbook restart", kind="resolved")


@pytest.mark.parametrize("state", ["failed", "unknown", "cancelled", "ok"])
def test_an_execution_that_ends_without_a_verified_fix_lets_the_page_go_at_once(
    story: Story, shop: Shop, state: str
) -> None:
    shop.trigger()
    alert = shop.fires()
    story.forward(seconds=10)
    shop.moves(state)
    shop.ana.rings_with("disk full")
    assert "The page does not wait any longer" in story.timeline(alert)
    story.forward(minutes=5)
    shop.ben.rings_with()  # five minutes after the page, not after the alert
    shop.ana.forgets()


def test_an_execution_that_waits_for_a_person_wants_one_now(story: Story, shop: Shop) -> None:
    shop.trigger()
    alert = shop.fires()
    shop.moves("waiting")
    shop.ana.rings_with("disk full")
    shop.moves("ok", verified=True)
    assert story.alert(alert).status == AlertStatus.RESOLVED
    shop.ana.is_told("resolved", kind="resolved")


def test_a_p1_never_waits(story: Story, shop: Shop) -> None:
    shop.trigger()
    alert = shop.fires(priority="P1")
    shop.ana.rings_with("disk full")
    assert len(shop.started) == 1
    assert "a P1 never waits for a runbook" in story.timeline(alert)


def test_raised_to_p1_it_waits_no_longer(story: Story, shop: Shop) -> None:
    shop.trigger()
    alert = shop.fires()
    story.forward(seconds=20)
    story.acts(lambda: change_priority(alert, shop.ben.actor, "P1").sentence)
    shop.ana.rings_with("disk full")


def test_longer_than_five_minutes_no_page_waits_whatever_the_table_says(story: Story, shop: Shop) -> None:
    shop.trigger(hold=3_600)
    shop.fires()
    story.forward(seconds=299)
    story.nothing_else_happens()
    story.forward(seconds=1)
    shop.ana.rings_with()


@pytest.mark.parametrize("why", ["gone", "off", "another team", "refused"])
def test_a_runbook_that_cannot_start_holds_nothing(story: Story, shop: Shop, why: str) -> None:
    shop.trigger()
    source = story.source()
    with transaction.atomic():
        if why == "off":
            Runbook.objects.update(is_active=False)
        if why == "another team":
            Runbook.objects.update(team=story.team("others"))
    shop.refuses = "frozen until Monday" if why == "refused" else ""
    story.arrives(source, {"title": "disk full", "priority": "P2"})
    if why == "gone":
        shop.step(0, runbook="vanished", hold_page_seconds=120)
        with transaction.atomic():
            Trigger.objects.all().delete()
    story.settle()
    shop.ana.rings_with("disk full")
    alert = Alert.objects.get()
    assert "was not started" in story.timeline(alert)
    assert shop.started == []


def test_the_engine_dies_in_the_hold_and_the_page_leaves_when_it_is_back(story: Story, shop: Shop) -> None:
    shop.trigger()
    shop.fires()
    story.sleeps(minutes=10)
    late = shop.ana.rings_with("disk full")
    assert late.text.startswith("LATE 9 min")


def test_an_alert_that_was_read_late_does_not_wait_again(story: Story, shop: Shop) -> None:
    shop.trigger()
    story.arrives(story.source(), {"title": "disk full", "priority": "P2"})
    story.sleeps(minutes=3)
    shop.ana.rings_with("disk full")


def test_acknowledged_and_given_back_in_the_hold_it_pages_at_once(story: Story, shop: Shop) -> None:
    shop.trigger()
    alert = shop.fires()
    story.acts(lambda: acknowledge_alert(alert, shop.ben.actor).sentence)
    story.forward(seconds=20)
    story.acts(lambda: unacknowledge_alert(alert, shop.ben.actor).sentence)
    shop.ana.rings_with("disk full")
    assert len(shop.started) == 1


def test_the_end_of_a_snooze_does_not_wait_and_starts_nothing_again(story: Story, shop: Shop) -> None:
    shop.trigger()
    alert = shop.fires()
    story.acts(lambda: snooze_alert(alert, shop.ben.actor, until=clock.now() + timedelta(seconds=30)).sentence)
    story.forward(seconds=30)
    shop.ana.rings_with("disk full")
    assert len(shop.started) == 1


def test_escalated_by_hand_in_the_hold_it_pages_now_and_the_steps_keep_their_distance(story: Story, shop: Shop) -> None:
    shop.trigger()
    alert = shop.fires()
    story.forward(seconds=20)
    story.acts(lambda: escalate_now(alert, shop.ben.actor).sentence)
    shop.ana.rings_with("disk full")
    shop.is_well()
    story.forward(minutes=5)
    shop.ben.rings_with()
    shop.ana.forgets()


def test_whoever_has_it_keeps_it_when_the_runbook_fixes_it(story: Story, shop: Shop) -> None:
    shop.trigger()
    alert = shop.fires()
    story.acts(lambda: acknowledge_alert(alert, shop.ben.actor).sentence)
    shop.moves("ok", verified=True)
    assert story.alert(alert).status == AlertStatus.ACKNOWLEDGED
    assert "Ben has it, so it stays open" in story.timeline(alert)


def test_the_third_fix_of_one_key_in_a_day_pages_anyway(story: Story, shop: Shop) -> None:
    shop.trigger()
    for _ in range(2):
        shop.fires()
        shop.moves("ok", verified=True)
        story.nothing_else_happens(minutes=30)
    alert = shop.fires()
    shop.ana.rings_with("disk full")
    shop.moves("ok", verified=True)
    assert story.alert(alert).status == AlertStatus.FIRING
    assert "fix 3 of it in 24 h, so it stays open: find the cause" in story.timeline(alert)
    other = shop.fires("queue full")  # another key has a count of its own
    assert story.escalation(other).fix_until is not None
    assert Remedy.objects.filter(state="fixed").count() == 3


def test_what_fires_again_soon_after_its_fix_is_not_held_a_second_time(story: Story, shop: Shop) -> None:
    shop.trigger()
    shop.fires()
    shop.moves("ok", verified=True)
    story.forward(minutes=3)
    alert = shop.fires()
    shop.ana.rings_with("disk full")
    assert "fires again soon after its automatic fix" in story.timeline(alert)


def test_a_group_waits_with_its_leader_and_one_without_a_hold_does_not(story: Story, shop: Shop) -> None:
    shop.trigger(priorities=["P2"])
    first, second = story.prometheus("db1", "db2", severity="high")
    story.nothing_else_happens()
    assert len(shop.started) == 1  # one runbook for the group
    other = story.prometheus("db3", severity="warning")[0]
    assert story.escalation(other).leader_id is None
    shop.ana.rings_with()
    story.forward(seconds=60)
    shop.ana.rings_with()
    assert story.escalation(second).leader == story.escalation(first)


def test_when_the_leader_is_fixed_what_joined_it_still_pages(story: Story, shop: Shop) -> None:
    shop.trigger()
    story.prometheus("db1", "db2", severity="high")
    story.forward(seconds=30)
    shop.moves("ok", verified=True)
    story.forward(seconds=30)
    shop.ana.rings_with()


def test_a_step_of_the_policy_starts_its_runbook_once_however_many_rounds(story: Story, shop: Shop) -> None:
    shop.runbook("failover")
    shop.step(1, runbook="failover")
    alert = shop.fires()
    shop.ana.rings_with()
    assert shop.started == []
    story.forward(minutes=5)
    assert [execution.runbook.name for execution in shop.started] == ["failover"]
    story.acts(lambda: acknowledge_alert(alert, shop.ben.actor).sentence)
    story.acts(lambda: unacknowledge_alert(alert, shop.ben.actor).sentence)
    story.forward(minutes=6)
    assert len(shop.started) == 1
    shop.ana.forgets(), shop.ben.forgets()


def test_the_first_step_may_hold_its_page(story: Story, shop: Shop) -> None:
    shop.step(0, runbook="restart", hold_page_seconds=120)
    shop.fires()
    story.forward(seconds=119)
    story.nothing_else_happens()
    assert len(shop.started) == 1
    story.forward(seconds=1)
    shop.ana.rings_with()
    assert len(shop.started) == 1


def test_of_two_runbooks_the_second_may_still_fix_it_when_the_first_failed(story: Story, shop: Shop) -> None:
    shop.runbook("failover")
    shop.trigger("failover", hold=120)
    shop.trigger("restart", hold=60)
    alert = shop.fires()
    assert len(shop.started) == 2
    shop.moves("failed", which=0)
    story.nothing_else_happens()
    shop.moves("ok", verified=True, which=1)
    assert story.alert(alert).status == AlertStatus.RESOLVED
    story.nothing_else_happens(minutes=10)


def test_in_maintenance_and_in_shadow_nothing_starts_by_itself(story: Story, shop: Shop) -> None:
    shop.trigger()
    now = clock.now()
    with transaction.atomic():
        window = Maintenance.objects.create(
            service=story.service(), starts_at=now, ends_at=now + timedelta(hours=1), created_by="Ana", created_at=now
        )
    alert = shop.fires()
    assert "not started: its service is in maintenance" in story.timeline(alert)
    story.nothing_else_happens(minutes=5)
    with transaction.atomic():
        Maintenance.objects.filter(pk=window.pk).update(ends_at=clock.now())
        Team.objects.update(mode="shadow")
    other = shop.fires("queue full")
    assert "shadow mode: it would have been started" in story.timeline(other)
    assert shop.started == []
    story.forward(minutes=60)
    story.network.heard.clear()


def test_what_narrows_a_trigger_down_is_obeyed(story: Story, shop: Shop) -> None:
    shop.trigger(labels={"disk": "sda"}, title_has="DISK", priorities=["P2"])
    source = story.source()
    for title, labels, priority in [
        ("queue full", {"disk": "sda"}, "P2"),
        ("disk full", {"disk": "sdb"}, "P2"),
        ("disk slow", {"disk": "sda"}, "P3"),
    ]:
        story.sends(source, {"title": title, "labels": labels, "priority": priority})
        shop.ana.rings_with(title)
    story.sends(source, {"title": "disk on fire", "labels": {"disk": "sda", "x": "y"}, "priority": "P2"})
    story.nothing_else_happens()
    assert len(shop.started) == 1
    story.forward(seconds=60)
    shop.ana.rings_with("disk on fire")


def test_a_pause_of_the_service_runs_beside_the_hold(story: Story, shop: Shop) -> None:
    shop.trigger()
    story.service(page_after_seconds=90)
    shop.fires()
    story.forward(seconds=10)
    shop.moves("failed")
    story.nothing_else_happens()  # the service's own pause is kept
    story.forward(seconds=79)
    story.nothing_else_happens()
    story.forward(seconds=1)
    shop.ana.rings_with()
    assert Page.objects.count() == 1


TEXT = """---
title: Restart the checkout
---
```sh {"name": "restart", "kind": "auto", "executor": "local", "idempotent": "yes"}
echo restarted
```

```sh {"verifies": "restart"}
exit 0
```
"""


def test_a_real_runbook_runs_its_verify_and_the_alert_resolves(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    made = save_runbook("restart", RunbookFields(story.team("payments")), ana.actor)
    revise(made, TEXT, ana.actor, is_trusted=True)
    create_trigger("restart-it", TriggerFields(made, "alert", service=story.service(), hold_page_seconds=60), ana.actor)
    alert = story.fires(priority="P2")
    assert story.alert(alert).status == AlertStatus.RESOLVED
    assert "verified that it is fixed: execution 1" in story.timeline(alert)
    story.nothing_else_happens(minutes=10)


def test_a_real_runbook_that_may_not_run_by_itself_wants_a_person_and_the_page_leaves(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    made = save_runbook("restart", RunbookFields(story.team("payments")), ana.actor)
    revise(made, TEXT, ana.actor)
    create_trigger("restart-it", TriggerFields(made, "alert", service=story.service(), hold_page_seconds=60), ana.actor)
    alert = story.fires(priority="P2")
    ana.rings_with("disk full")
    assert "waits for a person" in story.timeline(alert)


def test_a_real_runbook_whose_verify_says_no_fixes_nothing(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    made = save_runbook("restart", RunbookFields(story.team("payments")), ana.actor)
    revise(made, TEXT.replace("exit 0", "exit 1"), ana.actor, is_trusted=True)
    create_trigger("restart-it", TriggerFields(made, "alert", service=story.service(), hold_page_seconds=60), ana.actor)
    alert = story.fires(priority="P2")
    ana.rings_with("disk full")
    assert story.alert(alert).status == AlertStatus.FIRING
