"""What listens at the other end of a webhook contact method."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from .server import FakeServer, Recorded, Reply


class FakeWebhook(FakeServer):
    """Records messages. With `secret` it refuses (401) what is not signed with it."""

    def __init__(self, secret: str = "", port: int = 0) -> None:
        self.secret = secret
        super().__init__(port)

    def respond(self, request: Recorded) -> Reply:
        if self.secret and not self.is_signed(request):
            return Reply(401, b"bad signature")
        return Reply(204)

    def is_signed(self, request: Recorded) -> bool:
        signed = request.headers.get("x-midwatch-timestamp", "").encode() + b"." + request.body
        wanted = "sha256=" + hmac.new(self.secret.encode(), signed, hashlib.sha256).hexdigest()
        return hmac.compare_digest(wanted, request.headers.get("x-midwatch-signature", ""))

    @property
    def messages(self) -> list[Any]:
        """The bodies, in order; a repeated delivery stands once."""
        found: dict[str, Any] = {}
        for request in list(self.requests):
            found.setdefault(request.headers.get("x-midwatch-delivery", str(id(request))), request.json)
        return list(found.values())

    def gone(self) -> None:
        self.answers_with(Reply(410))
