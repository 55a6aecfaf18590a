"""How documents fit together, and with what the database holds: names, owners, numbers, keys, circles.

Also where masks become what they stand for: after this a spec is exactly what the database shall hold, but for a key
that is still to be made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from midwatch.catalog.dependencies import cycle_in
from midwatch.core import clock
from midwatch.core.written.documents import Items, Scalar
from midwatch.core.written.values import MASK, Reading, Value, WrongError, at, did_you_mean
from midwatch.gitops.current import Current, State
from midwatch.gitops.schema import Parsed
from midwatch.people.actions.contacts import PHONE_TYPES


def check(parsed: Sequence[Parsed], state: State, owner: str, reading: Reading) -> None:
    """Adds problems to `reading`; fills masks in the specs."""
    names: dict[str, set[str]] = {}
    for kind, name in [*state, *((one.kind, one.name) for one in parsed)]:
        names.setdefault(kind, set()).add(name)
    _check_names(reading, names)
    for one in parsed:
        _check_owner(one, state.get((one.kind, one.name)), owner)
    sound = [one for one in parsed if one.spec]
    for one in sound:
        before = state.get((one.kind, one.name))
        if one.kind == "User":
            _fill_contacts(one, before)
            _check_rules(one, before)
        elif one.kind == "Source":
            _fill_keys(one, before)
        elif one.kind == "StatusPage":
            _fill_page(one, before, sound, state)
        elif one.kind == "Runbook":
            _fill_runbook(one, sound, state)
    _check_numbers(sound, state)
    _check_keys(sound, state)
    _check_circles(sound, state)


def _check_names(reading: Reading, names: Mapping[str, set[str]]) -> None:
    for reference in reading.references:
        known = names.get(reference.kind, set())
        if reference.name not in known:
            instead = did_you_mean(reference.name, known, reference.kind)
            text = f"no {reference.kind} has this name ({reference.name[:80]}), {instead}"
            reading.problems.append(reference.place.problem(text))


def _check_owner(one: Parsed, before: Current | None, owner: str) -> None:
    """What another owner's documents have left out (then it stands in no file) may be taken over."""
    if before is None or before.found.code_owner in {"", owner} or not before.found.code_file:
        return
    other = before.found
    text = f"belongs to owner {other.code_owner} at {other.code_file}, take it away here, or there and apply that first"
    one.value.reading.problems.append(one.place.problem(text))


def _fill_contacts(one: Parsed, before: Current | None) -> None:
    """A masked address or secret means keep."""
    known = {contact["name"]: contact for contact in before.spec["contactMethods"]} if before else {}
    for index, contact in enumerate(one.spec["contactMethods"] or ()):
        old = known.get(contact["name"])
        for field in ("address", "secret"):
            if contact.get(field) != MASK:
                continue
            if old is not None and old["type"] == contact["type"]:
                contact[field] = old[field]
                continue
            word = field if field == "address" or contact["type"] != "ntfy" else "token"
            wrong = WrongError("a mask, and there is nothing to keep", f"write the {word} itself")
            at(one.value, "contactMethods", index, word).complain(wrong)


def _fill_page(one: Parsed, before: Current | None, parsed: Sequence[Parsed], state: State) -> None:
    """Its owner, when none is named: as before, else the team of the first service that stands on it, else the first
    team. A component that does not say since when it is known: as before, else today."""
    spec = one.spec
    known = _started(before.spec["components"]) if before else {}
    for part, key in _parts(spec["components"]):
        part["startedOn"] = part["startedOn"] or known.get(key) or clock.now().date().isoformat()
    if spec["team"] is not None:
        return
    if before is not None:
        spec["team"] = before.spec["team"]
        return
    owners = {name: current.spec["team"] for (kind, name), current in state.items() if kind == "Service"}
    owners |= {other.name: other.spec["team"] for other in parsed if other.kind == "Service"}
    on_it = [owners[part["service"]] for part, _ in _parts(spec["components"]) if part["service"] in owners]
    teams = sorted({name for kind, name in state if kind == "Team"} | {o.name for o in parsed if o.kind == "Team"})
    if not on_it and not teams:
        at(one.value, "team").complain(WrongError("missing", "write the team that owns it", written=""))
    spec["team"] = next(iter([*on_it, *teams]), None)


def _fill_runbook(one: Parsed, parsed: Sequence[Parsed], state: State) -> None:
    """Its team, when none is named, is that of its service."""
    spec = one.spec
    if spec["team"] is not None:
        return
    owners = {name: current.spec["team"] for (kind, name), current in state.items() if kind == "Service"}
    owners |= {other.name: other.spec["team"] for other in parsed if other.kind == "Service"}
    spec["team"] = owners.get(spec["service"])
    if spec["team"] is None and spec["service"] is None:
        at(one.value, "team").complain(WrongError("missing", "write the team that owns it, or its service", written=""))


