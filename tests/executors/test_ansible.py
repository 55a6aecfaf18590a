"""Real Ansible against localhost."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from executor_world import SECRET, Does, Heard
from fakes import sshd
from midwatch.core import running
from midwatch.core.integration import Outcome, RunnerConfig, Task, runners
from midwatch.core.running import Captures
from midwatch.integrations.ansible import files
from midwatch.integrations.ansible.events import Events

OWN = RunnerConfig(
    local_user="root" if os.geteuid() == 0 else ""
)  # the tests' environment may lie where nobody else comes

PLAY = """
- hosts: all
  gather_facts: false
  tasks:
"""


def play(*tasks: dict[str, Any], gather: bool = False) -> str:
    return json.dumps([{"hosts": "all", "gather_facts": gather, "tasks": list(tasks)}])


def ansible(does: Does, body: str, **given: Any) -> tuple[Outcome, Heard]:
    return does("ansible", body, language="yaml", config=given.pop("config", OWN), **given)


@pytest.mark.slow
def test_a_playbook(does: Does) -> None:
    tasks = (
        {"name": "Say", "ansible.builtin.debug": {"msg": "version: {{ OPTION_V }}"}},
        {"name": "Run", "ansible.builtin.command": {"cmd": "printenv OPTION_V"}},
        {"name": "Secret", "ansible.builtin.debug": {"msg": "it is {{ TOKEN }}"}},
        {"name": "Stats", "ansible.builtin.set_stats": {"data": {"count": 3, "word": "x"}}},
    )
    given = "{{ lookup('pipe', 'echo injected') }}"
    outcome, heard = ansible(
        does,
        play(*tasks),
        variables={"OPTION_V": given},
        secrets={"TOKEN": SECRET},
        settings={"captures": {"V": "version:"}},
    )
    assert outcome.state == "ok", (outcome, heard.said)
    assert outcome.values == {"V": given, "count": "3", "word": "x"}
    assert outcome.targets == {"localhost": "ok"}
    assert "TASK [Say]" in heard.text("stdout")
    assert "it is ••••••" in heard.text("stdout")
    assert "injected\n" not in heard.text()
    # Output came while it ran, in pieces.
    assert len(heard.said) > 4


@pytest.mark.slow
def test_failures_name_the_host(does: Does) -> None:
    outcome, _ = ansible(does, play({"name": "No", "ansible.builtin.command": "false"}))
    assert (outcome.state, outcome.exit_code, outcome.targets) == ("failed", 2, {"localhost": "failed"})
    assert "failed on localhost" in outcome.sentence
    outcome, heard = ansible(does, "- hosts: [")
    assert outcome.state == "failed"
    assert heard.text()


@pytest.mark.slow
def test_check_mode_says_how_little_it_proves(does: Does, tmp_path: Path) -> None:
    tasks = [{"name": f"Command {n}", "ansible.builtin.command": "true"} for n in range(5)]
    file = {"name": "File", "ansible.builtin.copy": {"content": "x", "dest": str(tmp_path / "made")}}
    outcome, _ = ansible(does, play(*tasks, file, gather=True), is_dry_run=True)
    assert (outcome.state, outcome.coverage) == ("ok", (1, 6))
    assert "exercised 1 of 6 tasks" in outcome.sentence
    assert not (tmp_path / "made").exists()
    # The run after it is a real one: nothing of the check is read again.
    outcome, _ = ansible(does, play(file))
    assert (outcome.state, outcome.coverage) == ("ok", None)
    assert (tmp_path / "made").read_text() == "x"


@pytest.mark.slow
def test_a_cancel_ends_everything_here(does: Does) -> None:
    begin = {"name": "Begin", "ansible.builtin.debug": {"msg": "begun"}}
    tasks = (begin, {"name": "Long", "ansible.builtin.command": "sleep 3501"})
    outcome, _ = ansible(does, play(*tasks), cancel_at="TASK [Long]")
    assert (outcome.state, "cancelled" in outcome.sentence) == ("failed", True)
    found = [one for one in psutil.process_iter(["cmdline"]) if (one.info["cmdline"] or [])[:2] == ["sleep", "3501"]]
    assert not psutil.wait_procs(found, timeout=10)[1]


@pytest.mark.slow
def test_what_is_ours_is_out_of_reach_and_nothing_is_left(
    does: Does, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDWATCH_SECRET_KEY", "kept-from-programs")
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "key").write_text("kept-from-programs")
    tasks = (
        {"name": "Read", "ansible.builtin.command": f"cat {data}/key", "ignore_errors": True},
        {"name": "Slurp", "ansible.builtin.slurp": {"src": f"{data}/key"}, "ignore_errors": True},
        {"name": "Env", "ansible.builtin.debug": {"msg": "{{ lookup('env', 'MIDWATCH_SECRET_KEY') }}"}},
        {"name": "All", "ansible.builtin.command": "env"},
        {"name": "Files", "ansible.builtin.command": "find . -type f -perm /077"},
    )
    seen: list[str] = []
    made = running.fresh_directory
    monkeypatch.setattr("midwatch.core.integration.guarded.fresh_directory", lambda: seen.append(made()) or seen[-1])
    config = RunnerConfig(local_user=OWN.local_user, hidden=(str(data),))
    outcome, heard = ansible(does, play(*tasks), config=config, secrets={"TOKEN": SECRET})
    assert outcome.state == "ok", heard.text()
    assert "kept-from-programs" not in heard.text()
    assert "MIDWATCH" not in heard.text("stdout").replace("MIDWATCH_SECRET_KEY", "")
    assert seen
    assert not Path(seen[0]).exists()


@pytest.mark.slow
def test_over_ssh_host_keys_are_checked(does: Does, tmp_path: Path) -> None:
    body = play({"name": "Where", "ansible.builtin.command": "printenv SSH_CONNECTION"})
    with sshd.running(tmp_path) as server:
        given = {"targets": [server.target], "secrets": {"SSH_KEY": server.key}}
        settings = {"known_hosts": server.known_hosts, "python": "/usr/bin/python3"}
        outcome, heard = ansible(does, body, settings=settings, **given)
        assert (outcome.state, outcome.targets) == ("ok", {server.target: "ok"}), heard.text()
        outcome, heard = ansible(does, body, settings={**settings, "known_hosts": ""}, **given)
    assert (outcome.state, outcome.targets) == ("failed", {server.target: "failed"})
    assert "Host key verification failed" in heard.text()


def test_who_may_and_what_is_missing(does: Does, tmp_path: Path) -> None:
    outcome, _ = ansible(does, PLAY, is_trusted=False)
    assert "does not name ansible-playbook" in outcome.sentence
    config = RunnerConfig(values={"ANSIBLE_RUNNER": str(tmp_path / "none")}, local_user=OWN.local_user)
    assert "pip install 'midwatch[ansible]'" in runners()["ansible"].missing(config)
    if os.geteuid() == 0:
        (tmp_path / "none").write_text("#!/bin/sh\n")
        (tmp_path / "none").chmod(0o700)
        assert "nobody cannot come to" in runners()["ansible"].missing(RunnerConfig(values=config.values))


def test_files_of_a_run(tmp_path: Path) -> None:
    task = Task(
        "1/a/1",
        "yaml",
        "- hosts: all",
        {"OPTION_A": '"}\nx: y {{ 1 }}'},
        {"SSH_KEY": "the key", "TOKEN": SECRET},
        {"user": "ops", "known_hosts": "db1 ssh-ed25519 AAAA"},
        ["db1", "admin@db2:2222", "[2001:db8::1]"],
        workdir=str(tmp_path),
    )
    begun = files.written(task, OWN)
    assert begun.is_remote
    inventory = json.loads((tmp_path / "hosts.json").read_text())["all"]
    assert inventory["hosts"]["admin@db2:2222"] == {
        "ansible_host": "db2",
        "ansible_user": "admin",
        "ansible_port": 2222,
    }
    assert "StrictHostKeyChecking=yes" in inventory["vars"]["ansible_ssh_common_args"]
    variables = (tmp_path / "variables.yml").read_text().splitlines()
    assert variables == ['"OPTION_A": !unsafe "\\"}\\nx: y {{ 1 }}"', f'"TOKEN": !unsafe "{SECRET}"']
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.rglob("*"))
    for target in ("db1 ansible_connection=local", "-x", "a,b", "a\nb", "$(id)"):
        assert runners()["ansible"].problems(Task("1/a/1", "yaml", "- hosts: all", targets=[target])), target


def test_events_that_come_in_pieces_and_odd_ones() -> None:
    heard = Heard()
    events = Events(heard, Captures({}))
    good = json.dumps(
        {"event": "runner_on_ok", "stdout": "ok: [a]\r\nmore", "event_data": {"host": "a", "task_uuid": "1"}}
    )
    stats = json.dumps(
        {"event": "playbook_on_stats", "event_data": {"ok": {"a": 1}, "failures": {"b": 1}, "dark": {"c": 1}}}
    )
    for piece in (good[:10], good[10:] + "\nnot json\n[1]\n{}\n" + stats[:5], stats[5:] + "\n", '{"event": "x"'):
        events.feed(piece)
    events.end()
    assert heard.text("stdout", "a") == "ok: [a]\nmore\n"
    assert heard.text("stderr") == 'not json\n[1]\n{}\n{"event": "x"\n'
    assert events.hosts == {"a": "ok", "b": "failed", "c": "failed"}
    assert events.coverage == (1, 1)
    assert threading.active_count()
