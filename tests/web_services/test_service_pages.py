from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from api_world import BY, KEY, World, asked
from midwatch.catalog.actions import record_change
from midwatch.catalog.forms import links_from, links_text
from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.core.models import AuditEntry
from midwatch.people.models import Team, User
from midwatch.respond.alerts.actions import resolve_alert, start_maintenance
from midwatch.respond.alerts.models import Alert, Maintenance, Source
from midwatch.respond.escalation.models import EscalationPolicy, ServicePolicy, TeamPolicy

As = Callable[[User], Client]
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def given(**more: Any) -> dict[str, Any]:
    return {
        "display_name": "Basket",
        "name": "",
        "team": "payments",
        "description": "",
        "tier": "1",
        "urgency": "by-priority",
        "page_after": "2m",
        "auto_resolve_after": "",
        "links": "",
        "hours_zone": "Europe/Prague",
        "hours_outside": "low",
        **more,
    }


def service_named(name: str, world: World) -> Service:
    with transaction.atomic():
        return Service.objects.create(name=name, display_name=name.title(), team=world.team, created_at=clock.now())


def test_the_list_says_what_burns_and_what_is_in_maintenance(world: World, as_: As) -> None:
    world.alerts(3)
    start_maintenance(world.service, BY, starts_at=clock.now(), ends_at=clock.now() + timedelta(hours=1))
    text = text_of(as_(world.vi).get("/services"))
    assert "3 firing" in text
    assert "Maintenance" in text
    assert "/new-service" not in text, "a viewer only looks"
    assert "/new-service" in text_of(as_(world.bo).get("/services"))


def test_as_many_queries_for_forty_services_as_for_two(world: World, as_: As) -> None:
    client = as_(world.bo)
    world.alerts(2)
    service_named("one", world)
    with CaptureQueriesContext(connection) as few:
        client.get("/services")
    for number in range(40):
        service_named(f"more-{number}", world)
    with CaptureQueriesContext(connection) as many:
        assert len(client.get("/services").context["rows"]) == 42
    assert asked(many) == asked(few)


def test_filters_and_pages_by_name(world: World, as_: As) -> None:
    for number in range(120):
        service_named(f"s-{number:03}", world)
    client = as_(world.bo)
    first = client.get("/services")
    assert len(first.context["rows"]) == 100
    second = client.get("/services", {"cursor": first.context["next_cursor"]})
    assert len(second.context["rows"]) == 21
    assert second.context["next_cursor"] == ""
    assert [one.name for one, _ in client.get("/services?q=CHECK").context["rows"]] == ["checkout"]
    assert len(client.get("/services?team=payments&q=s-00").context["rows"]) == 10
    assert "No service is like that" in text_of(client.get("/services?team=none"))


def test_a_service_without_a_policy_is_marked(world: World, as_: As) -> None:
    assert "No policy" not in text_of(as_(world.bo).get("/services"))
    with transaction.atomic():
        TeamPolicy.objects.all().delete()
        ServicePolicy.objects.all().delete()
    assert "No policy" in text_of(as_(world.bo).get("/services"))
    assert "page nobody" in text_of(as_(world.bo).get("/services/checkout"))


def test_the_page_has_everything_one_needs_when_it_breaks(world: World, as_: As) -> None:
    basket, database = service_named("basket", world), service_named("orders-db", world)
    with transaction.atomic():
        world.service.depends_on.add(database)
        basket.depends_on.add(world.service)
        links = [
            {"title": "Dashboard", "url": "https://grafana.example.com/d/1"},
            {"title": "x", "url": "javascript:alert(1)"},
        ]
        Service.objects.filter(pk=world.service.pk).update(
            links=links,
            support_hours={
                "timeZone": "Europe/Prague",
                "days": ["mon"],
                "from": "09:00",
                "to": "17:00",
                "outside": "low",
            },
        )
    alert = world.alert("disk <b>full</b>")
    record_change(world.service, "deployed 1.2.3", origin="pipeline", links=[{"title": "run", "url": "javascript:x"}])
    text = text_of(as_(world.vi).get("/services/checkout"))
    for wanted in (
        "Cy", "payments-primary", "/policies/payments", "/sources/prometheus", f"#{alert.number}", "deployed 1.2.3",
        "/services/orders-db", "/services/basket", "https://grafana.example.com/d/1", "Mon 09:00–17:00 (Europe/Prague)",
        "disk &lt;b&gt;full&lt;/b&gt;",
    ):  # fmt: skip
        assert wanted in text, wanted
    assert "javascript:" not in text
    assert KEY not in text
    assert as_(world.vi).get("/services/none").status_code == 404


