"""Options of a job as options of a runbook. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from midwatch.core import patterns
from midwatch.core.text import without_controls
from midwatch.integrations.rundeck.drafts import Draft, Option, flag, listed, word

OPTIONS_MAX = 50
VALUES_MAX = 500
VALUE_MAX = 1_000
ANYTHING = "[^\\n]*"  # lets a value begin with a dash, which programs read as a flag
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,59}")
_NOT_NAME = re.compile(r"[^A-Za-z0-9_.-]+")
_NOT_SECRET = re.compile(r"[^A-Za-z0-9_./-]+")
KNOWN = {
    "name", "label", "description", "value", "values", "valuesListDelimiter", "valuesUrl", "enforced", "required", "regex",
    "multivalued", "delimiter", "multivalueAllSelected", "multivaluedAllSelected", "secure", "valueExposed", "storagePath",
    "isDate", "dateFormat", "hidden", "type", "config", "configRemoteUrl", "optionValuesPluginType", "sortIndex", "sortValues",
}  # fmt: skip


def read(value: Any, draft: Draft) -> None:
    """The list (its order kept), or the older map by name. What each became is noted in the draft."""
    given: list[Any] = []
    if isinstance(value, Mapping):
        given = [{"name": str(name), **(one if isinstance(one, Mapping) else {})} for name, one in value.items()]
        given.sort(key=lambda one: (str(one.get("sortIndex", "zz")).zfill(6), str(one["name"])))
    elif isinstance(value, list):
        given = [one for one in value if isinstance(one, Mapping)]
    for one in given[:OPTIONS_MAX]:
        theirs = word(one, "name", 200)
        if not theirs:
            draft.note("option without a name", "dropped", "it could not be filled in")
            continue
        _add(one, theirs, draft)
    if len(given) > OPTIONS_MAX:
        draft.note("options", "dropped", f"{len(given) - OPTIONS_MAX} options after the first {OPTIONS_MAX}")


def _add(one: Mapping[str, Any], theirs: str, draft: Draft) -> None:
    name = _our_name(theirs, {variable(option.name) for option in draft.options})
    notes: list[str] = [] if name == theirs else [f"it is called {name} here"]
    found: dict[str, Any] = {"type": "text"}
    if label := _line(word(one, "label", 200)):
        found["title"] = label
    if about := without_controls(word(one, "description", 2_000)).strip():
        found["description"] = about
    if flag(one, "required"):
        found["required"] = True
    if flag(one, "secure"):
        _secure(one, name, found, notes)
    elif word(one, "type") == "file":
        notes.append("a file cannot be given: write where it lies")
    elif flag(one, "isDate"):
        found["type"] = "date"
        notes.append(f"dates are written 2026-01-31 here, not {word(one, 'dateFormat', 50) or 'as Rundeck has them'}")
    else:
        _typed(one, found, notes)
        _default(word(one, "value", VALUE_MAX + 1), found, notes)
    if unknown := sorted(set(map(str, one)) - KNOWN)[:10]:
        notes.append(f"not taken: {', '.join(unknown)}")
    for key in ("configRemoteUrl", "optionValuesPluginType"):
        if one.get(key):
            notes.append(f"{key} is not taken: no values are fetched by a plugin")
    draft.options.append(Option(name, theirs, found))
    draft.note(f"option {theirs}", "near" if notes else "same", "; ".join(notes))


def variable(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


def _line(text: str) -> str:
    return " ".join(without_controls(text).split())


def _secure(one: Mapping[str, Any], name: str, found: dict[str, Any], notes: list[str]) -> None:
    """Always a secret here, whether Rundeck showed it to scripts or not. A default that stands in the file is no secret."""
    path = word(one, "storagePath", 300)
    secret = _NOT_SECRET.sub("-", path.removeprefix("keys/") or name).strip("-./_")[:200] or name
    found |= {"type": "secret", "secret": secret}
    found.pop("required", None)
    notes.append(f"put its value into the secret {secret}" + (f" (in Rundeck's key storage: {path})" if path else ""))
    if word(one, "value"):
        notes.append("its default value is not taken: a secret stands in no file")


def _typed(one: Mapping[str, Any], found: dict[str, Any], notes: list[str]) -> None:
    separator = word(one, "valuesListDelimiter", 10) or ","
    raw = one.get("values")
    given = raw.split(separator) if isinstance(raw, str) else listed(raw)
    values = [text for value in given if (text := _line(str(value))[:VALUE_MAX]) and not isinstance(value, dict | list)]
    values = list(dict.fromkeys(values))[:VALUES_MAX]
    url, regex = word(one, "valuesUrl", 1_000), word(one, "regex", 500)
    if flag(one, "multivalued"):
        delimiter = word(one, "delimiter", 10) or ","
        if len(delimiter) <= 3 and not any(delimiter in value for value in values):
            found |= {"multiple": True, **({"delimiter": delimiter} if delimiter != "," else {})}
        else:
            notes.append(f"several values are written as one, with {delimiter!r} between them")
    is_enforced = flag(one, "enforced")
    if values:
        found["values"] = values
        if url:
            notes.append("the address that its values came from is not taken: these are the ones it knew")
        if is_enforced:
            found["type"] = "enum"
        else:
            found["enforced"] = False
    elif url and _is_address(url):
        found |= {"type": "enum", "valuesFrom": url, **({} if is_enforced else {"enforced": False})}
    elif url:
        notes.append(f"its values came from {url[:200]}: they are typed in here")
    if regex and found["type"] == "text":
        try:
            patterns.check(regex)
        except ValueError as error:
            notes.append(f"its regex is not taken: {error}")
        else:
            found |= {"type": "regex", "pattern": regex}
    if any(value.startswith("-") for value in values) and found["type"] == "text":
        found |= {"type": "regex", "pattern": ANYTHING}


def _default(text: str, found: dict[str, Any], notes: list[str]) -> None:
    if not text:
        return
    is_many = found.get("multiple", False)
    parts = [part for part in text.split(found.get("delimiter", ",")) if part] if is_many else [text]
    if any(len(part) > VALUE_MAX or _line(part) != part for part in parts):
        notes.append("its default is not taken: a value is one line of at most 1,000 characters")
        return
    pattern = found.get("pattern", "")
    if pattern and not all(patterns.is_match(pattern, part) or part in found.get("values", ()) for part in parts):
        notes.append(f"its default is not taken: it does not match {pattern}")
        return
    if found["type"] == "enum" and "values" in found:
        found["values"] += [part for part in parts if part not in found["values"]]
    if found["type"] == "text" and any(part.startswith("-") for part in parts):
        found |= {"type": "regex", "pattern": ANYTHING}
    if found["type"] == "enum" and "valuesFrom" in found and any(part.startswith("-") for part in parts):
        notes.append("its default is not taken: it begins with a dash")
        return
    found["default"] = parts if is_many else text


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    is_web = parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
    return is_web and re.search(r"[\s<>\"'`\\^{|}]", url) is None


def _our_name(theirs: str, taken: set[str]) -> str:
    """No two are the same environment variable."""
    name = theirs if _NAME.fullmatch(theirs) else _NOT_NAME.sub("_", theirs).strip("_.-")[:50]
    if not _NAME.fullmatch(name):
        name = f"option_{name}"[:50].rstrip("_.-")
    found, count = name, 1
    while variable(found) in taken:
        count += 1
        found = f"{name}_{count}"
    return found
