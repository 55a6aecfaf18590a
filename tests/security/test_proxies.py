"""Whose words about the client are believed, and by which names we answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from midwatch.settings import settings
from midwatch.web import middleware

FORWARDED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}


@pytest.fixture
def behind_proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MIDWATCH_TRUSTED_PROXIES", "10.0.0.0/8")
    settings.cache_clear()
    middleware._trusted_networks.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()
    middleware._trusted_networks.cache_clear()


def tries(client: Client, times: int, **extra: str) -> list[int]:
    """Wrong passwords, each said to come from somewhere else."""
    return [
        client.post(
            "/login",
            {"username": "ana", "password": "guess"},
            headers={"X-Forwarded-For": f"203.0.113.{number}"},
            **extra,  # type: ignore[arg-type]
        ).status_code
        for number in range(times)
    ]


@pytest.mark.django_db
def test_a_guesser_changes_no_address_by_writing_another() -> None:
    assert tries(Client(), 7)[-1] == 429


@pytest.mark.django_db
def test_behind_our_proxy_each_client_is_its_own(behind_proxy: None) -> None:
    assert tries(Client(), 7, REMOTE_ADDR="10.0.0.1") == [422] * 7
    chain = {"X-Forwarded-For": "198.51.100.1, 203.0.113.77, 10.0.0.3"}
    client = Client()
    given = {"username": "ana", "password": "guess"}
    last = [client.post("/login", given, headers=chain, REMOTE_ADDR="10.0.0.1").status_code for _ in range(7)][-1]
    assert last == 429, "the nearest address that is no proxy of ours counts, not what the client wrote before it"


@pytest.mark.django_db
def test_foreign_names_are_refused_and_forwarded_ones_not_believed(behind_proxy: None) -> None:
    client = Client()
    assert client.get("/login", headers={"Host": "evil.example"}).status_code == 400
    answer = client.get("/login", headers=FORWARDED)
    assert answer.status_code == 200
    assert "Strict-Transport-Security" not in answer.headers
    assert client.get("/login", headers=FORWARDED, REMOTE_ADDR="10.0.0.1").status_code == 400
    named = FORWARDED | {"X-Forwarded-Host": "midwatch.example"}
    answer = client.get("/login", headers=named, REMOTE_ADDR="10.0.0.1")
    assert answer.status_code == 200
    assert "Strict-Transport-Security" in answer.headers


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["a b", "evil.example:80:90", "[::1", "x" * 300, "midwatch.example\t", "<script>"])
def test_odd_host_headers_are_a_400(host: str) -> None:
    answer = Client().get("/login", headers={"Host": host})
    assert answer.status_code == 400
    assert b"<script>" not in answer.content


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/p/unknown", "/ical/unknown.ics"])
def test_what_phones_and_probes_open_answers_any_name(path: str) -> None:
    assert Client().get(path, headers={"Host": "10-0-0-7.pods.example"}).status_code in {200, 404, 503}
