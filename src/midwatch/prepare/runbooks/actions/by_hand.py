"""A runbook as a person writes it in the web: what is said about it stands at the top of its text."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.db import transaction

from midwatch.catalog.models import Service
from midwatch.core.actor import Actor
from midwatch.core.integration import runners
from midwatch.people.models import Team, User
from midwatch.people.queries import active_people
from midwatch.prepare.runbooks.actions.documents import fields_of, revise, save_runbook
from midwatch.prepare.runbooks.document import Document, parse
from midwatch.prepare.runbooks.models import Runbook


def executors() -> Mapping[str, Collection[str]]:
    """Every executor there is with its attributes: a word that nobody knows is an error while somebody writes."""
    return {"runbook": ("runbook", "options"), **{name: tuple(runner.ATTRIBUTES) for name, runner in runners().items()}}


def read_text(text: str) -> Document:
    """As it is read while it is written. Raises `DocumentError` with all that is wrong, by lines."""
    return parse(text, executors=executors())


def write_runbook(name: str, text: str, team: Team, by: Actor, *, note: str = "", is_active: bool = True) -> Runbook:
    """Make it or change it, whole: the text and what stands at its top. Raises ValueError, a `DocumentError` among them."""
    document = read_text(text)
    front = document.front
    if front.team and front.team != team.name:
        raise ValueError(f"team: the text says {front.team}, and {team.name} is chosen: make them one")
    service, owner = _service(front.service), _owner(front.owner)
    fields = fields_of(front, team, title=document.title, service=service, owner=owner, is_active=is_active)
    with transaction.atomic():
        runbook = save_runbook(name, fields, by)
        if not runbook.is_link:
            revise(runbook, text, by, note=note)
    return runbook


def _service(name: str) -> Service | None:
    if not name:
        return None
    found = Service.objects.filter(name=name).first()
    if found is None:
        raise ValueError(f"service: there is no service {name}: make it first, or leave it out")
    return found


def _owner(name: str) -> User | None:
    if not name:
        return None
    found = active_people().filter(name=name).first()
    if found is None:
        raise ValueError(f"owner: nobody is called {name}: give a person's name, or leave it out")
    return found
