"""The files of one run, written into its own directory: nothing of an earlier run can be read again.

They are JSON, which is YAML too; a value of a variable is marked `!unsafe`, so that Ansible never reads it as a template.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from midwatch.core import programs
from midwatch.core.integration import RunnerConfig, Task
from midwatch.core.running import text_of

HOST = re.compile(
    r"(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9_.@$-]{0,62})@)?"
    r"(?:\[(?P<six>[0-9A-Fa-f:.]{2,45})\]|(?P<host>[A-Za-z0-9][A-Za-z0-9._-]{0,252}))(?::(?P<port>\d{1,5}))?"
)
LOCAL = frozenset({"localhost", "127.0.0.1"})
PYTHON = "/usr/bin/python3"  # the first that discovery finds may be a shim that does not start


@dataclass(frozen=True, slots=True)
class Run:
    """What was written, and so how to begin. `is_remote`: some of it happens on other machines."""

    arguments: tuple[str, ...]
    playbook: str
    project: str
    is_remote: bool


def written(task: Task, config: RunnerConfig) -> Run:
    """Raises `ValueError` with a sentence."""

    def put(name: str, content: str) -> str:
        return str(programs.put(task.workdir, name, content, config))

    playbook = text_of(task.settings, "playbook")
    if not playbook:
        put("project/step.yml", task.body)
    hosts = {name: _host(name, task) for name in task.targets}
    inventory = text_of(task.settings, "inventory")
    if inventory.startswith("/"):
        path = inventory
    elif inventory:
        path = put("hosts", inventory)
    else:
        hosts = hosts or {"localhost": _host("localhost", task)}
        path = put("hosts.json", json.dumps({"all": {"hosts": hosts, "vars": _ssh(task, put)}}))
    given = {**task.variables, **_given_secrets(task)}
    lines = [f"{json.dumps(name)}: !unsafe {json.dumps(value)}" for name, value in given.items()]
    arguments = ["-e", "@" + put("variables.yml", "\n".join(lines) + "\n")] if lines else []
    if inventory and hosts:
        arguments += ["--limit", ",".join(task.targets)]
    project, _, name = playbook.rpartition("/") if playbook else (f"{task.workdir}/project", "", "step.yml")
    is_remote = bool(inventory) or any(host.get("ansible_connection") != "local" for host in hosts.values())
    return Run(("-i", path, *arguments), name, project, is_remote)


def _host(name: str, task: Task) -> dict[str, Any]:
    """Raises `ValueError`."""
    found = HOST.fullmatch(name.strip())
    if found is None:
        raise ValueError(f"target {name[:80]!r}: write a host's name, admin@db1.example.com:2222 or [2001:db8::1]:22")
    python = text_of(task.settings, "python")
    if name in LOCAL:
        return {"ansible_connection": "local", "ansible_python_interpreter": python or PYTHON}
    made: dict[str, Any] = {"ansible_host": found["six"] or found["host"]}
    if found["user"] or text_of(task.settings, "user"):
        made["ansible_user"] = found["user"] or text_of(task.settings, "user")
    if found["port"]:
        made["ansible_port"] = int(found["port"])
    if python:
        made["ansible_python_interpreter"] = python
    return made


def check_targets(task: Task) -> None:
    for name in task.targets:
        _host(name, task)


def key_name(task: Task) -> str:
    return text_of(task.settings, "key") or "SSH_KEY"


def _given_secrets(task: Task) -> dict[str, str]:
    return {name: value for name, value in task.secrets.items() if name != key_name(task)}


def _ssh(task: Task, put: Any) -> Mapping[str, str]:
    """The key as a file of this run alone; host keys are checked, against those that were given."""
    made: dict[str, str] = {}
    key = task.secrets.get(key_name(task), "")
    if key:
        made["ansible_ssh_private_key_file"] = put("key", key.strip() + "\n")
    known = put("known_hosts", text_of(task.settings, "known_hosts") + "\n")
    made["ansible_ssh_common_args"] = (
        f"-o StrictHostKeyChecking=yes -o UserKnownHostsFile={known} -o IdentitiesOnly=yes -o IdentityAgent=none"
    )
    return made
