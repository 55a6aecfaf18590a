"""What visitors see: without cookies, scripts or a log-in; the same bytes for all of them, made once."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from django.test import Client
from status_shop import BY, HOSTILE, NOON, Shop, settle

from midwatch.core import clock
from midwatch.people.models import User
from midwatch.respond.availability.actions import open_outage
from midwatch.respond.statuspage import actions
from midwatch.respond.statuspage.actions import ComponentFields, NewNotice, NewUpdate, PageFields, Schedule
from midwatch.respond.statuspage.exporting import export_page

HOUR = timedelta(hours=1)


def test_an_empty_page_says_that_all_is_well_and_history_starts_today(shop: Shop) -> None:
    answer = shop.get()
    text = answer.content.decode()
    assert "All Systems Operational" in text
    assert "No incidents." in text
    assert "Nothing was recorded before 14 January 2026." in text, "days before the page began are no good days"
    assert not answer.cookies
    assert "Cookie" not in answer.headers.get("Vary", "")
    assert "<script" not in text
    assert " style=" not in text
    assert 'http-equiv="refresh"' not in text, "a page moves by itself only when its reader asked for it"
    assert 'http-equiv="refresh" content="60"' in shop.get("?renew=1").content.decode()
    assert answer["Cache-Control"].startswith("public")


def test_an_incident_goes_from_investigating_to_resolved(shop: Shop) -> None:
    notice = actions.open_notice(
        shop.page,
        NewNotice("Payments fail", "Some cards are *declined*.", components={shop.checkout: "major_outage"}),
        BY,
    )
    text = shop.get().content.decode()
    assert "Major Service Outage" in text
    assert "<em>declined</em>" in text
    clock.forward(HOUR)
    actions.post_update(notice, NewUpdate("monitoring"), BY)
    clock.forward(HOUR)
    actions.post_update(notice, NewUpdate("resolved"), BY)
    text = shop.get().content.decode()
    assert "All Systems Operational" in text
    assert "2 h major outage" in text, "the bar of today says what it was"
    assert "Payments fail" in text, "it stands in the history"
    shop.checkout.refresh_from_db()
    assert shop.checkout.status == "operational"


def test_bars_are_worked_out_from_outages_and_are_grey_before_the_component(shop: Shop) -> None:
    open_outage(
        shop.world.service, BY, level="partial", starts_at=NOON - 2 * HOUR, ends_at=NOON - HOUR, origin="incident/1"
    )
    text = shop.get().content.decode()
    assert text.count('class="bar-grey"') == 2
    assert "1 h partial outage" in text
    percent = re.search(r"([\d.]+) % uptime", text)
    assert percent is not None
    assert percent[1] == "97.69", "since midnight in Prague: 13 h, 1 h of them at 30 %"


def test_what_was_rendered_is_kept_until_something_changes(shop: Shop, django_assert_num_queries: object) -> None:
    first = shop.get()
    with django_assert_num_queries(1):  # type: ignore[operator]
        second = shop.get()
    assert second.content == first.content
    assert shop.get(if_none_match=first["ETag"]).status_code == 304
    open_outage(shop.world.service, BY, level="major", starts_at=NOON - HOUR)
    settle()
    assert shop.get(if_none_match=first["ETag"]).status_code == 200, "an outage makes the page anew"


def test_a_component_that_follows_its_service_needs_nobody(shop: Shop) -> None:
    actions.change_component(
        shop.checkout, ComponentFields("Checkout", parent=shop.group, service=shop.world.service, is_automatic=True), BY
    )
    open_outage(shop.world.service, BY, level="degraded", starts_at=NOON - HOUR)
    settle()
    assert "Partially Degraded Service" in shop.get().content.decode()
    open_outage(shop.world.service, BY, level="major", is_private=True)
    settle()
    assert "Major" not in shop.get().content.decode(), "private outages are never told outside"


def test_hostile_words_do_nothing(shop: Shop) -> None:
    actions.add_component(shop.page, ComponentFields(HOSTILE, HOSTILE), BY)
    fields = PageFields(shop.world.team, HOSTILE, HOSTILE, time_zone="Europe/Prague")
    page = actions.change_page(shop.page, fields, BY)
    notice = actions.open_notice(page, NewNotice(HOSTILE, HOSTILE, components={shop.search: "partial_outage"}), BY)
    actions.post_update(notice, NewUpdate("resolved", HOSTILE), BY)
    actions.draft_postmortem(notice, HOSTILE, BY)
    actions.publish_postmortem(notice, BY)
    for path in (
        "",
        "/history",
        f"/incidents/{notice.wire_id}",
        "/subscribe",
        "/badge.svg",
        "/badge.svg?label=%3Cscript%3E",
    ):
        text = shop.get(path).content.decode()
        assert "<script" not in text, path
        assert "<img" not in text, path
        assert 'href="javascript' not in text, path
    for path in ("/history.atom", "/history.rss", "/badge.svg"):
        ET.fromstring(shop.get(path).content)
    body = shop.json("incidents")["incidents"][0]["incident_updates"][0]["body"]
    assert "<script" not in body


def test_a_maintenance_begins_and_ends_by_itself(shop: Shop) -> None:
    schedule = Schedule(NOON + 2 * HOUR, NOON + 4 * HOUR, reminds_before=True, stops_paging=True)
    new = NewNotice("Database upgrade", components={shop.checkout: None, shop.search: None}, schedule=schedule)
    actions.open_notice(shop.page, new, BY)
    assert "Planned maintenance" in shop.get().content.decode()
    assert [one["status"] for one in shop.json("scheduled-maintenances/upcoming")["scheduled_maintenances"]] == [
        "scheduled"
    ]
    clock.forward(2 * HOUR)
    settle()
    text = shop.get().content.decode()
    assert "Service Under Maintenance" in text
    assert shop.json("status")["status"]["indicator"] == "maintenance"
    clock.forward(2 * HOUR)
    settle()
    assert "All Systems Operational" in shop.get().content.decode()
    found = shop.json("scheduled-maintenances")["scheduled_maintenances"]
    assert [one["status"] for one in found[0]["incident_updates"]] == ["completed", "in_progress", "scheduled"]
    assert found[0]["resolved_at"] == "2026-01-14T17:00:00.000+01:00"


def test_private_pages(shop: Shop, client: Client) -> None:
    team = shop.world.team
    actions.change_page(shop.page, PageFields(team, "Shop", access="members"), BY)
    assert shop.get().status_code == 302
    assert shop.get("/api/v2/summary.json").status_code == 401
    client.force_login(User.objects.get(name="vi"))
    answer = client.get("/status/shop")
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "private, no-cache"
    page = actions.change_page(shop.page, PageFields(team, "Shop", access="token"), BY)
    assert shop.get().status_code == 404
    token = actions.new_access_link(page, BY)
    assert shop.get("?token=wrong").status_code == 404
    answer = shop.get(f"?token={token}")
    assert answer.status_code == 200
    assert f"history?token={token}" in answer.content.decode(), "its links go on with it"
    assert shop.get("/api/v2/summary.json", authorization=f"Bearer {token}").status_code == 200
    actions.new_access_link(page, BY)
    assert shop.get(f"?token={token}").status_code == 404, "the link before has ended"


def test_a_page_of_its_own_address_links_below_it(shop: Shop) -> None:
    fields = PageFields(shop.world.team, "Shop", url="https://status.example.com")
    actions.change_page(shop.page, fields, BY)
    text = shop.get(host="status.example.com").content.decode()
    assert 'href="/history"' in text
    assert 'href="/look.css?v=' in text
    assert "/status/shop/history" in shop.get().content.decode()
    assert shop.json("summary")["page"]["url"] == "https://status.example.com"


def test_months_of_history(shop: Shop) -> None:
    actions.open_notice(shop.page, NewNotice("An old thing", backfilled_at=NOON - timedelta(days=40)), BY)
    assert "An old thing" in shop.get("/history?month=2025-12").content.decode()
    assert shop.get("/history?month=2025-11").status_code == 404
    assert "month=2025-12" in shop.get("/history").content.decode()


@pytest.mark.parametrize("path", ["/nothing", "/api/v2/nothing.json", "/incidents/abc", "/history?month=2031-01"])
def test_what_is_not_there(shop: Shop, path: str) -> None:
    assert shop.get(path).status_code == 404


def test_a_large_page_costs_as_many_queries_as_a_small_one(shop: Shop, django_assert_max_num_queries: object) -> None:
    for number in range(30):
        one = actions.add_component(shop.page, ComponentFields(f"Part {number}"), BY)
        actions.open_notice(shop.page, NewNotice(f"Trouble {number}", components={one: "degraded_performance"}), BY)
    with django_assert_max_num_queries(16):  # type: ignore[operator]
        assert shop.get().status_code == 200


def test_a_page_as_files_for_a_host_that_survives_us(shop: Shop, tmp_path: Path) -> None:
    notice = actions.open_notice(shop.page, NewNotice("Cards fail", "x", components={shop.search: "major_outage"}), BY)
    written = export_page(shop.page, tmp_path)
    text = (tmp_path / "index.html").read_text("utf-8")
    for link in re.findall(r'(?:href|src)="([^"]+)"', text):
        assert link.startswith("./"), link
        assert (tmp_path / link.partition("?")[0]).exists(), link
    below = (tmp_path / "incidents" / f"{notice.wire_id}.html").read_text("utf-8")
    assert 'href="../look.css' in below
    assert "<form" not in text
    assert "http-equiv" not in text
    assert (
        json.loads((tmp_path / "api/v2/incidents/unresolved.json").read_bytes())["incidents"][0]["name"] == "Cards fail"
    )
    assert len(written) == 15
    (tmp_path / "mine.txt").write_text("kept")
    actions.delete_notice(notice, BY)
    export_page(shop.page, tmp_path)
    assert not (tmp_path / "incidents" / f"{notice.wire_id}.html").exists()
    assert (tmp_path / "mine.txt").exists()
