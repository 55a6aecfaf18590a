"""Pages as a whole: made, changed, taken away, and the link of a private one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.db import IntegrityError, transaction

from midwatch.core import clock, zones
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.people import tokens
from midwatch.people.managed import Mark, check_name, guard, mark_values
from midwatch.people.models import Team
from midwatch.respond.statuspage.actions.common import note, touch
from midwatch.respond.statuspage.actions.outward import check_outward
from midwatch.respond.statuspage.models import Access, Page

TITLE_MAX = 200
DESCRIPTION_MAX = 5_000
URL_MAX = 500
PAGES_MAX = 200


@dataclass(frozen=True, slots=True)
class PageFields:
    """`url`: where visitors find the page, when that is not our own address."""

    team: Team
    title: str
    description: str = ""
    access: str = Access.PUBLIC
    url: str = ""
    support_url: str = ""
    time_zone: str = "UTC"
    takes_subscribers: bool = True
    is_hidden_from_search: bool = False
    outward: str = ""  # "statuspage:PAGE_ID": what is said here is said there too


def create_page(name: str, fields: PageFields, by: Actor, *, mark: Mark | None = None) -> Page:
    """Raises `ValueError`."""
    check_name(name)
    values = _values(name, fields)
    now = clock.now()
    try:
        with transaction.atomic():
            if Page.objects.count() >= PAGES_MAX:
                raise ValueError(f"there are {PAGES_MAX} status pages already: delete one first")
            page = Page.objects.create(name=name, created_at=now, updated_at=now, **values, **mark_values(mark))
            note(by, "create", page, {"team": fields.team.name, "access": page.access})
    except IntegrityError as error:
        raise ValueError(f"there is a status page called {name} already: give another name") from error
    return page


def change_page(page: Page, fields: PageFields, by: Actor, *, mark: Mark | None = None) -> Page:
    """Raises `ValueError`; a `FromCodeError` when it comes from code."""
    guard(page, mark)
    values = _values(page.name, fields)
    with transaction.atomic():
        current = Page.objects.select_for_update().get(pk=page.pk)
        changed = [key for key, new in values.items() if getattr(current, key) != new]
        if changed:
            for key in changed:
                setattr(current, key, values[key])
            current.save(update_fields=changed)
            note(by, "change", current, {"fields": changed})
            touch(current.pk, clock.now())
    return current


def delete_page(page: Page, by: Actor, *, mark: Mark | None = None) -> None:
    """With its components, its history and its subscribers."""
    guard(page, mark)
    with transaction.atomic():
        note(by, "delete", page)
        page.delete()


def new_access_link(page: Page, by: Actor) -> str:
    """A new token for a page by link; the one before ends. Shown once, kept as a digest."""
    token = tokens.new_link_token()
    with transaction.atomic():
        Page.objects.filter(pk=page.pk).update(access_digest=tokens.digest(token))
        note(by, "make a new link", page)
        touch(page.pk, clock.now())
    return token


def _values(name: str, fields: PageFields) -> dict[str, Any]:
    if fields.access not in Access.values:
        raise ValueError(f"{clean(fields.access, 40)!r} is no kind of access: give {', '.join(Access.values)}")
    zones.zone(fields.time_zone)
    return {
        "team": fields.team,
        "title": clean(fields.title, TITLE_MAX, is_one_line=True) or name,
        "description": clean(fields.description, DESCRIPTION_MAX),
        "access": fields.access,
        "url": _address(fields.url, "the page's address"),
        "support_url": _address(fields.support_url, "the address for help"),
        "time_zone": fields.time_zone,
        "takes_subscribers": fields.takes_subscribers,
        "is_hidden_from_search": fields.is_hidden_from_search,
        "outward": check_outward(fields.outward),
    }


def _address(given: str, what: str) -> str:
    address = given.strip().rstrip("/")
    if not address:
        return ""
    try:
        parts = urlsplit(address)
        is_right = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_right = False
    if not is_right or len(address) > URL_MAX or any(c.isspace() or c in "<>\"'`" for c in address):
        raise ValueError(f"{what}: give one that begins with https:// or http://")
    if parts.query or parts.fragment:
        raise ValueError(f"{what}: give it without ? and #")
    return address
