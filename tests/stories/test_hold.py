"""The restore hold: everything is recorded, nobody is paged until the release; then late, in order, and said so."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction

from midwatch.core import clock, restore_mark
from midwatch.core.actor import Actor
from midwatch.core.models import AuditEntry
from midwatch.engine import hold
from midwatch.engine.models import Hold
from midwatch.engine.tick import lateness
from midwatch.engine.watch import Watch
from midwatch.people.models import Role
from midwatch.respond.alerts.models import Alert
from stories.story import Phone, Story

ADMIN = Actor("Root", "cli")


def restored(story: Story, path: Path, *, minutes_ago: float = 0) -> None:
    """As after `midwatch restore` and a start: the mark is there, then the database is on hold."""
    clock.forward(timedelta(minutes=-minutes_ago))
    restore_mark.write(path, backup_at=clock.now().isoformat())
    clock.forward(timedelta(minutes=minutes_ago))
    assert hold.adopt(path)


def root(story: Story) -> Phone:
    return story.person("root", role=Role.ADMINISTRATOR)


def test_nobody_is_paged_until_the_release_and_then_late(story: Story, tmp_path: Path) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    restored(story, tmp_path)
    alert = story.fires()
    story.forward(minutes=12)
    ana.is_silent(), ben.is_silent()
    assert story.alert(alert).status == "firing"
    hold.release(ADMIN)
    story.settle()
    assert ana.rings_with("disk full").text.startswith("LATE 12 min:")
    ben.is_silent()
    story.forward(minutes=4, seconds=59)
    ben.is_silent()  # steps do not pile up: his five minutes begin when hers was handed over
    ana.forgets()
    story.forward(seconds=2)
    ben.rings_with("disk full")
    assert [entry.verb for entry in AuditEntry.objects.filter(object_kind="installation").order_by("id")] == [
        "hold paging",
        "release hold",
    ]


def test_what_was_under_way_at_the_backup_goes_on_where_it_was(story: Story, tmp_path: Path) -> None:
    """Ana was paged before the backup; three hours later Ben is due, and Cy after his share."""
    ana, ben, cy = story.phones("ana", "ben", "cy")
    story.policy(steps=[("ana", "0m"), ("ben", "5m"), ("cy", "15m")])
    story.fires()
    ana.rings_with("disk full")
    restored(story, tmp_path)
    clock.forward(timedelta(hours=3))
    story.settle()
    assert not [heard for heard in story.network.heard if heard.who in {"ana", "ben", "cy"}]
    hold.release(ADMIN)
    story.settle()
    assert ben.rings_with("disk full").text.startswith("LATE")
    assert ana.rings_with("disk full").text.startswith("LATE")  # her own rules begin anew, late as they are
    cy.is_silent()
    story.forward(minutes=9, seconds=58)
    cy.is_silent()
    story.forward(seconds=4)
    cy.rings_with("disk full")


def test_a_persons_methods_keep_their_distance_after_the_release(story: Story, tmp_path: Path) -> None:
    ana = story.person("ana", methods=("webhook", "ntfy", "sms"))
    story.policy(steps=[("ana", "0m")])
    restored(story, tmp_path)
    story.fires()
    story.forward(minutes=14)
    hold.release(ADMIN)
    story.settle()
    ana.rings_with(by="webhook")
    story.forward(seconds=58)
    ana.is_silent()
    story.forward(seconds=4)
    ana.rings_with(by="ntfy")
    ana.is_silent()
    story.forward(seconds=60)
    ana.rings_with(by="sms")


def test_a_message_that_was_held_has_not_failed(story: Story, tmp_path: Path) -> None:
    """It waited on purpose: neither the next method nor the next step goes out for that."""
    ana = story.person("ana", methods=("webhook", "ntfy"))
    ben = story.person("ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    alert = story.fires(title="before")
    ana.forgets()
    restored(story, tmp_path)
    held = story.fires(title="meanwhile")
    story.forward(minutes=4)
    assert "passing on" not in story.timeline(alert) + story.timeline(held)
    hold.release(ADMIN)
    story.settle()
    ana.rings_with("meanwhile", by="webhook")
    ben.is_silent()
    story.forward(seconds=30)
    assert "passing on" not in story.timeline(held)


def test_what_is_resolved_or_taken_during_the_hold_pages_nobody(story: Story, tmp_path: Path) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    restored(story, tmp_path)
    over, taken, left = story.fires(title="over"), story.fires(title="taken"), story.fires(title="left")
    story.resolves(title="over")
    ben.acknowledges(taken)
    assert hold.summary().alerts_count == 1
    (waiting,) = hold.summary(is_listed=True).waiting
    assert (waiting.alert, waiting.people) == (left, ("Ana",))
    hold.release(ADMIN)
    story.settle()
    ana.rings_with("left")
    assert not [heard for heard in story.network.heard if "over" in heard.everything and heard.kind == "page"]
    assert not [heard for heard in story.network.heard if "taken" in heard.everything and heard.kind == "page"]
    assert story.alert(over).status == "resolved"


def test_an_acknowledgement_that_ran_out_meanwhile_pages_after_the_release(story: Story, tmp_path: Path) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ben", "0m")])
    alert = story.fires()
    ana.acknowledges(alert)
    ben.forgets(), ana.forgets()
    restored(story, tmp_path)
    clock.forward(timedelta(hours=2))
    story.settle()
    ben.is_silent()
    (waiting,) = hold.summary(is_listed=True).waiting
    assert waiting.what == "its acknowledgement runs out"
    hold.release(ADMIN)
    story.settle()
    ben.rings_with("disk full")


def test_a_forgotten_hold_pages_administrators_and_nobody_else(story: Story, tmp_path: Path) -> None:
    boss = root(story)
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    restored(story, tmp_path)
    story.fires()
    story.forward(minutes=14, seconds=50)
    boss.is_silent()
    story.forward(seconds=15)
    page = boss.rings_with("Paging is on hold since 02:00 UTC")
    ana.is_silent()
    story.forward(minutes=6)
    boss.rings_with("Paging is on hold")  # until somebody answers, as any page
    boss.forgets()
    story.press(page)
    story.forward(minutes=20)
    boss.forgets(), ana.is_silent()
    story.forward(minutes=15)
    boss.rings_with("Paging is on hold")  # its acknowledgement ran out, and the hold still stands
    boss.forgets(), ana.is_silent()
    hold.release(ADMIN)
    story.settle()
    ana.rings_with("disk full")
    assert Alert.objects.get(title__startswith="Paging is on hold").status == "resolved"


def test_a_hold_whose_alert_was_resolved_comes_back_after_an_hour(story: Story, tmp_path: Path) -> None:
    boss = root(story)
    restored(story, tmp_path, minutes_ago=20)
    story.settle()
    boss.rings_with("Paging is on hold")
    boss.resolves(Alert.objects.get())
    story.forward(minutes=58)
    boss.forgets()
    story.forward(minutes=3)
    boss.rings_with("Paging is on hold")
    assert Alert.objects.count() == 2


def test_a_drill_is_dropped_and_never_pages(story: Story, tmp_path: Path) -> None:
    boss = root(story)
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    restored(story, tmp_path)
    story.fires()
    hold.drop(ADMIN)
    story.forward(hours=3)
    ana.is_silent(), boss.is_silent()
    with pytest.raises(hold.HoldError, match="dropped as a drill"):
        hold.release(ADMIN)


def test_the_mark_is_one_hold_however_often_it_is_read(story: Story, tmp_path: Path) -> None:
    restore_mark.write(tmp_path, backup_at="2026-03-03T01:00:00+00:00")
    text = (tmp_path / restore_mark.MARK).read_text()
    assert hold.adopt(tmp_path)
    assert not hold.adopt(tmp_path)
    hold.release(ADMIN)
    (tmp_path / restore_mark.MARK).write_text(text)  # killed before it was removed
    assert hold.adopt(tmp_path)
    assert hold.gate() is None
    (tmp_path / restore_mark.MARK).write_text("{broken")
    hold.adopt(tmp_path)
    assert hold.gate() is not None, "a mark that cannot be read is a mark all the same"


def test_by_hand_after_a_snapshot(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    with pytest.raises(hold.HoldError, match="not on hold"):
        hold.release(ADMIN)
    hold.begin(ADMIN, "the disk's snapshot")
    with pytest.raises(hold.HoldError, match="already"):
        hold.begin(ADMIN, "again")
    story.fires()
    ana.is_silent()
    hold.release(ADMIN)
    story.settle()
    ana.rings_with("disk full")
    story.nothing_else_happens(minutes=4)


def test_no_sign_of_life_leaves_while_nobody_is_paged(story: Story, tmp_path: Path) -> None:
    watch = Watch("test:1")
    assert not watch.is_well, "nothing was looked at yet"
    restored(story, tmp_path)
    watch.beat()
    assert not watch.is_well
    hold.release(ADMIN)
    watch._beat_at = 0.0
    watch.beat()
    assert watch.is_well
    assert max(lateness(clock.now()).values()) == 0


def test_two_open_holds_end_together(story: Story, tmp_path: Path) -> None:
    """A backup that was taken during a hold carries it."""
    restored(story, tmp_path)
    with transaction.atomic():
        Hold.objects.create(token="older", began_at=clock.now(), by="x", reason="y")
    hold.release(ADMIN)
    assert hold.gate() is None
