"""Against an HTTP server on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from executor_world import SECRET, Does
from fakes.server import FakeServer, Recorded, Reply, json_reply
from midwatch.core.integration import RunnerConfig, Task, runners
from midwatch.integrations.http import filling

HOSTILE = '", "admin": true, "x": "\r\nHost: evil\\ é </a>&${OPTION_B} ../../ ?a=b#c'


class Echo(FakeServer):
    def respond(self, request: Recorded) -> Reply:
        match request.path:
            case "/moved":
                return Reply(302, b"", {"Location": "/here"})
            case "/away":
                return Reply(302, b"", {"Location": "http://169.254.169.254/latest"})
            case "/slow":
                return Reply(200, b"late", {}, after_seconds=20)
            case "/no":
                return json_reply(409, {"error": request.headers.get("authorization", "")})
        return json_reply(
            200, {"job": {"id": 7, "tags": ["a", "b c"]}, "said": request.body.decode()}, Location="/jobs/7"
        )


@pytest.fixture
def server() -> Iterator[Echo]:
    with Echo() as running:
        yield running


def test_a_request_as_people_write_it(does: Does, server: Echo) -> None:
    body = f"""POST {server.url}/pools/${{OPTION_POOL}}?q=${{option.pool}}
Authorization: Bearer ${{TOKEN}}
Content-Type: application/json

