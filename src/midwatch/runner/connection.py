"""The server, asked over HTTPS. Every answer is one of: a value; lost, the step is somebody else's; refused, for good;
or not now, try again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from midwatch.core import net
from midwatch.core.integration import Outcome
from midwatch.core.net import NetError
from midwatch.prepare.runbooks import wire
from midwatch.prepare.runbooks.wire import Hello, Job, Piece, Standing

ANSWER_SECONDS = 10.0
TOKEN_BYTES_MAX = 1_000
HERE = frozenset({"localhost", "127.0.0.1", "::1"})


class LostError(Exception):
    """The step is not ours any more: its lease ran out, or somebody ended it."""


class RefusedError(Exception):
    """The server knows us and says no, or does not know us. Trying again is no use; the message says why."""


class NotNowError(Exception):
    """No answer, or the server is busy or being started. The message says which."""


class Connection:
    """One server and one token. Any thread may ask."""

    def __init__(self, url: str, token_file: Path) -> None:
        """Raises `ValueError` with a sentence."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"--url {url[:200]!r}: give the server's address, https://midwatch.example.com")
        if parts.scheme == "http" and parts.hostname not in HERE:
            raise ValueError("--url: secrets come over this connection; give an https:// address")
        self._url = url.rstrip("/")
        self._token_file = token_file
        self._token = read_token(token_file)

    def claim(self, hello: Hello) -> Job | None:
        said = self._post(wire.CLAIM_PATH, asdict(hello), hello.wait_seconds + ANSWER_SECONDS)
        job = said.get("job")
        return wire.job_from(job) if isinstance(job, Mapping) else None

    def renew(self, job: Job) -> Standing:
        return _standing(self._post(wire.RENEW_PATH, {"step": job.step, "fence": job.fence}))

    def send_output(self, job: Job, first: int, pieces: Sequence[Piece]) -> Standing:
        """`first`: how many were sent before. Sending the same again is harmless."""
        said = {"step": job.step, "fence": job.fence, "first": first, "pieces": [asdict(piece) for piece in pieces]}
        return _standing(self._post(wire.OUTPUT_PATH, said))

    def send_outcome(self, job: Job, outcome: Outcome) -> None:
        said = {"step": job.step, "fence": job.fence, "outcome": wire.outcome_values(outcome)}
        self._post(wire.OUTCOME_PATH, said)

    def _post(self, path: str, said: Mapping[str, Any], timeout_seconds: float = ANSWER_SECONDS) -> Mapping[str, Any]:
        try:
            answer = net.http(
                "POST",
                self._url + path,
                headers={"authorization": f"Bearer {self._token}", "content-type": "application/json"},
                body=json.dumps(said).encode(),
                timeout_seconds=timeout_seconds,
                is_trusted=True,
                keeps_connection=True,
                is_repeatable=True,  # claims carry a nonce, output its numbers, the rest says what it says
            )
        except NetError as error:
            raise NotNowError(str(error)) from error
        found = answer.json()
        said_back: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
        detail = str(said_back.get("detail") or f"the server answered {answer.status}")[:500]
        match answer.status:
            case 200 if isinstance(found, Mapping):
                return said_back
            case 409:
                raise LostError(detail)
            case 401 if self._is_token_new():
                raise NotNowError("the token file holds another token now")
            case 400 | 401 | 403 | 404 | 405 | 413 | 422:
                raise RefusedError(detail)
            case _:
                raise NotNowError(detail)

    def _is_token_new(self) -> bool:
        """It was renewed while we ran: the file is read again."""
        try:
            token = read_token(self._token_file)
        except ValueError:
            return False
        is_new, self._token = token != self._token, token
        return is_new


def read_token(path: Path) -> str:
    """Raises `ValueError` with a sentence."""
    try:
        with path.open("rb") as file:
            token = file.read(TOKEN_BYTES_MAX).decode("ascii", "replace").strip()
    except OSError as error:
        raise ValueError(f"--token-file {path}: cannot be read ({error.strerror})") from error
    if not token.startswith(wire.TOKEN_PREFIX) or not token.isprintable() or not token.isascii():
        raise ValueError(f"--token-file {path}: holds no runner's token; `midwatch runner create NAME` prints one")
    return token


def _standing(said: Mapping[str, Any]) -> Standing:
    return Standing(is_ours=True, is_cancelled=said.get("is_cancelled") is True)
