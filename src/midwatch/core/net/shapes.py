"""What goes through the door, as values: a story's transport receives these and answers with these."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any, Protocol

BODY_BYTES_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True)
class HttpRequest:
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    timeout_seconds: float = 10.0
    is_trusted: bool = False
    redirects_max: int = 0
    basic_auth: tuple[str, str] | None = field(default=None, repr=False)
    keeps_connection: bool = False
    is_repeatable: bool = False
    ca_pem: str = ""  # authorities instead of the usual ones: a cluster's own

    def __repr__(self) -> str:  # never the address: it may hold a token, and reprs end in logs
        return f"HttpRequest({self.method}, {len(self.body)} bytes)"


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """`headers`: names in lower case, repeated ones joined with a comma. `is_cut`: the body was longer than we read."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_cut: bool = False

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON, or None when it is none: providers answer errors with pages of HTML."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True, slots=True)
class SmtpRequest:
    relay_url: str = field(repr=False)
    sender: str
    recipient: str
    message: EmailMessage = field(repr=False)
    timeout_seconds: float = 10.0


class Transport(Protocol):
    def http(self, request: HttpRequest) -> HttpAnswer:
        """Raises `NetError`, `AddressRefused`."""

    def smtp(self, request: SmtpRequest) -> None:
        """Raises `NetError`, `SmtpRefused`."""
