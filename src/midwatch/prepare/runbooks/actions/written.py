"""A runbook as it was written, and the table's columns: one made of the other.

What a text says at its top stands in columns too, to be searched by. Whoever saves a text comes through here, so that the
two agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from django.db import transaction

from midwatch.catalog.models import Service
from midwatch.core import audit
from midwatch.core.actor import Actor
from midwatch.people.managed import Mark
from midwatch.people.models import Team, User
from midwatch.prepare.runbooks import document, front
from midwatch.prepare.runbooks.actions.by_hand import executors
from midwatch.prepare.runbooks.actions.documents import delete_runbook, fields_of, revise, save_runbook
from midwatch.prepare.runbooks.document import Document, DocumentError
from midwatch.prepare.runbooks.models import Execution, Runbook

OF_TEXT: Final = (
    "description",
    "options",
    "concurrency",
    "shell",
    "cwd",
    "category",
    "tag",
)  # in no column, or not alone


class NotFoundError(ValueError):
    """The text names a service, a team or a person that is not there."""


def parsed(text: str) -> Document:
    """Read as for saving: a word that no executor knows is an error. Raises `DocumentError`."""
    return document.parse(text, executors=executors())


def spec_of(runbook: Runbook) -> dict[str, Any]:
    """The normal form of its document, as configuration as code compares and exports it."""
    empty = document.parse("")
    spec, text = dict(empty.spec), ""
    if runbook.current is not None:
        try:
            found = document.parse(runbook.current.body)
            spec, text = dict(found.spec), found.text
        except DocumentError:  # older than a rule of today: it is shown and exported as it stands
            text = runbook.current.body
    kept = {key: spec[key] for key in OF_TEXT}
    return {
        "title": runbook.title,
        "description": kept["description"],
        "service": runbook.service.name if runbook.service is not None else None,
        "team": runbook.team.name,
        "owner": runbook.owner.name if runbook.owner is not None else None,
        "type": runbook.type,
        "url": runbook.url,
        "isPublic": runbook.is_public,
        "alerts": [_matcher(one) for one in runbook.matchers],
        "scenarios": list(runbook.scenarios),
        "options": kept["options"],
        "concurrency": runbook.concurrency_max,
        **{key: kept[key] for key in ("shell", "cwd", "category", "tag")},
        "isActive": runbook.is_active,
        "body": "" if runbook.url else text,
        "isTrusted": None if runbook.url else runbook.is_trusted,
    }


def _matcher(one: Mapping[str, Any]) -> dict[str, Any]:
    return {"service": one.get("service"), "labels": dict(one.get("labels") or {}), "title": one.get("title") or ""}


def write(
    name: str,
    spec: Mapping[str, Any],
    by: Actor,
    *,
    team: Team,
    service: Service | None,
    owner: User | None,
    text: str = "",
    note: str = "",
    mark: Mark | None = None,
) -> Runbook:
    """Save a normal form. `text`: the document as it was written, "" to make one. Raises ValueError with a sentence."""
    about = front.front_of(spec)
    is_active = spec.get("isActive", True)
    fields = fields_of(about, team, title=about.title, service=service, owner=owner, is_active=is_active)
    with transaction.atomic():
        runbook = save_runbook(name, fields, by, mark=mark)
        if not about.url:
            body = text or front.written(spec) + spec["body"]
            said = note or ("Configuration as code" if mark is not None else "")
            revise(runbook, body, by, note=said, is_trusted=bool(spec.get("isTrusted")), mark=mark)
    return runbook


def save_text(
    text: str,
    by: Actor,
    *,
    name: str = "",
    team: Team | None = None,
    service: Service | None = None,
    note: str = "",
    is_trusted: bool = False,
) -> Runbook:
    """A Markdown document as the runbook of its name: `name`, else what its front matter says. `team` and `service`: when
    it names none; a runbook that is here keeps its own. Raises ValueError (a `DocumentError` when the text is no runbook)."""
    found = parsed(text)
    about = found.front
    named = name or about.name
    if not named:
        raise ValueError("it has no name: write name: restart-checkout between --- at its top")
    known = Runbook.objects.select_related("team", "service").filter(name=named).first()
    service = _named(Service, about.service) or service or (known.service if known and not about.service else None)
    team = _named(Team, about.team) or (known.team if known else None) or team or (service.team if service else None)
    if team is None:
        raise ValueError("nobody owns it: write team: NAME between --- at its top")
    spec = {**found.spec, "title": found.title or named, "body": found.text, "isTrusted": is_trusted}
    if known is not None:
        spec["isActive"] = known.is_active
    owner = _named(User, about.owner)
    return write(named, spec, by, team=team, service=service, owner=owner, text=text, note=note)


Model = TypeVar("Model", Team, Service, User)


def _named(model: type[Model], name: str) -> Model | None:
    if not name:
        return None
    found: Model | None = model._default_manager.filter(name=name).first()
    if found is None:
        raise NotFoundError(f"there is no {model.__name__.lower()} {name}: name one that is there, or leave it out")
    return found


def take_away(runbook: Runbook, by: Actor, *, mark: Mark | None = None) -> str:
    """Deleted, or turned off when it was carried out: its executions stay in the history. Returns a sentence."""
    if not Execution.objects.filter(runbook=runbook).exists():
        delete_runbook(runbook, by, mark=mark)
        return ""
    with transaction.atomic():
        Runbook.objects.filter(pk=runbook.pk).update(is_active=False, code_owner="", code_file="")
        audit.record(by, "turn off", "runbook", runbook.name)
    return f"Runbook/{runbook.name} is turned off, and stays in the history"
