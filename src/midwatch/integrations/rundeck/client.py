"""The few requests to a Rundeck that a step needs; API version 14 and newer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from midwatch.core.asking import ask
from midwatch.core.net import HttpAnswer
from midwatch.core.running import Patience
from midwatch.core.text import clean

ANSWER_SECONDS = 30.0
LINES_MAX = 500
WORDS = {
    401: "the token is not accepted",
    403: "the token may not do this",
    404: "there is no such job or execution, or the token may not see it",
    409: "the job runs already, and it may not run twice at once",
}


class Refused(Exception):  # noqa: N818 - says what happened
    """Rundeck said no. `status`: of its answer."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Client:
    base: str  # https://rundeck.example.com/api/41
    token: str
    ca_pem: str
    is_trusted: bool
    patience: Patience

    def get(self, path: str, patience: Patience | None = None, **query: str) -> Any:
        """Raises `Refused`, `NetError`, `Stopped`."""
        url = f"{self.base}/{path}" + (f"?{urlencode(query)}" if query else "")
        return self._read(self._ask("GET", url, b"", patience))

    def post(self, path: str, content: Mapping[str, Any]) -> Any:
        return self._read(self._ask("POST", f"{self.base}/{path}", json.dumps(content).encode(), None))

    def _ask(self, method: str, url: str, body: bytes, patience: Patience | None) -> HttpAnswer:
        headers = {"X-Rundeck-Auth-Token": self.token, "Accept": "application/json"}
        if body:
            headers["Content-Type"] = "application/json"
        return ask(
            patience or self.patience,
            method,
            url,
            answer_seconds=ANSWER_SECONDS,
            is_trusted=self.is_trusted,
            headers=headers,
            body=body,
            ca_pem=self.ca_pem,
        )

    def _read(self, answer: HttpAnswer) -> Any:
        content = answer.json()
        if answer.is_ok and content is not None:
            return content
        said = clean(content.get("message") or "", 300, is_one_line=True) if isinstance(content, dict) else ""
        words = WORDS.get(
            answer.status, f"Rundeck answered {answer.status}" if not answer.is_ok else "Rundeck's answer is no JSON"
        )
        raise Refused(f"{words} ({said})" if said else words, answer.status)


def segment(text: str) -> str:
    return quote(text, safe="")
