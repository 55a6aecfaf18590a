"""What the pages of people share: who is meant, who may, and how a link is written."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _

from midwatch.core.render import page_or_partial
from midwatch.people.models import AccessLink, ContactMethod, User
from midwatch.people.queries import people
from midwatch.people.viewing import viewer
from midwatch.settings import settings
from midwatch.web.permits import may_edit_reach


def person_or_404(name: str) -> User:
    return get_object_or_404(people(), name=name[:63])


def method_or_404(person: User, name: str) -> ContactMethod:
    return get_object_or_404(ContactMethod.objects.select_related("user"), user=person, name=name[:63])


def editable(request: HttpRequest, name: str) -> tuple[User, User]:
    """(who edits, whose page it is): one's own, or an administrator's business."""
    user, person = viewer(request), person_or_404(name)
    if not may_edit_reach(user, person):
        raise PermissionDenied(_("You may change your own page only; an administrator may change every one."))
    return user, person


def check_email_is_free(email: str, person: User | None = None) -> None:
    """People log in by e-mail too, so nobody may take somebody else's. Raises `ValueError`."""
    if not email:
        return
    others = people().filter(email__iexact=email.strip())
    other = (others.exclude(pk=person.pk) if person is not None else others).first()
    if other is not None:
        raise ValueError(
            _("%(person)s has this e-mail address already: give each person their own.") % {"person": other}
        )


def link_url(token: str) -> str:
    return settings().base_url + reverse("web:access-link", args=[token])


def shown_once(request: HttpRequest, person: User, *, link: str = "", token: str = "", kind: str = "") -> HttpResponse:
    """A secret in the answer to the POST that made it: nowhere stored, shown this one time."""
    context = {
        "person": person,
        "link": link,
        "token": token,
        "is_invitation": kind == AccessLink.Kind.INVITATION,
        "is_me": viewer(request).pk == person.pk,
    }
    return page_or_partial(request, "people/shown_once.html", context, partial="people/shown_once.html")


def needed_page(
    request: HttpRequest, person: User, reasons: Sequence[str], *, what: str, url: str, back: str
) -> HttpResponse:
    """Refused while steps would page nobody else; the one button that does it anyway says what follows."""
    context = {"person": person, "reasons": reasons, "what": what, "url": url, "back": back}
    return page_or_partial(request, "people/needed.html", context, partial="people/needed.html", status=422)
