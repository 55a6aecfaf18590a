"""Runbooks and executions by the API: written, carried out, answered, and refused with problems that help."""

from __future__ import annotations

from typing import Any

import pytest

from api_world import Api, World, problem
from midwatch.prepare.runbooks.actions import claiming

BODY = """---
options:
  - {name: host, required: true, label: instance}
---
# Disk full

```text {"name": "look", "kind": "manual"}
What do you see?
```

```sh {"name": "clean", "kind": "run", "executor": "ssh", "targets": "${option.host}"}
echo "$OPTION_HOST"
```
"""


@pytest.fixture
def written(world: World, bo: Api) -> dict[str, Any]:
    made = bo.post("/runbooks", {"name": "disk-full", "team": "payments", "body": BODY})
    assert made.status_code == 201, made.json()
    found: dict[str, Any] = made.json()
    return found


def started(api: Api, **given: Any) -> dict[str, Any]:
    made = api.post("/runbooks/disk-full/executions", {"options": {"host": "db3"}, **given})
    assert made.status_code == 201, made.json()
    found: dict[str, Any] = made.json()
    return found


def test_a_runbook_is_written_and_read(bo: Api, written: dict[str, Any]) -> None:
    assert [step["name"] for step in written["steps"]] == ["look", "clean"]
    assert written["options"][0]["name"] == "host"
    assert (written["title"], written["revision"], written["is_trusted"]) == ("Disk full", 1, False)
    assert bo.get("/runbooks").json()["items"][0]["name"] == "disk-full"
    assert bo.get("/runbooks/disk-full").json() == written
    problem(bo.get("/runbooks/nothing"), 404, "not_found")
    wrong = bo.post("/runbooks", {"name": "x", "team": "payments", "body": '```sh {"kind": "fly"}\nx\n```\n'})
    assert "line" in problem(wrong, 409, "refused")["detail"]


def test_without_a_digest_what_stands_there_now_is_meant(bo: Api, written: dict[str, Any]) -> None:
    number = started(bo)["number"]
    assert bo.post(f"/executions/{number}/steps/look/done").json()["wanted"]["acts"][0] == "run"
    assert bo.post(f"/executions/{number}/steps/clean/run", {}).json()["steps"][1]["state"] == "queued"


@pytest.mark.parametrize("name", ["calendar", "freezes", "stopped"])
def test_a_runbook_is_not_called_as_an_address_is(bo: Api, name: str) -> None:
    made = bo.post("/runbooks", {"name": name, "team": "payments", "body": BODY})
    assert "give the runbook another name" in problem(made, 409, "refused")["detail"]


def test_an_execution_from_its_start_to_its_end(bo: Api, written: dict[str, Any]) -> None:
    made = started(bo)
    number = made["number"]
    assert (made["state"], made["wanted"]["step"], made["wanted"]["by"]) == ("waiting", "look", "person")
    assert bo.get(f"/executions/{number}").json() == made
    after = bo.post(f"/executions/{number}/steps/look/done", {"seen": "97 %"}).json()
    assert after["wanted"]["acts"][0] == "run"
    step = after["steps"][1]
    assert step["rendered"]["targets"] == ["db3"]
    problem(bo.post(f"/executions/{number}/steps/clean/run", {"digest": "0" * 64}), 409, "refused")
    running = bo.post(f"/executions/{number}/steps/{step['id']}/run", {"digest": step["digest"]}).json()
    assert (running["state"], running["steps"][1]["state"]) == ("running", "queued")
    (row,) = claiming.claim("node", limit=1)
    claiming.write_output(row.pk, row.fence, [claiming.Piece("cleaned\n")])
    claiming.finish(row.pk, row.fence, claiming.Outcome("ok", "exit 0", 0))
    done = bo.get(f"/executions/{number}").json()
    assert (done["state"], done["wanted"], done["steps"][1]["exit_code"]) == ("ok", None, 0)
    output = bo.get(f"/executions/{number}/steps/clean/output").json()
    assert ([one["text"] for one in output["items"]], output["last"], output["is_ended"]) == (["cleaned\n"], 0, True)
    assert bo.get(f"/executions/{number}/steps/clean/output", after=0).json()["items"] == []


def test_an_alerts_labels_fill_what_is_not_given(world: World, bo: Api, written: dict[str, Any]) -> None:
    alert = world.alert()
    alert.labels = {"instance": "db7"}
    alert.save(update_fields=["labels"])
    made = bo.post("/runbooks/disk-full/executions", {"alert": alert.number}).json()
    assert (made["options"], made["alert"]) == ({"host": "db7"}, alert.number)
    assert bo.get("/executions", alert=alert.number).json()["items"][0]["number"] == made["number"]


def test_what_is_wrong_is_told_with_its_field(bo: Api, written: dict[str, Any]) -> None:
    found = problem(bo.post("/runbooks/disk-full/executions", {}), 422, "invalid")
    assert found["errors"][0]["field"] == "body.options.host"
    problem(bo.post("/runbooks/disk-full/executions", {"incident": 77}), 422, "invalid")
    problem(bo.post("/runbooks/disk-full/executions", {"kind": "fast"}), 422, "invalid")
    problem(bo.get("/executions/99999"), 404, "not_found")
    number = started(bo)["number"]
    problem(bo.post(f"/executions/{number}/steps/look/fly", {}), 404, "not_found")
    problem(bo.post(f"/executions/{number}/steps/nothing/done", {}), 404, "not_found")
    problem(bo.post(f"/executions/{number}/steps/clean/done", {}), 409, "refused")
    problem(bo.post(f"/executions/{number}/steps/look/skip", {}), 409, "refused")


def test_it_is_cancelled_and_resumed_where_it_stopped(bo: Api, written: dict[str, Any]) -> None:
    number = started(bo)["number"]
    bo.post(f"/executions/{number}/steps/look/done", {})
    cancelled = bo.post(f"/executions/{number}/cancel", {"reason": "wrong host"}).json()
    assert (cancelled["state"], "wrong host" in cancelled["problem"]) == ("cancelled", True)
    problem(bo.post(f"/executions/{number}/cancel", {}), 409, "refused")
    again = bo.post(f"/executions/{number}/resume", {})
    assert again.status_code == 201
    assert [step["state"] for step in again.json()["steps"]] == ["skipped", "waiting_person"]


def test_cursors_of_executions(bo: Api, written: dict[str, Any]) -> None:
    numbers = [started(bo)["number"] for _ in range(3)]
    first = bo.get("/executions", limit=2).json()
    rest = bo.get("/executions", limit=2, cursor=first["next_cursor"]).json()
    assert [one["number"] for one in [*first["items"], *rest["items"]]] == sorted(numbers, reverse=True)
