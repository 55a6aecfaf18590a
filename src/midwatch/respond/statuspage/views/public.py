"""What visitors see: no scripts, no cookies, bytes that were made once for all of them."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from datetime import date
from functools import wraps

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.http import parse_etags
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from midwatch.core import clock, zones
from midwatch.core.text import clean
from midwatch.people import tokens
from midwatch.people.models import User
from midwatch.respond.statuspage import queries, rendering, wire
from midwatch.respond.statuspage.links import Links, links_for
from midwatch.respond.statuspage.models import Access, Page

HTML, JSON, SVG = "text/html; charset=utf-8", "application/json; charset=utf-8", "image/svg+xml"
ATOM, RSS = "application/atom+xml; charset=utf-8", "application/rss+xml; charset=utf-8"
SHARED = "public, max-age=5, stale-while-revalidate=30, stale-if-error=86400"
TOKEN_MAX = 200
_MONTH = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")
Visit = tuple[Page, Links]


class NotForYou(Exception):  # noqa: N818 - says what happened
    """A page that wants a log-in, and the answer that leads there."""

    def __init__(self, answer: HttpResponse) -> None:
        super().__init__()
        self.answer = answer


def visit(request: HttpRequest, name: str, *, is_machine: bool = False, has_letter: bool = False) -> Visit:
    """The page, if this visitor may see it (`has_letter`: whoever has it). A page by link does not say that it exists."""
    page = queries.pages().filter(name=name).first()
    if page is None:
        raise Http404
    if has_letter:
        return page, links_for(page, request.get_host())
    token = ""
    if page.access == Access.TOKEN:
        token = _token(request)
        if not page.access_digest or not hmac.compare_digest(tokens.digest(token), page.access_digest):
            raise Http404
    if page.access == Access.MEMBERS and not (isinstance(request.user, User) and request.user.is_active):
        if is_machine:
            raise NotForYou(HttpResponse('{"error":"log in to see this page"}', status=401, content_type=JSON))
        raise NotForYou(redirect_to_login(request.get_full_path()))
    return page, links_for(page, request.get_host(), token if "token" in request.GET else "")


def _token(request: HttpRequest) -> str:
    given = request.GET.get("token", "")
    if not given:
        scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
        given = rest.strip() if scheme.lower() in {"bearer", "oauth", "token"} else ""
    return given[:TOKEN_MAX]


def answer(
    request: HttpRequest, found: Visit, what: tuple[object, ...], content_type: str, make: Callable[[], bytes]
) -> HttpResponse:
    """Bytes from memory, or made now; 304 for who has them."""
    page, links = found
    made = rendering.kept.get((page.pk, page.version, links, *what), make)
    known = parse_etags(request.headers.get("If-None-Match", ""))
    is_known = made.etag in {tag.removeprefix("W/") for tag in known} or known == ["*"]
    response = HttpResponse(status=304) if is_known else HttpResponse(made.body, content_type=content_type)
    response["ETag"] = made.etag
    if page.access == Access.PUBLIC:
        response["Cache-Control"] = SHARED
    else:
        response["Cache-Control"] = "private, no-cache"
        response["Vary"] = "Cookie, Authorization"
    if page.is_hidden_from_search or page.access != Access.PUBLIC:
        response["X-Robots-Tag"] = "noindex, nofollow"
    return response


def guarded_visit(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Who has to log in first is led there."""

    @wraps(view)
    def shown(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except NotForYou as elsewhere:
            return elsewhere.answer

    return shown


@require_safe
@guarded_visit
def home(request: HttpRequest, name: str) -> HttpResponse:
    """`?renew=1`: it is asked for again each minute."""
    found = visit(request, name)
    renews = request.GET.get("renew") == "1"
    return answer(request, found, ("home", renews), HTML, lambda: rendering.home(*found, renews=renews))


@require_safe
@guarded_visit
def notice(request: HttpRequest, name: str, wire_id: str) -> HttpResponse:
    found = visit(request, name)
    page, links = found
    shown = queries.notice_by_wire_id(page, wire_id)
    if shown is None:
        raise Http404
    return answer(request, found, ("notice", shown.pk), HTML, lambda: rendering.notice(page, shown, links))


@require_safe
@guarded_visit
def history(request: HttpRequest, name: str) -> HttpResponse:
    found = visit(request, name)
    page, links = found
    today = clock.now().astimezone(zones.zone(page.time_zone)).date()
    given = _MONTH.fullmatch(request.GET.get("month", ""))
    month = date(int(given[1]), int(given[2]), 1) if given else today.replace(day=1)
    if not queries.first_month(page) <= month <= today:
        raise Http404
    return answer(request, found, ("history", month), HTML, lambda: rendering.history(page, links, month))


@require_safe
@guarded_visit
def look(request: HttpRequest, name: str) -> HttpResponse:
    response = HttpResponse(rendering.look(), content_type="text/css; charset=utf-8")
    response["Cache-Control"] = "public, max-age=31536000, immutable"  # its address carries its version
    return response


@require_safe
@guarded_visit
def atom(request: HttpRequest, name: str) -> HttpResponse:
    found = visit(request, name, is_machine=True)
    return answer(request, found, ("atom",), ATOM, lambda: rendering.atom(found[0]))


@require_safe
@guarded_visit
def rss(request: HttpRequest, name: str) -> HttpResponse:
    found = visit(request, name, is_machine=True)
    return answer(request, found, ("rss",), RSS, lambda: rendering.rss(found[0]))


@require_safe
@guarded_visit
def badge(request: HttpRequest, name: str) -> HttpResponse:
    """`?label=` replaces the page's title."""
    found = visit(request, name, is_machine=True)
    label = clean(request.GET.get("label", ""), 60, is_one_line=True)
    if label:  # anybody's words: made, not kept
        return HttpResponse(rendering.badge(found[0], label), content_type=SVG)
    response = answer(request, found, ("badge",), SVG, lambda: rendering.badge(found[0], ""))
    response["Cross-Origin-Resource-Policy"] = "cross-origin"  # it is there to be shown elsewhere
    return response


@csrf_exempt
@require_safe
@guarded_visit
def api(request: HttpRequest, name: str, what: str) -> HttpResponse:
    """Statuspage's public API v2: `summary.json` and its sisters."""
    found = visit(request, name, is_machine=True)
    key = what.removesuffix(".json")
    if key not in wire.ANSWERS:
        raise Http404
    response = answer(request, found, ("api", key), JSON, lambda: rendering.api(found[0], key))
    if found[0].access == Access.PUBLIC:
        response["Access-Control-Allow-Origin"] = "*"
    return response
