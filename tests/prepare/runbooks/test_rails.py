"""Guard-rails: what stands in the way of a start says so, and who decided it is on record."""

from __future__ import annotations

from datetime import timedelta

import pytest

from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.models import AuditEntry
from midwatch.people.models import Team
from midwatch.prepare.runbooks.actions import rails
from midwatch.prepare.runbooks.actions.rails import FreezeFields
from midwatch.prepare.runbooks.models import Brake, Freeze, FreezeOverride, Runbook, TargetUse
from midwatch.prepare.runbooks.queries import rails as asking
from midwatch.prepare.runbooks.queries.rails import Asked
from midwatch.settings import settings
from prepare.runbooks.test_proving import execution, runbook

pytestmark = pytest.mark.django_db
ANA = Actor("Ana Novak", "web", 1)
HOUR = timedelta(hours=1)


def why(of: Runbook, trigger: str = "alert", **more: object) -> str:
    return asking.why_not_start(Asked(of, trigger, **more))  # type: ignore[arg-type]


def frozen(of: Runbook | None = None, **more: object) -> Freeze:
    now = clock.now()
    fields = FreezeFields("Black Friday", "shops are full", now, now + HOUR, **more)  # type: ignore[arg-type]
    return rails.add_freeze(fields, ANA)


def test_stopped_nothing_starts_by_itself_and_people_still_may() -> None:
    found = runbook()
    rails.stop_everything(ANA, "the runbooks made it worse")
    assert "Ana Novak stopped everything" in why(found)
    assert "the runbooks made it worse" in why(found, "schedule")
    assert why(found, "person") == ""
    with pytest.raises(ValueError, match="stopped already: Ana Novak"):
        rails.stop_everything(ANA, "again")
    rails.release_everything(ANA, "found it")
    assert why(found) == ""
    rails.stop_everything(ANA, "once more")
    assert Brake.objects.count() == 2
    assert AuditEntry.objects.filter(verb="stop everything").count() == 2


def test_a_stop_without_a_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="say why"):
        rails.stop_everything(ANA, "  ")
    with pytest.raises(ValueError, match="nothing is stopped"):
        rails.release_everything(ANA, "why not")


def test_a_freeze_holds_everything_but_dry_runs_until_its_end() -> None:
    found = runbook()
    frozen()
    assert "Black Friday: shops are full" in why(found, "person")
    assert why(found, kind="dry_run") == ""
    clock.freeze(clock.now() + HOUR)
    try:
        assert why(found) == ""
    finally:
        clock.thaw()


def test_a_freeze_of_a_team_or_a_service_is_theirs_alone() -> None:
    found = runbook()
    now = clock.now()
    other = Team.objects.create(name="others", display_name="Others", created_at=now)
    service = Service.objects.create(name="checkout", display_name="Checkout", team=found.team, created_at=now)
    frozen(team=other)
    frozen(service=service)
    assert why(found) == ""
    found.service = service
    assert "Black Friday" in why(found)


def test_the_ic_of_one_incident_overrides_it_there_and_nowhere_else() -> None:
    found = runbook()
    freeze = frozen()
    rails.override_freeze(freeze, 7, ANA, "clients cannot pay")
    assert why(found, "person", incident_number=7) == ""
    assert "Black Friday" in why(found, "person", incident_number=8)
    assert FreezeOverride.objects.get().who == "Ana Novak"
    assert AuditEntry.objects.filter(verb="override freeze").exists()


def test_ended_early_a_freeze_stays_in_the_calendar_and_one_that_never_began_does_not() -> None:
    now = clock.now()
    running = frozen()
    later = rails.add_freeze(FreezeFields("Release", "big one", now + HOUR, now + 2 * HOUR), ANA)
    assert [one.title for one in asking.freezes()] == ["Black Friday", "Release"]
    rails.end_freeze(running, ANA, "over")
    rails.end_freeze(later, ANA, "moved")
    assert [one.title for one in asking.freezes(since=now - HOUR)] == ["Black Friday"]
    with pytest.raises(ValueError, match="after the start"):
        rails.add_freeze(FreezeFields("x", "y", now, now), ANA)


def test_a_runbook_that_keeps_starting_by_itself_is_stopped_and_a_person_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MIDWATCH_RUNBOOK_STARTS_PER_HOUR", "3")
    settings.cache_clear()
    try:
        found = runbook()
        for _ in range(3):
            assert why(found) == ""
            execution(found, days=0, trigger="alert")
        assert "3 times in the last hour" in why(found, "webhook")
        assert why(found, "person") == ""
    finally:
        monkeypatch.undo()
        settings.cache_clear()


def test_a_target_that_had_its_share_waits_until_the_oldest_is_an_hour_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDWATCH_TARGET_STEPS_PER_HOUR", "2")
    settings.cache_clear()
    try:
        now = clock.now()
        rails.note_targets(["db1", "db2"], 1)
        assert asking.target_waits_until(["db1"], now) is None
        rails.note_targets(["db1"], 2)
        waits = asking.target_waits_until(["db2", "db1"], clock.now())
        assert waits is not None
        assert waits[0] - now >= HOUR
        assert "db1 was touched 2 times" in waits[1]
        TargetUse.objects.update(at=now - 25 * HOUR)
        assert rails.forget_target_uses() == 3
    finally:
        monkeypatch.undo()
        settings.cache_clear()


def test_auto_steps_need_a_reviewed_text_or_somebodys_word() -> None:
    found = runbook()
    assert not asking.may_run_by_itself(found)
    rails.allow_automatic(found, ANA, "ran clean for a year")
    assert asking.may_run_by_itself(found)
    rails.forbid_automatic(found, ANA, "it failed")
    assert not asking.may_run_by_itself(found)
    found.is_trusted = True
    assert asking.may_run_by_itself(found)
