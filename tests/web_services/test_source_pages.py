from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from api_world import KEY, World, asked
from midwatch.core import clock, integration
from midwatch.core.models import AuditEntry
from midwatch.intake import log
from midwatch.intake.records import Row, microseconds
from midwatch.intake.sqlite_log import SqliteStore
from midwatch.people.models import Team, User
from midwatch.respond.alerts.actions.problems import report_problem
from midwatch.respond.alerts.models import Alert, Source
from midwatch.respond.alerts.snippets import MASK, snippets
from midwatch.respond.notify.models import Delivery

As = Callable[[User], Client]
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def given(**more: Any) -> dict[str, Any]:
    words = {"P1": "page, sev0", "P2": "", "P3": "", "P4": "ticket", "P5": ""}
    return {"name": "shop-grafana", "type": "grafana", "service": "checkout", "expect_every": "5m", **words, **more}


@pytest.fixture
def events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """An event log of its own that the page reads; the function writes into it."""
    store = SqliteStore(tmp_path / "events.sqlite3", tmp_path / "midwatch.sqlite3")
    store.open()
    reader = log.SqliteLog(tmp_path / "events.sqlite3")
    monkeypatch.setattr("midwatch.intake.panels.event_log", lambda: reader)

    def write(source: Source, body: bytes, kind: str = "event", minted: str = "", at: datetime | None = None) -> None:
        row: Row = (f"tok-{kind}", source.pk, kind, microseconds(at or clock.now()), "application/json", minted, body)
        store.write([row])

    yield write
    reader.close()
    store.close()


def test_the_list_says_when_each_was_heard(world: World, as_: As) -> None:
    with transaction.atomic():
        Source.objects.create(name="quiet", type="generic", key="q" * 32, service=world.service, created_at=clock.now())
        Source.objects.filter(pk=world.source.pk).update(last_event_at=clock.now() - timedelta(minutes=3))
        report_problem(world.source, "parser", "alerts: expected a list")
    text = text_of(as_(world.vi).get("/sources"))
    assert "3 min ago" in text
    assert "Never heard" in text
    assert "1 problem today" in text
    assert KEY not in text


def test_silence_is_said(world: World, as_: As) -> None:
    with transaction.atomic():
        Source.objects.filter(pk=world.source.pk).update(
            expect_every_seconds=300, expected_at=clock.now() + timedelta(minutes=5), last_event_at=clock.now()
        )
    client = as_(world.bo)
    assert "Silent" not in text_of(client.get("/sources/prometheus"))
    clock.forward(timedelta(minutes=6))
    assert "Silent" in text_of(client.get("/sources/prometheus"))
    assert "Silent" in text_of(client.get("/sources"))


def test_as_many_queries_for_thirty_sources_as_for_one(world: World, as_: As) -> None:
    client = as_(world.bo)
    with CaptureQueriesContext(connection) as few:
        client.get("/sources")
    with transaction.atomic():
        for number in range(30):
            Source.objects.create(
                name=f"s{number}", type="generic", key=f"{number:032}", service=world.service, created_at=clock.now()
            )
    with CaptureQueriesContext(connection) as many:
        assert len(client.get("/sources").context["rows"]) == 31
    assert asked(many) == asked(few)


def test_only_who_may_edit_sees_the_key(world: World, as_: As, events: Callable[..., None]) -> None:
    events(world.source, b'{"secret": "routing"}')
    with transaction.atomic():
        stranger_team = Team.objects.create(name="other", display_name="Other", created_at=clock.now())
    for user in (world.ana, world.bo, world.cy):
        page = as_(user).get("/sources/prometheus").content.decode()
        assert f"http://midwatch.example/in/{KEY}" in page, user
        assert "routing" in page
    with transaction.atomic():
        type(world.service).objects.filter(pk=world.service.pk).update(team=stranger_team)
    for user in (world.bo, world.vi):
        client = as_(user)
        for path in ("/sources/prometheus", "/sources/prometheus?part=events", "/sources", "/services/checkout"):
            for headers in ({}, PARTIAL):
                page = client.get(path, headers=headers).content.decode()
                assert KEY not in page, (user, path)
                assert "routing" not in page, (user, path)
        assert "/in/KEY" in client.get("/sources/prometheus").content.decode()
    assert as_(world.vi).get("/sources/none").status_code == 404


