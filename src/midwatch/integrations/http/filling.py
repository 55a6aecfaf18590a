"""Values in a request: each is written as the place wants it, so that it stays one value wherever it stands.

In an address percent-encoded, in a JSON text escaped, in a form encoded, in XML escaped, in a header one line.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping
from urllib.parse import quote, quote_plus

REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_.-]*)\}")
HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?")
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?|true|false|null")

Names = Mapping[str, str]


def variable(name: str) -> str:
    """`${option.host}` is `${OPTION_HOST}`."""
    return re.sub(r"[^A-Z0-9]", "_", name.upper()) if "." in name or not name.isupper() else name


def names_in(text: str) -> set[str]:
    return {variable(found) for found in REFERENCE.findall(text)}


def _filled(text: str, names: Names, write: Callable[[str, str], str]) -> str:
    def one(match: re.Match[str]) -> str:
        name = variable(match[1])
        if name not in names:
            raise ValueError(
                f"${{{match[1]}}}: this step has no such variable; it has {', '.join(sorted(names)) or 'none'}"
            )
        return write(name, names[name])

    return REFERENCE.sub(one, text)


def url(text: str, names: Names) -> tuple[str, bool]:
    """(the address, whether its host came from a variable). Raises `ValueError`."""
    scheme, separator, rest = text.strip().partition("://")
    if separator:
        host, slash, path = rest.partition("/")
        if "?" in host or "#" in host:
            mark = min(at for at in (host.find("?"), host.find("#")) if at >= 0)
            host, slash, path = host[:mark], "", host[mark:] + slash + path
        filled = f"{scheme}://" + _filled(host, names, _host)
        return filled + slash + _filled(path, names, lambda _, value: quote(value, safe="")), bool(
            REFERENCE.search(host)
        )
    whole = REFERENCE.match(text.strip())
    if whole is None:
        raise ValueError("the address must begin with https:// or http://")
    base = _filled(whole.group(), names, lambda _, value: value.strip().rstrip("/"))
    if not base.startswith(("http://", "https://")):
        raise ValueError(f"{whole.group()}: its value must begin with https:// or http:// here")
    return base + _filled(text.strip()[whole.end() :], names, lambda _, value: quote(value, safe="")), True


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

    return _filled(text, names, one)


def body(text: str, kind: str, names: Names) -> str:
    """`kind`: the content type. Raises `ValueError`."""
    if "json" in kind:
        return _json(text, names)
    if "form-urlencoded" in kind:
        return _filled(text.strip(), names, lambda _, value: quote_plus(value))
    if "xml" in kind or "html" in kind:
        return _filled(text, names, lambda _, value: html.escape(value))
    return _filled(text, names, lambda _, value: value)


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
        name = variable(match[1])
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

    filled = REFERENCE.sub(one, text)
    try:
        json.loads(filled or "null")
    except ValueError as error:
        raise ValueError(
            f"the body is no JSON: {getattr(error, 'msg', error)} in line {getattr(error, 'lineno', 1)}"
        ) from None
    return filled
