"""GitHub and Jira as far as issues go, with state: https://docs.github.com/en/rest/issues/issues and
https://developer.atlassian.com/cloud/jira/platform/rest/v2/. `transport` is for a story's network; `asked`: (method, path).
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from midwatch.core import net

GITHUB_TOKEN = "github_pat_11TESTS"
JIRA_USER, JIRA_TOKEN = "bot@example.com", "ATATT-tests"


@dataclass
class Answer(Exception):  # noqa: N818 - says what happened
    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


class Fake:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.fails: Answer | None = None  # every request is answered so
        self.is_down = False
        self.dies_after: str | None = None  # METHOD: done, and the answer is lost

    def transport(self, request: net.HttpRequest) -> net.HttpAnswer:
        if self.is_down:
            raise net.NetError("no answer")
        parts = urlsplit(request.url)
        self.asked.append((request.method, parts.path))
        try:
            if self.fails is not None:
                raise self.fails
            self.check(request)
            body = json.loads(request.body) if request.body else None
            status, content = self.api(request.method, parts.path, parse_qs(parts.query), body)
            answer = Answer(status, content)
        except Answer as given:
            answer = given
        if self.dies_after == request.method:
            self.dies_after = None
            raise net.NetError("the connection was cut")
        body_bytes = b"" if answer.body is None else json.dumps(answer.body).encode()
        return net.HttpAnswer(answer.status, answer.headers, body_bytes)

    def check(self, request: net.HttpRequest) -> None:
        raise NotImplementedError

    def api(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        raise NotImplementedError


class FakeGitHub(Fake):
    """One repository, acme/shop."""

    def __init__(self) -> None:
        super().__init__()
        self.issues: dict[int, dict[str, Any]] = {}

    def check(self, request: net.HttpRequest) -> None:
        if request.headers.get("authorization") != f"Bearer {GITHUB_TOKEN}":
            raise Answer(401, {"message": "Bad credentials", "status": "401"})
        if not request.headers.get("user-agent"):
            raise Answer(403, {"message": "Request forbidden by administrative rules."})

    def api(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        found = re.fullmatch(r"/repos/acme/shop/issues(?:/(\d+))?", path)
        if found is None:
            raise Answer(404, {"message": "Not Found", "status": "404"})
        if found[1] is None:
            if method == "GET":
                return 200, list(reversed(self.issues.values()))
            if not body.get("title"):
                raise Answer(422, {"message": "Validation Failed", "errors": [{"field": "title"}]})
            number = len(self.issues) + 12
            self.issues[number] = {
                "id": 10_000 + number, "number": number, "state": "open", "state_reason": None, "title": body["title"],
                "body": body["body"], "html_url": f"https://github.com/acme/shop/issues/{number}",
            }  # fmt: skip
            return 201, self.issues[number]
        issue = self.issues.get(int(found[1]))
        if issue is None:
            raise Answer(404, {"message": "Not Found", "status": "404"})
        if method == "PATCH":
            issue |= body
        return 200, issue


class FakeJira(Fake):
    """One project, OPS, whose workflow has To Do, In Progress and Done."""

    STATUS = {"11": ("To Do", "new"), "21": ("In Progress", "indeterminate"), "31": ("Done", "done")}

    def __init__(self) -> None:
        super().__init__()
        self.issues: dict[str, dict[str, Any]] = {}
        self.status: dict[str, str] = {}  # key -> id of the transition that led there
        self.ways = ["11", "21", "31"]

    def check(self, request: net.HttpRequest) -> None:
        given = request.basic_auth or ("", "")
        wanted = base64.b64encode(f"{JIRA_USER}:{JIRA_TOKEN}".encode())
        if base64.b64encode(":".join(given).encode()) != wanted:
            raise Answer(401, None)

    def api(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        if path == "/rest/api/2/issue":
            return 201, self._create(body["fields"])
        if path == "/rest/api/2/search/jql":
            label = re.fullmatch(r'labels = "([\w-]+)"', query["jql"][0])
            assert label is not None
            found = [one for one in self.issues.values() if label[1] in one["fields"]["labels"]]
            return 200, {"issues": [{"key": one["key"]} for one in found], "isLast": True}
        parts = path.removeprefix("/rest/api/2/issue/").split("/")
        if parts[0] not in self.issues:
            said = "Issue does not exist or you do not have permission to see it."
            raise Answer(404, {"errorMessages": [said], "errors": {}})
        if len(parts) == 1:
            name, category = self.STATUS[self.status[parts[0]]]
            return 200, {"key": parts[0], "fields": {"status": {"name": name, "statusCategory": {"key": category}}}}
        if method == "POST":
            self.status[parts[0]] = body["transition"]["id"]
            return 204, None
        shown = [
            {"id": way, "name": self.STATUS[way][0], "to": {"statusCategory": {"key": self.STATUS[way][1]}}}
            for way in self.ways
        ]
        return 200, {"expand": "transitions", "transitions": shown}

    def _create(self, fields: dict[str, Any]) -> dict[str, Any]:
        if fields["project"]["key"] != "OPS":
            raise Answer(400, {"errorMessages": [], "errors": {"project": "valid project is required"}})
        if fields["issuetype"]["name"] not in {"Task", "Bug"}:
            raise Answer(400, {"errorMessages": [], "errors": {"issuetype": "Specify a valid issue type"}})
        assert all(" " not in label for label in fields["labels"])
        key = f"OPS-{len(self.issues) + 7}"
        self.issues[key] = {"id": str(10_000 + len(self.issues)), "key": key, "fields": fields}
        self.status[key] = "11"
        return {"id": self.issues[key]["id"], "key": key, "self": f"https://jira.example/rest/api/2/issue/{key}"}
