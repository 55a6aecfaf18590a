"""The kinds of documents. A document becomes a `Parsed`, whose `spec` is its normal form.

What concerns several documents, or the database, is checked in `references.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from midwatch.core.written.documents import Document, Documents, Fields, Scalar
from midwatch.core.written.values import (
    Field,
    Place,
    Reading,
    Table,
    Value,
    WrongError,
    at,
    did_you_mean,
    name,
    read_fields,
    text_of,
)
from midwatch.gitops.schema.api import API_VERSION
from midwatch.gitops.schema.duty import POLICY, SCHEDULE, finish_policy, finish_schedule
from midwatch.gitops.schema.incidents import (
    DECLARATION_RULE,
    INCIDENT_ROLE,
    INCIDENT_TYPE,
    SEVERITY,
    finish_role,
    finish_rule,
    finish_severity,
    finish_type,
)
from midwatch.gitops.schema.pages import STATUS_PAGE, finish_status_page
from midwatch.gitops.schema.people import TEAM, USER, finish_team, finish_user
from midwatch.gitops.schema.runbooks import RUNBOOK, finish_runbook
from midwatch.gitops.schema.services import SERVICE, SOURCE, finish_service, finish_source
from midwatch.people.queries import RESERVED_NAMES


@dataclass(frozen=True, slots=True)
class Parsed:
    """One document, understood. `spec` is the normal form; `value` the node under `spec`."""

    kind: str
    name: str
    spec: dict[str, Any]
    value: Value
    place: Place  # of the document


@dataclass(frozen=True, slots=True)
class Kind:
    name: str
    table: Table
    finish: Callable[[Value, dict[str, Any]], dict[str, Any]]


KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind("User", USER, finish_user),
        Kind("Team", TEAM, finish_team),
        Kind("Schedule", SCHEDULE, finish_schedule),
        Kind("EscalationPolicy", POLICY, finish_policy),
        Kind("Service", SERVICE, finish_service),
        Kind("Source", SOURCE, finish_source),
        Kind("StatusPage", STATUS_PAGE, finish_status_page),
        Kind("Runbook", RUNBOOK, finish_runbook),
        Kind("Severity", SEVERITY, finish_severity),
        Kind("IncidentRole", INCIDENT_ROLE, finish_role),
        Kind("IncidentType", INCIDENT_TYPE, finish_type),
        Kind("DeclarationRule", DECLARATION_RULE, finish_rule),
    )
}


def read(found: Documents) -> tuple[list[Parsed], Reading]:
    """Every document that is understood, and all problems so far."""
    reading = Reading(found.directory, list(found.problems))
    parsed: dict[tuple[str, str], Parsed] = {}
    for document in found.documents:
        one = _read_document(document, reading)
        if one is None:
            continue
        known = parsed.get((one.kind, one.name))
        if known is None:
            parsed[one.kind, one.name] = one
        else:
            first = f"{known.place.document.file}:{known.place.line}"
            reading.problems.append(
                one.place.problem(f"there is one at {first} already, keep one of them or rename it")
            )
    return list(parsed.values()), reading


def _read_document(document: Document, reading: Reading) -> Parsed | None:
    top = Value(document.root, Place(document, "", "", "", document.line), reading)
    if not isinstance(document.root, Fields):
        top.complain(WrongError("not a document", "write apiVersion, kind, metadata and spec"))
        return None
    kind = _word(top, "kind", KINDS)
    named = _name(top, kind)
    place = Place(document, kind or "", named or "", "", document.line)
    here = Value(document.root, place, reading)
    _word(here, "apiVersion", (API_VERSION,))
    for key in document.root.items:
        if key not in {"apiVersion", "kind", "metadata", "spec"}:
            at(here, key).complain(WrongError("no such field", did_you_mean(key, _TOP, "field"), written=""))
    if kind is None or named is None:
        return None
    return _read_spec(here, KINDS[kind], named)


_TOP = ("apiVersion", "kind", "metadata", "spec")


def _read_spec(top: Value, kind: Kind, named: str) -> Parsed | None:
    root = top.node
    spec_node = root.items.get("spec") if isinstance(root, Fields) else None
    if spec_node is None or (isinstance(spec_node, Scalar) and spec_node.is_null):
        at(top, "spec").complain(WrongError("missing", f"write spec with the fields of a {kind.name}", written=""))
        return None
    place = Place(top.place.document, kind.name, named, "", spec_node.line)
    value = Value(spec_node, place, top.reading)
    before = len(top.reading.problems)
    try:
        spec = read_fields(value, kind.table)
    except WrongError as wrong:
        at(top, "spec").complain(wrong)
        return None
    if len(top.reading.problems) > before:
        return Parsed(kind.name, named, {}, value, top.place)  # known by name, so that references to it are right
    return Parsed(kind.name, named, kind.finish(value, spec), value, top.place)


def _word(top: Value, key: str, known: Sequence[str] | dict[str, Kind]) -> str | None:
    value = at(top, key)
    if not isinstance(top.node, Fields) or key not in top.node.items or value.is_null:
        value.complain(WrongError("missing", f"write {' or '.join(known)}", written=""))
        return None
    try:
        found = text_of(value, next(iter(known)))
        if found not in known:
            raise WrongError(f"no such {key}", did_you_mean(found, known, key))
    except WrongError as wrong:
        value.complain(wrong)
        return None
    return found


def _name(top: Value, kind: str | None) -> str | None:
    """`metadata.name`."""
    place = Place(top.place.document, kind or "", "", "", top.place.line)
    metadata = at(Value(top.node, place, top.reading), "metadata")
    if isinstance(metadata.node, Fields) and metadata.node is not top.node:
        table = {"name": Field(name, is_required=True, example="payments")}
        found = read_fields(metadata, table)["name"]
        if kind == "User" and found in RESERVED_NAMES:
            at(metadata, "name").complain(WrongError("a word with a meaning of its own", "write another name"))
            return None
        return str(found) if found else None
    metadata.complain(WrongError("missing", "write metadata: {name: ...}", written=""))
    return None
