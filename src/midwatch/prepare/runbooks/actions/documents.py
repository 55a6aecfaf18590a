"""Writing runbooks: what is said about one, its text, and steps that are turned off."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from midwatch.catalog.models import Service
from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.people.managed import Mark, check_name, guard, mark_values
from midwatch.people.models import Team, User
from midwatch.prepare.runbooks.front import Front
from midwatch.prepare.runbooks.models import Revision, Runbook, RunbookType, StepSwitch
from midwatch.prepare.runbooks.models.documents import BODY_MAX, TITLE_MAX

URL_MAX = 2_000
MATCHERS_MAX = 50
SCENARIOS_MAX = 50
CONCURRENCY_MAX = 100
LINK = re.compile(r"https?://[^\s]+")


@dataclass(frozen=True, slots=True)
class RunbookFields:
    """What is said about a runbook beside its text. With a `url` it is a page elsewhere."""

    team: Team
    title: str = ""
    service: Service | None = None
    owner: User | None = None
    type: str = RunbookType.RUNBOOK
    url: str = ""
    is_public: bool = False
    matchers: Sequence[Mapping[str, Any]] = ()
    scenarios: Sequence[str] = ()
    concurrency_max: int = 1
    is_active: bool = True


def fields_of(
    front: Front, team: Team, *, title: str, service: Service | None, owner: User | None, is_active: bool
) -> RunbookFields:
    """What stands at the top of a text, as columns."""
    return RunbookFields(
        team=team,
        title=title,
        service=service,
        owner=owner,
        type=front.type,
        url=front.url,
        is_public=front.is_public,
        matchers=[matcher.as_json() for matcher in front.alerts],
        scenarios=front.scenarios,
        concurrency_max=front.concurrency,
        is_active=is_active,
    )


TAKEN = frozenset({"calendar", "stopped", "stop", "release", "freezes"})  # /api/v1/runbooks/calendar is no runbook


def save_runbook(name: str, fields: RunbookFields, by: Actor, *, mark: Mark | None = None) -> Runbook:
    """Make it, or change what is said about the one of this name. Its text is written by `revise`.

    Raises ValueError with a sentence; a `FromCodeError` when it comes from configuration as code.
    """
    check_name(name)
    if name in TAKEN:
        raise ValueError(f"{name} is a word of the API's addresses: give the runbook another name")
    values = _values(name, fields)
    now = clock.now()
    with transaction.atomic():
        found = Runbook.objects.select_for_update(of=("self",)).filter(name=name).first()
        if found is None:
            return _create(name, values, by, mark)
        guard(found, mark)
        values |= mark_values(mark) if mark else {}
        changed = [key for key, new in values.items() if getattr(found, key) != new]
        if changed:
            for key in changed:
                setattr(found, key, values[key])
            found.updated_at = now
            found.save(update_fields=[*changed, "updated_at"])
            audit.record(by, "change", "runbook", name, {"fields": changed})
    return found


def _create(name: str, values: Mapping[str, Any], by: Actor, mark: Mark | None) -> Runbook:
    now = clock.now()
    try:
        with transaction.atomic():
            made = Runbook.objects.create(name=name, created_at=now, updated_at=now, **{**mark_values(mark), **values})
    except IntegrityError as error:
        raise ValueError(f"there is a runbook called {name} already: give another name") from error
    audit.record(by, "create", "runbook", name, {"team": made.team.name})
    return made


def _values(name: str, fields: RunbookFields) -> dict[str, Any]:
    if fields.type not in RunbookType.values:
        raise ValueError(f"type: {fields.type!r} is none: give {' or '.join(RunbookType.values)}")
    url = fields.url.strip()
    if url and (len(url) > URL_MAX or not LINK.fullmatch(url)):
        raise ValueError("url: give an address that begins with https:// or http://, or nothing")
    if not 1 <= fields.concurrency_max <= CONCURRENCY_MAX:
        raise ValueError(f"concurrency: give a whole number from 1 to {CONCURRENCY_MAX}")
    if len(fields.matchers) > MATCHERS_MAX or len(fields.scenarios) > SCENARIOS_MAX:
        raise ValueError(f"alerts and scenarios: at most {MATCHERS_MAX} of each")
    return {
        "team": fields.team,
        "title": clean(fields.title, TITLE_MAX, is_one_line=True) or name,
        "service": fields.service,
        "owner": fields.owner,
        "type": fields.type,
        "url": url,
        "is_public": fields.is_public,
        "matchers": [dict(matcher) for matcher in fields.matchers],
        "scenarios": [clean(scenario, 100, is_one_line=True) for scenario in fields.scenarios],
        "concurrency_max": fields.concurrency_max,
        "is_active": fields.is_active,
    }


def digest_of(body: str) -> str:
    """What a revision is told apart by."""
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


def revise(
    runbook: Runbook, body: str, by: Actor, *, note: str = "", is_trusted: bool = False, mark: Mark | None = None
) -> Revision:
    """The text from now on. The same text again makes no revision. Executions under way keep the one they began with.

    `is_trusted`: it came from `--config` or the command line's `apply`. Raises ValueError with a sentence.
    """
    guard(runbook, mark)
    if runbook.url:
        raise ValueError("this runbook is a link: take its address away before giving it a text")
    if len(body) > BODY_MAX:
        raise ValueError(f"a runbook has at most {BODY_MAX:,} characters: make two of it")
    if "\0" in body or not body.strip():
        raise ValueError("a runbook's text is Markdown, and not empty")
    digest = digest_of(body)
    now = clock.now()
    with transaction.atomic():
        held = Runbook.objects.select_for_update(of=("self",)).select_related("current").get(pk=runbook.pk)
        last = held.current
        if last is not None and last.digest == digest and last.is_trusted == is_trusted:
            return last
        highest = Revision.objects.filter(runbook=held).order_by("-number").values_list("number", flat=True).first()
        made = Revision.objects.create(
            runbook=held,
            number=(highest or 0) + 1,
            body=body,
            digest=digest,
            note=clean(note, 500, is_one_line=True),
            who=str(by)[:200],
            user_id=by.user_id,
            via=by.via,
            is_trusted=is_trusted,
            created_at=now,
        )
        Runbook.objects.filter(pk=held.pk).update(current=made, is_trusted=is_trusted, updated_at=now)
        audit.record(by, "revise", "runbook", held.name, {"revision": made.number, "digest": digest})
    runbook.refresh_from_db()
    return made


def change_step_switch(runbook: Runbook, step: str, by: Actor, *, is_on: bool, reason: str = "") -> None:
    """Turn a step off, with a reason that stands in every execution that passes it by; or on again."""
    name = clean(step, 100, is_one_line=True)
    why = clean(reason, 500, is_one_line=True)
    if not is_on and not why:
        raise ValueError("say why it is turned off: whoever passes it by at night will ask")
    with transaction.atomic():
        if is_on:
            StepSwitch.objects.filter(runbook=runbook, step=name).delete()
        else:
            said = {"reason": why, "who": str(by)[:200], "user_id": by.user_id, "at": clock.now()}
            StepSwitch.objects.update_or_create(runbook=runbook, step=name, defaults=said)
        detail = {"step": name, "is_on": is_on, "reason": why}
        audit.record(by, "switch step", "runbook", runbook.name, detail)


def delete_runbook(runbook: Runbook, by: Actor, *, mark: Mark | None = None) -> None:
    """Only while it was never carried out: the database refuses otherwise (`ProtectedError`); turn it off instead."""
    guard(runbook, mark)
    with transaction.atomic():
        audit.record(by, "delete", "runbook", runbook.name)
        Runbook.objects.filter(pk=runbook.pk).update(current=None)
        runbook.delete()
