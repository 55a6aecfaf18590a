"""What runners ask over HTTP: with their own token, in the words of the wire, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from api_world import World
from midwatch.core.actor import Actor
from midwatch.people import actions as people
from midwatch.people.queries import actor_of
from midwatch.prepare.runbooks import actions
from midwatch.prepare.runbooks.actions.runners import create_runner, turn_off_runner
from midwatch.prepare.runbooks.models import LogChunk, Runner, StepRun

CLI = Actor("apply", "cli")
HELLO: dict[str, Any] = {
    "version": "1",
    "host": "a",
    "nonce": "nonce-one",
    "process": "process-one",
    "executors": ["local"],
}
BODY = """---
title: Restart
---
```sh {"name": "restart", "kind": "auto", "executor": "local", "runnerTags": "linux"}
systemctl restart checkout
```
"""


@pytest.fixture
def token(world: World) -> str:
    made = actions.save_runbook("restart", actions.RunbookFields(team=world.team, title="Restart"), CLI)
    actions.revise(made, BODY, CLI, is_trusted=True)
    made.refresh_from_db()
    actions.start(made, {}, actor_of(world.ana, "web"))
    return create_runner("build-1", CLI, tags=["linux"])[1]


def ask(act: str, said: Any, token: str) -> tuple[int, dict[str, Any]]:
    answer = Client().post(
        f"/api/v1/runners/{act}",
        said if isinstance(said, str) else json.dumps(said),
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )
    return answer.status_code, json.loads(answer.content)


def test_a_step_from_claim_to_outcome(token: str) -> None:
    status, said = ask("claim", HELLO, token)
    job = said["job"]
    assert (status, job["executor"], job["task"]["body"]) == (200, "local", "systemctl restart checkout\n")
    assert "workdir" not in job["task"]
    held = {"step": job["step"], "fence": job["fence"]}
    assert ask("renew", held, token) == (200, {"is_cancelled": False})
    pieces = [{"text": "done\n", "stream": "stdout", "target": ""}]
    assert ask("output", {**held, "first": 0, "pieces": pieces}, token) == (200, {"is_cancelled": False})
    outcome = {"state": "ok", "sentence": "exit 0", "exit_code": 0, "values": {}, "coverage": None, "targets": {}}
    assert ask("outcome", {**held, "outcome": outcome}, token) == (200, {})
    assert list(LogChunk.objects.values_list("text", flat=True)) == ["done\n"]
    assert StepRun.objects.get(step="restart").state == "ok"
    status, said = ask("renew", held, token)
    assert (status, said["code"]) == (409, "refused")


def test_only_a_runner_s_own_token_opens(token: str, world: World) -> None:
    for wrong in ("", "mwr_unknown", people.create_token(world.ana, "scripts", CLI)):
        assert ask("claim", HELLO, wrong)[0] == 401
    turn_off_runner(Runner.objects.get(), CLI)
    assert ask("claim", HELLO, token)[0] == 401


def test_another_runner_s_step_is_not_touched(token: str) -> None:
    job = ask("claim", HELLO, token)[1]["job"]
    other = create_runner("build-2", CLI, tags=["linux"])[1]
    held = {"step": job["step"], "fence": job["fence"]}
    outcome = {"state": "ok", "sentence": "exit 0"}
    for act, said in (
        ("renew", held),
        ("output", {**held, "first": 0, "pieces": [{"text": "mine"}]}),
        ("outcome", {**held, "outcome": outcome}),
    ):
        assert ask(act, said, other)[0] == 409
    assert StepRun.objects.get(step="restart").state == "running"
    assert not LogChunk.objects.exists()


@pytest.mark.parametrize(
    ("act", "said", "status"),
    [
        ("claim", "{", 400),
        ("claim", "[]", 422),
        ("claim", {**HELLO, "more": 1}, 422),
        ("claim", {**HELLO, "nonce": "short"}, 422),
        ("claim", {**HELLO, "tags": ["windows"]}, 422),
        ("claim", {**HELLO, "host": "a\0b"}, 422),
        ("renew", {"step": 2**70, "fence": 1}, 422),
        ("renew", {"step": 1, "fence": 1}, 409),
        ("output", {"step": 1, "fence": 1, "first": 0, "pieces": [{"text": ""}]}, 422),
        ("outcome", {"step": 1, "fence": 1, "outcome": {"state": "done", "sentence": ""}}, 422),
        ("steal", {}, 404),
    ],
)
def test_what_is_not_understood_is_refused_with_a_sentence(token: str, act: str, said: Any, status: int) -> None:
    got, problem = ask(act, said, token)
    assert (got, bool(problem["detail"])) == (status, True)


def test_it_is_asked_by_post_alone(token: str) -> None:
    assert Client().get("/api/v1/runners/claim").status_code == 405
