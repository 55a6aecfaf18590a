"""Runners on the command line: made with a token that is shown once, listed, turned off, removed; and the runner itself."""

from __future__ import annotations

from pathlib import Path

from api_world import World
from cli_run import Run
from midwatch.core.models import AuditEntry
from midwatch.prepare.runbooks.actions.runners import runner_of
from midwatch.prepare.runbooks.models import Runner


def test_a_runner_from_its_making_to_its_end(world: World, run: Run) -> None:
    made = run("runner", "create", "build-1", "--tags", "linux,eu", "--team", world.team.name, "--json").json
    assert (made["name"], made["tags"]) == ("build-1", ["eu", "linux"])
    assert runner_of(made["token"]) == Runner.objects.get(name="build-1")
    (listed,) = run("runner", "list", "--json").json
    assert (listed["state"], listed["team"], listed["steps_max"]) == ("never seen", world.team.name, 4)
    assert made["token"] not in run("runner", "list").out
    again = run("runner", "create", "build-1")
    assert (again.code, "midwatch runner token build-1" in again.err) == (1, True)
    renewed = run("runner", "token", "build-1", "--json").json["token"]
    assert (runner_of(made["token"]), runner_of(renewed) is None) == (None, False)
    assert run("runner", "off", "build-1").code == 0
    assert runner_of(renewed) is None
    assert run("runner", "remove", "build-1").code == 0
    assert run("runner", "remove", "build-1").code == 1
    assert "There is no runner" in run("runner", "list").out
    written = str(list(AuditEntry.objects.filter(object_kind="runner").values()))
    assert not any(token in written for token in (made["token"], renewed))


def test_what_is_no_tag_or_no_team_is_refused(world: World, run: Run) -> None:
    assert "is no tag" in run("runner", "create", "build-1", "--tags", "Linux!").err
    assert "there is no team" in run("runner", "create", "build-1", "--team", "nobody-s").err
    assert run("runner", "create", "build-1", "--as", "bo").code == 1
    assert not Runner.objects.exists()


def test_the_runner_itself_says_what_it_needs(run: Run, tmp_path: Path) -> None:
    assert run("runner").code == 2
    missing = run("runner", "--url", "https://midwatch.example.com", "--token-file", str(tmp_path / "none"))
    assert (missing.code, "cannot be read" in missing.err) == (1, True)
