"""Real clients of Rundeck, unmodified, drive a real `midwatch serve`: Ansible's modules, pyrundeck, python-rundeck and
rundeck-exporter. The playbook is community.general's own test of its modules, as far as it needs no Rundeck."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from midwatch.core.integration import RunnerConfig, Task, runners
from rundeck_jobs import TEST_JOB
from rundeck_world import JOB
from server.running import free_port, serving, until

pytestmark = [pytest.mark.slow, pytest.mark.interop]
COLLECTIONS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "midwatch" / "ansible-12.3.0"
BIN = Path(sys.executable).parent
PROJECT = "test_project"


@dataclass
class Ours:
    """A server with one project and one job, and where its clients find it."""

    url: str
    token: str
    work: Path
    env: dict[str, str]

    def python(self, program: str) -> dict[str, object]:
        """A client's program, in a process of its own; what it prints is JSON."""
        done = subprocess.run(
            [sys.executable, "-c", program], env={**self.env, "URL": self.url, "TOKEN": self.token}, cwd=self.work,
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-4_000:]
        found = json.loads(done.stdout.splitlines()[-1])
        assert isinstance(found, dict)
        return found

    def playbook(self, tasks: list[dict[str, object]]) -> subprocess.CompletedProcess[str]:
        book = self.work / "book.json"
        book.write_text(
            json.dumps([{"hosts": "localhost", "gather_facts": False, "connection": "local", "tasks": tasks}])
        )
        return subprocess.run(
            [str(BIN / "ansible-playbook"), "-i", "localhost,", "-e", f"ansible_python_interpreter={sys.executable}", str(book)],
            env={**self.env, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_HOME": str(self.work), "HOME": str(self.work)},
            cwd=self.work, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ours]:
    work = tmp_path_factory.mktemp("rundeck")
    data = work / "data"
    env = {key: value for key, value in os.environ.items() if not key.startswith("MIDWATCH_")}
    env |= {"MIDWATCH_DATA_DIR": str(data), "LC_ALL": "C.UTF-8", "LANG": "C.UTF-8"}
    if os.geteuid() == 0:
        env["MIDWATCH_LOCAL_USER"] = "nobody"
    with serving(data, env) as serve:
        token = (data / "admin-token").read_text().strip()
        made = Ours(f"http://127.0.0.1:{serve.port}/rundeck", token, work, env)
        yield made
        said = serve.said()
        assert token not in said
        assert "Traceback" not in said


def module(ours: Ours, which: str, **arguments: object) -> dict[str, object]:
    word = "token" if which in {"rundeck_project", "rundeck_acl_policy"} else "api_token"
    return {f"community.general.{which}": {"url": ours.url, "api_version": 39, word: ours.token, **arguments}}


def that(*conditions: str) -> dict[str, object]:
    return {"ansible.builtin.assert": {"that": list(conditions)}}


def run(ours: Ours, kept: str, **arguments: object) -> dict[str, object]:
    wait = {"wait_execution_delay": 1, **arguments}
    return {**module(ours, "rundeck_job_run", job_id=JOB, **wait), "register": kept, "ignore_errors": True}


def load_job(ours: Ours) -> None:
    """By the command line, as whoever moves does it."""
    (ours.work / "job.yaml").write_text(TEST_JOB)
    done = subprocess.run(
        [sys.executable, "-m", "midwatch.cli", "import", "rundeck", "job.yaml", "--team", PROJECT, "--apply"],
        env=ours.env, cwd=ours.work, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def job(ours: Ours) -> str:
    """A project made by Ansible's module, twice, and a job in it."""
    made = ours.playbook(
        [
            {**module(ours, "rundeck_project", name=PROJECT), "register": "first"},
            {**module(ours, "rundeck_project", name=PROJECT), "register": "second"},
            that("first is changed", "second is not changed", f"second.after.name == '{PROJECT}'"),
        ]
    )
    assert made.returncode == 0, made.stdout[-4_000:]
    load_job(ours)
    return JOB


def test_ansibles_modules_run_a_job(ours: Ours, job: str) -> None:
    assert (COLLECTIONS / "complete").exists(), "run this by `make test-long`, which fetches the collection"
    tasks = [
        run(ours, "wrong", api_token="wrong_token"),
        that("wrong.msg == 'Token authorization failed'"),
        run(ours, "good"),
        that("good.execution_info.status == 'succeeded'", "'Test done!' in good.execution_info.output"),
        run(ours, "bad", job_options={"exit_code": "1"}),
        that("bad.execution_info.status == 'failed'"),
        run(ours, "late", job_options={"sleep": "20"}, wait_execution_timeout=2, abort_on_timeout=True),
        that("late.execution_info.status == 'aborted'"),
        run(ours, "forgotten", job_options={"sleep": "2"}, wait_execution=False),
        that("forgotten.execution_info.status == 'running'"),
        {**module(ours, "rundeck_job_executions_info", job_id=job), "register": "info"},
        that("info.paging.total | int == 4"),
        {**module(ours, "rundeck_job_executions_info", job_id=job, status="failed", max=1), "register": "failed"},
        that("failed.executions | length == 1", f"failed.executions[0].job.id == '{job}'"),
    ]
    done = ours.playbook(tasks)
    assert done.returncode == 0, done.stdout[-6_000:]


def test_ansibles_modules_keep_policies_and_projects(ours: Ours) -> None:
    policy = "description: x\ncontext: {application: rundeck}\nfor: {project: [{allow: read}]}\nby: {group: build}\n"
    other = "other_project"
    tasks = [
        {**module(ours, "rundeck_acl_policy", name="p", policy=policy), "register": "first"},
        {**module(ours, "rundeck_acl_policy", name="p", policy=policy), "register": "second"},
        {**module(ours, "rundeck_acl_policy", name="p", policy=policy.replace("x", "y", 1)), "register": "third"},
        that("first is changed", "second is not changed", "third is changed"),
        {**module(ours, "rundeck_acl_policy", name="p", state="absent"), "register": "gone"},
        {**module(ours, "rundeck_acl_policy", name="p", state="absent"), "register": "still"},
        that("gone is changed", "still is not changed"),
        {
            **module(ours, "rundeck_acl_policy", name="q", policy="no policy"),
            "register": "refused",
            "ignore_errors": True,
        },
        that("refused is failed", "'validate acl' in refused.msg"),
        module(ours, "rundeck_project", name=other),
        {**module(ours, "rundeck_project", name=other, state="absent"), "register": "removed"},
        that("removed is changed"),
    ]
    done = ours.playbook(tasks)
    assert done.returncode == 0, done.stdout[-6_000:]


PYRUNDECK = """
import json, os, time
from pyrundeck import Rundeck
rd = Rundeck(os.environ["URL"], token=os.environ["TOKEN"], api_version=41)
job = rd.get_job("test_job")
made = rd.run_job(job["id"], options={"sleep": "0"})
while rd.execution_info_by_id(made["id"])["status"] == "running":
    time.sleep(0.2)
slow = rd.run_job_by_name("test_job", args="-sleep 20")
rd.abort_execution(slow["id"])
while rd.execution_info_by_id(slow["id"])["status"] == "running":
    time.sleep(0.2)
print(json.dumps({
    "projects": [one["name"] for one in rd.list_projects()],
    "found": rd.execution_info_by_id(made["id"])["status"], "aborted": rd.execution_info_by_id(slow["id"])["status"],
    "output": [one["log"] for one in rd.execution_output_by_id(made["id"])["entries"]],
    "state": rd.execution_state(made["id"])["executionState"],
    "definition": rd.get_job_def(job["id"]), "meta": rd.get_job_meta(job["id"]),
    "yaml": rd.get_job_def(job["id"], format="yaml"),
    "total": rd.get_executions_for_job(job_id=job["id"])["paging"]["total"],
    "recent": len(rd.query_executions(job["project"], name="test_job", recent="1h")["executions"]),
    "running": rd.list_running_executions("*")["paging"]["total"],
    "running_jobs": rd.get_running_jobs("*", job["id"])["executions"],
    "info": rd.system_info()["system"]["rundeck"]["apiversion"], "resources": list(rd.list_resources(job["project"])),
    "policies": rd.list_system_acl_policies()["resources"], "tokens": len(rd.list_tokens()),
    "token": bool(rd.create_token("admin-token", duration="1h")["token"]),
}))
"""


def test_pyrundeck(ours: Ours, job: str) -> None:
    found = ours.python(PYRUNDECK)
    assert (found["found"], found["aborted"], found["state"]) == ("succeeded", "aborted", "SUCCEEDED")
    assert found["output"] == ["Test done!"]
    assert PROJECT in found["projects"]  # type: ignore[operator]
    assert "<joblist>" in str(found["definition"])
    assert "test_job" in str(found["meta"])
    assert "name: test_job" in str(found["yaml"])
    assert (found["running"], found["running_jobs"], found["info"]) == (0, [], 59)
    assert found["resources"] == ["localhost"]
    assert found["token"] is True


PYTHON_RUNDECK = """
import json, os, time
from rundeck import Rundeck
from rundeck.exceptions import RundeckError
with Rundeck(os.environ["URL"], token=os.environ["TOKEN"], api_version=59) as rd:
    project = rd.projects.get("test_project")
    (job,) = [one for one in project.jobs.list() if one.name == "test_job"]
    execution = job.run(as_execution=True, options={"sleep": "0", "exit_code": "3"})
    while execution.is_running():
        time.sleep(0.2)
        execution.refresh()
    exported = project.jobs.export(format="json", idlist=job.id)
    again = rd.jobs.import_jobs(project="test_project", content=json.dumps(exported), dupeOption="skip",
                               content_type="application/json")
    try:
        rd.jobs.get("nothing")
        missing = ""
    except RundeckError as error:
        missing = type(error).__name__
    text = execution.get_output(format="text")
    out = {
        "failed": execution.is_failed(), "text": text, "state": execution.get_state()["executionState"],
        "input": execution.input_files(), "retried": job.retry(execution.id, options={"exit_code": "0"})["status"],
        "names": [one["name"] for one in exported], "skipped": len(again["skipped"]), "missing": missing,
        "definition": job.definition()[0]["uuid"], "info": job.info()["name"], "workflow": len(job.workflow()["workflow"]),
        "meta": len(job.meta()), "metrics": rd.executions.metrics("test_project", recent_filter="1d")["total"],
        "all": rd.executions.metrics()["total"], "query": len(rd.executions.query("test_project", recentFilter="1d", max=5)),
        "of_job": len(job.executions(max=2)), "mode": rd.system.executions.status()["executionMode"],
        "system": rd.system.info()["system"]["rundeck"]["apiversion"], "api": rd.api_info()["apiversion"],
        "user": rd.users.get_current().login, "tokens": len(rd.tokens.list()), "config": project.config.get()["project.name"],
        "nodes": list(project.resources.list()), "validated":
            rd.jobs.validate_option({"name": "a", "regex": "[a-z]"}, job_was_scheduled=False, project="test_project"),
        "disabled": job.disable_execution()["success"], "enabled": job.enable_execution()["success"],
        "forecast": job.forecast()["futureScheduledExecutions"], "prometheus": "midwatch_" in rd.monitoring.prometheus(),
    }
print(json.dumps(out))
"""


def test_python_rundeck(ours: Ours, job: str) -> None:
    found = ours.python(PYTHON_RUNDECK)
    assert found["failed"] is True
    assert "Test done!" in str(found["text"])
    assert (found["state"], found["retried"], found["definition"]) == ("FAILED", "running", JOB)
    assert (found["names"], found["skipped"], found["missing"]) == (["test_job"], 1, "RundeckNotFoundError")
    assert (found["disabled"], found["enabled"], found["validated"]) == (True, True, {"valid": True})
    assert (found["config"], found["user"], found["prometheus"]) == (PROJECT, "admin-token", True)


def test_rundeck_exporter(ours: Ours, job: str) -> None:
    port = free_port()
    command = [str(BIN / "rundeck_exporter"), "--rundeck.url", ours.url, "--rundeck.skip_ssl", "--host", "127.0.0.1", "--port",
               str(port), "--rundeck.api.version", "41", "--rundeck.projects.executions", "--rundeck.projects.nodes.info",
               "--rundeck.cpu.stats", "--rundeck.memory.stats"]  # fmt: skip
    with (ours.work / "exporter.log").open("w") as log:
        process = subprocess.Popen(
            command, env={**ours.env, "RUNDECK_TOKEN": ours.token}, cwd=ours.work, stdout=log, stderr=log
        )
    try:
        text = str(until(lambda: scraped(port, process), 60))
    finally:
        process.terminate()
        process.wait(10)
    said = (ours.work / "exporter.log").read_text()
    assert "rundeck_project_execution_status" in text, said
    assert f'project_name="{PROJECT}"' in text
    assert "rundeck_execution_mode_active" in text
    assert "rundeck_system_stats_uptime" in text
    assert "rundeck_project_nodes_total" in text
    assert "CRITICAL" not in said


def scraped(port: int, process: subprocess.Popen[bytes]) -> str:
    assert process.poll() is None, "the exporter ended"
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


class Log:
    """What a step writes."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str, *, stream: str = "stdout", target: str = "") -> None:
        self.text += text

    def is_cancelled(self) -> bool:
        return False


@pytest.mark.parametrize(("code", "state"), [("0", "ok"), ("1", "failed")])
def test_our_own_step_for_a_rundeck_drives_us(ours: Ours, job: str, code: str, state: str) -> None:
    """Both sides of the same facts: what starts jobs on a Rundeck, and what is started as one."""
    log = Log()
    settings = {"url": ours.url, "job": job, "options": {"sleep": "0", "exit_code": code}}
    secrets = {"RUNDECK_TOKEN": ours.token}
    task = Task(
        key="1/1/1", language="text", body="", settings=settings, secrets=secrets, is_trusted=True, timeout_seconds=60
    )
    outcome = runners()["rundeck"].run(task, log, RunnerConfig())
    assert (outcome.state, "Test done!" in log.text) == (state, True), (outcome, log.text)
