"""An API server as Kubernetes' own behaves for what steps ask of it: bearer tokens, discovery, creation with its refusals,
server-side dry runs, deletion with propagation, logs by seconds. Nothing runs by itself: the test is kubelet and operator.

What was learned of a real one (1.20 to 1.32): a creation without a name is 422; the same name twice is 409 AlreadyExists;
an unknown field with strict validation is 400 BadRequest; the log of a container that waits is 400; every refusal is a
`Status`; `sinceTime` is cut to its second; deletion in the foreground leaves the object, with its deletionTimestamp, until
its pods are gone.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from fakes.server import FakeServer, Recorded, Reply, json_reply

TOKEN = "kubernetes-token-0123456789"
RESOURCES = {
    "/api/v1": [("Pod", "pods"), ("Pod", "pods/log"), ("Secret", "secrets")],
    "/apis/batch/v1": [("Job", "jobs"), ("Job", "jobs/status")],
    "/apis/shop.example.com/v1": [("Failover", "failovers")],
}
FIELDS = {"apiVersion", "kind", "metadata", "spec", "status", "type", "data", "stringData"}


class Kubernetes(FakeServer):
    """`on_create(self, collection, object)` is what the cluster does with a new object."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, dict[str, Any]] = {}  # by path
        self.logs: dict[str, list[tuple[str, str]]] = {}  # pod -> (time stamp, line)
        self.on_create: Callable[[Kubernetes, str, dict[str, Any]], None] = lambda *_: None
        self.deletes_at_once = True
        self.deleted: list[tuple[str, str]] = []

    def respond(self, request: Recorded) -> Reply:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return self.status(401, "Unauthorized", "Unauthorized")
        query = {name: values[0] for name, values in parse_qs(request.query).items()}
        if request.path in RESOURCES:
            listed = [{"name": name, "kind": kind, "namespaced": True} for kind, name in RESOURCES[request.path]]
            return json_reply(200, {"kind": "APIResourceList", "resources": listed})
        if request.path.endswith("/log"):
            return self._log(request.path, query)
        match request.method:
            case "POST":
                return self._create(request, query)
            case "DELETE":
                return self._delete(request)
            case "PATCH":
                if request.headers.get("content-type") != "application/merge-patch+json":
                    return self.status(415, "UnsupportedMediaType", "the body of the request was in an unknown format")
                found = self.objects.get(request.path)
                if found is None:
                    return self.status(404, "NotFound", "not found")
                found["metadata"] |= request.json["metadata"]
                return json_reply(200, found)
        if request.path in self.objects:
            return json_reply(200, self.objects[request.path])
        if request.path.rpartition("/")[2] in {"pods", "jobs", "secrets", "failovers"}:
            return json_reply(
                200, {"kind": "List", "items": self._labelled(request.path, query.get("labelSelector", ""))}
            )
        name = request.path.rpartition("/")[2]
        return self.status(404, "NotFound", f'"{name}" not found')

    def _labelled(self, collection: str, selector: str) -> list[dict[str, Any]]:
        name, _, value = selector.partition("=")
        return [
            one
            for path, one in self.objects.items()
            if path.rpartition("/")[0] == collection
            and (not name or one["metadata"].get("labels", {}).get(name) == value)
        ]

    def _create(self, request: Recorded, query: dict[str, str]) -> Reply:
        content = request.json
        unknown = set(content) - FIELDS
        name = content.get("metadata", {}).get("name")
        if unknown and query.get("fieldValidation") == "Strict":
            return self.status(400, "BadRequest", f'strict decoding error: unknown field "{unknown.pop()}"')
        if not name:
            return self.status(422, "Invalid", "metadata.name: Required value: name or generateName is required")
        path = f"{request.path}/{name}"
        if path in self.objects:
            return self.status(409, "AlreadyExists", f'"{name}" already exists')
        content["metadata"] |= {"uid": str(uuid.uuid4()), "generation": 1}
        if query.get("dryRun") != "All":
            self.objects[path] = content
            self.on_create(self, request.path, content)
        return json_reply(201, content)

    def _delete(self, request: Recorded) -> Reply:
        found = self.objects.get(request.path)
        if found is None:
            return self.status(404, "NotFound", "not found")
        self.deleted.append((request.path.rpartition("/")[2], request.json.get("propagationPolicy")))
        found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        if self.deletes_at_once:
            del self.objects[request.path]
            for path in [path for path in self.objects if "/pods/" in path]:
                del self.objects[path]
        return json_reply(200, {"kind": "Status", "status": "Success"})

    def pod(self, job: dict[str, Any], state: dict[str, Any], *, name: str = "") -> str:
        """Makes or changes the job's pod. Returns its name."""
        namespace, owner = job["metadata"]["namespace"], job["metadata"]["name"]
        name = name or f"{owner}-x7k2p"
        self.objects[f"/api/v1/namespaces/{namespace}/pods/{name}"] = {
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"job-name": owner}},
            "status": {"containerStatuses": [{"name": "step", "state": state}]},
        }
        self.logs.setdefault(name, [])
        return name

    def finish(self, job: dict[str, Any], code: int = 0, message: str = "") -> None:
        self.pod(job, {"terminated": {"exitCode": code}})
        kind = "Complete" if code == 0 else "Failed"
        reason = {} if code == 0 else {"reason": "BackoffLimitExceeded", "message": message}
        job["status"] = {"conditions": [{"type": kind, "status": "True", **reason}]}

    def _log(self, path: str, query: dict[str, str]) -> Reply:
        pod = path.split("/")[-2]
        found = self.objects.get(path.removesuffix("/log"))
        if found is None:
            return self.status(404, "NotFound", f'pods "{pod}" not found')
        if "waiting" in found["status"]["containerStatuses"][0]["state"]:
            return self.status(400, "BadRequest", f'container "step" in pod "{pod}" is waiting to start')
        since = query.get("sinceTime", "")[:19]
        text = "".join(f"{stamp} {line}\n" for stamp, line in self.logs[pod] if stamp[:19] >= since)
        return Reply(200, text.encode()[: int(query.get("limitBytes", 10**9))], {"Content-Type": "text/plain"})

    def status(self, code: int, reason: str, message: str) -> Reply:
        content = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        }
        return json_reply(code, content)
