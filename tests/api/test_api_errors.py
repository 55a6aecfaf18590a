"""Who is let in, and what is answered to input that is wrong or hostile."""

from __future__ import annotations

import io
import json
import logging
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest
from django.db import OperationalError, transaction
from django.test import Client

from api_world import BY, Api, World, problem
from midwatch.api.problems import CODES
from midwatch.core import clock, logs
from midwatch.people import actions as people
from midwatch.respond.alerts.models import Alert

pytestmark = pytest.mark.postgresql  # runs again there

DOCS = Path(__file__).resolve().parents[2] / "docs" / "reference" / "api.md"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Basic YTpi",
        "GenieKey x",
        "wrong",
        "Bearer " + "x" * 10_000,
        "Bearer t\u00f6ken",
    ],
)
def test_without_a_token_that_is_right(nobody: Api, header: str | None) -> None:
    if header is not None:
        nobody.headers["Authorization"] = header
    answer = nobody.get("/alerts")
    problem(answer, 401, "unauthorized")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_tokens_end(world: World, bo: Api) -> None:
    assert bo.get("/users/me").status_code == 200
    clock.forward(timedelta(days=2))
    problem(bo.get("/users/me"), 401, "unauthorized")
    fresh = Api(world.bo)
    assert fresh.get("/users/me").status_code == 200
    people.revoke_token(world.bo.api_tokens.order_by("-pk")[0], BY)
    problem(fresh.get("/users/me"), 401, "unauthorized")


def test_who_is_switched_off_is_out(world: World) -> None:
    cy = Api(world.cy)
    people.deactivate_user(world.cy, BY)
    problem(cy.get("/users/me"), 401, "unauthorized")


def test_a_browser_s_session_needs_the_page_s_csrf_token(world: World) -> None:
    alert = world.alert()
    client = Client(enforce_csrf_checks=True)
    with transaction.atomic():
        client.force_login(world.bo, backend="midwatch.people.passwords.Backend")
    assert client.get("/api/v1/users/me").json()["name"] == "bo"
    path = f"/api/v1/alerts/{alert.number}/acknowledge"
    problem(client.post(path, content_type="application/json"), 403, "csrf")
    client.cookies["csrftoken"] = "a" * 32
    answer = client.post(path, content_type="application/json", headers={"X-CSRFToken": "a" * 32})
    assert answer.status_code == 200, answer.content


def test_a_bearer_token_needs_no_csrf_token_even_beside_a_session(world: World) -> None:
    bo = Api(world.bo)
    bo.client = Client(enforce_csrf_checks=True)
    bo.client.force_login(world.ana, backend="midwatch.people.passwords.Backend")
    assert bo.post("/maintenance", {"service": "checkout", "ends_at": "2026-01-14T14:00Z"}).status_code == 201
    assert bo.get("/users/me").json()["name"] == "bo"


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"",
        b"NaN",
        b'{"title": NaN, "team": "payments"}',
        b'{"title": Infinity, "team": "payments"}',
        b'{"title": 1e999, "team": "payments"}',
        b'{"title": ' + b"9" * 6000 + b"}",
        b'{"title": "\xff\xfe", "team": "payments"}',
        b'{"title": "\\ud800", "team": "payments"}',
        b"[" * 50_000,
        b'{"a":' * 20_000,
        b'{"title": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'["title"]',
        b'"title"',
        b"null",
        b"title=x&team=payments",
        b"\x00",
    ],
)
def test_bodies_that_are_no_json(bo: Api, raw: bytes) -> None:
    answer = bo.post("/alerts", raw=raw)
    assert answer.status_code in {400, 422}, answer.content
    problem(answer, answer.status_code, "malformed" if answer.status_code == 400 else "invalid")
    assert Alert.objects.count() == 0


@pytest.mark.parametrize(
    "body",
    [
        {"title": "a\0b", "team": "payments"},
        {"title": "x", "team": "pay\0ments"},
        {"title": "x", "team": ["payments"]},
        {"title": {"a": 1}, "team": "payments"},
        {"title": "x", "team": 10**25},
        {"title": "x", "team": -(10**25)},
        {"title": "x", "team": "payments", "priority": True},
        {"title": None, "team": "payments"},
        {"title": "x", "team": "x" * 5000},
        {"\0": 1},
    ],
)
def test_values_that_cannot_be(bo: Api, body: object) -> None:
    found = problem(bo.post("/alerts", body), 422, "invalid")
    assert found["errors"]


