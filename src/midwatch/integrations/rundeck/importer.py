"""`midwatch import rundeck`: jobs (YAML, JSON, XML, a project's archive), resources and ACL policies become runbooks. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from midwatch.core.foreign import ForeignError, ForeignFile, documents, xml
from midwatch.core.integration import ImportedRunbook, Imports, ImportWish
from midwatch.integrations.rundeck import jobs, markdown, nodes, xmljobs
from midwatch.integrations.rundeck.drafts import listed, slug, word
from midwatch.integrations.rundeck.jobs import Job
from midwatch.integrations.rundeck.nodes import Node

PRODUCT = "rundeck"
TITLE = "Rundeck"
ENDINGS = (".yaml", ".yml", ".json", ".xml", ".aclpolicy")
NAME_MAX = 60
JOBS_MAX = 2_000
# Of a project's archive: what ran, what was said about it, settings with keys in them.
PASSED_BY = ("/executions/", "/reports/", "/files/etc/", "META-INF/", "/webhooks/", "/scm/", "/readmes/", "/motd")


@dataclass(slots=True)
class _Found:
    jobs: list[Job] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)


def read(files: Sequence[ForeignFile], wish: ImportWish) -> Imports:
    """Never raises: a file that cannot be read, and a job that cannot become a runbook, are refused with the reason."""
    found = _Found()
    for file in files:
        if any(part in f"/{file.path}" for part in PASSED_BY):
            continue
        try:
            _sort(file, found)
        except ForeignError as error:
            found.refused.append((file.path, str(error)))
    by_key = {job.key: job.name for job in found.jobs if job.key}
    by_place = {_place(job.value): job.name for job in found.jobs}

    def runbook_of(jobref: Mapping[str, Any]) -> str:
        return by_key.get(word(jobref, "uuid", 100)) or by_place.get(_place(jobref), "")

    made = []
    for job in found.jobs:
        draft = jobs.draft(job, wish.kind, found.nodes, runbook_of)
        made.append(
            ImportedRunbook(
                name=draft.name,
                title=draft.title,
                text=markdown.text(draft, wish),
                key=draft.key,
                group=draft.group,
                origin=draft.origin,
                mapped=draft.mapped,
                is_active=draft.is_active,
                schedule=draft.schedule,
                time_zone=draft.time_zone,
            )
        )
    return Imports(made, found.refused, found.notes)


def _place(value: Mapping[str, Any]) -> tuple[str, str]:
    return word(value, "group", 300).strip("/"), word(value, "name", 200)


def _sort(file: ForeignFile, found: _Found) -> None:
    """What kind of file it is, by what stands in it. Raises `ForeignError`."""
    if file.path.lower().endswith(".xml") or file.data.lstrip()[:1] == b"<":
        root = xml(file)
        if root.tag == "joblist":
            _jobs(xmljobs.jobs(root), file.path, found)
        elif root.tag == "project" and root.find("node") is not None:
            found.nodes += nodes.read([dict(one.attrib, nodename=one.get("name", "")) for one in root.iter("node")])
        else:
            raise ForeignError(f"<{root.tag[:50]}> is no list of jobs: export jobs, or a project's archive")
        return
    values = documents(file)
    if values and all(_is_policy(value) for value in values):
        found.notes += [note for value in values for note in _policy(value)]
    elif values and all(nodes.is_resources(value) for value in values):
        read_ones = [node for value in values for node in nodes.read(value)]
        found.nodes += read_ones
        found.notes.append(f"{file.path}: {len(read_ones)} nodes, which name the targets of the jobs' filters.")
    else:
        for value in values:
            _jobs(value if isinstance(value, list) else [value], file.path, found)


def _jobs(values: Sequence[Any], origin: str, found: _Found) -> None:
    for place, value in enumerate(values, start=1):
        where = origin if len(values) == 1 else f"{origin}, job {place}"
        name = word(value, "name", 200).strip()
        if not isinstance(value, dict) or not name:
            found.refused.append((where, "is no job: a job has a name and a sequence"))
        elif not isinstance(value.get("sequence"), dict | list):
            found.refused.append((where, f"{name}: has no sequence of commands: export the whole job"))
        elif len(found.jobs) >= JOBS_MAX:
            found.refused.append((where, f"more than {JOBS_MAX} jobs: import them in parts"))
        else:
            found.jobs.append(Job(_name(value, name, found.names), where, value))


def _name(value: Mapping[str, Any], name: str, taken: set[str]) -> str:
    """The job's; with its group before it when another has the same; then with a number."""
    group = word(value, "group", 300)
    wanted = [slug(name, "job", NAME_MAX), slug(f"{group} {name}", "job", NAME_MAX)]
    wanted += [f"{wanted[0][: NAME_MAX - 6].strip('-')}-{count}" for count in range(2, JOBS_MAX + 3)]
    chosen = next(one for one in wanted if one not in taken)
    taken.add(chosen)
    return chosen


def _is_policy(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("for"), dict) and ("by" in value or "notBy" in value)


def _policy(value: Mapping[str, Any]) -> list[str]:
    """Who may do what is by teams here: said in words, so that somebody can put people into the teams."""
    by = value.get("by") if isinstance(value.get("by"), dict) else {}
    whom = [f"{kind} {', '.join(str(one) for one in listed(names))[:200]}" for kind, names in by.items()] if by else []
    allowed: Counter[str] = Counter()
    rules = value["for"]
    for rule in listed(rules.get("job")):
        if isinstance(rule, dict):
            allowed.update(str(one) for one in listed(rule.get("allow")))
    jobs_words = f"may {', '.join(sorted(allowed))[:200]} jobs" if allowed else "has rules that name no job"
    return [f"Policy {word(value, 'description', 200) or 'without a description'}: {'; '.join(whom) or 'others'} "
            f"{jobs_words}. Here the members of the team that owns a runbook may run it."]  # fmt: skip
