"""Against a Rundeck that keeps to the API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from executor_world import SECRET, Does, Heard
from fakes.rundeck import JOB, TOKEN, Rundeck
from fakes.server import Reply
from midwatch.core.integration import Outcome
from midwatch.integrations.rundeck import runner


@pytest.fixture
def rundeck(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rundeck]:
    monkeypatch.setattr(runner, "POLL_SECONDS", 0.02)
    with Rundeck() as running:
        yield running


def job(does: Does, rundeck: Rundeck, **given: Any) -> tuple[Outcome, Heard]:
    settings = {"url": f"{rundeck.url}/", "job": JOB, **given.pop("settings", {})}
    secrets = {"RUNDECK_TOKEN": TOKEN, **given.pop("secrets", {})}
    return does("rundeck", language="text", settings=settings, secrets=secrets, **given)


def test_a_job_is_started_and_followed(does: Does, rundeck: Rundeck) -> None:
    rundeck.plan += [("node1", "NORMAL", f"line {n} {SECRET}") for n in range(1_200)]
    outcome, heard = job(
        does,
        rundeck,
        variables={"OPTION_V": '1"; rm -rf /'},
        secrets={"PASSWORD": SECRET},
        settings={
            "options": {"version": "${option.v}", "pw": "${PASSWORD}"},
            "captures": {"V": "version:"},
            "filter": "tags: web",
        },
    )
    assert (outcome.state, outcome.sentence, outcome.values) == ("ok", "Rundeck execution 100 succeeded", {"V": "7"})
    assert outcome.targets == {"node1": "ok", "node2": "ok"}
    assert heard.text("stderr", "node2") == "slow disk\n"
    assert heard.text("stdout", "node1").count("\n") == 1_201
    (start,) = [request for request in rundeck.requests if request.method == "POST"]
    assert start.json == {"options": {"version": '1"; rm -rf /', "pw": SECRET}, "filter": "tags: web"}


def test_a_job_by_its_name(does: Does, rundeck: Rundeck) -> None:
    assert job(does, rundeck, settings={"job": "web/deploy", "project": "ops"})[0].state == "ok"
    outcome, _ = job(does, rundeck, settings={"job": "web/none", "project": "ops"})
    assert (outcome.state, "0 jobs of the name" in outcome.sentence) == ("failed", True)


@pytest.mark.parametrize(("status", "state"), [("failed", "failed"), ("aborted", "failed"), ("timedout", "failed")])
def test_how_it_ended(does: Does, rundeck: Rundeck, status: str, state: str) -> None:
    rundeck.ends_at_once = status
    outcome, _ = job(does, rundeck)
    assert (outcome.state, outcome.targets) == (state, {"node1": "ok", "node2": "failed"})
    assert status in outcome.sentence


def test_refusals_are_failed_and_begun_is_unknown(does: Does, rundeck: Rundeck) -> None:
    outcome, _ = job(does, rundeck, secrets={"RUNDECK_TOKEN": "wrong-token-000"})
    assert (outcome.state, "may not do this" in outcome.sentence) == ("failed", True)
    outcome, _ = job(does, rundeck, settings={"job": JOB.replace("a1", "b2")})
    assert (outcome.state, "no such job" in outcome.sentence) == ("failed", True)
    rundeck.fail_next(409, body=b'{"error":true,"message":"Job execution limit"}')
    assert "runs already" in job(does, rundeck)[0].sentence
    rundeck.fail_next(500)
    assert job(does, rundeck)[0].state == "unknown"
    assert job(does, rundeck, settings={"url": "http://127.0.0.1:1"})[0].state == "failed"
    rundeck.answers_with(Reply(200, b"<html>log in</html>"))
    outcome, _ = job(does, rundeck)
    assert outcome.state != "ok"


def test_cancel_and_time_out_abort_it(does: Does, rundeck: Rundeck) -> None:
    rundeck.ends_at_once = None
    outcome, _ = job(does, rundeck, cancel_at="slow disk")
    assert (outcome.state, outcome.sentence) == ("failed", "cancelled; Rundeck execution 100: aborted")
    outcome, _ = job(does, rundeck, seconds=0.5)
    assert (outcome.state, outcome.sentence) == ("failed", "the time-out passed; Rundeck execution 101: aborted")
    assert rundeck.executions[101]["status"] == "aborted"


def test_an_abort_that_does_not_work_is_unknown(does: Does, rundeck: Rundeck, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "ABORT_SECONDS", 0.3)
    rundeck.ends_at_once, rundeck.aborts = None, False
    outcome, _ = job(does, rundeck, cancel_at="slow disk")
    assert (outcome.state, outcome.sentence) == ("unknown", "cancelled; Rundeck execution 100 is running there")


def test_a_rundeck_that_is_away_for_a_while(does: Does, rundeck: Rundeck, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = rundeck.respond
    answers = iter([False, True, True, False])

    def respond(request: Any) -> Reply:
        if request.path.endswith("/output") and next(answers, False):
            return Reply(503, b"<html>starting</html>")
        return plain(request)

    monkeypatch.setattr(rundeck, "respond", respond)
    assert job(does, rundeck)[0].state == "ok"
    monkeypatch.setattr(runner, "SILENCE_SECONDS_MAX", 0.2)
    monkeypatch.setattr(rundeck, "respond", lambda request: Reply(503) if "output" in request.path else plain(request))
    outcome, _ = job(does, rundeck)
    assert (outcome.state, "may go on there" in outcome.sentence) == ("unknown", True)


def test_a_dry_run_starts_nothing(does: Does, rundeck: Rundeck) -> None:
    outcome, _ = job(does, rundeck, is_dry_run=True)
    assert (outcome.state, outcome.coverage, rundeck.executions) == ("ok", (0, 1), {})


def test_where_it_may_go(does: Does, rundeck: Rundeck) -> None:
    outcome, _ = job(does, rundeck, is_trusted=False)
    assert "MIDWATCH_OUTBOUND_ALLOW" in outcome.sentence
    assert not rundeck.requests


def test_an_address_from_a_value_is_typed_by_somebody(does: Does, rundeck: Rundeck) -> None:
    given = {"settings": {"url": "${OPTION_URL}", "job": "web/${OPTION_NAME}", "project": "ops"}}
    variables = {"OPTION_URL": rundeck.url, "OPTION_NAME": "deploy"}
    outcome, _ = job(does, rundeck, variables=variables, **given)
    assert (outcome.state, "MIDWATCH_OUTBOUND_ALLOW" in outcome.sentence) == ("failed", True)
    given["settings"]["url"] = rundeck.url
    assert job(does, rundeck, variables=variables, **given)[0].state == "ok"
    outcome, _ = job(does, rundeck, settings={"job": "web/${OPTION_NO}", "project": "ops"})
    assert (outcome.state, "no such variable" in outcome.sentence) == ("failed", True)