def test_hostile_text_is_stored_safely(world: World, bo: Api) -> None:
    text = '<script>alert(1)</script>\u202e" onload=x \x07\ufffe'
    answer = bo.post("/alerts", {"title": text, "team": "payments", "description": text})
    assert answer.status_code == 201
    assert "\x07" not in answer.json()["title"]
    assert "\u202e" not in answer.json()["title"]
    assert answer["Content-Type"].startswith("application/json")


def test_too_large(bo: Api) -> None:
    raw = b'{"title": "' + b"x" * (1024 * 1024) + b'", "team": "payments"}'
    assert "1024 KiB" in problem(bo.post("/alerts", raw=raw), 413, "too_large")["detail"]
    raw = b'{"title": "' + b"x" * (3 * 1024 * 1024) + b'"}'
    problem(bo.post("/alerts", raw=raw), 413, "too_large")


def test_a_body_in_chunks(bo: Api) -> None:
    headers = {**bo.headers, "Transfer-Encoding": "chunked"}
    answer = bo.client.generic("POST", "/api/v1/alerts", b"", content_type="application/json", headers=headers)
    problem(answer, 411, "length_required")


@pytest.mark.parametrize("path", ["", "/", "/nothing", "/alerts/x", "/alerts/-1", "/alerts/1/", "/alerts/1/explode"])
def test_addresses_that_are_not_there(bo: Api, path: str) -> None:
    problem(bo.get(path), 404, "not_found")
    problem(bo.client.post(f"/api/v1{path}", headers=bo.headers), 404, "not_found")


def test_methods_that_are_not_taken(bo: Api) -> None:
    for method in ("put", "patch", "delete"):
        answer = getattr(bo.client, method)("/api/v1/alerts", headers=bo.headers)
        problem(answer, 405, "method_not_allowed")
        assert "GET" in answer["Allow"]
    problem(bo.get("/alerts/1/acknowledge"), 405, "method_not_allowed")


def test_names_with_a_nul(bo: Api) -> None:
    for path in ("/teams/a%00b", "/users/%00", "/schedules/%00/shifts", "/policies/%00/dry-run"):
        problem(bo.client.get(f"/api/v1{path}", headers=bo.headers), 404, "not_found")


def test_a_database_that_does_not_answer(bo: Api) -> None:
    with mock.patch("midwatch.api.endpoints.alerts.numbers", side_effect=OperationalError("database is locked")):
        answer = bo.get("/alerts")
    problem(answer, 503, "unavailable")
    assert int(answer["Retry-After"]) > 0


def test_a_database_that_does_not_answer_who_it_is(bo: Api) -> None:
    with mock.patch("midwatch.api.authentication.authenticate_token", side_effect=OperationalError("gone")):
        problem(bo.get("/alerts"), 503, "unavailable")


def test_a_fault_of_ours_says_where_to_look_and_no_more(bo: Api, caplog: pytest.LogCaptureFixture) -> None:
    with mock.patch("midwatch.api.endpoints.alerts.numbers", side_effect=KeyError("secret inside")):
        found = problem(bo.get("/alerts"), 500, "internal")
    assert "secret" not in json.dumps(found)
    mark = found["detail"].split()[-1]
    (record,) = [record for record in caplog.records if record.name == "midwatch.api"]
    assert mark in record.getMessage()
    assert "v1/alerts" in record.getMessage()


def test_nothing_is_kept_by_caches(world: World, bo: Api) -> None:
    for answer in (bo.get("/users/me"), bo.get("/nothing"), bo.post("/alerts", {"title": "x", "team": "payments"})):
        assert answer["Cache-Control"] == "no-store"


def test_no_token_reaches_the_log(world: World, bo: Api, nobody: Api) -> None:
    stream = io.StringIO()
    logs.configure("debug", stream)
    nobody.headers["Authorization"] = "Bearer mw_thisIsAVerySecretTokenOfSomebody"
    nobody.client.get("/api/v1/alerts?token=mw_thisIsAVerySecretTokenOfSomebody", headers=nobody.headers)
    bo.client.get("/in/0123456789abcdef0123456789abcdef")
    root = logging.getLogger()
    root.handlers = [one for one in root.handlers if not isinstance(one.formatter, logs.OneLine)]
    assert "SecretToken" not in stream.getvalue()
    assert "0123456789abcdef" not in stream.getvalue()


def test_every_code_is_documented() -> None:
    text = DOCS.read_text("utf-8")
    missing = [code for code in CODES if f"`{code}`" not in text]
    assert not missing
