"""Settings: where things are, the audit log, API tokens, configuration as code, system health."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from midwatch import __version__
from midwatch.core import clock, contribute
from midwatch.core.render import page_or_partial
from midwatch.core.text import whole_number
from midwatch.engine.tick import lateness
from midwatch.gitops.models import Applied
from midwatch.people import actions
from midwatch.people.models import ApiToken, User
from midwatch.people.queries import actor_of
from midwatch.people.viewing import viewer
from midwatch.web import settings_queries as queries
from midwatch.web.permits import administrators_only
from midwatch.web.wizard import seen_in

ID_MAX = 2**53


@login_required
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    user = viewer(request)
    context = {"overview": queries.overview(user, seen_in(request)), "is_administrator": user.is_administrator}
    return page_or_partial(request, "web/settings.html", context, partial="web/settings.html")


def _number(text: str) -> int:
    """0 for what is no id."""
    return whole_number(text, 16) or 0


@administrators_only
@require_safe
def audit_log(request: HttpRequest) -> HttpResponse:
    """`?kind=team&name=payments&person=ana`; pages by cursor."""
    given = request.GET
    person = User.objects.filter(name=given.get("person", "")[:63]).first() if given.get("person") else None
    page = queries.audit_page(
        kind=given.get("kind", "")[:40],
        name=given.get("name", "")[:200],
        who=person,
        cursor=min(_number(given.get("cursor", "")), ID_MAX),
        before=min(_number(given.get("before", "")), ID_MAX),
    )
    context = {
        "log": page,
        "kinds": queries.audit_kinds(),
        "kind": given.get("kind", ""),
        "name": given.get("name", ""),
        "person_name": given.get("person", ""),
        "is_narrow": bool(given.get("kind") or given.get("name") or given.get("person")),
    }
    return page_or_partial(request, "web/audit.html", context, partial="web/audit.html")


@administrators_only
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """What `midwatch doctor` says, and the engines."""
    checks = contribute.checks()
    order = {"failed": 0, "unknown": 1, "warning": 2, "ok": 3}
    context = {
        "checks": sorted(checks, key=lambda check: order.get(check.state, 1)),
        "wrong_count": sum(check.state != "ok" for check in checks),
        "nodes": queries.nodes(),
        "stalled_before": clock.now() - queries.STALLED_AFTER,
        "lateness": sorted(lateness(clock.now()).items()),
        "version": __version__,
    }
    return page_or_partial(request, "web/health.html", context, partial="web/health.html")


@administrators_only
@require_safe
def configuration(request: HttpRequest) -> HttpResponse:
    context = {"applied": list(Applied.objects.order_by("owner"))}
    return page_or_partial(request, "web/configuration.html", context, partial="web/configuration.html")


@administrators_only
@require_safe
def tokens(request: HttpRequest) -> HttpResponse:
    context = {"tokens": queries.live_tokens(), "now": clock.now()}
    return page_or_partial(request, "web/tokens.html", context, partial="web/tokens.html")


@require_POST
@administrators_only
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(ApiToken.objects.select_related("user"), pk=min(pk, ID_MAX))
    actions.revoke_token(token, actor_of(viewer(request), "web"))
    messages.success(
        request,
        _("The token “%(name)s” of %(person)s is worth nothing any more.") % {"name": token.name, "person": token.user},
    )
    return HttpResponseRedirect(reverse("web:tokens"))
