"""A Rundeck as its API is known to behave (versions 14 to 59): jobs, executions, the output's offsets, abort.

What an execution does is a script of the test: `log` lines appear as `says` is called, `ends` ends it.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from fakes.server import FakeServer, Recorded, Reply, json_reply

TOKEN = "rundeck-token-0123456789"
JOB = "a1b2c3d4-0000-4000-8000-0123456789ab"


class Rundeck(FakeServer):
    def __init__(self) -> None:
        super().__init__()
        self.executions: dict[int, dict[str, Any]] = {}
        self.lines: dict[int, list[dict[str, Any]]] = {}
        self.ends_at_once: str | None = "succeeded"
        self.aborts = True
        self.plan: list[tuple[str, str, str]] = [("node1", "NORMAL", "version: 7"), ("node2", "ERROR", "slow disk")]

    def respond(self, request: Recorded) -> Reply:
        parts = request.path.strip("/").split("/")
        if parts[0] != "api" or not parts[1].isdigit():
            return Reply(404, b"<html>no</html>", {"Content-Type": "text/html"})
        if int(parts[1]) < 14:
            return self._error(400, "api.error.api-version.unsupported", "Unsupported API Version")
        if request.headers.get("x-rundeck-auth-token") != TOKEN:
            return self._error(403, "unauthorized", "(Token:****) is not authorized for: /api")
        match parts[2:]:
            case ["project", "ops", "jobs"]:
                query = parse_qs(request.query)
                is_it = query.get("jobExactFilter") == ["deploy"] and query.get("groupPathExact") == ["web"]
                return json_reply(
                    200, [{"id": JOB, "name": "deploy", "group": "web", "project": "ops"}] if is_it else []
                )
            case ["job", job, "info"] if request.method == "GET":
                return json_reply(200, {"id": job}) if job == JOB else self._no_job(job)
            case ["job", job, "run"] if request.method == "POST":
                return self._start(request) if job == JOB else self._no_job(job)
            case ["execution", number, *rest] if int(number) in self.executions:
                return self._execution(int(number), rest, request)
        return self._error(404, "api.error.item.doesnotexist", "does not exist")

    def _start(self, request: Recorded) -> Reply:
        number = 100 + len(self.executions)
        self.executions[number] = {
            "id": number,
            "permalink": f"{self.url}/project/ops/execution/show/{number}",
            "status": "running",
            "project": "ops",
            "argstring": str(request.json.get("options")),
        }
        self.lines[number] = []
        for node, level, text in self.plan:
            self.lines[number].append({"time": "10:00:00", "level": level, "log": text, "node": node, "stepctx": "1"})
        if self.ends_at_once:
            self.ends(number, self.ends_at_once)
        return json_reply(200, self.executions[number])

    def ends(self, number: int, status: str) -> None:
        self.executions[number] |= {"status": status, "successfulNodes": ["node1"], "failedNodes": ["node2"]}
        if status == "succeeded":
            self.executions[number] |= {"successfulNodes": ["node1", "node2"], "failedNodes": []}

    def _execution(self, number: int, rest: list[str], request: Recorded) -> Reply:
        execution = self.executions[number]
        if rest == ["output"]:
            query = parse_qs(request.query)
            offset, most = int(query.get("offset", ["0"])[0]), int(query.get("maxlines", ["10"])[0])
            entries = self.lines[number][offset : offset + most]
            has_ended = execution["status"] != "running"
            end = offset + len(entries)
            page = {
                "id": number,
                "offset": str(end),
                "completed": has_ended and end == len(self.lines[number]),
                "execCompleted": has_ended,
                "execState": execution["status"],
                "lastModified": "1700000000000",
                "entries": entries,
            }
            return json_reply(200, page)
        if rest == ["abort"]:
            if self.aborts:
                self.ends(number, "aborted")
            status = "aborted" if self.aborts else "pending"
            return json_reply(
                200, {"abort": {"status": status}, "execution": {"id": number, "status": execution["status"]}}
            )
        return json_reply(200, execution)

    def _no_job(self, job: str) -> Reply:
        return self._error(404, "api.error.item.doesnotexist", f"Job ID does not exist: {job}")

    def _error(self, status: int, code: str, message: str) -> Reply:
        return json_reply(status, {"error": True, "apiversion": 41, "errorCode": code, "message": message})
