"""Steps of Rundeck's plugins that have an equal here: Ansible and HTTP. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from midwatch.integrations.rundeck import variables
from midwatch.integrations.rundeck.drafts import Step, flag, word
from midwatch.integrations.rundeck.variables import Known

_PLAYBOOK = ("AnsiblePlaybookWorkflowStep", "AnsiblePlaybookWorflowStep", "AnsiblePlaybookWorkflowNodeStep")
_INLINE = ("AnsiblePlaybookInlineWorkflowStep", "AnsiblePlaybookInlineWorkflowNodeStep")
OURS = "midwatch-step"  # as our own export has what a Rundeck has no word for
_HTTP = ("HttpWorkflowStepPlugin", "HttpWorkflowNodeStepPlugin")
_HTTP_KEYS = {"remoteUrl", "method", "headers", "body", "timeout", "checkResponseCode", "responseCode", "printResponse",
              "authentication", "sslVerify"}  # fmt: skip
_ANSIBLE_KEYS = {"ansible-playbook", "ansible-playbook-inline", "ansible-extra-vars", "ansible-extra-param",
                 "ansible-base-dir-path", "ansible-become", "ansible-become-user", "ansible-ssh-user"}  # fmt: skip


def fill(command: Mapping[str, Any], step: Step, known: Known, notes: list[str]) -> bool:
    """False when the plugin is not known here."""
    configuration = command.get("configuration")
    given: Mapping[str, Any] = configuration if isinstance(configuration, Mapping) else {}
    name = word(command, "type", 200).rpartition(".")[2]
    if word(command, "type") == OURS:
        return _own(given, step)
    if name in _INLINE and word(given, "ansible-playbook-inline"):
        step.language, step.body = "yaml", word(given, "ansible-playbook-inline", 200_000)
        return _ansible(given, step, known, notes)
    if name in _PLAYBOOK and word(given, "ansible-playbook"):
        step.settings["playbook"] = variables.in_setting(word(given, "ansible-playbook", 1_000), known)
        step.language = "yaml"
        notes.append("the playbook has to lie on the machine that runs the step")
        return _ansible(given, step, known, notes)
    if name in _HTTP and word(given, "remoteUrl"):
        return _http(given, step, known, notes)
    return False


def _own(given: Mapping[str, Any], step: Step) -> bool:
    attributes = given.get("attributes")
    if not isinstance(attributes, Mapping) or word(attributes, "kind") not in {
        "manual",
        "copy",
        "approve",
        "run",
        "auto",
    }:
        return False
    step.name = word(attributes, "name", 60) or step.name
    step.language, step.body = word(given, "language", 50), word(given, "body", 200_000)
    step.kind, step.executor = word(attributes, "kind"), word(attributes, "executor", 50)
    step.settings = {
        str(key): value for key, value in attributes.items() if key not in {"kind", "executor", "name", "title"}
    }
    return True


def _ansible(given: Mapping[str, Any], step: Step, known: Known, notes: list[str]) -> bool:
    step.executor = "ansible"
    if variables.references(step.body):
        known.unknown.add("${...} inside the playbook")
    if word(given, "ansible-extra-vars"):
        notes.append("extra variables are not taken: options come as variables, by the names they have here")
    left = sorted(set(given) - _ANSIBLE_KEYS - {"ansible-playbook", "ansible-playbook-inline"})
    left += [key for key in ("ansible-extra-param", "ansible-base-dir-path", "ansible-become") if given.get(key)]
    if left:
        notes.append(f"not taken: {', '.join(map(str, left))[:200]}")
    return True


def _http(given: Mapping[str, Any], step: Step, known: Known, notes: list[str]) -> bool:
    step.executor, step.language = "http", "http"
    method = (word(given, "method", 10) or "GET").upper()
    lines = [f"{method} {variables.in_setting(word(given, 'remoteUrl', 2_000), known, by_variable=True)}"]
    headers, is_read = _headers(word(given, "headers", 10_000))
    if not is_read:
        notes.append("its headers are written as text that is not understood: add them")
    lines += [f"{name}: {variables.in_setting(value, known, by_variable=True)}" for name, value in headers.items()]
    if body := word(given, "body", 100_000):
        lines += ["", variables.in_setting(body, known, by_variable=True)]
    step.body = "\n".join(lines)
    if flag(given, "checkResponseCode") and word(given, "responseCode", 3).isdigit():
        step.settings["expect"] = int(word(given, "responseCode", 3))
    if word(given, "authentication") not in {"", "None"}:
        notes.append("its authentication is not taken: put the password into a secret and name it in a header")
    if given.get("sslVerify") is not None and not flag(given, "sslVerify", default=True):
        notes.append("certificates are always checked here")
    left = sorted(str(key) for key, value in given.items() if value not in ("", None) and key not in _HTTP_KEYS)
    if left:
        notes.append(f"not taken: {', '.join(left)[:200]}")
    return True


def _headers(text: str) -> tuple[dict[str, str], bool]:
    """JSON, or a line each: `name: value`. False when it is neither."""
    if not text.strip():
        return {}, True
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        pairs = [line.partition(":") for line in text.splitlines() if line.strip()]
        is_read = all(colon for _, colon, _ in pairs)
        return {name.strip(): value.strip() for name, colon, value in pairs if colon}, is_read
    if not isinstance(found, dict):
        return {}, False
    return {str(name): " ".join(str(value).split()) for name, value in found.items()}, True
