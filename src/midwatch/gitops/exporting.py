"""What runs, as documents: applied again they change nothing. Keys are masked; addresses too unless asked for."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from midwatch.core.written.documents import ENDINGS
from midwatch.core.written.values import MASK
from midwatch.gitops.current import Current, State, read_state
from midwatch.gitops.plan import ORDER
from midwatch.gitops.schema import KINDS
from midwatch.gitops.schema.api import API_VERSION
from midwatch.gitops.schema.pages import PART
from midwatch.gitops.schema.people import SECRET_WORDS
from midwatch.prepare.runbooks import front

FILES: Final = {
    "User": "users.yaml",
    "Team": "teams.yaml",
    "Schedule": "schedules.yaml",
    "EscalationPolicy": "policies.yaml",
    "Service": "services.yaml",
    "Source": "sources.yaml",
    "StatusPage": "status-pages.yaml",
    "Runbook": "runbooks.yaml",
    "Severity": "severities.yaml",
    "IncidentRole": "incident-roles.yaml",
    "IncidentType": "incident-types.yaml",
    "DeclarationRule": "declaration-rules.yaml",
}
ALWAYS: Final = frozenset({"displayName", "timeZone", "members", "combine", "repeat", "repeatAfter", "tier", "urgency"})


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)


_Dumper.add_representer(str, _Dumper.represent_text)


def export_text(*, with_contacts: bool = False) -> str:
    """All documents in one stream."""
    return "---\n".join(text for text in export_texts(with_contacts=with_contacts).values() if text)


def export_texts(*, with_contacts: bool = False) -> dict[str, str]:
    """By file name."""
    state = read_state()
    return {FILES[kind]: _stream(documents(state, kind, with_contacts=with_contacts)) for kind in ORDER}


def export(directory: Path, *, with_contacts: bool = False) -> list[Path]:
    """Write one file a kind. Raises `ValueError` when the directory holds other documents, which would come twice."""
    directory.mkdir(parents=True, exist_ok=True)
    others = sorted(
        path.name for path in directory.iterdir() if path.name.endswith(ENDINGS) and path.name not in FILES.values()
    )
    if others:
        raise ValueError(f"{directory} holds other documents ({', '.join(others[:5])}): give an empty directory")
    written = []
    for name, text in export_texts(with_contacts=with_contacts).items():
        path = directory / name
        if text:
            _write(path, text)
            written.append(path)
        elif path.exists():
            path.unlink()  # an earlier export's
    return written


def documents(state: State, kind: str, *, with_contacts: bool) -> Iterator[dict[str, Any]]:
    for (of, name), current in sorted(state.items(), key=lambda item: item[0]):
        if of == kind:
            spec = _spec(kind, current, with_contacts=with_contacts)
            yield {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _spec(kind: str, current: Current, *, with_contacts: bool) -> dict[str, Any]:
    spec = dict(current.spec)
    if kind == "User":
        spec = _user(current, with_contacts=with_contacts)
    elif kind == "Schedule":
        spec["layers"] = [_without_nothing(layer) for layer in spec["layers"]]
    elif kind == "StatusPage":
        spec["components"] = [_component(one) for one in spec["components"]]
    elif kind == "IncidentType":
        spec["tasks"] = [_without_nothing(one) for one in spec["tasks"]]
    elif kind == "Source":
        spec["key"] = None if spec["keyFrom"] else MASK
        spec["previousKey"] = MASK if spec["previousKey"] else None
    elif kind == "Runbook":
        return runbook_spec(spec)
    table = KINDS[kind].table
    return {
        name: value for name, value in spec.items() if name in ALWAYS or not _is_default(value, table[name].default)
    }


def runbook_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is as left out."""
    found = front.without_defaults(spec, {**front.FRONT})
    if not spec["isActive"]:
        found["isActive"] = False
    return {**found, "body": spec["body"]} if spec["body"] else found


def _component(one: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        key: value
        for key, value in one.items()
        if key not in {"components", "startedOn"} and not _is_default(value, PART[key].default)
    }
    if one["startedOn"]:
        found["startedOn"] = one["startedOn"]
    if one.get("components") is not None:
        found["components"] = [_component(child) for child in one["components"]]
    return found


def _is_default(value: Any, default: Any) -> bool:
    return value is None or value == (list(default) if isinstance(default, tuple) else default)


def _user(current: Current, *, with_contacts: bool) -> dict[str, Any]:
    """What is the person's own is left out, unless asked for: it stays theirs."""
    spec = dict(current.spec)
    contacts, rules = spec["contactMethods"], spec["notificationRules"]
    has_contacts = current.from_code["contactMethods"] or (with_contacts and contacts)
    has_rules = current.from_code["notificationRules"] or (with_contacts and (rules["high"] or rules["low"]))
    spec["contactMethods"] = [_contact(one, with_contacts=with_contacts) for one in contacts] if has_contacts else None
    spec["notificationRules"] = _rules(rules) if has_rules else None
    spec["notifyOn"] = spec["notifyOn"] or None
    spec["role"] = None if spec["role"] == "member" else spec["role"]
    return spec


def _contact(contact: Mapping[str, Any], *, with_contacts: bool) -> dict[str, Any]:
    word = SECRET_WORDS.get(contact["type"], "secret")
    found = {
        "name": contact["name"],
        "type": contact["type"],
        "address": contact["address"] if with_contacts else MASK,
        f"{word}From": contact["secretFrom"],
        word: MASK if contact["secret"] else None,
    }
    return _without_nothing(found)


def _rules(rules: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "high": [_without_nothing(rule) for rule in rules["high"]],
        "low": [_without_nothing(rule) for rule in rules["low"]],
        "repeatAfter": rules["repeatAfter"],
    }


def _without_nothing(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in found.items() if value is not None and (value != [] or name != "restrictions")
    }


def _stream(found: Iterator[dict[str, Any]]) -> str:
    texts: Sequence[str] = [
        yaml.dump(one, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
        for one in found
    ]
    return "---\n".join(texts)


def _write(path: Path, text: str) -> None:
    """Complete or not at all; only its owner may read it, since it says how people are reached."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)
