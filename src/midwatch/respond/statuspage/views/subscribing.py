"""Subscribing and leaving, by people who have no account: no cookies, so no CSRF token either.

A link in a mail is opened by scanners too, so opening one changes nothing: the button behind it does. Leaving is one
click (RFC 8058): a POST to the link, by a mail program, without anything being shown.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from midwatch.core import clock
from midwatch.respond.statuspage import rendering, secrets
from midwatch.respond.statuspage.actions import subscribers
from midwatch.respond.statuspage.actions.subscribers import TooManyError, Wish
from midwatch.respond.statuspage.views.public import HTML, Visit, guarded_visit, visit

TRIES_MAX, TRIES_SECONDS = 10, 600.0
ADDRESSES_KEPT_MAX = 10_000
SENT = "If that address is right, a message with a link is on its way to it. Updates come once that link was opened."


class Tries:
    """How often one address of the network asked lately. One of a process: a brake, not a lock."""

    def __init__(self) -> None:
        self._since: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()

    def is_too_much(self, address: str) -> bool:
        now = clock.monotonic()
        with self._lock:
            since, count = self._since.pop(address, (now, 0))
            if now - since > TRIES_SECONDS:
                since, count = now, 0
            self._since[address] = since, count + 1
            while len(self._since) > ADDRESSES_KEPT_MAX:
                self._since.popitem(last=False)
        return count >= TRIES_MAX

    def forget(self) -> None:
        with self._lock:
            self._since.clear()


tries = Tries()


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@guarded_visit
def subscribe(request: HttpRequest, name: str) -> HttpResponse:
    found = visit(request, name)
    page = found[0]
    if not page.takes_subscribers:
        raise Http404
    if request.method != "POST":
        return _form(found)
    if tries.is_too_much(request.META.get("REMOTE_ADDR", "")):
        return _form(found, problem="That was often. Try again in ten minutes.", status=429)
    kind = "webhook" if request.POST.get("kind") == "webhook" else "email"
    address = request.POST.get("address", "")[:2_000]
    wanted = request.POST.getlist("components")[:500]
    components = list(page.components.filter(wire_id__in=wanted, is_group=False))
    try:
        subscribers.subscribe(page, Wish(kind, address, components))
    except TooManyError as refusal:
        return _form(found, problem=str(refusal), status=429)
    except ValueError as refusal:
        return _form(found, problem=str(refusal), status=422)
    return said(found, "Almost done", SENT)


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@guarded_visit
def confirm(request: HttpRequest, name: str, token: str) -> HttpResponse:
    found = visit_by_letter(request, name)
    subscriber = secrets.subscriber_of(token, secrets.CONFIRM, found[0].pk)
    if subscriber is None:
        found = visit(request, name)  # a wrong link is no letter: a page that is not for everybody does not answer it
        return said(found, "This link is not right", "It may be cut off, or too old. Subscribe once more.", status=404)
    if request.method != "POST":
        return said(found, "Updates from this page", "Press the button, and updates come.", act="Send me updates")
    subscribers.confirm(subscriber)
    return said(found, "Done", "Updates will come from now on. Each carries a link to end them.")


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@guarded_visit
def unsubscribe(request: HttpRequest, name: str, token: str) -> HttpResponse:
    found = visit_by_letter(request, name)
    subscriber = secrets.subscriber_of(token, secrets.LEAVE, found[0].pk)
    if subscriber is None:  # forgotten by now, or a wrong link: either way nothing is sent
        found = visit(request, name)
        return said(found, "Nothing is sent", "This address gets no updates from this page.")
    if request.method != "POST":
        return said(found, "No more updates?", "Press the button, and nothing more comes.", act="Unsubscribe")
    subscribers.unsubscribe(subscriber)
    return said(found, "Unsubscribed", "Nothing more will come.")


def visit_by_letter(request: HttpRequest, name: str) -> Visit:
    """Who has a letter with a link may act on it, whoever may see the page."""
    return visit(request, name, has_letter=True)


def _form(found: Visit, *, problem: str = "", status: int = 200) -> HttpResponse:
    page = found[0]
    components = list(page.components.filter(is_group=False).order_by("position", "id"))
    context = {"components": components, "problem": problem}
    return _answer(found, "statuspage/public/subscribe.html", context, status)


def said(found: Visit, heading: str, words: str, *, act: str = "", status: int = 200) -> HttpResponse:
    context = {"heading": heading, "words": words, "act": act}
    return _answer(found, "statuspage/public/said.html", context, status)


def _answer(found: Visit, template: str, context: dict[str, Any], status: int) -> HttpResponse:
    response = HttpResponse(rendering.said(*found, template, context), status=status, content_type=HTML)
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex"
    return response
