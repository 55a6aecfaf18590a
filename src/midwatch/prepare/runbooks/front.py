"""The front matter of a runbook: what it is for, which alerts it answers, what it asks before it starts. Pure.

The same fields are the `spec` of a document of kind Runbook, where `body` stands beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from midwatch.core import patterns
from midwatch.core.written import values
from midwatch.core.written.documents import Fields, Scalar, as_plain
from midwatch.core.written.values import Field, Table, Value, WrongError, at, text_of
from midwatch.prepare.runbooks import options
from midwatch.prepare.runbooks.options import Option

MATCHERS_MAX: Final = 20
LABELS_MAX: Final = 20
SCENARIOS_MAX: Final = 50
CONCURRENCY_MAX: Final = 100
TITLE_MAX: Final = 200
TYPES: Final = ("runbook", "playbook")
REGEX_MARK: Final = "~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """Answers alerts of this service ("" any) with all these labels; a value or the title that begins with `~` is a
    regular expression: of the whole value, anywhere in the title."""

    service: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    title: str = ""

    def as_json(self) -> dict[str, Any]:
        """As the table keeps it."""
        found: dict[str, Any] = {}
        if self.service:
            found["service"] = self.service
        if self.labels:
            found["labels"] = dict(self.labels)
        if self.title:
            found["title"] = self.title
        return found


@dataclass(frozen=True, slots=True)
class Front:
    """`shell`, `cwd`, `tags`: Runme's, what its steps have when they say nothing else."""

    name: str = ""
    title: str = ""
    description: str = ""
    service: str = ""
    team: str = ""
    owner: str = ""
    type: str = "runbook"
    url: str = ""
    is_public: bool = False
    alerts: tuple[Matcher, ...] = ()
    scenarios: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    concurrency: int = 1
    shell: str = ""
    cwd: str = ""
    tags: tuple[str, ...] = ()

    def option(self, name: str) -> Option | None:
        return next((option for option in self.options if option.name == name), None)


def _label_map(value: Value) -> dict[str, str]:
    node = value.node
    if not isinstance(node, Fields):
        raise WrongError("not a map", "write one such as {severity: critical}")
    if len(node.items) > LABELS_MAX:
        raise WrongError(f"{len(node.items)} labels", f"write at most {LABELS_MAX}", written="")
    found = {}
    for key, child_node in node.items.items():
        child = value.child(key, child_node, node.key_lines[key])
        try:
            found[key] = _pattern_or_text(child, 200)
        except WrongError as wrong:
            child.complain(wrong)
    return found


def _pattern_or_text(value: Value, at_most: int) -> str:
    found = text_of(value, "a value, or ~ and a regular expression")
    if found.startswith(REGEX_MARK):
        try:
            patterns.check(found[1:])
        except ValueError as error:
            what, _, instead = str(error).partition(": ")
            raise WrongError(what, instead or "write a simpler one") from error
        return found
    return str(values.text(at_most, "a value, or ~ and a regular expression")(value))


def _title_pattern(value: Value) -> str:
    return _pattern_or_text(value, 200)


def _anything(value: Value) -> Any:
    return as_plain(value.node)


def words(value: Value) -> list[str]:
    """A list of texts, or one text with commas, as Runme writes lists."""
    item = values.text(options.VALUE_MAX, "a word")
    if isinstance(value.node, Scalar):
        return [part.strip() for part in item(value).split(",") if part.strip()]
    return list(values.list_of(item, 1_000, "[a, b]")(value))


def _matcher(value: Value, spec: dict[str, Any]) -> dict[str, Any]:
    if not any(spec.values()):
        value.complain(WrongError("answers every alert", "write a service, labels or a title", written=""))
    return spec


def front_table(
    service: values.Type = values.name, team: values.Type = values.name, owner: values.Type = values.name
) -> Table:
    """`service`, `team`, `owner`: how their names are read; configuration as code looks them up."""
    matcher: Table = {
        "service": Field(service),
        "labels": Field(_label_map, default={}),
        "title": Field(_title_pattern, default=""),
    }
    return {
        "title": Field(values.text(TITLE_MAX, "what it is for, in a few words")),
        "description": Field(values.text(5_000, "what it does", is_one_line=False), default=""),
        "service": Field(service),
        "team": Field(team),
        "owner": Field(owner),
        "type": Field(values.one_of(*TYPES), default="runbook"),
        "url": Field(options.address, default=""),
        "isPublic": Field(values.boolean, default=False),
        "alerts": Field(
            values.list_of(values.map_of(matcher, "{labels: {alertname: DiskFull}}", _matcher), MATCHERS_MAX),
            default=(),
        ),
        "scenarios": Field(values.list_of(values.text(200, "a name"), SCENARIOS_MAX, "[database-is-lost]"), default=()),
        "options": Field(
            values.list_of(values.map_of(options.OPTION, "{name: host}", options.finish), options.OPTIONS_MAX),
            default=(),
        ),
        "concurrency": Field(values.whole(1, CONCURRENCY_MAX), default=1),
    }


RUNME_FIELDS: Final[Table] = {
    "shell": Field(values.text(200, "bash"), default=""),
    "cwd": Field(values.text(500, "a directory"), default=""),
    "category": Field(words, default=()),
    "tag": Field(words, default=()),
    "terminalRows": Field(_anything),
    "skipPrompts": Field(_anything),
    "runme": Field(_anything),
}
FRONT: Final[Table] = {"name": Field(values.name), **front_table(), **RUNME_FIELDS}


def finish(value: Value, spec: dict[str, Any]) -> dict[str, Any]:
    """What concerns several fields."""
    for key in ("alerts", "scenarios", "options"):
        spec[key] = list(spec[key])
    seen: dict[str, int] = {}
    for index, option in enumerate(spec["options"]):
        variable = options.variable_of(option["name"])
        if variable in seen:
            where = at(value, "options", index, "name")
            where.complain(WrongError("the variable of another option too", "rename one of them"))
        seen[variable] = index
    return spec


def front_of(spec: Mapping[str, Any]) -> Front:
    """From the normal form."""
    return Front(
        name=spec.get("name") or "",
        title=spec["title"] or "",
        description=spec["description"],
        service=spec["service"] or "",
        team=spec["team"] or "",
        owner=spec["owner"] or "",
        type=spec["type"],
        url=spec["url"],
        is_public=spec["isPublic"],
        alerts=tuple(
            Matcher(one["service"] or "", tuple(sorted(one["labels"].items())), one["title"]) for one in spec["alerts"]
        ),
        scenarios=tuple(spec["scenarios"]),
        options=tuple(options.option_of(one) for one in spec["options"]),
        concurrency=spec["concurrency"],
        shell=spec.get("shell") or "",
        cwd=spec.get("cwd") or "",
        tags=(*(spec.get("category") or ()), *(spec.get("tag") or ())),
    )


def written(spec: Mapping[str, Any]) -> str:
    """The front matter of a normal form, without what is as left out: lines between `---`."""
    kept = without_defaults(spec, FRONT)
    if not kept:
        return ""
    text = yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=100, default_flow_style=None)
    return f"---\n{text}---\n"


def without_defaults(spec: Mapping[str, Any], table: Table) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, field in table.items():
        value: Any = spec.get(key)
        if value in (None, (), [], {}, field.default):
            continue
        if key == "options":
            kept[key] = [without_defaults(one, options.OPTION) for one in value]
        elif key == "alerts":
            kept[key] = [{name: of for name, of in one.items() if of} for one in value]
        else:
            kept[key] = value
    return kept
