"""What would change: wanted and actual specs compared field by field, and shown without secrets. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from midwatch.core.written.values import MASK

ORDER: Final = (
    "User", "Team", "Schedule", "EscalationPolicy", "Service", "Source", "StatusPage", "Runbook",
    "Severity", "IncidentRole", "IncidentType", "DeclarationRule",
)  # fmt: skip
OWN: Final = frozenset({"contactMethods", "notificationRules", "notifyOn", "role"})  # left out: the person's own
HIDDEN: Final = frozenset({"key", "previousKey", "secret"})
SHOWN_MAX: Final = 300
THEIR_OWN: Final = "the person's own"


@dataclass(frozen=True, slots=True)
class Change:
    """`fields`: name -> {"from", "to"}, secrets masked; of a new object only "to", of a deleted one nothing."""

    action: Literal["create", "update", "delete"]
    kind: str
    name: str
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {"action": self.action, "kind": self.kind, "name": self.name, "fields": self.fields}


@dataclass(frozen=True, slots=True)
class Gone:
    """Applied before by this owner, not in the documents any more. `why_kept`: "" when only `--prune` is missing."""

    kind: str
    name: str
    why_kept: str = ""

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}: {self.why_kept or 'kept; --prune deletes it'}"


@dataclass(slots=True)
class Plan:
    """`effects`: what it means for people, as sentences. `gone`: what stays although the documents left it out."""

    changes: list[Change] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)
    gone: list[Gone] = field(default_factory=list)
    is_applied: bool = False

    def as_json(self) -> dict[str, Any]:
        return {"changes": [change.as_json() for change in self.changes]}

    def lines(self) -> Iterator[str]:
        """For people."""
        signs = {"create": "+", "update": "~", "delete": "-"}
        for change in self.changes:
            yield f"{signs[change.action]} {change.kind}/{change.name}"
            if change.action == "update":
                for name, values in change.fields.items():
                    yield from (f"    {line}" for line in _compared(name, values.get("from"), values.get("to")))
        for gone in self.gone:
            yield f"= gone from the documents: {gone}"
        if self.effects:
            yield "What it means:"
            yield from (f"  {effect}" for effect in self.effects)
        yield self.summary()

    def summary(self) -> str:
        if not self.changes:
            return "Nothing changes." if not self.is_applied else "Nothing changed."
        actions = [change.action for change in self.changes]
        counts = [actions.count(action) for action in ("create", "update", "delete")]
        did = ("created", "changed", "deleted") if self.is_applied else ("to create", "to change", "to delete")
        return ", ".join(f"{count} {word}" for count, word in zip(counts, did, strict=True)) + "."


def differences(wanted: Mapping[str, Any], actual: Mapping[str, Any], from_code: Mapping[str, bool]) -> list[str]:
    """The fields whose value has to change. One that is left to the person differs only while it comes from code."""
    found = []
    for name, new in wanted.items():
        is_left = name in OWN and new is None
        if (is_left and from_code.get(name)) or (not is_left and new != actual.get(name)):
            found.append(name)
    return found


def created(kind: str, name: str, wanted: Mapping[str, Any]) -> Change:
    fields = {key: {"to": masked(key, value)} for key, value in wanted.items() if value is not None}
    return Change("create", kind, name, fields)


def updated(kind: str, name: str, wanted: Mapping[str, Any], actual: Mapping[str, Any], names: Sequence[str]) -> Change:
    fields = {
        key: {
            "from": masked(key, actual.get(key)),
            "to": THEIR_OWN if key in OWN and wanted[key] is None else masked(key, wanted[key]),
        }
        for key in names
    }
    return Change("update", kind, name, fields)


def masked(name: str, value: Any) -> Any:
    """Keys and secrets never, addresses of people only by their ends."""
    if name in HIDDEN:
        return MASK if value else value
    if name == "contactMethods" and value is not None:
        return [
            {
                **{key: contact[key] for key in ("name", "type", "secretFrom") if contact.get(key) is not None},
                "address": f"...{contact['address'][-3:]}",
                **({"secret": MASK} if contact.get("secret") else {}),
            }
            for contact in value
        ]
    return value


def _compared(path: str, before: Any, after: Any) -> Iterator[str]:
    """Only what differs, however deep: `layers[weekly].participants: [ana, bo] -> [bo, ana]`."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            if before.get(key) != after.get(key):
                yield from _compared(f"{path}.{key}", before.get(key), after.get(key))
        return
    old, new = _by_label(before), _by_label(after)
    if old and new and [key for key in old if key in new] == [key for key in new if key in old]:
        for key in dict.fromkeys([*old, *new]):
            if old.get(key) != new.get(key):
                yield from _compared(f"{path}[{key}]", old.get(key), new.get(key))
        return
    yield f"{path}: {shown(before)} -> {shown(after)}"


def _by_label(items: Any) -> dict[str, Any]:
    """The maps of a list by what tells them apart; {} when nothing does, or when it is no list of maps."""
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return {}
    for label in ("name", "user", "title"):
        found = {str(item[label]): item for item in items if label in item}
        if len(found) == len(items):
            return found
    return {}


def shown(value: Any) -> str:
    """A value in one line for people."""
    if value in (None, "", [], {}):
        return "(nothing)"
    text = _written(value)
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 3] + "..."


def _written(value: Any) -> str:
    """As documents write it, without quotes."""
    match value:
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(_written(item) for item in value)}]"
        case dict():
            told = {key: item for key, item in value.items() if item not in (None, [])}
            return f"{{{', '.join(f'{key}: {_written(item)}' for key, item in told.items())}}}"
        case _:
            return str(value)
