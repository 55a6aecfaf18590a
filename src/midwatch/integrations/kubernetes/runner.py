"""Create it, wait for how it ends, take it away again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from midwatch.core.asking import Stopped
from midwatch.core.integration import Outcome, Output, Preview, RunnerConfig, Task
from midwatch.core.net import AddressRefused, NetError, check_written
from midwatch.core.running import (
    Captures,
    Patience,
    flag_of,
    problems_of_captures,
    settled,
    text_of,
    unknown_attributes,
)
from midwatch.integrations.kubernetes.client import Api, Refused, segment
from midwatch.integrations.kubernetes.following import Following
from midwatch.integrations.kubernetes.objects import Wanted, secret_name, wanted

EXECUTOR = "kubernetes"
TITLE = "Kubernetes"
ATTRIBUTES: Mapping[str, str] = {
    "url": "the API server's address, https://10.0.0.1:6443",
    "token": "the name of the secret that holds the bearer token; KUBERNETES_TOKEN by default",
    "ca": "the name of the secret that holds the cluster's certificate authority as PEM; KUBERNETES_CA by default",
    "namespace": "the namespace; default by default",
    "image": "for a script: the container image that it runs in",
    "service_account": "for a script: the service account of its pod; without one it gets no token",
    "container": "the container whose log is followed; by default the pod's first",
    "condition": "for a custom resource: the condition to wait for, Ready or Ready=True; without one it is only created",
    "failed_condition": "the condition that means failure, Failed or Failed=True",
    "keep": "true: do not delete it afterwards; jobs are deleted, custom resources kept unless it says false",
    "captures": 'values to take from the log: {"NAME": "the words before the value"}',
}
CONDITION = re.compile(r"[A-Za-z][A-Za-z0-9./-]{0,100}(=(True|False|Unknown))?")


def missing(config: RunnerConfig) -> str:
    return ""


def problems(task: Task) -> Sequence[str]:
    try:
        task = settled(task)
    except ValueError as error:
        return [str(error)]
    found = unknown_attributes(task.settings, ATTRIBUTES) + problems_of_captures(task.settings)
    if task.targets:
        found.append("targets: a cluster is named by `url` and `namespace`; take them away")
    if not task.secrets.get(secret_name(task, "token")):
        found.append(f"give the secret {secret_name(task, 'token')} with a bearer token of the cluster")
    for name in ("condition", "failed_condition"):
        given = text_of(task.settings, name)
        if given and not CONDITION.fullmatch(given):
            found.append(f"{name}: write Ready or Ready=True")
    for check in (lambda: check_written(text_of(task.settings, "url")), lambda: wanted(task)):
        try:
            check()
        except (ValueError, AddressRefused) as error:
            found.append(str(error))
    return found


def preview(task: Task, config: RunnerConfig) -> Preview:
    note = "in a dry run the API server checks it all and creates nothing"
    try:
        task = settled(task)
    except ValueError as error:
        return Preview([str(error)], "server-side", note)
    lines = [f"on {text_of(task.settings, 'url')}"]
    try:
        one = wanted(task)
        lines[0] += f": create {one.kind} {one.name} in namespace {one.namespace}"
        if text_of(task.settings, "image"):
            lines.append(f"image {text_of(task.settings, 'image')}")
    except ValueError as error:
        lines.append(str(error))
    lines += [f"{name}={value}" for name, value in sorted(task.variables.items())]
    lines += task.body.splitlines()
    return Preview(lines, "server-side", note)


def run(task: Task, out: Output, config: RunnerConfig) -> Outcome:
    task = settled(task)
    one = wanted(task)
    patience = Patience(task.timeout_seconds, out.is_cancelled)
    token, ca = (task.secrets.get(secret_name(task, what), "") for what in ("token", "ca"))
    api = Api(text_of(task.settings, "url").rstrip("/"), token.strip(), ca, task.is_trusted, patience)
    try:
        path = _path(api, one)
    except (Refused, NetError) as error:
        return Outcome("failed", f"not begun: {error}")
    except Stopped as stopped:
        return Outcome("failed", f"not begun: {stopped.words}")
    if task.is_dry_run:
        return _dry_run(api, path, one)
    begun = _create(api, path, one)
    if begun is not None:
        _clear_secret(api, one, out)
        return begun
    out.write(f"{one.kind} {one.namespace}/{one.name} is created\n", stream="midwatch")
    _bind_secret(api, path, one, out)
    following = Following(api, path, one, task, out, Captures(task.settings))
    outcome = following.job() if one.is_job else following.condition()
    if not flag_of(task.settings, "keep", default=not one.is_job):
        outcome = following.clear(outcome)
    _clear_secret(api, one, out)
    return outcome


def _dry_run(api: Api, path: str, one: Wanted) -> Outcome:
    try:
        if one.secret is not None:
            api.create(f"/api/v1/namespaces/{segment(one.namespace)}/secrets", one.secret, is_dry_run=True)
        api.create(path, one.content, is_dry_run=True)
    except (Refused, NetError) as error:
        return Outcome("failed", str(error), coverage=(1, 1) if isinstance(error, Refused) else (0, 1))
    except Stopped as stopped:
        return Outcome("failed", stopped.words, coverage=(0, 1))
    return Outcome("ok", f"the API server would create {one.kind} {one.name}; nothing was created", coverage=(1, 1))


def _path(api: Api, one: Wanted) -> str:
    """Of its collection; the plural is asked for. Raises `Refused`, `NetError`, `Stopped`."""
    group = f"/apis/{one.version}" if "/" in one.version else f"/api/{one.version}"
    if one.is_job:
        return f"{group}/namespaces/{segment(one.namespace)}/jobs"
    for resource in api.get(group).get("resources") or []:
        if resource.get("kind") == one.kind and "/" not in str(resource.get("name")):
            if not resource.get("namespaced"):
                raise Refused(f"{one.kind} has no namespace: a step creates what stands in one", 400)
            return f"{group}/namespaces/{segment(one.namespace)}/{segment(str(resource['name']))}"
    raise Refused(f"the cluster knows no {one.kind} in {one.version}", 404)


def _create(api: Api, path: str, one: Wanted) -> Outcome | None:
    """None when it is there."""
    try:
        if one.secret is not None:
            api.create(f"/api/v1/namespaces/{segment(one.namespace)}/secrets", one.secret)
        api.create(path, one.content)
    except Refused as error:
        if error.reason == "AlreadyExists":
            sentence = f"there is one of the name {one.name} already: an earlier attempt may be running, look at it"
            return Outcome("unknown" if one.name.startswith("midwatch-") else "failed", sentence)
        if error.status >= 500:
            return _is_there(api, path, one, str(error))
        return Outcome("failed", f"not begun: {error}")
    except NetError as error:
        return (
            _is_there(api, path, one, str(error))
            if error.may_have_arrived
            else Outcome("failed", f"not begun: {error}")
        )
    except Stopped as stopped:
        return _is_there(api, path, one, stopped.words)
    return None


def _is_there(api: Api, path: str, one: Wanted, words: str) -> Outcome | None:
    """No answer came to the creation; but it has a name, so it can be looked for."""
    look = api.with_patience(Patience(30.0, lambda: False))
    try:
        look.get(f"{path}/{segment(one.name)}")
    except Refused as error:
        if error.status == 404:
            return Outcome("failed", f"not begun: {words}")
        return Outcome("unknown", f"{words}; whether {one.name} was created is not known ({error})")
    except (NetError, Stopped) as error:
        return Outcome("unknown", f"{words}; whether {one.name} was created is not known ({error})")
    return None


def _secret_path(one: Wanted) -> str:
    return f"/api/v1/namespaces/{segment(one.namespace)}/secrets/{segment(one.name)}"


def _bind_secret(api: Api, path: str, one: Wanted, out: Output) -> None:
    """To the job: the cluster itself clears the secret away with it, also when we are not there any more."""
    if one.secret is None:
        return
    try:
        uid = api.get(f"{path}/{segment(one.name)}")["metadata"]["uid"]
        owner = {"apiVersion": one.version, "kind": one.kind, "name": one.name, "uid": uid}
        api.patch(_secret_path(one), {"metadata": {"ownerReferences": [owner]}})
    except (Refused, NetError, Stopped) as error:
        out.write(f"Secret {one.name} is not bound to the job: {error}\n", stream="midwatch")


def _clear_secret(api: Api, one: Wanted, out: Output) -> None:
    if one.secret is None:
        return
    try:
        api.with_patience(Patience(20.0, lambda: False)).delete(_secret_path(one))
    except (Refused, NetError, Stopped) as error:
        words = f"Secret {one.namespace}/{one.name} could not be deleted ({error}): it goes with the job, or delete it"
        out.write(words + "\n", stream="midwatch")