@pytest.mark.parametrize("source_type", sorted(integration.sources()))
def test_every_vendor_has_something_to_paste(source_type: str) -> None:
    found = snippets(source_type, "https://pager.acme.test", KEY)
    assert found
    text = "\n".join(one.text for one in found)
    assert KEY in text
    assert "pager.acme.test" in text
    assert "midwatch.example.com" not in text
    assert any("curl" in one.text for one in found), "to try it from the machine that sends"
    assert "KEY" not in text.replace(KEY, "")
    masked = "\n".join(one.text for one in snippets(source_type, "https://pager.acme.test", MASK))
    assert KEY not in masked


def test_the_files_are_named() -> None:
    assert [one.title for one in snippets("alertmanager", "https://a.test", KEY)] == ["alertmanager.yml", "curl"]
    assert [one.title for one in snippets("grafana", "https://a.test", KEY)] == ["contact-points.yaml", "curl"]
    assert snippets("no-such-vendor", "https://a.test", KEY) == []


def test_the_live_tick(world: World, as_: As) -> None:
    client = as_(world.bo)
    first = client.get("/sources/prometheus", headers=PARTIAL)
    assert "Nothing received yet." in text_of(first)
    with transaction.atomic():
        Source.objects.filter(pk=world.source.pk).update(last_event_at=clock.now())
    second = client.get("/sources/prometheus", headers={**PARTIAL, "HX-PTag": first["HX-PTag"]})
    assert second.status_code == 200
    assert "Received" in text_of(second)


def test_raw_events_are_shown_escaped_bounded_and_indented(world: World, as_: As, events: Callable[..., None]) -> None:
    events(world.source, json.dumps({"title": "<script>alert(1)</script>", "n": {"deep": [1, 2]}}).encode())
    events(world.source, b'{"a": "' + b"x" * 50_000 + b'"}')
    events(
        world.source,
        b"not json \x00\xff \xe2\x80\xae",
        "refused",
        json.dumps({"status": 400, "reason": "the body is not JSON"}),
    )
    events(world.source, b"", "ping", json.dumps({"ping": "success"}))
    answer = as_(world.bo).get("/sources/prometheus?part=events", headers=PARTIAL)
    page = answer.content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    assert "&quot;deep&quot;: [\n" in page, "indented"
    assert "400 the body is not JSON" in page
    assert "Only the beginning is shown." in page
    assert "An empty body." in page
    assert "\x00" not in page
    assert "\u202e" not in page
    assert len(page) < 20_000
    assert client_polls_to_304(as_(world.bo), answer)


def client_polls_to_304(client: Client, answer: Any) -> bool:
    headers = {**PARTIAL, "HX-PTag": answer["HX-PTag"]}
    return client.get("/sources/prometheus?part=events", headers=headers).status_code == 304


def test_many_events_are_bounded(world: World, as_: As, events: Callable[..., None]) -> None:
    for number in range(30):
        events(world.source, json.dumps({"n": number}).encode())
    page = as_(world.bo).get("/sources/prometheus").content.decode()
    assert page.count('class="raw"') == 10
    assert "&quot;n&quot;: 29" in page


def test_problems_stand_on_the_page(world: World, as_: As) -> None:
    with transaction.atomic():
        report_problem(world.source, "parser", "alerts.0: <b>labels</b> expected an object", token="tok-1")
    text = text_of(as_(world.vi).get("/sources/prometheus"))
    assert "alerts.0: &lt;b&gt;labels&lt;/b&gt; expected an object" in text
    assert "tok-1" in text


def test_a_test_alert_pages_nobody(world: World, as_: As) -> None:
    page = as_(world.cy).post("/sources/prometheus/test", follow=True)
    alert = Alert.objects.get()
    assert (alert.is_test, alert.number) == (True, None)
    assert not Delivery.objects.exists()
    assert "TEST of prometheus" in text_of(page)
    assert as_(world.vi).post("/sources/prometheus/test").status_code == 403
    assert as_(world.cy).get("/sources/prometheus/test").status_code == 405


