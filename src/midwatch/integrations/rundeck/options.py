"""Options of a job as options of a runbook. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from midwatch.integrations.rundeck.drafts import Draft, Option, flag, listed, word

OPTIONS_MAX = 100
VALUES_MAX = 200
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")
_NOT_NAME = re.compile(r"[^A-Za-z0-9_]+")
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
    name = _our_name(theirs, {option.name.upper() for option in draft.options})
    part = f"option {theirs}"
    notes: list[str] = [] if name == theirs else [f"it is called {name} here"]
    found: dict[str, Any] = {"type": "text"}
    about = " ".join(filter(None, (word(one, "label", 200).strip(), word(one, "description", 2_000).strip())))
    if about:
        found["description"] = " ".join(about.split())
    if flag(one, "required"):
        found["required"] = True
    if flag(one, "secure"):
        _secure(one, found, notes)
    elif word(one, "type") == "file":
        notes.append("a file cannot be given: write where it lies")
    elif flag(one, "isDate"):
        found["type"] = "date"
        notes.append(f"dates are written 2026-01-31 here, not {word(one, 'dateFormat', 50) or 'as Rundeck has them'}")
    else:
        _typed(one, found, notes)
    if word(one, "value") and "type" in found and found["type"] not in {"secret", "date"}:
        found["default"] = word(one, "value", 5_000)
    unknown = sorted(set(map(str, one)) - KNOWN)[:10]
    if unknown:
        notes.append(f"not taken: {', '.join(unknown)}")
    for key in ("configRemoteUrl", "optionValuesPluginType"):
        if one.get(key):
            notes.append(f"{key} is not taken: no values are fetched by a plugin")
    draft.options.append(Option(name, theirs, found))
    draft.note(part, "near" if notes else "same", "; ".join(notes))


def _secure(one: Mapping[str, Any], found: dict[str, Any], notes: list[str]) -> None:
    """Always a secret here, whether Rundeck showed it to scripts or not. A default that stands in the file is no secret."""
    found["type"] = "secret"
    path = word(one, "storagePath", 300)
    if path:
        notes.append(f"its value is in Rundeck's key storage ({path}): put it into a secret here")
    if word(one, "value"):
        notes.append("its default value is not taken: a secret stands in no file")


def _typed(one: Mapping[str, Any], found: dict[str, Any], notes: list[str]) -> None:
    delimiter = word(one, "valuesListDelimiter", 10) or ","
    raw = one.get("values")
    values = [
        str(value)[:500]
        for value in (raw.split(delimiter) if isinstance(raw, str) else listed(raw))
        if value is not None
    ]
    is_many = flag(one, "multivalued")
    url, regex = word(one, "valuesUrl", 1_000), word(one, "regex", 500)
    if url:
        notes.append(f"its values came from {url}: they are typed in here")
    if values and flag(one, "enforced") and not is_many:
        found |= {"type": "enum", "values": list(dict.fromkeys(values))[:VALUES_MAX]}
    elif values and flag(one, "enforced"):
        between = re.escape(word(one, "delimiter", 10) or ",")
        one_of = "|".join(re.escape(value) for value in values[:VALUES_MAX])
        found |= {"type": "regex", "pattern": f"({one_of})({between}({one_of}))*"}
        notes.append("several values are written in one line")
    elif regex:
        found |= {"type": "regex", "pattern": regex}
    elif values:
        text = f"For example {', '.join(values[:20])}."
        found["description"] = f"{found['description']} {text}" if "description" in found else text
    if is_many and not (values and flag(one, "enforced")):
        notes.append(f"several values are written in one line, with {word(one, 'delimiter', 10) or ','!r} between them")


def _our_name(theirs: str, taken: set[str]) -> str:
    """Letters, digits and `_`: what can be the name of an environment variable. No two differ by case alone."""
    name = theirs if _NAME.fullmatch(theirs) else _NOT_NAME.sub("_", theirs).strip("_")[:50]
    if not _NAME.fullmatch(name):
        name = f"option_{name}"[:50].rstrip("_")
    found, count = name, 1
    while found.upper() in taken:
        count += 1
        found = f"{name}_{count}"
    return found
