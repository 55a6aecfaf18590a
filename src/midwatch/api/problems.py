"""Errors of the JSON API: problem details (RFC 9457) with a stable `code`. `docs/reference/api.md` lists the codes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from django.http import HttpRequest, HttpResponse

CONTENT_TYPE = "application/problem+json"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Code:
    status: int
    title: str


CODES: Mapping[str, Code] = {
    "malformed": Code(400, "The request cannot be read"),
    "unauthorized": Code(401, "Say who you are"),
    "forbidden": Code(403, "You may not do this"),
    "csrf": Code(403, "The page is too old, or the request came from elsewhere"),
    "not_found": Code(404, "There is no such thing"),
    "method_not_allowed": Code(405, "This address does not take this method"),
    "refused": Code(409, "A rule says no"),
    "length_required": Code(411, "The request does not say how long it is"),
    "too_large": Code(413, "The request is too large"),
    "invalid": Code(422, "A field is wrong"),
    "internal": Code(500, "A fault in Midwatch"),
    "unavailable": Code(503, "The database does not answer"),
}


@dataclass(frozen=True, slots=True)
class FieldError:
    """`field`: as a path ("body.user", "query.limit"). `message`: what is wrong, and what to write instead."""

    field: str
    message: str


class ProblemError(Exception):
    """Ends a request with a problem document. `detail` says what happened and what to do."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


def invalid(field: str, message: str) -> ProblemError:
    return ProblemError("invalid", f"{field}: {message}", errors=[FieldError(field, message)])


def not_found(kind: str, name: object) -> ProblemError:
    return ProblemError("not_found", f"there is no {kind} {str(name)[:100]!r}")


def allowed(work: Callable[[], T]) -> T:
    """The domain refuses by a ValueError, whose text is the sentence to show. Raises `ProblemError`."""
    try:
        return work()
    except ValueError as error:
        raise ProblemError("refused", str(error)) from error


def answer(request: HttpRequest, problem: ProblemError) -> HttpResponse:
    code = CODES[problem.code]
    body: dict[str, object] = {
        "type": "about:blank",
        "title": code.title,
        "status": code.status,
        "detail": problem.detail,
        "code": problem.code,
    }
    if problem.errors:
        body["errors"] = [{"field": error.field, "message": error.message} for error in problem.errors]
    text = json.dumps(body, ensure_ascii=False)
    # A lone surrogate in what is quoted back cannot be written as UTF-8.
    response = HttpResponse(text.encode("utf-8", "replace"), status=code.status, content_type=CONTENT_TYPE)
    if code.status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="midwatch"'
    if code.status == 503:
        response["Retry-After"] = "5"
    for name, value in problem.headers.items():
        response[name] = value
    response["Cache-Control"] = "no-store"
    return response
