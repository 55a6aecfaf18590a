"""Bytes to JSON, the same way in the lane and in the engine."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import msgspec

DEPTH_MAX = 200
DIGITS_MAX = 4_000
_BOM = b"\xef\xbb\xbf"
_decode = msgspec.json.Decoder().decode


class BrokenError(ValueError):
    """The body is no JSON that we can use. The message says why, for the sender."""


def decode_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`. Raises `BrokenError`.

    Lone surrogates and huge numbers are let through, as RFC 8259 does: `core.text.clean` deals with them.
    """
    try:
        payload = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        payload = _decode_patiently(body)
    except RecursionError:
        raise BrokenError(f"the JSON is nested deeper than {DEPTH_MAX} levels") from None
    if type(payload) is not dict:
        raise BrokenError(f"expected a JSON object, {{...}}, got {_kind(payload)}")
    if body.count(b"[") + body.count(b"{") > DEPTH_MAX:
        _check_depth(payload)
    return payload


def _decode_patiently(body: bytes) -> Any:
    """The slow way: for what the fast decoder refuses though it is JSON, and for a clear reason otherwise."""
    if not body.strip():
        raise BrokenError("the body is empty: send a JSON object")
    try:
        text = body.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BrokenError(f"the body is not UTF-8: byte {error.start} is 0x{body[error.start]:02x}") from None
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_int=_whole)
    except json.JSONDecodeError as error:
        raise BrokenError(f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise BrokenError(f"the JSON is nested deeper than {DEPTH_MAX} levels") from None


def _whole(digits: str) -> int | str:
    """Python makes no number of more than 4,300 digits; no field wants one, so it stays the text it is."""
    return int(digits) if len(digits) <= DIGITS_MAX else digits


def _refuse_constant(word: str) -> NoReturn:
    raise BrokenError(f"the body is not JSON: {word} is no JSON value; write null or a number")


def _check_depth(payload: dict[str, Any]) -> None:
    level: list[Any] = [payload]
    for _ in range(DEPTH_MAX):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise BrokenError(f"the JSON is nested deeper than {DEPTH_MAX} levels")


def _kind(payload: Any) -> str:
    match payload:
        case list():
            return "a list"
        case str():
            return "a string"
        case bool() | None:
            return "true, false or null"
        case _:
            return "a number"
