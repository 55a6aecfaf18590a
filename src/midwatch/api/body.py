"""Reading requests: JSON as RFC 8259 has it, text that a database can hold, numbers that fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from django.utils.datastructures import MultiValueDict
from ninja.parser import Parser

from midwatch.api.problems import FieldError, ProblemError

BODY_MAX = 1024 * 1024
NUMBER_MAX = 2**63 - 1
FIELD_MAX = 200


class StrictParser(Parser):
    """`NaN`, half a character, broken UTF-8, nesting without end: refused with a sentence, before any of our code."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        found = decode(request.body)
        if not isinstance(found, dict):
            raise ProblemError("malformed", "the body must be one JSON object: {...}")
        return found

    def parse_querydict(
        self, data: MultiValueDict[str, Any], list_fields: list[str], request: HttpRequest
    ) -> dict[str, Any]:
        found: dict[str, Any] = super().parse_querydict(data, list_fields, request)
        refuse_unstorable(found, "query")
        return found


def decode(body: bytes) -> Any:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        said = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ProblemError("malformed", f"the body is not JSON: {said}") from error
    refuse_unstorable(found, "body")
    return found


def refuse_large(request: HttpRequest) -> None:
    """Before the body is touched. Raises `ProblemError`."""
    if "chunked" in request.headers.get("Transfer-Encoding", "") and not request.META.get("CONTENT_LENGTH"):
        raise ProblemError("length_required", "send the body in one piece, with Content-Length")  # WSGI reads no other
    too_large = ProblemError("too_large", f"send at most {BODY_MAX // 1024} KiB; long text belongs behind a link")
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        length = 0
    if length > BODY_MAX:
        raise too_large
    try:
        if len(request.body) > BODY_MAX:
            raise too_large
    except RequestDataTooBig as error:
        raise too_large from error


def refuse_unstorable(value: Any, where: str) -> None:
    """NUL and lone surrogates are refused by databases deep inside a transaction: say it here, with the field."""
    errors = [FieldError(field, message) for field, message in _unstorable(value, where)]
    if errors:
        raise ProblemError("invalid", f"{errors[0].field}: {errors[0].message}", errors=errors[:20])


def _unstorable(value: Any, where: str) -> Iterator[tuple[str, str]]:
    """(field, what is wrong). A walk with a stack of its own: nesting must not end in ours."""
    waiting: list[tuple[Any, str]] = [(value, where)]
    while waiting:
        value, where = waiting.pop()
        match value:
            case str():
                if "\0" in value:
                    yield where, "leave out the NUL character"
                elif not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
                    yield where, "write whole Unicode characters; this holds half of a surrogate pair"
            case bool():
                pass
            case int():
                if abs(value) > NUMBER_MAX:
                    yield where, f"write a number up to {NUMBER_MAX}"
            case dict():
                for key, inner in value.items():
                    waiting += [(key, where), (inner, f"{where}.{key}"[:FIELD_MAX])]
            case list():
                waiting += [(inner, f"{where}.{index}"[:FIELD_MAX]) for index, inner in enumerate(value)]
