"""Definitions of jobs that come in, and single options that a form wants judged."""

from __future__ import annotations

import json
from typing import Any

from django.db import transaction
from django.http import HttpResponse

from midwatch.api.rundeck import words
from midwatch.api.rundeck.door import Asked, Json, Refused, answered
from midwatch.api.rundeck.projects import team_of
from midwatch.core.foreign import ForeignFile
from midwatch.core.integration import ImportedRunbook, ImportWish, Mapped, importers
from midwatch.people.models import Team
from midwatch.prepare.runbooks import actions
from midwatch.prepare.runbooks.actions import Place, Taken
from midwatch.prepare.runbooks.models import KnownAs

FORMATS = ("yaml", "json", "xml")
WHEN_KNOWN = {"skip": "skip", "create": "create", "update": "update", "": "create"}


def take_jobs(asked: Asked) -> HttpResponse:
    """YAML, JSON or XML, as the body or as `xmlBatch` of a form. What was written elsewhere is trusted no more than its
    sender: steps on our own machine need MIDWATCH_LOCAL_PROGRAMS."""
    team = team_of(asked, asked.ids[0])
    asked.only_team(team)
    choice = asked.text("dupeOption").lower()
    if choice not in WHEN_KNOWN:
        raise Refused(400, "dupeOption: skip, create or update")
    found = importers()["rundeck"].read([_file(asked)], ImportWish(team=team.name))
    if not found.runbooks and not found.refused:
        raise Refused(400, "there is no job in this: send a list of jobs")
    answer: dict[str, list[Json]] = {"succeeded": [], "failed": [], "skipped": []}
    for index, one in enumerate(found.runbooks, start=1):
        word, entry = _take(asked, one, team, choice)
        answer[word].append({"index": index, **entry})
    answer["failed"] += [{"index": 0, "error": f"{where}: {why}"} for where, why in found.refused]
    return answered(answer)


def _file(asked: Asked) -> ForeignFile:
    data = asked.files.get("xmlBatch") or asked.raw
    kind = asked.text("fileformat", "format").lower()
    kind = kind or next((one for one in FORMATS if one in asked.content_type), "yaml")
    if kind not in FORMATS:
        raise Refused(400, "fileformat: yaml, json or xml")
    if not data.strip():
        raise Refused(400, "send the definitions as the body, or as xmlBatch of a form")
    return ForeignFile(f"jobs.{kind}", data)


def _take(asked: Asked, one: ImportedRunbook, team: Team, choice: str) -> tuple[str, Json]:
    """(where it stands in the answer, what stands there)."""
    is_new = asked.text("uuidOption").lower() == "remove"
    named = {"name": one.name, "group": one.group, "project": team.name}
    try:
        with transaction.atomic():
            taken = _taken(asked, one, team, choice, is_new=is_new)
    except ValueError as error:
        return "failed", {**named, "id": one.key or None, "error": str(error), "messages": str(error).split("\n")}
    known = words.Known([taken.runbook])
    shown = words.job(asked, taken.runbook, known)
    entry = {**named, **{key: shown[key] for key in ("id", "name", "href", "permalink")}}
    if taken.word in {"skipped", "unchanged"} and choice == "skip":
        return "skipped", entry
    return "succeeded", {**entry, "messages": _messages(one.mapped)}


def _taken(asked: Asked, one: ImportedRunbook, team: Team, choice: str, *, is_new: bool) -> Taken:
    duplicate: Any = WHEN_KNOWN[choice]
    place = Place(team, None, asked.by, words.PRODUCT, duplicate=duplicate)
    if is_new and KnownAs.objects.filter(product=words.PRODUCT, key=one.key).exists():
        place = Place(team, None, asked.by, words.PRODUCT, duplicate="create")
    return actions.take(one, place)


def _messages(mapped: Any) -> list[str]:
    """What did not become the same."""
    ones: list[Mapped] = list(mapped)
    return [f"{one.part}: {one.word}{f', {one.note}' if one.note else ''}" for one in ones if one.word != "same"]


def validate_option(asked: Asked) -> HttpResponse:
    """An option as a job's form has it: would it be taken as it is?"""
    team_of(asked, asked.ids[0])
    name = asked.text("name", most=200)
    if not name:
        return answered({"valid": False, "messages": {"name": "a name is missing"}}, 400)
    job = [{"name": "probe", "sequence": {"commands": []}, "options": [asked.given]}]
    found = importers()["rundeck"].read([ForeignFile("probe.json", json.dumps(job).encode())], ImportWish())
    notes = [one for made in found.runbooks for one in made.mapped if one.part.startswith("option ")]
    bad = [one for one in notes if one.word != "same"]
    if bad:
        return answered({"valid": False, "messages": {name: "; ".join(one.note for one in bad)}}, 400)
    return answered({"valid": True})
