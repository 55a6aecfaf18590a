"""A runbook of another product's job: made once, and known here by its id there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

from django.db import transaction

from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.integration import ImportedRunbook
from midwatch.people.models import Team
from midwatch.prepare.runbooks.actions.by_hand import read_text
from midwatch.prepare.runbooks.actions.documents import RunbookFields, digest_of, revise, save_runbook
from midwatch.prepare.runbooks.document import Document
from midwatch.prepare.runbooks.models import KnownAs, Runbook

TakenWord = Literal["created", "updated", "unchanged", "skipped"]
Duplicate = Literal["update", "skip", "create"]


@dataclass(frozen=True, slots=True)
class Place:
    """Whose it becomes. `is_trusted`: by the command line, as `apply`. `duplicate`: what becomes of one that is here."""

    team: Team
    service: Service | None
    by: Actor
    product: str
    is_trusted: bool = False
    duplicate: Duplicate = "update"


@dataclass(frozen=True, slots=True)
class Taken:
    word: TakenWord
    runbook: Runbook


def take(one: ImportedRunbook, place: Place) -> Taken:
    """Make the runbook, or bring the one that is known by this id up to date. What was changed here since is not
    overwritten. Raises ValueError with a sentence; a `DocumentError` when its text is no runbook."""
    document = read_text(one.text)
    with transaction.atomic():
        known = _known(one, place)
        if known is not None and place.duplicate == "skip":
            return Taken("skipped", known.runbook)
        if known is not None and place.duplicate == "update":
            return _update(known, one, document, place)
        name = _free_name(one.name)
        if known is None and name != one.name and place.duplicate != "create":
            raise ValueError(f"there is a runbook {one.name} already, which came from elsewhere: rename the job or it")
        text = one.text.replace(f"name: {one.name}\n", f"name: {name}\n", 1)  # at its top, when the name was taken
        runbook = save_runbook(name, _fields(one, document, place, is_active=one.is_active), place.by)
        revise(runbook, text, place.by, note=f"Imported from {place.product}", is_trusted=place.is_trusted)
        if known is None:
            KnownAs.objects.create(
                runbook=runbook,
                product=place.product,
                key=_key(one, place),
                group=one.group,
                digest=digest_of(text),
                at=clock.now(),
            )
        return Taken("created", runbook)


def _known(one: ImportedRunbook, place: Place) -> KnownAs | None:
    rows = KnownAs.objects.select_related("runbook", "runbook__team", "runbook__current").filter(product=place.product)
    return rows.filter(key=_key(one, place)).first()


def _key(one: ImportedRunbook, place: Place) -> str:
    """Its id there; of a job without one, an id of its place and name, so that the same file twice is once."""
    return one.key or str(uuid5(NAMESPACE_URL, f"midwatch:{place.product}/{place.team.name}/{one.group}/{one.title}"))


def _update(known: KnownAs, one: ImportedRunbook, document: Document, place: Place) -> Taken:
    runbook = known.runbook
    digest = digest_of(one.text)
    if runbook.team.pk != place.team.pk:
        raise ValueError(f"{runbook.name} is here and belongs to {runbook.team.name}: import it for that team")
    current = runbook.current.digest if runbook.current is not None else ""
    if current not in {"", digest, known.digest}:
        raise ValueError(f"{runbook.name} was changed here since it was imported: change it here, or delete it first")
    if current == digest and runbook.is_trusted == place.is_trusted:
        return Taken("unchanged", runbook)
    is_active = one.is_active and runbook.is_active
    save_runbook(runbook.name, _fields(one, document, place, is_active=is_active), place.by)
    revise(runbook, one.text, place.by, note=f"Imported from {place.product} again", is_trusted=place.is_trusted)
    KnownAs.objects.filter(pk=known.pk).update(digest=digest, group=one.group, at=clock.now())
    return Taken("updated", runbook)


def _fields(one: ImportedRunbook, document: Document, place: Place, *, is_active: bool) -> RunbookFields:
    return RunbookFields(
        team=place.team,
        title=one.title,
        service=place.service,
        concurrency_max=document.front.concurrency,
        is_active=is_active,
    )


def _free_name(name: str) -> str:
    taken = set(Runbook.objects.filter(name__startswith=name[:50]).values_list("name", flat=True))
    return next(
        one for one in (name, *(f"{name[:50]}-{count}" for count in range(2, len(taken) + 3))) if one not in taken
    )
