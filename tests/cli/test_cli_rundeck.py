"""`midwatch import rundeck`: the report first, then the runbooks, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from api_world import World
from cli_run import Run
from midwatch.core.actor import Actor
from midwatch.prepare.runbooks import actions
from midwatch.prepare.runbooks.models import KnownAs, Revision, Runbook, Trigger
from rundeck_jobs import TEST_JOB

BY = Actor("Ana", "web")


@pytest.fixture
def jobs(tmp_path: Path) -> str:
    path = tmp_path / "jobs.yaml"
    path.write_text(TEST_JOB)
    return str(path)


def test_the_report_changes_nothing(world: World, run: Run, jobs: str, tmp_path: Path) -> None:
    said = run("import", "rundeck", jobs)
    assert said.code == 0
    assert said.out.splitlines()[0] == "test_job: 3 as it was"
    assert "--apply" in said.out
    assert not Runbook.objects.exists()
    written = tmp_path / "out"
    assert run("import", "rundeck", jobs, "--to", str(written)).code == 0
    assert (written / "test_job.md").read_text().startswith("---\nname: test_job\n")
    (written / "test_job.md").write_text("mine")
    assert "differs" in run("import", "rundeck", jobs, "--to", str(written)).err
    assert (written / "test_job.md").read_text() == "mine"


def test_applied_twice_is_once_and_what_was_changed_here_stays(world: World, run: Run, jobs: str) -> None:
    said = run("import", "rundeck", jobs, "--team", "payments", "--apply", "--json")
    assert (said.code, [one["done"] for one in said.json["runbooks"]]) == (0, ["created"])
    runbook = Runbook.objects.get()
    assert (runbook.name, runbook.team.name, runbook.is_trusted) == ("test_job", "payments", True)
    assert KnownAs.objects.get().key == "3b8a6e54-69fb-42b7-b98f-f82e59238478"
    again = run("import", "rundeck", jobs, "--team", "payments", "--apply", "--json")
    assert [one["done"] for one in again.json["runbooks"]] == ["unchanged"]
    Path(jobs).write_text(
        TEST_JOB.replace("Test done!", "Done") + "  multipleExecutions: true\n  maxMultipleExecutions: '3'\n"
    )
    changed = run("import", "rundeck", jobs, "--team", "payments", "--apply", "--json")
    assert [one["done"] for one in changed.json["runbooks"]] == ["updated"]
    assert Revision.objects.count() == 2
    runbook.refresh_from_db()
    assert runbook.concurrency_max == 3
    actions.revise(runbook, "# Mine\n\nBy hand.\n", BY)
    refused = run("import", "rundeck", jobs, "--team", "payments", "--apply", "--json")
    assert refused.code == 1
    assert "was changed here" in refused.json["refused"][0]["why"]
    assert Revision.objects.count() == 3


def test_a_directory_with_something_wrong_in_it(world: World, run: Run, tmp_path: Path) -> None:
    (tmp_path / "jobs.yaml").write_text(TEST_JOB)
    (tmp_path / "broken.yaml").write_text("- [")
    (tmp_path / "notes.txt").write_text("not read")
    said = run("import", "rundeck", str(tmp_path), "--team", "payments", "--apply", "--json")
    assert said.code == 1
    assert [one["done"] for one in said.json["runbooks"]] == ["created"]
    assert [Path(one["from"]).name for one in said.json["refused"]] == ["broken.yaml"]
    assert "--team" in run("import", "rundeck", str(tmp_path), "--apply").err
    assert "no team" in run("import", "rundeck", str(tmp_path), "--team", "nobody").err
    assert "cannot be read" in run("import", "rundeck", str(tmp_path / "gone.yaml")).err


def test_a_schedule_is_a_trigger_that_is_turned_off(world: World, run: Run, jobs: str) -> None:
    Path(jobs).write_text(TEST_JOB + "  timeZone: Europe/Prague\n  schedule: {crontab: '0 30 4 ? * 2-6 *'}\n")
    said = run("import", "rundeck", jobs, "--team", "payments", "--apply", "--json")
    assert said.code == 0
    assert "test_job-schedule" in said.json["notes"][0]
    made = Trigger.objects.get()
    assert (made.cron, made.time_zone, made.is_active, made.kind) == (
        "30 4 * * 1-5",
        "Europe/Prague",
        False,
        "schedule",
    )
    assert not run("import", "rundeck", jobs, "--team", "payments", "--apply", "--json").json["notes"]
    other = TEST_JOB.replace("test_job", "other").replace("3b8a6e54", "4b8a6e54")
    Path(jobs).write_text(other + "  timeZone: Nowhere/Town\n  schedule: {crontab: '0 30 4 ? * 2-6 *'}\n")
    said = run("import", "rundeck", jobs, "--team", "payments", "--apply", "--json")
    assert (said.code, said.json["runbooks"][0]["done"]) == (0, "created")
    assert "is no trigger" in said.json["notes"][0]