{{"reason": "${{OPTION_REASON}}", "n": ${{OPTION_N}}}}
"""
    outcome, heard = does(
        "http",
        body,
        language="http",
        variables={"OPTION_POOL": "a/../b?c#d", "OPTION_REASON": HOSTILE, "OPTION_N": "-3"},
        secrets={"TOKEN": SECRET.replace(" ", "-")},
        settings={
            "captures": {"JOB": "$.job.id", "TAG": "$.job['tags'][1]", "AT": "header:Location", "CODE": "status"}
        },
    )
    assert (outcome.state, outcome.exit_code, outcome.sentence) == ("ok", 200, "the answer was 200")
    assert outcome.values == {"JOB": "7", "TAG": "b c", "AT": "/jobs/7", "CODE": "200"}
    (request,) = server.requests
    assert (request.method, request.path, request.query) == (
        "POST",
        "/pools/a%2F..%2Fb%3Fc%23d",
        "q=a%2F..%2Fb%3Fc%23d",
    )
    assert request.json == {"reason": HOSTILE, "n": -3}
    assert request.headers["authorization"] == f"Bearer {SECRET.replace(' ', '-')}"
    assert "POST: 200" in heard.text("midwatch")


def test_attributes_and_expectations(does: Does, server: Echo) -> None:
    settings = {"url": f"{server.url}/x", "method": "put", "headers": {"X-A": "${OPTION_A}"}}
    outcome, _ = does("http", '{"a": 1}', language="json", settings=settings, variables={"OPTION_A": "v"})
    assert outcome.state == "ok"
    assert (server.requests[-1].headers["x-a"], server.requests[-1].headers["content-type"]) == (
        "v",
        "application/json",
    )
    outcome, _ = does("http", settings={"url": f"{server.url}/no"}, secrets={"TOKEN": SECRET})
    assert (outcome.state, outcome.sentence) == ("failed", "the answer was 409, expected 2xx")
    assert does("http", settings={"url": f"{server.url}/no", "expect": [200, 409]})[0].state == "ok"
    assert does("http", settings={"url": f"{server.url}/no", "expect": "4xx"})[0].state == "ok"
    outcome, _ = does("http", settings={"url": server.url, "captures": {"A": "$.not.there"}})
    assert (outcome.state, outcome.sentence) == ("failed", "the answer was 200, but it has no A")


def test_what_an_answer_says_back_is_masked(does: Does, server: Echo) -> None:
    settings = {"url": f"{server.url}/no", "headers": {"Authorization": "Bearer ${TOKEN}"}}
    _, heard = does("http", settings=settings, secrets={"TOKEN": "tok-en-1234"})
    assert "Bearer ••••••" in heard.text("stdout")


def test_redirects_only_as_said(does: Does, server: Echo) -> None:
    outcome, _ = does("http", settings={"url": f"{server.url}/moved"})
    assert outcome.sentence == "the answer was 302, expected 2xx"
    assert does("http", settings={"url": f"{server.url}/moved", "redirects": 1})[0].state == "ok"
    outcome, _ = does("http", settings={"url": f"{server.url}/away", "redirects": "1"})
    assert outcome.state == "failed"
    assert "MIDWATCH_OUTBOUND_ALLOW" in outcome.sentence


def test_where_it_may_go(does: Does, server: Echo) -> None:
    outcome, _ = does("http", settings={"url": server.url}, is_trusted=False)
    assert outcome.state == "failed"
    assert "MIDWATCH_OUTBOUND_ALLOW" in outcome.sentence
    # A host that was filled in is typed by somebody, also in a trusted runbook.
    host = server.url.removeprefix("http://")
    for url, given in (("http://${OPTION_A}/x", host), ("${OPTION_A}/x", server.url)):
        outcome, _ = does("http", settings={"url": url}, variables={"OPTION_A": given})
        assert "MIDWATCH_OUTBOUND_ALLOW" in outcome.sentence
    assert not server.requests


def test_nobody_there_failed_and_no_answer_unknown(does: Does, server: Echo) -> None:
    outcome, _ = does("http", settings={"url": "http://127.0.0.1:1/", "method": "POST"})
    assert (outcome.state, outcome.sentence) == ("failed", "127.0.0.1:1: connection refused, nothing listens there")
    slow = {"url": f"{server.url}/slow", "answer_seconds": 1}
    outcome, _ = does("http", "x", language="text", settings={**slow, "method": "POST"})
    assert outcome.state == "unknown"
    assert "may have done it" in outcome.sentence
    assert does("http", settings=slow)[0].state == "failed"
    outcome, _ = does("http", "x", language="text", settings={"url": f"{server.url}/slow"}, seconds=0.5)
    assert (outcome.state, outcome.sentence.split(" before")[0]) == ("unknown", "the time-out passed")


def test_a_cancel_does_not_wait(does: Does, server: Echo) -> None:
    class Cancelled:
        def write(self, text: str, *, stream: str = "stdout", target: str = "") -> None:
            pass

        def is_cancelled(self) -> bool:
            return bool(server.requests)

    task = Task("1/a/1", "text", "x", settings={"url": f"{server.url}/slow"}, is_trusted=True)
    outcome = runners()["http"].run(task, Cancelled(), RunnerConfig())
    assert (outcome.state, outcome.sentence.split(" before")[0]) == ("unknown", "cancelled")


def test_a_dry_run_sends_nothing(does: Does, server: Echo) -> None:
    settings = {"url": f"{server.url}/x/${{OPTION_A}}", "method": "DELETE"}
    outcome, heard = does("http", settings=settings, variables={"OPTION_A": "a b"}, is_dry_run=True)
    assert (outcome.state, outcome.coverage) == ("ok", (0, 1))
    assert heard.text("stdout") == f"DELETE {server.url}/x/a%20b\n"
    assert not server.requests


@pytest.mark.parametrize(
    ("text", "value", "problem"),
    [
        ("GET https://${OPTION_A}/", "a@b", "a host's name"),
        ("GET https://${OPTION_A}/", "a/b", "a host's name"),
        ("GET ${OPTION_A}", "file:///etc/passwd", "must begin with"),
        ("GET https://a/\nX: ${OPTION_A}", "a\r\nb: c", "one line"),
        ("GET https://a/${OPTION_NO}", "x", "no such variable"),
        ('POST https://a/\nContent-Type: application/json\n\n{"a": ${OPTION_A}}', '1, "b": 2', "only a number"),
        ("POST https://a/\nContent-Type: application/json\n\n{a: 1}", "x", "no JSON"),
        ("TRACE https://a/", "x", "method"),
        ("just words here", "x", "first line"),
    ],
)
def test_what_cannot_be_carried_is_refused_before(text: str, value: str, problem: str) -> None:
    found = runners()["http"].problems(Task("1/a/1", "http", text, {"OPTION_A": value}))
    assert any(problem in one for one in found), found


def test_values_stay_values_wherever_they_stand() -> None:
    names = {"OPTION_A": HOSTILE, "OPTION_B": "never"}
    assert json.loads(filling.body('{"a": "x${OPTION_A}y"}', "application/json", names)) == {"a": f"x{HOSTILE}y"}
    form = filling.body("a=${OPTION_A}&b=1", "application/x-www-form-urlencoded", names)
    assert form.count("&") == 1
    assert "<" not in filling.body("<a>${OPTION_A}</a>", "text/xml", names)[3:-4]
    assert filling.url("https://h/${OPTION_A}", names)[0].count("/") == 3