def test_rotate_and_end_the_rotation(world: World, as_: As) -> None:
    client = as_(world.bo)
    page = text_of(client.post("/sources/prometheus/rotate", follow=True))
    world.source.refresh_from_db()
    assert world.source.previous_key == KEY
    assert world.source.key != KEY
    assert world.source.key in page
    assert "The old key is accepted too" in page
    client.post("/sources/prometheus/end-rotation")
    world.source.refresh_from_db()
    assert world.source.previous_key is None
    assert AuditEntry.objects.filter(verb="set keys", object_kind="source").count() == 2
    assert as_(world.vi).post("/sources/prometheus/rotate").status_code == 403


def test_connect_a_source_without_javascript(world: World, as_: As) -> None:
    client = as_(world.bo)
    assert 'value="checkout" selected' in client.get("/new-source?service=checkout").content.decode()
    assert client.post("/new-source", given())["Location"] == "/sources/shop-grafana"
    source = Source.objects.get(name="shop-grafana")
    assert len(source.key) == 32
    assert source.priorities == {"page": "P1", "sev0": "P1", "ticket": "P4"}
    assert source.expect_every_seconds == 300
    page = client.get("/sources/shop-grafana/edit").content.decode()
    assert 'value="page, sev0"' in page
    assert 'value="5m"' in page
    changed = given(expect_every="", group_by="cluster, job", service_label="service", is_active="on")
    assert client.post("/sources/shop-grafana/edit", changed)["Location"] == "/sources/shop-grafana"
    source.refresh_from_db()
    assert (source.expect_every_seconds, source.group_by, source.service_label) == (None, ["cluster", "job"], "service")
    assert source.is_active
    client.post("/sources/shop-grafana/edit", given())
    source.refresh_from_db()
    assert not source.is_active, "the box was not ticked"
    assert "Turned off" in text_of(client.get("/sources/shop-grafana"))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"name": "Not A Name"}, "lower-case letters"),
        ({"name": "prometheus"}, "there is a source called prometheus already"),
        ({"type": "carrier-pigeon"}, "Select a valid choice"),
        ({"service": "none"}, "Select a valid choice"),
        ({"expect_every": "often"}, "write 90s"),
        ({"P2": "PAGE"}, "stands at P1 too"),
    ],
)
def test_errors_say_what_to_write(world: World, as_: As, more: Any, words: str) -> None:
    answer = as_(world.bo).post("/new-source", given(**more))
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert Source.objects.count() == 1


def test_who_may_edit(world: World, as_: As) -> None:
    assert as_(world.ana).get("/sources/prometheus/edit").status_code == 200
    assert as_(world.vi).get("/sources/prometheus/edit").status_code == 403
    assert as_(world.vi).get("/new-source").status_code == 403
    with transaction.atomic():
        Source.objects.filter(pk=world.source.pk).update(code_owner="config", code_file="sources.yaml:9")
    client = as_(world.ana)
    page = text_of(client.get("/sources/prometheus"))
    assert "sources.yaml:9" in page
    assert KEY in page, "from code, and still to be pasted"
    for path in ("edit", "rotate", "end-rotation", "delete"):
        assert client.post(f"/sources/prometheus/{path}", given()).status_code == 403, path


def test_a_member_of_another_team_may_not_edit(world: World, as_: As) -> None:
    with transaction.atomic():
        other = Team.objects.create(name="other", display_name="Other", created_at=clock.now())
        type(world.service).objects.filter(pk=world.service.pk).update(team=other)
    for path in ("edit", "rotate", "end-rotation", "delete"):
        assert as_(world.bo).post(f"/sources/prometheus/{path}", given()).status_code == 403, path


def test_delete_only_without_open_alerts(world: World, as_: As) -> None:
    client = as_(world.bo)
    with transaction.atomic():
        alert = Alert.objects.create(
            number=1, source=world.source, dedup_key="k", title="x", created_at=clock.now(), last_seen_at=clock.now()
        )
    assert "has open alerts" in text_of(client.post("/sources/prometheus/delete", follow=True))
    with transaction.atomic():
        Alert.objects.filter(pk=alert.pk).update(status="resolved")
    assert client.post("/sources/prometheus/delete")["Location"] == "/sources"
    assert Alert.objects.get(pk=alert.pk).source is None
