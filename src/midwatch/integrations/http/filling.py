"""Values in a request: each is written as the place wants it, so that it stays one value wherever it stands.

In an address percent-encoded, in a JSON text escaped, in a form encoded, in XML escaped, in a header one line.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from urllib.parse import quote, quote_plus

from midwatch.core.running import REFERENCE, filled, variable_of

HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?")
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?|true|false|null")

Names = Mapping[str, str]


def url(text: str, names: Names) -> tuple[str, bool]:
    """(the address, whether its host came from a variable). Raises `ValueError`."""
    scheme, separator, rest = text.strip().partition("://")
    if separator:
        host, slash, path = rest.partition("/")
        if "?" in host or "#" in host:
            mark = min(at for at in (host.find("?"), host.find("#")) if at >= 0)
            host, slash, path = host[:mark], "", host[mark:] + slash + path
        start = f"{scheme}://" + filled(host, names, _host)
        return start + slash + filled(path, names, lambda _, value: quote(value, safe="")), bool(REFERENCE.search(host))
    whole = REFERENCE.match(text.strip())
    if whole is None:
        raise ValueError("the address must begin with https:// or http://")
    base = filled(whole.group(), names, lambda _, value: value.strip().rstrip("/"))
    if not base.startswith(("http://", "https://")):
        raise ValueError(f"{whole.group()}: its value must begin with https:// or http:// here")
    return base + filled(text.strip()[whole.end() :], names, lambda _, value: quote(value, safe="")), True


def _host(name: str, value: str) -> str:
    if not HOST.fullmatch(value):
        raise ValueError(f"{name}: a host's name is of letters, digits, dots and dashes")
    return value


def header(text: str, names: Names) -> str:
    def one(name: str, value: str) -> str:
        value = value.strip("\r\n")
        if not value.isascii() or not (value.isprintable() or value == ""):
            raise ValueError(f"{name}: a header carries one line of plain ASCII")
        return value

    return filled(text, names, one)


def body(text: str, kind: str, names: Names) -> str:
    """`kind`: the content type. Raises `ValueError`."""
    if "json" in kind:
        return _json(text, names)
    if "form-urlencoded" in kind:
        return filled(text.strip(), names, lambda _, value: quote_plus(value))
    if "xml" in kind or "html" in kind:
        return filled(text, names, lambda _, value: html.escape(value))
    return filled(text, names, lambda _, value: value)


def _json(text: str, names: Names) -> str:
    inside: dict[int, bool] = {}
    is_inside = is_escaped = False
    for at, character in enumerate(text):
        inside[at] = is_inside
        if is_escaped:
            is_escaped = False
        elif character == "\\":
            is_escaped = is_inside
        elif character == '"':
            is_inside = not is_inside

    def one(match: re.Match[str]) -> str:
        name = variable_of(match[1])
        if name not in names:
            raise ValueError(
                f"${{{match[1]}}}: this step has no such variable; it has {', '.join(sorted(names)) or 'none'}"
            )
        if inside[match.start()]:
            return json.dumps(names[name])[1:-1]
        if not NUMBER.fullmatch(names[name]):
            raise ValueError(
                f'{name}: outside of quotes only a number, true, false or null can stand; write "${{{match[1]}}}"'
            )
        return names[name]

    made = REFERENCE.sub(one, text)
    try:
        json.loads(made or "null")
    except ValueError as error:
        raise ValueError(
            f"the body is no JSON: {getattr(error, 'msg', error)} in line {getattr(error, 'lineno', 1)}"
        ) from None
    return made
