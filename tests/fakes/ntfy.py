"""An ntfy server: takes JSON at its root, checks the bearer token, refuses what the real one refuses."""

from __future__ import annotations

import base64
import re
import urllib.request
from typing import Any

from .server import FakeServer, Recorded, Reply, json_reply

ACTIONS = {"view", "http", "broadcast", "copy"}


class FakeNtfy(FakeServer):
    """`messages`: what was published, as the app would show it. `token`: "" lets everybody write."""

    def __init__(self, token: str = "", port: int = 0) -> None:
        self.token = token
        self.messages: list[dict[str, Any]] = []
        super().__init__(port)

    def topic_url(self, topic: str) -> str:
        return f"{self.url}/{topic}"

    def respond(self, request: Recorded) -> Reply:
        if self.token and not self._may_write(request.headers.get("authorization", "")):
            return json_reply(403, {"code": 40301, "http": 403, "error": "forbidden"})
        if request.method not in {"POST", "PUT"} or request.path != "/":
            return json_reply(404, {"code": 40401, "http": 404, "error": "page not found"})
        try:
            message = request.json
        except ValueError:
            message = None
        problem = self._problem(message)
        if problem:
            return json_reply(400, {"code": 40017, "http": 400, "error": problem})
        identity = f"ntfy{len(self.messages) + 1:08d}"
        self.messages.append({"id": identity, **message})
        return json_reply(200, {"id": identity, "event": "message", "topic": message["topic"]})

    def _may_write(self, authorization: str) -> bool:
        kind, _, given = authorization.partition(" ")
        if kind == "Basic":
            return base64.b64decode(given).decode() == self.token
        return kind == "Bearer" and given == self.token

    def _problem(self, message: Any) -> str:
        if not isinstance(message, dict):
            return "invalid request: request body must be message JSON"
        if not re.fullmatch(r"[-_A-Za-z0-9]{1,64}", str(message.get("topic", ""))):
            return "invalid request: topic invalid"
        if message.get("priority", 3) not in {1, 2, 3, 4, 5}:
            return "invalid request: priority invalid"
        if len(str(message.get("message", "")).encode()) > 4096:
            return "invalid request: message too long for this fake (the real one makes an attachment)"
        actions = message.get("actions", [])
        if len(actions) > 3:
            return "invalid request: actions invalid; only 3 actions allowed"
        for action in actions:
            if action.get("action") not in ACTIONS or not action.get("label") or not action.get("url"):
                return "invalid request: actions invalid"
        return ""

    def press(self, message: dict[str, Any], label: str) -> int:
        """Somebody taps a button: the phone makes the request. Returns the status."""
        button = next(action for action in message["actions"] if action["label"] == label)
        request = urllib.request.Request(
            button["url"],
            data=button.get("body", "").encode(),
            method=button.get("method", "POST"),
            headers=button.get("headers", {}),
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
