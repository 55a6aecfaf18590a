"""What is created: a job made of a script and an image, or whatever object the step writes. Values are filled in after
the text was read, so that no value can add a field."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from midwatch.core.integration import Task
from midwatch.core.running import filled_document, text_of

NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
VERSION = re.compile(r"([a-z0-9.-]+/)?v[a-z0-9]+")
DOORS = ("token", "ca")
SHELLS: Mapping[str, tuple[str, ...]] = {
    "": ("/bin/sh", "-c"),
    "sh": ("/bin/sh", "-c"),
    "shell": ("/bin/sh", "-c"),
    "bash": ("bash", "-c"),
    "python": ("python3", "-c"),
    "python3": ("python3", "-c"),
}
TTL_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class Wanted:
    """`is_job`: its pods' log is followed. `secret`: an object that goes before it and away with it, or None."""

    content: dict[str, Any]
    namespace: str
    is_job: bool
    secret: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        return str(self.content["metadata"]["name"])

    @property
    def kind(self) -> str:
        return str(self.content["kind"])

    @property
    def version(self) -> str:
        return str(self.content["apiVersion"])


def secret_name(task: Task, what: str) -> str:
    return text_of(task.settings, what) or f"KUBERNETES_{what.upper()}"


def own_name(task: Task) -> str:
    """The same step, attempt and all, has the same name: asked again, the cluster says that it is there."""
    return f"midwatch-{hashlib.sha256(task.key.encode()).hexdigest()[:20]}"


def wanted(task: Task) -> Wanted:
    """Raises `ValueError` with a sentence."""
    namespace = text_of(task.settings, "namespace", "default")
    if not NAME.fullmatch(namespace):
        raise ValueError(f"namespace {namespace[:60]!r}: small letters, digits and dashes")
    if task.language in {"yaml", "yml", "json"}:
        return _written(task, namespace)
    return _scripted(task, namespace)


def _written(task: Task, namespace: str) -> Wanted:
    content = filled_document(task.body, {**task.variables, **_given(task)})
    if not isinstance(content, dict) or not isinstance(content.get("metadata", {}), dict):
        raise ValueError("the step is no object: write apiVersion, kind, metadata and spec")
    version, kind = content.get("apiVersion"), content.get("kind")
    if (
        not isinstance(version, str)
        or not VERSION.fullmatch(version)
        or not isinstance(kind, str)
        or not kind.isalnum()
    ):
        raise ValueError("give apiVersion and kind, as in `apiVersion: batch/v1` and `kind: Job`")
    metadata = content.setdefault("metadata", {})
    metadata.setdefault("name", own_name(task))
    if not isinstance(metadata["name"], str) or not NAME.fullmatch(metadata["name"]):
        raise ValueError(f"metadata.name {str(metadata['name'])[:60]!r}: small letters, digits, dots and dashes")
    if metadata.setdefault("namespace", namespace) != namespace:
        raise ValueError("metadata.namespace differs from the attribute `namespace`: give one of them")
    return Wanted(content, namespace, is_job=(version, kind) == ("batch/v1", "Job"))


def _scripted(task: Task, namespace: str) -> Wanted:
    image = text_of(task.settings, "image")
    if task.language not in SHELLS:
        raise ValueError(f"{task.language!r} is not known here: write sh, bash or python with an `image`, or yaml")
    if not image or any(character.isspace() for character in image):
        raise ValueError("image: say in which container image the script runs, or write a whole object as yaml")
    name, secrets = own_name(task), _given(task)
    env: list[dict[str, Any]] = [{"name": key, "value": _plain(value)} for key, value in task.variables.items()]
    env += [{"name": key, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}} for key in secrets]
    container = {
        "name": "step",
        "image": image,
        "command": [*SHELLS[task.language]],
        "args": [_plain(task.body)],
        "env": env,
    }
    pod: dict[str, Any] = {"restartPolicy": "Never", "automountServiceAccountToken": False, "containers": [container]}
    if text_of(task.settings, "service_account"):
        pod |= {"serviceAccountName": text_of(task.settings, "service_account"), "automountServiceAccountToken": True}
    labels = {"app.kubernetes.io/managed-by": "midwatch"}
    metadata = {"name": name, "namespace": namespace, "labels": labels, "annotations": {"midwatch.dev/step": task.key}}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": max(1, int(task.timeout_seconds)),  # it ends there too, whatever becomes of us
            "ttlSecondsAfterFinished": TTL_SECONDS,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    kept = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "stringData": secrets}
    return Wanted(job, namespace, is_job=True, secret=kept if secrets else None)


def _plain(text: str) -> str:
    """Kubernetes reads $(NAME) in commands and values as a reference; $$( is a plain one."""
    return text.replace("$(", "$$(")


def _given(task: Task) -> dict[str, str]:
    doors = {secret_name(task, what) for what in DOORS}
    return {name: value for name, value in task.secrets.items() if name not in doors}