def test_a_poll_of_nothing_new_is_an_empty_304(world: World, as_: As) -> None:
    client = as_(world.bo)
    for path in ("/services", "/services/checkout", "/sources", "/sources/prometheus"):
        first = client.get(path, headers=PARTIAL)
        assert "<html" not in first.content.decode()
        assert client.get(path, headers={**PARTIAL, "HX-PTag": first["HX-PTag"]}).status_code == 304, path


def test_create_and_edit_without_javascript(world: World, as_: As) -> None:
    client = as_(world.bo)
    hours = {"hours_days": ["mon", "fri"], "hours_from": "09:00", "hours_to": "17:00"}
    answer = client.post("/new-service", given(depends_on=["checkout"], links="My board https://a.example/x", **hours))
    assert answer["Location"] == "/services/basket"
    basket = Service.objects.get(name="basket")
    assert (basket.tier, basket.page_after_seconds, basket.auto_resolve_after_seconds) == (1, 120, None)
    assert basket.links == [{"title": "My board", "url": "https://a.example/x"}]
    assert basket.support_hours is not None
    assert basket.support_hours["days"] == ["mon", "fri"]
    assert [one.name for one in basket.depends_on.all()] == ["checkout"]
    assert AuditEntry.objects.filter(verb="create", object_kind="service", who="Bo").exists()
    page = client.get("/services/basket/edit").content.decode()
    assert "My board https://a.example/x" in page
    assert 'value="2m"' in page
    assert 'value="09:00"' in page
    assert (
        client.post("/services/basket/edit", given(display_name="Cart", auto_resolve_after="4h"))["Location"]
        == "/services/basket"
    )
    basket.refresh_from_db()
    assert (basket.display_name, basket.auto_resolve_after_seconds, basket.support_hours) == ("Cart", 14_400, None)
    assert not basket.depends_on.exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"links": "x javascript:alert(1)"}, "begins with https:// or http://"),
        ({"tier": "12"}, "less than or equal to 9"),
        ({"page_after": "soon"}, "write 90s"),
        ({"name": "Not A Name"}, "lower-case letters"),
        ({"name": "checkout"}, "there is a service called checkout already"),
        ({"display_name": "☃"}, "Give a name"),
        ({"team": "other"}, "Select a valid choice"),
        ({"hours_days": ["mon"]}, "need days, from and to"),
        ({"hours_days": ["mon"], "hours_from": "09:00", "hours_to": "09:00"}, "end when they begin"),
        ({"depends_on": ["nothing-here"]}, "Select a valid choice"),
    ],
)
def test_errors_say_what_to_write(world: World, as_: As, more: Any, words: str) -> None:
    answer = as_(world.bo).post("/new-service", given(**more))
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert Service.objects.count() == 1


def test_a_circle_is_refused_and_nothing_is_saved(world: World, as_: As) -> None:
    basket = service_named("basket", world)
    with transaction.atomic():
        basket.depends_on.add(world.service)
    answer = as_(world.bo).post("/services/checkout/edit", given(display_name="New name", depends_on=["basket"]))
    assert answer.status_code == 422
    assert "in a circle" in answer.content.decode()
    world.service.refresh_from_db()
    assert world.service.display_name == "Checkout"


def test_who_may_edit(world: World, as_: As) -> None:
    assert as_(world.ana).get("/services/checkout/edit").status_code == 200, "administrators everything"
    assert as_(world.vi).get("/services/checkout/edit").status_code == 403
    assert as_(world.vi).get("/new-service").status_code == 403
    with transaction.atomic():
        other = Team.objects.create(name="other", display_name="Other", created_at=clock.now())
        Service.objects.filter(pk=world.service.pk).update(team=other)
    for path in ("edit", "delete", "policy"):
        assert as_(world.bo).post(f"/services/checkout/{path}", given()).status_code == 403, path
    with transaction.atomic():
        Service.objects.filter(pk=world.service.pk).update(code_owner="config", code_file="services.yaml:3")
    page = text_of(as_(world.ana).get("/services/checkout"))
    assert "services.yaml:3" in page
    assert "/services/checkout/edit" not in page
    assert as_(world.ana).post("/services/checkout/edit", given()).status_code == 403