def _parts(components: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], tuple[str, str]]]:
    """Every component and group with the names that it is known by."""
    for one in components:
        yield one, ("", one["name"])
        for child in one["components"] or ():
            yield child, (one["name"], child["name"])


def _started(components: Sequence[dict[str, Any]]) -> dict[tuple[str, str], str]:
    return {key: part["startedOn"] for part, key in _parts(components)}


def _check_rules(one: Parsed, before: Current | None) -> None:
    """Rules and `notifyOn` name contact methods of this document, or else of the person."""
    contacts = one.spec["contactMethods"]
    if contacts is None:
        contacts = before.spec["contactMethods"] if before else []
    known = [contact["name"] for contact in contacts]

    def look(name: str, *path: str | int) -> None:
        if name not in known:
            wrong = WrongError("no contact method has this name", did_you_mean(name, known, "contact method"))
            at(one.value, *path).complain(wrong)

    rules = one.spec["notificationRules"] or {}
    for urgency in ("high", "low"):
        names = {rule["contact"] for rule in rules.get(urgency, ())}
        for index, item in enumerate(_contacts_named(at(one.value, "notificationRules", urgency))):
            if item in names:  # as written; rules are sorted in the normal form
                look(item, "notificationRules", urgency, index, "contact")
    for moment in ("acknowledged", "resolved"):
        wanted = (one.spec["notifyOn"] or {}).get(moment)
        if wanted:
            look(wanted, "notifyOn", moment)


def _contacts_named(rules: Value) -> list[str]:
    """By each rule, in the order written."""
    if not isinstance(rules.node, Items):
        return []
    named = [at(rules, index, "contact").node for index in range(len(rules.node.items))]
    return [node.text if isinstance(node, Scalar) else "" for node in named]


def _check_numbers(parsed: Sequence[Parsed], state: State) -> None:
    """One phone number belongs to one person."""
    owners: dict[str, str] = {}
    given = {one.name: one for one in parsed if one.kind == "User" and one.spec["contactMethods"] is not None}
    for (kind, name), current in state.items():
        if kind == "User" and name not in given:
            for contact in current.spec["contactMethods"]:
                if contact["type"] in PHONE_TYPES:
                    owners[contact["address"]] = name
    for name, one in given.items():
        for index, contact in enumerate(one.spec["contactMethods"]):
            if contact["type"] not in PHONE_TYPES:
                continue
            if owners.setdefault(contact["address"], name) != name:
                other = owners[contact["address"]]
                wrong = WrongError(f"the number of User/{other}", "write another: one number belongs to one person")
                at(one.value, "contactMethods", index, "address").complain(wrong)


def _fill_keys(one: Parsed, before: Current | None) -> None:
    """A key left out or masked is kept; None is left where one has to be made."""
    old = before.spec if before else {"key": None, "previousKey": None}
    if one.spec["keyFrom"] is None and one.spec["key"] in {None, MASK}:
        one.spec["key"] = old["key"]
    if one.spec["previousKey"] == MASK:
        one.spec["previousKey"] = old["previousKey"]


def _check_keys(parsed: Sequence[Parsed], state: State) -> None:
    """Each key belongs to one source, whether it is the key or the previous one."""
    owners: dict[str, str] = {}
    given = {one.name: one for one in parsed if one.kind == "Source"}
    for (kind, name), current in state.items():
        if kind == "Source" and name not in given:
            for key in (current.spec["key"], current.spec["previousKey"]):
                if key:
                    owners[key] = name
    for name, one in given.items():
        for field in ("key", "previousKey"):
            key = one.spec[field]
            if key and owners.setdefault(key, name) != name:
                wrong = WrongError(f"the key of Source/{owners[key]}", "give each source its own", written="")
                shown = "keyFrom" if field == "key" and one.spec["keyFrom"] is not None else field
                at(one.value, shown).complain(wrong)


def _check_circles(parsed: Sequence[Parsed], state: State) -> None:
    edges = {name: current.spec["dependsOn"] for (kind, name), current in state.items() if kind == "Service"}
    given = {one.name: one for one in parsed if one.kind == "Service"}
    edges |= {name: one.spec["dependsOn"] for name, one in given.items()}
    circle = cycle_in(edges)
    if circle:
        one = next(given[name] for name in circle if name in given)
        shown = " -> ".join(circle)
        wrong = WrongError("services would depend on each other in a circle", "leave one of them out", written=shown)
        at(one.value, "dependsOn").complain(wrong)
