"""What members do with pages: make them, say what stands on them, and post what visitors read."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from midwatch.core.render import page_or_partial
from midwatch.people.models import User
from midwatch.people.queries import actor_of, may_edit_team
from midwatch.people.viewing import acting_user, editable_teams, editing_user, teams_for_new, viewer
from midwatch.respond.statuspage import actions, queries
from midwatch.respond.statuspage.forms import ComponentForm, PageForm, initial_of, initial_of_component
from midwatch.respond.statuspage.links import public_url
from midwatch.respond.statuspage.models import Access, Component, Page, Subscriber
from midwatch.respond.statuspage.standing import Standing

SUBSCRIBERS_SHOWN = 200


def page_of(name: str) -> Page:
    return get_object_or_404(queries.pages(), name=name)


def editable(request: HttpRequest, name: str) -> tuple[Page, User]:
    """The page and who edits it. Raises 403 with a sentence."""
    page = page_of(name)
    return page, editing_user(request, page.team)


def shown(request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    return page_or_partial(request, template, context, partial=template, status=status)


def to_page(page: Page) -> HttpResponse:
    return HttpResponseRedirect(reverse("statuspage:page", args=[page.name]))


@login_required
@require_safe
def page_list(request: HttpRequest) -> HttpResponse:
    user = viewer(request)
    rows = list(
        queries.pages().annotate(
            subscriber_count=Count("subscribers", filter=Q(subscribers__state="active"), distinct=True)
        )
    )
    standings = {page.pk: standing_of(page) for page in rows}
    context = {
        "rows": [(page, standings[page.pk], public_url(page)) for page in rows],
        "may_create": bool(editable_teams(user)),
    }
    return page_or_partial(request, "statuspage/pages.html", context)


def standing_of(page: Page) -> Standing:
    statuses = queries.shown_statuses(page.components.all())
    return queries.standing_of(statuses, queries.open_notices(page))


@login_required
@require_safe
def page_detail(request: HttpRequest, name: str) -> HttpResponse:
    page = page_of(name)
    user = viewer(request)
    sight = queries.sight(page)
    counts = dict(page.subscribers.values_list("state").annotate(count=Count("id")).order_by())
    context = {
        "status_page": page,
        "url": public_url(page),
        "sight": sight,
        "recent": [one for day in sight.history for one in day.notices],
        "may_post": may_edit_team(user, page.team),
        "may_edit": may_edit_team(user, page.team) and not page.is_from_code,
        "subscribers": counts,
    }
    return page_or_partial(request, "statuspage/page.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    user = acting_user(request)
    teams = teams_for_new(user, _("A status page belongs to a team, and you are in none: ask an administrator."))
    if request.method != "POST":
        return shown(request, "statuspage/edit.html", {"form": PageForm(teams=teams)})
    form = PageForm(request.POST, teams=teams)
    if form.is_valid():
        try:
            page = actions.create_page(form.cleaned_data["name"], form.page_fields(), actor_of(user, "web"))
        except ValueError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Made. Next: say what stands on it."))
            return to_page(page)
    return shown(request, "statuspage/edit.html", {"form": form}, status=422)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, name: str) -> HttpResponse:
    page, user = editable(request, name)
    teams = editable_teams(user)
    if request.method != "POST":
        form = PageForm(initial=initial_of(page), teams=teams, page=page)
        return shown(request, "statuspage/edit.html", {"form": form, "status_page": page})
    form = PageForm(request.POST, teams=teams, page=page)
    if form.is_valid():
        try:
            actions.change_page(page, form.page_fields(), actor_of(user, "web"))
        except ValueError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Saved."))
            return to_page(page)
    return shown(request, "statuspage/edit.html", {"form": form, "status_page": page}, status=422)


@require_POST
@login_required
def delete(request: HttpRequest, name: str) -> HttpResponse:
    page, user = editable(request, name)
    try:
        actions.delete_page(page, actor_of(user, "web"))
    except ValueError as refusal:
        messages.error(request, str(refusal))
        return to_page(page)
    messages.success(request, _("The page is gone, with its history and its subscribers."))
    return HttpResponseRedirect(reverse("statuspage:pages"))


@never_cache
@require_POST
@login_required
def new_link(request: HttpRequest, name: str) -> HttpResponse:
    """Shown once, here."""
    page, user = editable(request, name)
    if page.access != Access.TOKEN:
        messages.error(request, _("This page is not by link: choose that first."))
        return to_page(page)
    token = actions.new_access_link(page, actor_of(user, "web"))
    return shown(request, "statuspage/link.html", {"status_page": page, "link": f"{public_url(page)}?token={token}"})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def add_component(request: HttpRequest, name: str) -> HttpResponse:
    page, user = editable(request, name)
    if request.method != "POST":
        return shown(request, "statuspage/component.html", {"form": ComponentForm(page=page), "status_page": page})
    form = ComponentForm(request.POST, page=page)
    if form.is_valid():
        try:
            actions.add_component(page, form.component_fields(), actor_of(user, "web"))
        except ValueError as refusal:
            form.add_error(None, str(refusal))
        else:
            return to_page(page)
    return shown(request, "statuspage/component.html", {"form": form, "status_page": page}, status=422)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit_component(request: HttpRequest, name: str, wire_id: str) -> HttpResponse:
    page, user = editable(request, name)
    component = get_object_or_404(
        Component.objects.select_related("page", "service", "parent"), page=page, wire_id=wire_id
    )
    context: dict[str, Any] = {"status_page": page, "component": component}
    if request.method != "POST":
        form = ComponentForm(initial=initial_of_component(component), page=page, component=component)
        return shown(request, "statuspage/component.html", {**context, "form": form})
    form = ComponentForm(request.POST, page=page, component=component)
    if form.is_valid():
        try:
            actions.change_component(component, form.component_fields(), actor_of(user, "web"))
        except ValueError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Saved."))
            return to_page(page)
    return shown(request, "statuspage/component.html", {**context, "form": form}, status=422)


@require_POST
@login_required
def remove_component(request: HttpRequest, name: str, wire_id: str) -> HttpResponse:
    page, user = editable(request, name)
    component = get_object_or_404(Component.objects.select_related("page"), page=page, wire_id=wire_id)
    try:
        actions.remove_component(component, actor_of(user, "web"))
    except ValueError as refusal:
        messages.error(request, str(refusal))
    return to_page(page)


@login_required
@require_safe
def subscriber_list(request: HttpRequest, name: str) -> HttpResponse:
    page, _user = editable(request, name)
    found = Subscriber.objects.filter(page=page).prefetch_related("components").order_by("-id")
    context = {"status_page": page, "rows": list(found[:SUBSCRIBERS_SHOWN]), "count": found.count()}
    return page_or_partial(request, "statuspage/subscribers.html", context)


@require_POST
@login_required
def change_subscriber(request: HttpRequest, name: str, wire_id: str) -> HttpResponse:
    """`act`: remove, reactivate, ask."""
    page, user = editable(request, name)
    subscriber = get_object_or_404(Subscriber.objects.select_related("page"), page=page, wire_id=wire_id)
    by = actor_of(user, "web")
    acts = {
        "remove": actions.unsubscribe,
        "reactivate": actions.reactivate,
        "ask": actions.ask_again,
    }
    act = acts.get(request.POST.get("act", ""))
    try:
        if act is not None:
            act(subscriber, by)
    except ValueError as refusal:
        messages.error(request, str(refusal))
    return HttpResponseRedirect(reverse("statuspage:subscribers", args=[page.name]))