def test_another_policy(world: World, as_: As) -> None:
    with transaction.atomic():
        other = EscalationPolicy.objects.create(name="night", team=world.team, created_at=clock.now())
    client = as_(world.bo)
    client.post("/services/checkout/policy", {"policy": "night"})
    assert ServicePolicy.objects.get(service=world.service).policy == other
    client.post("/services/checkout/policy", {"policy": ""})
    assert not ServicePolicy.objects.filter(service=world.service).exists()
    assert "the policy of Payments" in text_of(client.get("/services/checkout"))
    assert client.post("/services/checkout/policy", {"policy": "none"}).status_code == 404


def test_maintenance_now_and_its_end(world: World, as_: As) -> None:
    client = as_(world.bo)
    page = client.post("/services/checkout/maintenance", {"for": "30m"}, follow=True)
    window = Maintenance.objects.get()
    assert window.ends_at - window.starts_at == timedelta(minutes=30)
    assert "In maintenance" in text_of(page)
    clock.forward(timedelta(minutes=5))
    assert "what still fires pages now" in text_of(client.post(f"/maintenance/{window.pk}/end", follow=True))
    window.refresh_from_db()
    assert window.ends_at == clock.now()
    assert "In maintenance" not in text_of(client.get("/services/checkout"))
    assert as_(world.vi).post("/services/checkout/maintenance", {"for": "1h"}).status_code == 403
    assert client.post("/maintenance/99999999999999999999/end").status_code == 404


def test_maintenance_planned_in_my_zone(world: World, as_: As) -> None:
    client = as_(world.bo)
    assert "Europe/Prague" in text_of(client.get("/services/checkout/maintenance"))
    answer = client.post(
        "/services/checkout/maintenance",
        {"starts": "2026-01-10T22:00", "ends": "2026-01-10T23:30", "reason": "upgrade"},
    )
    assert answer["Location"] == "/services/checkout"
    window = Maintenance.objects.get()
    assert f"{window.starts_at:%d %H:%M}" == "10 21:00", "Prague is an hour ahead"
    assert "upgrade" in text_of(client.get("/services/checkout"))
    client.post(f"/maintenance/{window.pk}/end")
    assert "upgrade" not in text_of(client.get("/services/checkout"))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"starts": "soon", "ends": "2026-01-10T23:30"}, "Write a day and a time"),
        ({"starts": "2026-01-10T22:00", "ends": ""}, "This field is required"),
        ({"starts": "2026-01-10T22:00", "ends": "2026-01-10T21:00"}, "must lie after the start"),
        ({"starts": "2026-01-10T22:00", "ends": "2027-01-10T21:00"}, "at most 90 days"),
        ({"starts": "0001-01-01T00:00", "ends": "9999-12-31T23:59"}, "between 1971 and 2199"),
    ],
)
def test_maintenance_refused_with_a_sentence(world: World, as_: As, fields: dict[str, str], words: str) -> None:
    answer = as_(world.bo).post("/services/checkout/maintenance", fields)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Maintenance.objects.exists()


def test_an_hour_that_dst_removes_or_doubles_is_taken(world: World, as_: As) -> None:
    client = as_(world.bo)
    fields = {"starts": "2026-03-29T02:30", "ends": "2026-03-29T05:00"}
    assert client.post("/services/checkout/maintenance", fields).status_code == 302
    assert f"{Maintenance.objects.get().starts_at:%H:%M}" == "01:00", "it comes at the jump"


def test_let_a_service_go(world: World, as_: As) -> None:
    client = as_(world.bo)
    alert = world.alert()
    assert "resolve and move them first" in text_of(client.post("/services/checkout/delete", follow=True))
    resolve_alert(alert, BY)
    with transaction.atomic():
        Source.objects.all().delete()
    assert client.post("/services/checkout/delete")["Location"] == "/services"
    assert Alert.objects.get(pk=alert.pk).service is None


def test_links_as_lines() -> None:
    links = [
        {"title": "My board", "url": "https://a.example/x"},
        {"title": "https://b.example", "url": "https://b.example"},
    ]
    assert links_from("  My board   https://a.example/x\n\nhttps://b.example") == links
    assert links_from(links_text(links)) == links
