"""The API's frame: who calls, how errors are answered, what the description says."""

from __future__ import annotations

import functools
import json
import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import DatabaseError, InterfaceError, InternalError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from midwatch import __version__
from midwatch.api import problems
from midwatch.api.authentication import Caller
from midwatch.api.body import BODY_MAX, StrictParser, refuse_large
from midwatch.api.problems import CODES, CONTENT_TYPE, FieldError, ProblemError

log = logging.getLogger("midwatch.api")
View = Callable[..., HttpResponse]

ABOUT = """Alerts, who is on call, and paging somebody, for scripts.

Send `Authorization: Bearer TOKEN`; a token is made in the settings or by `midwatch user token NAME`. Lists answer
`{"items": [...], "next_cursor": null | "..."}`, with `limit` up to 200 and `cursor`. Errors are problem details
(RFC 9457) with a stable `code`. Times are ISO 8601 with an offset; answers are in UTC.
"""


class Api(NinjaAPI):
    """Ninja's, with problem documents for what it answers by itself."""

    def get_openapi_schema(self, *args: Any, **kwargs: Any) -> Any:
        schema = super().get_openapi_schema(*args, **kwargs)
        schema["components"].setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
        for path in schema["paths"].values():
            for operation in path.values():
                for status, text in _problems_of(operation).items():
                    operation["responses"].setdefault(status, _problem_response(text))
        return schema

    def get_openapi_operation_id(self, operation: Any) -> str:
        return str(operation.view_func.__name__)


PROBLEM_SCHEMA: Mapping[str, Any] = {
    "title": "Problem",
    "description": "Problem details as of RFC 9457.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened and what to do."},
        "code": {"type": "string", "enum": sorted(CODES)},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}


def _problems_of(operation: Mapping[str, Any]) -> dict[str, str]:
    """Which problems an operation may answer with, by status."""
    found = {"401": CODES["unauthorized"].title, "422": CODES["invalid"].title, "503": CODES["unavailable"].title}
    if "security" not in operation:
        del found["401"]  # takes no token
    if any(parameter["in"] == "path" for parameter in operation.get("parameters", ())):
        found["404"] = CODES["not_found"].title
    if "requestBody" in operation:
        found |= {"400": CODES["malformed"].title, "413": CODES["too_large"].title}
    if operation.get("x-acts"):
        found |= {"403": CODES["forbidden"].title, "409": CODES["refused"].title}
    return found


def _problem_response(text: str) -> dict[str, Any]:
    return {"description": text, "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


api = Api(
    title="Midwatch",
    version=__version__,
    description=ABOUT,
    urls_namespace="api:v1",
    docs_url=None,
    openapi_url=None,  # see describe()
    auth=Caller(),
    parser=StrictParser(),
)


@api.exception_handler(ProblemError)
def on_problem(request: HttpRequest, error: ProblemError) -> HttpResponse:
    return problems.answer(request, error)


@api.exception_handler(HttpError)
def on_http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    """Ninja wraps what the parser raised; ours is underneath."""
    cause = error.__cause__
    if isinstance(cause, ProblemError):
        return problems.answer(request, cause)
    code = next((name for name, code in CODES.items() if code.status == error.status_code), "malformed")
    return problems.answer(request, ProblemError(code, str(error)))


@api.exception_handler(Http404)
def on_missing(request: HttpRequest, error: Http404) -> HttpResponse:
    return problems.answer(request, ProblemError("not_found", str(error) or "there is no such thing"))


@api.exception_handler(ValidationError)
def on_invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    errors = [FieldError(_field(found), _message(found)) for found in error.errors[:20]]
    detail = "; ".join(f"{one.field}: {one.message}" for one in errors[:3])
    return problems.answer(request, ProblemError("invalid", detail, errors=errors))


def _field(found: Mapping[str, Any]) -> str:
    """("body", "page", "team") -> "body.team": the second word is the parameter's name here, not the caller's."""
    location = [str(part) for part in found.get("loc", ())]
    if location[:1] == ["body"] and len(location) > 1:
        location.pop(1)
    return ".".join(location)[:200] or "body"


def _message(found: Mapping[str, Any]) -> str:
    match found.get("type"):
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "is not known here; the fields are in the API's documentation"
        case "value_error":
            return str(found.get("msg", "")).removeprefix("Value error, ")
    given = found.get("input")
    shown = "" if isinstance(given, dict | list) or given is None else f" (given: {json.dumps(str(given)[:60])})"
    text = str(found.get("msg", "is wrong"))
    return f"{text[:1].lower()}{text[1:]}{shown}"


@api.exception_handler(RequestDataTooBig)
def on_too_large(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    return problems.answer(request, ProblemError("too_large", f"send at most {BODY_MAX // 1024} KiB"))


@api.exception_handler(DatabaseError)
def on_database_error(request: HttpRequest, error: DatabaseError) -> HttpResponse:
    """Locked, restarting, gone: nothing is half-done, so the same request may be sent again."""
    if not isinstance(error, OperationalError | InterfaceError | InternalError):
        return on_fault(request, error)
    log.warning("database does not answer: %s", type(error).__name__, exc_info=error)
    return problems.answer(request, ProblemError("unavailable", "nothing was changed; try again in a few seconds"))


@api.exception_handler(Exception)
def on_fault(request: HttpRequest, error: Exception) -> HttpResponse:
    """A bug of ours. The caller gets a mark to look for in the log."""
    mark = secrets.token_hex(4)
    match = request.resolver_match
    log.error("fault %s in %s /%s", mark, request.method, match.route if match else "?", exc_info=error)
    return problems.answer(request, ProblemError("internal", f"it is in the log of the server under {mark}"))


@functools.cache
def _description() -> bytes:
    """Made once a process: it takes 100 ms, and nobody has to log in to ask for it."""
    return json.dumps(api.get_openapi_schema(), ensure_ascii=False).encode()


@require_safe
def describe(request: HttpRequest) -> HttpResponse:
    """`/api/v1/openapi.json`."""
    return HttpResponse(_description(), content_type="application/json")


def wrapped(patterns: list[URLPattern | URLResolver]) -> list[URLPattern | URLResolver]:
    """Ninja's addresses, each view behind `_checked`."""
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            pattern.callback = _checked(pattern.callback)
    return patterns


def _checked(view: View) -> View:
    @functools.wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            refuse_large(request)
            response = view(request, *args, **kwargs)
        except ProblemError as problem:
            return problems.answer(request, problem)
        except Http404:  # of Ninja's own views; those of ours are answered inside
            return nothing_here(request)
        if response.status_code == 405:
            allowed = response.headers.get("Allow", "")
            detail = f"{request.method} is not taken here; use {allowed}"
            return problems.answer(request, ProblemError("method_not_allowed", detail, headers={"Allow": allowed}))
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return checked


def nothing_here(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Any other address below /api/v1."""
    text = "there is no such address; they are listed in /api/docs and /api/v1/openapi.json"
    return problems.answer(request, ProblemError("not_found", text))
