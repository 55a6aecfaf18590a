"""Services, what they depend on, and what changed on them."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midwatch.catalog import actions, queries
from midwatch.catalog.actions import ServiceFields
from midwatch.catalog.dependencies import cycle_in
from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.models import AuditEntry
from midwatch.people import actions as people
from midwatch.people.models import Team

BY = Actor("Test", "web")


@pytest.fixture
def team(db: None) -> Team:
    return people.create_team("ops", "Ops", BY)


def service(team: Team, name: str) -> Service:
    return actions.create_service(name, ServiceFields(team), BY)


def test_a_service_is_made_and_changed(team: Team) -> None:
    made = actions.create_service(
        "shop",
        ServiceFields(
            team,
            "  Shop\nfront ",
            "What\nwe sell\x00",
            tier=1,
            support_hours={"timeZone": "Europe/Prague", "days": ["fri", "mon"], "from": "09:00", "to": "24:00"},
            links=[{"url": "https://example.com/"}],
        ),
        BY,
    )
    assert (made.display_name, made.description) == ("Shop front", "What\nwe sell")
    assert made.support_hours == {
        "timeZone": "Europe/Prague",
        "days": ["mon", "fri"],
        "from": "09:00",
        "to": "00:00",
        "outside": "low",
    }
    assert made.links == [{"title": "https://example.com/", "url": "https://example.com/"}]
    actions.change_service(made, ServiceFields(team, "Shop", urgency="high"), BY)
    made.refresh_from_db()
    assert (made.display_name, made.urgency, made.support_hours) == ("Shop", "high", None)
    assert list(AuditEntry.objects.filter(object_kind="service").order_by("id").values_list("verb", flat=True)) == [
        "create",
        "change",
    ]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"tier": 10}, "0 .* to 9"),
        ({"urgency": "medium"}, "by-priority, high, low"),
        ({"page_after_seconds": -1}, "0 seconds to 24 hours"),
        ({"auto_resolve_after_seconds": 0}, "1 second to 90 days"),
        ({"links": [{"url": "javascript:alert(1)"}]}, "begins with https://"),
        ({"support_hours": {"timeZone": "Mars", "days": ["mon"], "from": "09:00", "to": "10:00"}}, "time zone"),
        ({"support_hours": {"days": [], "from": "09:00", "to": "10:00"}}, "need days"),
        ({"support_hours": {"days": ["mon"], "from": "09:00", "to": "09:00"}}, "end when they begin"),
    ],
)
def test_what_is_refused(team: Team, wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        actions.create_service("shop", ServiceFields(team, **wrong), BY)
    assert not Service.objects.exists()


def test_names_are_taken_once(team: Team) -> None:
    service(team, "shop")
    with pytest.raises(ValueError, match="called shop already"):
        service(team, "shop")
    with pytest.raises(ValueError, match="is no name"):
        service(team, "The Shop")


def test_services_never_depend_on_each_other_in_a_circle(team: Team) -> None:
    a, b, c = (service(team, name) for name in "abc")
    actions.set_dependencies(a, [b], BY)
    actions.set_dependencies(b, [c], BY)
    with pytest.raises(ValueError, match=r"c -> a|a -> b|b -> c"):
        actions.set_dependencies(c, [a], BY)
    with pytest.raises(ValueError, match="a -> a"):
        actions.set_dependencies(a, [a], BY)
    assert not c.depends_on.exists()
    actions.set_dependency_lists({a: [], c: [a]}, BY)
    assert queries.dependency_edges() == {b.pk: {c.pk}, c.pk: {a.pk}}


@given(st.dictionaries(st.integers(0, 8), st.lists(st.integers(0, 8), max_size=4), max_size=9))
def test_a_circle_is_found_exactly_when_there_is_one(edges: dict[int, list[int]]) -> None:
    found = cycle_in(edges)
    left = {node: set(next_) for node, next_ in edges.items()}
    while True:  # take away whatever depends on nothing that is left
        leaves = [node for node, next_ in left.items() if not next_ & set(left)]
        if not leaves:
            break
        for node in leaves:
            del left[node]
    assert bool(found) == bool(left)
    if found:
        assert found[0] == found[-1]
        assert all(after in edges[before] for before, after in itertools.pairwise(found))


def test_a_long_chain_needs_no_stack() -> None:
    assert cycle_in({number: [number + 1] for number in range(50_000)}) == []


def test_changes_are_never_refused_only_cut(team: Team) -> None:
    shop = service(team, "shop")
    made = actions.record_change(
        shop,
        "x" * 5_000,
        origin="ci\x00",
        links=[{"title": "t" * 500, "url": "https://example.com/"}] * 100,
        details={str(number): "v" * 5_000 for number in range(100)},
    )
    assert len(made.summary) == 1_000
    assert made.origin == "ci"
    assert len(made.links) == actions.LINKS_MAX
    assert len(made.details) == actions.CHANGE_DETAILS_MAX
    actions.record_change(shop, "", at=clock.now() - timedelta(days=3))
    assert [change.summary[:3] for change in queries.changes_of(shop)] == ["xxx", "cha"]
    assert len(queries.changes_of(shop, since=clock.now() - timedelta(days=1))) == 1
