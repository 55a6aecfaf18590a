"""The few requests to an API server that a step needs."""

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


class Refused(Exception):  # noqa: N818 - says what happened
    """The API server said no. `status`: of its answer; `reason`: its own word, AlreadyExists."""

    def __init__(self, message: str, status: int, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Api:
    """All raise `Refused`, `NetError` and `Stopped`."""

    base: str
    token: str
    ca_pem: str
    is_trusted: bool
    patience: Patience

    def get(self, path: str, **query: str) -> dict[str, Any]:
        return self._object(self._ask("GET", path, None, query))

    def text(self, path: str, **query: str) -> str:
        answer = self._ask("GET", path, None, query)
        if not answer.is_ok:
            self._object(answer)
        return answer.body.decode("utf-8", "replace")

    def create(self, path: str, content: Mapping[str, Any], *, is_dry_run: bool = False) -> dict[str, Any]:
        query = {"fieldValidation": "Strict", "fieldManager": "midwatch"} | ({"dryRun": "All"} if is_dry_run else {})
        return self._object(self._ask("POST", path, content, query))

    def patch(self, path: str, content: Mapping[str, Any]) -> dict[str, Any]:
        return self._object(self._ask("PATCH", path, content, {"fieldManager": "midwatch"}))

    def delete(self, path: str, *, propagation: str = "Background") -> None:
        """What is gone already is fine."""
        try:
            self._object(self._ask("DELETE", path, {"propagationPolicy": propagation}, {}))
        except Refused as error:
            if error.status != 404:
                raise

    def with_patience(self, patience: Patience) -> Api:
        return Api(self.base, self.token, self.ca_pem, self.is_trusted, patience)

    def _ask(self, method: str, path: str, content: Mapping[str, Any] | None, query: Mapping[str, str]) -> HttpAnswer:
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json, */*"}
        if content is not None:
            headers["Content-Type"] = "application/merge-patch+json" if method == "PATCH" else "application/json"
        return ask(
            self.patience,
            method,
            f"{self.base}{path}" + (f"?{urlencode(query)}" if query else ""),
            answer_seconds=ANSWER_SECONDS,
            is_trusted=self.is_trusted,
            headers=headers,
            body=b"" if content is None else json.dumps(content).encode(),
            ca_pem=self.ca_pem,
        )

    def _object(self, answer: HttpAnswer) -> dict[str, Any]:
        content = answer.json()
        if answer.is_ok and isinstance(content, dict):
            return content
        told = content if isinstance(content, dict) else {}
        reason = str(told.get("reason") or "")
        message = clean(told.get("message") or "", 500, is_one_line=True)
        words = f"the API server answered {answer.status}" + (f" {reason}" if reason else "")
        if answer.is_ok:
            words = "the API server's answer is no object" + (" (too long)" if answer.is_cut else "")
        raise Refused(f"{words}: {message}" if message else words, answer.status, reason)


def segment(text: str) -> str:
    return quote(text, safe="")
