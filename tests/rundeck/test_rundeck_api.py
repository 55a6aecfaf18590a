"""Rundeck's API, asked as its clients ask: the wire facts of each, recorded."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import yaml
from django.test import Client

from api_world import BY, World
from midwatch.core import clock
from midwatch.core.integration import Outcome, Output, Task
from midwatch.people.models import ApiToken, Team
from midwatch.prepare.runbooks.actions import rails
from midwatch.prepare.runbooks.models import Execution, KnownAs, LogChunk, Runbook
from midwatch.prepare.runbooks.models.known import ForeignPolicy
from rundeck_jobs import TEST_JOB
from rundeck_world import JOB, Caller, Local

RUN = {"loglevel": "INFO", "options": {}, "runAtTime": "", "filter": ""}  # what rundeck_job_run sends


def says(*lines: str, ends: str = "ok", code: int = 0) -> object:
    def does(task: Task, out: Output) -> Outcome:
        for line in lines:
            out.write(line)
        return Outcome(ends, "", code)  # type: ignore[arg-type]

    return does


def test_a_job_is_run_watched_and_read_as_ansible_does_it(job: Runbook, cy: Caller, local: Local) -> None:
    made = cy("POST", f"job/{JOB}/run", {**RUN, "options": {"exit_code": "0"}})
    assert isinstance(made["id"], int)
    assert (made["status"], made["project"], made["user"], made["executionType"]) == (
        "running",
        "payments",
        "cy",
        "user",
    )
    assert made["job"]["options"] == {"exit_code": "0", "sleep": "1"}
    assert made["argstring"] == "-exit_code 0 -sleep 1"
    output = cy("GET", f"execution/{made['id']}/output")
    assert (output["entries"], output["execCompleted"], output["completed"]) == ([], False, False)
    local.does = says("Test ", "done!\n")  # type: ignore[assignment]
    local.work()
    assert local.tasks[0].variables["OPTION_SLEEP"] == "1"
    found = cy("GET", f"execution/{made['id']}")
    assert (found["status"], found["successfulNodes"]) == ("succeeded", ["localhost"])
    assert found["date-ended"]["unixtime"] >= found["date-started"]["unixtime"]
    output = cy("GET", f"execution/{made['id']}/output")
    assert [entry["log"] for entry in output["entries"]] == ["Test done!"]
    assert output["completed"]
    listed = cy("GET", f"job/{JOB}/executions?offset=0&max=20&status=")
    assert listed["paging"] == {"count": 1, "total": 1, "offset": 0, "max": 20}
    assert listed["executions"][0]["id"] == made["id"]


def test_failed_and_aborted(job: Runbook, cy: Caller, local: Local) -> None:
    first = cy("POST", f"job/{JOB}/executions", RUN)
    local.does = says("no\n", ends="failed", code=1)  # type: ignore[assignment]
    local.work()
    found = cy("GET", f"execution/{first['id']}")
    assert (found["status"], found["failedNodes"]) == ("failed", ["localhost"])
    second = cy("POST", f"job/{JOB}/run", {"argString": '-exit_code 1 -sleep "5"'})
    aborted = cy("GET", f"execution/{second['id']}/abort")
    assert aborted["abort"]["status"] in {"aborted", "pending"}
    local.work()
    assert cy("GET", f"execution/{second['id']}")["status"] == "aborted"
    assert cy("GET", f"execution/{second['id']}/abort")["abort"]["status"] == "failed"
    state = cy("GET", f"execution/{first['id']}/state")
    assert (state["executionState"], state["completed"], state["stepCount"]) == ("FAILED", True, 1)
    assert state["steps"][0]["executionState"] == "FAILED"
    counts = cy("GET", "project/payments/executions/metrics?recentFilter=1d")
    assert (counts["total"], counts["status"]) == (2, {"succeeded": 0, "failed": 1, "aborted": 1})


def test_nobody_runs_what_they_may_not_and_wrong_options_say_so(job: Runbook, world: World, cy: Caller) -> None:
    wrong = Caller(None)("POST", f"job/{JOB}/run", RUN, status=403)
    assert wrong["error"] is True
    assert set(wrong) == {"error", "errorCode", "message", "apiversion"}
    Caller(world.vi)("POST", f"job/{JOB}/run", RUN, status=403)
    refused = cy("POST", f"job/{JOB}/run", {"options": {"nonsense": "1"}}, status=400)
    assert refused["errorCode"] == "api.error.job.options-invalid"
    assert "nonsense" in refused["message"]
    for body in (
        {"runAtTime": "2027-01-01T00:00:00Z"},
        {"filter": "tags: web"},
        {"argString": "'"},
        {"argString": "x"},
    ):
        cy("POST", f"job/{JOB}/run", body, status=400)
    cy("POST", f"job/{JOB}/run", {"asUser": "ana"}, status=403)
    cy("POST", f"job/{JOB}/run", {"asUser": None, "filter": None, "logLevel": None, "argString": None})
    cy("POST", f"job/{JOB}/execution/disable")
    assert cy("POST", f"job/{JOB}/run", RUN, status=409)["error"]
    cy("POST", f"job/{JOB}/execution/enable")
    cy("POST", f"job/{JOB}/run?option.sleep=2", RUN)
    assert Execution.objects.latest("id").options["sleep"] == "2"
    cy("GET", "job/nothing", status=404)
    cy("GET", "execution/999", status=404)
    cy("GET", "execution/9999999999999999999999", status=404)
    cy("DELETE", f"job/{JOB}", status=409)
    cy("DELETE", "execution/1", status=403)


def test_output_is_tailed_line_by_line(job: Runbook, cy: Caller, local: Local) -> None:
    number = cy("POST", f"job/{JOB}/run", RUN)["id"]
    seen: list[tuple[list[str], bool]] = []
    at = {"offset": "0", "lastmod": "0"}

    def tail(more: str = "") -> None:
        found = cy("GET", f"execution/{number}/output?offset={at['offset']}&lastmod={at['lastmod']}{more}")
        at.update(offset=found["offset"], lastmod=found["lastModified"])
        seen.append(([entry["log"] for entry in found["entries"]], found["completed"]))

    def does(task: Task, out: Output) -> Outcome:
        step = Execution.objects.get(number=number).steps.get()
        for seq, (stream, text) in enumerate(
            [("stdout", "one\ntwo\nhal"), ("stdout", "f\n"), ("stderr", "\x1b[31mred\x1b[0m\n")]
        ):
            LogChunk.objects.create(step_run=step, seq=1_000 + seq, at=clock.now(), stream=stream, text=text)
            tail()
        return Outcome("ok", "")

    local.does = does
    local.work()
    tail()
    tail()
    assert [line for lines, _ in seen for line in lines] == ["one", "two", "half", "red"]
    assert [is_completed for _, is_completed in seen] == [False, False, False, True, True]
    whole = cy("GET", f"execution/{number}/output?maxlines=2")
    assert [entry["log"] for entry in whole["entries"]] == ["one", "two"]
    assert not whole["completed"]
    rest = cy("GET", f"execution/{number}/output?offset={whole['offset']}")
    assert [entry["log"] for entry in rest["entries"]][-1] == "red"
    assert rest["entries"][-1]["level"] == "ERROR"
    last = cy("GET", f"execution/{number}/output?lastlines=1")
    assert [entry["log"] for entry in last["entries"]] == ["red"]
    text = cy.raw("GET", f"execution/{number}/output?format=text")
    assert text.content.decode().splitlines()[0] == "one"
    assert (text["X-Rundeck-Exec-State"], text["X-Rundeck-ExecOutput-Completed"]) == ("succeeded", "true")
    assert cy("GET", f"execution/{number}/output/step/1")["entries"]
    assert not cy("GET", f"execution/{number}/output/node/elsewhere")["entries"]
    cy("GET", f"execution/{number}/output/step/x", status=400)


def test_lists_of_executions_and_their_filters(job: Runbook, cy: Caller, local: Local) -> None:
    for _ in range(3):
        cy("POST", f"job/{JOB}/run", RUN)
    local.work()
    clock.forward(timedelta(days=2))
    cy("POST", f"job/{JOB}/run", RUN)

    def ids(query: str) -> list[int]:
        return [one["id"] for one in cy("GET", f"project/payments/executions?{query}")["executions"]]

    assert ids("recentFilter=1d") == [4]
    assert ids("olderFilter=1d") == [3, 2, 1]
    assert ids("statusFilter=succeeded&max=2") == [3, 2]
    assert ids("statusFilter=running") == [4]
    assert ids("statusFilter=scheduled") == []
    assert ids(f"jobIdListFilter={JOB}&offset=3") == [1]
    assert ids("jobListFilter=other/test_job") == [4, 3, 2, 1]
    assert ids("excludeJobListFilter=test_job") == []
    assert ids("userFilter=ana") == []
    assert ids("adhoc=true") == []
    assert ids("begin=2026-01-15T00:00:00Z") == [4]
    assert ids("end=1768478400000") == [3, 2, 1]
    running = cy("GET", "project/*/executions/running?max=20")
    assert [one["id"] for one in running["executions"]] == [4]
    assert [one["id"] for one in cy("GET", f"project/payments/executions/running?jobIdFilter={JOB}")["executions"]] == [
        4
    ]
    for wrong in ("recentFilter=soon", "statusFilter=odd", "begin=soon", "max=x"):
        cy("GET", f"project/payments/executions?{wrong}", status=400)
    cy("GET", "project/nobody/executions", status=404)


def test_jobs_are_listed_exported_and_come_back_as_they_were(job: Runbook, cy: Caller) -> None:
    (listed,) = cy("GET", "project/payments/jobs")
    assert (listed["id"], listed["name"], listed["project"]) == (JOB, "test_job", "payments")
    assert cy("GET", "project/payments/jobs?jobExactFilter=other") == []
    (defined,) = cy("GET", f"job/{JOB}")
    assert defined["uuid"] == JOB
    assert [option["name"] for option in defined["options"]] == ["exit_code", "sleep"]
    assert "$RD_OPTION_SLEEP" in defined["sequence"]["commands"][0]["script"]
    exported = cy.raw("GET", "project/payments/jobs/export?format=yaml")
    assert yaml.safe_load(exported.content)[0]["name"] == "test_job"
    shown = cy.raw("GET", f"job/{JOB}", Accept="application/xml").content.decode()
    assert "<name>test_job</name>" in shown
    assert "<job " in cy.raw("GET", f"job/{JOB}/info", Accept="application/xml").content.decode()
    assert cy("GET", f"job/{JOB}/info")["enabled"]
    assert cy("GET", f"job/{JOB}/workflow")["workflow"]
    before = job.current.body  # type: ignore[union-attr]
    KnownAs.objects.all().delete()
    Runbook.objects.update(name="older")
    yaml_kind = {"content_type": "application/yaml"}
    again = cy("POST", "project/payments/jobs/import?fileformat=yaml", exported.content, **yaml_kind)
    assert [one["id"] for one in again["succeeded"]] == [JOB]
    steps = [line for line in Runbook.objects.get(name="test_job").current.body.split("\n") if "OPTION" in line]  # type: ignore[union-attr]
    assert steps == [line for line in before.split("\n") if "OPTION" in line]


def test_import_says_what_became_of_each_job(job: Runbook, world: World, cy: Caller) -> None:
    def load(query: str, text: str = TEST_JOB) -> dict[str, list[dict[str, object]]]:
        found = cy("POST", f"project/payments/jobs/import?{query}", text.encode(), content_type="application/yaml")
        assert isinstance(found, dict)
        return found

    assert [one["name"] for one in load("fileformat=yaml&dupeOption=skip")["skipped"]] == ["test_job"]
    assert [one["id"] for one in load("fileformat=yaml&dupeOption=update")["succeeded"]] == [JOB]
    assert not Runbook.objects.get(name="test_job").is_trusted  # what comes by the API is its sender's
    made = load("dupeOption=create&uuidOption=remove")["succeeded"][0]
    assert (made["name"], made["id"] == JOB) == ("test_job-2", False)
    assert Runbook.objects.get(name="test_job-2").current.body.startswith("---\nname: test_job-2\n")  # type: ignore[union-attr]
    assert load("", "- name: x\n")["failed"]
    form = Client().post(
        f"/rundeck/api/39/project/payments/jobs/import?fileformat=json&dupeOption=skip&authtoken={cy.token}",
        {"xmlBatch": json.dumps(yaml.safe_load(TEST_JOB))},
    )
    assert form.status_code == 200, form.content
    assert form.json()["skipped"]
    cy("POST", "project/payments/jobs/import?fileformat=pdf", b"x", content_type="text/plain", status=400)
    Caller(world.vi)("POST", "project/payments/jobs/import", TEST_JOB.encode(), content_type="text/yaml", status=403)
    assert cy("POST", "project/payments/jobs/validateOption", {"name": "a", "regex": "[a-z]+"}) == {"valid": True}
    assert cy("POST", "project/payments/jobs/validateOption", {"name": "a b"}, status=400)["valid"] is False


def test_projects_are_teams(world: World, ana: Caller, cy: Caller) -> None:
    assert [one["name"] for one in cy("GET", "projects")] == ["payments"]
    assert cy("GET", "project/payments")["config"]["project.name"] == "payments"
    cy("POST", "projects", {"name": "Project_01", "config": {}}, status=403)
    cy("GET", "project/Project_01", status=404)
    assert ana("POST", "projects", {"name": "Project_01", "config": {}}, status=201)["name"] == "project_01"
    assert ana("GET", "project/Project_01")["label"] == "Project_01"
    ana("POST", "projects", {"name": "project_01"}, status=409)
    assert ana.raw("DELETE", "project/Project_01").status_code == 204
    assert not Team.objects.filter(name="project_01").exists()
    ana("DELETE", "project/payments", status=409)
    assert cy("GET", "project/payments/resources") == {
        "localhost": {"nodename": "localhost", "hostname": "localhost", "tags": ""}
    }


def test_policies_are_kept_and_decide_nothing(world: World, ana: Caller, cy: Caller) -> None:
    policy = "{'description': 'x', 'context': {'application': 'rundeck'}, 'for': {'project': [{'allow': 'read'}]}, 'by': {'group': 'b'}}"  # noqa: E501 - as Ansible writes a map
    ana("GET", "system/acl/p.aclpolicy", status=404)
    ana("POST", "system/acl/p.aclpolicy", {"contents": policy}, status=201)
    ana("POST", "system/acl/p.aclpolicy", {"contents": policy}, status=409)
    answer = ana.raw("GET", "system/acl/p.aclpolicy")
    assert answer.json() == {"contents": policy}
    assert "decides nothing" in answer["X-Midwatch-Note"]
    ana("PUT", "system/acl/p.aclpolicy", {"contents": policy.replace("'x'", "'y'")})
    assert [one["name"] for one in ana("GET", "system/acl/")["resources"]] == ["p.aclpolicy"]
    ana("POST", "system/acl/q.aclpolicy", {"contents": "just words"}, status=400)
    ana("POST", "system/acl/odd name", {"contents": policy}, status=400)
    ana("POST", "project/payments/acl/p.aclpolicy", policy.encode(), content_type="application/yaml", status=201)
    assert ana.raw("GET", "project/payments/acl/p.aclpolicy", Accept="application/yaml").content.decode() == policy
    cy("GET", "system/acl/", status=403)
    assert ana.raw("DELETE", "system/acl/p.aclpolicy").status_code == 204
    assert ForeignPolicy.objects.count() == 1


def test_the_installation_and_tokens(job: Runbook, world: World, cy: Caller, ana: Caller) -> None:
    system = cy("GET", "system/info")["system"]
    assert set(system["stats"]) == {"uptime", "cpu", "memory", "scheduler", "threads"}
    assert (system["executions"]["executionMode"], system["rundeck"]["apiversion"]) == ("active", 59)
    assert cy("GET", "metrics/metrics")["meters"]
    rails.stop_everything(BY, "the disk is full")
    assert cy("GET", "system/executions/status") == {"active": False, "executionMode": "passive"}
    cy("POST", "system/executions/enable", status=409)
    assert Client().get("/rundeck/monitoring/prometheus").status_code == 200
    made = cy("POST", "tokens/cy", {"user": "cy", "roles": "*", "duration": "1h"}, status=201)
    assert Client().get(f"/rundeck/api/14/system/info?authtoken={made['token']}").status_code == 200
    assert "token" not in cy("GET", f"token/{made['id']}")
    cy("POST", "tokens/ana", {}, status=403)
    assert {one["user"] for one in cy("GET", "tokens")} == {"cy"}
    assert {one["user"] for one in ana("GET", "tokens")} == {"ana", "cy"}
    assert cy.raw("DELETE", f"token/{made['id']}").status_code == 204
    assert ApiToken.objects.get(pk=made["id"]).revoked_at
    assert cy("GET", "user/info")["login"] == "cy"
    assert "payments" in cy("GET", "user/roles")["roles"]


@pytest.mark.parametrize("version", [13, 60, 999])
def test_versions_that_are_not_spoken(cy: Caller, version: int) -> None:
    cy.version = version
    assert "Unsupported API Version" in cy("GET", "system/info", status=400)["message"]


def test_odd_requests_are_answered(job: Runbook, cy: Caller) -> None:
    for path in ("nothing", "job", f"job/{JOB}/nothing", "a/b/c/d/e/f/g/h/i/j/k/l"):
        cy("GET", path, status=404)
    cy("PUT", f"job/{JOB}/run", {}, status=405)
    for body in (
        b"{",
        b"[1]",
        b"null",
        b'{"options": 7}',
        b'{"options": {"sleep": ["x"]}}',
        b'{"x": "\\u0000"}',
        b"\xff",
    ):
        assert cy.raw("POST", f"job/{JOB}/run", body).status_code in {200, 400}
    assert cy.raw("POST", f"job/{JOB}/run", b"x" * 3_000_000).status_code == 413
    assert Client().get("/rundeck/api/39/projects").status_code == 403
    assert Client().get("/rundeck/nothing").status_code == 404
    assert cy("GET", "project/payments/executions?jobFilter=%00", status=400)
