"""Outages as rows: opened, closed, corrected, withdrawn, each in the audit log; and the uptime that follows from them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from midwatch.catalog import actions as catalog
from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.models import AuditEntry
from midwatch.people import actions as people
from midwatch.respond.alerts.actions import maintenance
from midwatch.respond.availability import actions, queries
from midwatch.respond.availability.actions import Correction

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
BY = Actor("Test", "web")
NOON = datetime(2026, 1, 6, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def noon() -> None:
    clock.freeze(NOON)


@pytest.fixture
def shop() -> Service:
    ana = people.create_user("ana", people.Profile("Ana"), BY)
    team = people.create_team("ops", "Ops", BY)
    people.set_members(team, [people.Member(ana)], BY)
    return catalog.create_service("shop", catalog.ServiceFields(team), BY)


def audited() -> list[tuple[str, Any]]:
    return list(AuditEntry.objects.filter(verb__endswith="outage").order_by("pk").values_list("verb", "detail"))


def test_an_outage_is_opened_closed_and_corrected_and_the_audit_log_has_what_it_was(shop: Service) -> None:
    outage = actions.open_outage(shop, BY, level="major", starts_at=NOON - HOUR, origin="incident/42")
    assert list(queries.open_outages([shop.pk])) == [outage]
    closed = actions.close_outage(outage, BY)
    assert closed.ends_at == NOON
    assert actions.close_outage(outage, BY, ends_at=NOON - HOUR).ends_at == NOON, "what is over stays as it is"
    actions.correct_outage(closed, BY, Correction(level="partial", starts_at=NOON - 2 * HOUR))
    verb, detail = audited()[-1]
    assert verb == "correct outage"
    assert detail["before"] == {"level": "major", "starts_at": (NOON - HOUR).isoformat()}
    assert detail["after"] == {"level": "partial", "starts_at": (NOON - 2 * HOUR).isoformat()}
    actions.correct_outage(closed, BY, Correction(level="partial"))
    assert len(audited()) == 3, "what changes nothing is no entry"
    assert [one.pk for one in queries.outages_from("incident/42")] == [outage.pk]
    reopened = actions.correct_outage(closed, BY, Correction(ends_at=None))
    assert reopened.ends_at is None


def test_a_withdrawn_one_counts_nowhere_and_cannot_be_changed(shop: Service) -> None:
    outage = actions.open_outage(shop, BY, level="major", starts_at=NOON - HOUR, ends_at=NOON)
    actions.withdraw_outage(outage, BY, "the probe was broken")
    assert queries.uptime([shop], NOON - 10 * HOUR, NOON)[shop.pk].percent == 100
    assert audited()[-1][1]["reason"] == "the probe was broken"
    with pytest.raises(ValueError, match="withdrawn"):
        actions.correct_outage(outage, BY, Correction(note="x"))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"level": "bad"}, "no level"),
        ({"level": "major", "starts_at": NOON + HOUR}, "in the future"),
        ({"level": "major", "starts_at": NOON, "ends_at": NOON - HOUR}, "before it begins"),
        ({"level": "major", "starts_at": NOON, "ends_at": NOON + HOUR}, "leave the end open"),
        ({"level": "major", "starts_at": datetime(1026, 1, 1, tzinfo=UTC)}, "is the year right"),
    ],
)
def test_refusals_say_what_to_do(shop: Service, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        actions.open_outage(shop, BY, **fields)
    assert not audited()


def test_uptime_takes_the_worst_at_each_moment_and_maintenance_away(shop: Service) -> None:
    """Ten hours: 2 h major, 1 h more partial, the first half hour of it announced as maintenance."""
    clock.freeze(NOON - 10 * HOUR)
    maintenance.start_maintenance(shop, BY, starts_at=NOON - 4 * HOUR, ends_at=NOON - 3.5 * HOUR, reason="planned")
    clock.freeze(NOON)
    actions.open_outage(shop, BY, level="major", starts_at=NOON - 4 * HOUR, ends_at=NOON - 2 * HOUR)
    actions.open_outage(shop, BY, level="partial", starts_at=NOON - 3 * HOUR, ends_at=NOON - HOUR)
    found = queries.uptime([shop], NOON - 10 * HOUR, NOON)[shop.pk]
    assert (found.sums.major, found.sums.partial) == (1.5 * 3600, 3600)
    assert found.percent == pytest.approx(100 * (1 - (1.5 + 0.3) / 10))
    strict = queries.uptime([shop], NOON - 10 * HOUR, NOON, excuses_maintenance=False)[shop.pk]
    assert strict.sums.major == 2 * 3600


def test_an_open_outage_counts_until_now_and_the_future_is_unknown(shop: Service) -> None:
    actions.open_outage(shop, BY, level="major", starts_at=NOON - HOUR)
    found = queries.uptime([shop], NOON - 2 * HOUR, NOON + 10 * HOUR)[shop.pk]
    assert (found.sums.length, found.sums.major) == (2 * 3600, 3600)


def test_private_outages_are_not_for_outside(shop: Service) -> None:
    actions.open_outage(shop, BY, level="major", starts_at=NOON - HOUR, is_private=True)
    assert queries.uptime([shop], NOON - 2 * HOUR, NOON)[shop.pk].percent == 50
    assert queries.uptime([shop], NOON - 2 * HOUR, NOON, is_public=True)[shop.pk].percent == 100
    assert not queries.open_outages([shop.pk], is_public=True).exists()


def test_a_question_costs_two_queries_however_many_services(shop: Service, django_assert_num_queries: Any) -> None:
    others = [catalog.create_service(f"s{number}", catalog.ServiceFields(shop.team), BY) for number in range(20)]
    for one in others:
        actions.open_outage(one, BY, level="degraded", starts_at=NOON - HOUR)
    with django_assert_num_queries(2):
        queries.uptime([shop, *others], NOON - 2 * HOUR, NOON)
