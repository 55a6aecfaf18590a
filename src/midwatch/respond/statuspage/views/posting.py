"""What a communication manager posts: an incident, a maintenance, how it goes, what was learned."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from midwatch.core import clock
from midwatch.core.zones import wall_at
from midwatch.people.models import User
from midwatch.people.queries import actor_of, may_edit_team
from midwatch.people.viewing import viewer
from midwatch.respond.statuspage import actions, queries
from midwatch.respond.statuspage.forms import MaintenanceForm, NoticeForm, PostmortemForm, UpdateForm
from midwatch.respond.statuspage.links import public_url
from midwatch.respond.statuspage.models import Notice, Page
from midwatch.respond.statuspage.views.managing import editable, page_of, shown, to_page

NOTICE = "statuspage/notice.html"


def to_notice(notice: Notice, page: Page) -> HttpResponse:
    return HttpResponseRedirect(reverse("statuspage:notice", args=[page.name, notice.wire_id]))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_notice(request: HttpRequest, name: str) -> HttpResponse:
    page, user = editable(request, name)
    form = NoticeForm(request.POST or None, page=page)
    context = {"form": form, "status_page": page}
    if request.method != "POST":
        return shown(request, "statuspage/new_notice.html", context)
    if form.is_valid():
        try:
            notice = actions.open_notice(page, form.new_notice(), actor_of(user, "web"))
        except ValueError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Published."))
            return to_notice(notice, page)
    return shown(request, "statuspage/new_notice.html", context, status=422)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_maintenance(request: HttpRequest, name: str) -> HttpResponse:
    page, user = editable(request, name)
    if request.method != "POST":
        wall = wall_at(clock.now(), user.time_zone).replace(minute=0, second=0, microsecond=0) + timedelta(days=1)
        form = MaintenanceForm(initial={"starts": wall, "ends": wall + timedelta(hours=1)}, page=page)
        return shown(request, "statuspage/new_maintenance.html", {"form": form, "status_page": page})
    form = MaintenanceForm(request.POST, page=page)
    if form.is_valid():
        try:
            notice = actions.open_notice(page, form.new_notice(user.time_zone), actor_of(user, "web"))
        except ValueError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Announced."))
            return to_notice(notice, page)
    return shown(request, "statuspage/new_maintenance.html", {"form": form, "status_page": page}, status=422)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def notice(request: HttpRequest, name: str, wire_id: str) -> HttpResponse:
    """What was said so far, and the next update."""
    if request.method != "POST":
        page = page_of(name)
        return _notice(request, page, viewer(request), _found(page, wire_id))
    page, user = editable(request, name)
    found = _found(page, wire_id)
    form = UpdateForm(request.POST, page=page, notice=found)
    if form.is_valid():
        try:
            actions.post_update(found, form.new_update(), actor_of(user, "web"))
        except ValueError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Published."))
            return to_notice(found, page)
    return _notice(request, page, user, found, update_form=form, status=422)


@require_POST
@login_required
def postmortem(request: HttpRequest, name: str, wire_id: str) -> HttpResponse:
    """`act`: draft, publish, revert."""
    page, user = editable(request, name)
    found = _found(page, wire_id)
    by = actor_of(user, "web")
    form = PostmortemForm(request.POST)
    act = request.POST.get("act", "draft")
    try:
        if act == "revert":
            actions.revert_postmortem(found, by)
        elif form.is_valid():
            with transaction.atomic():
                drafted = actions.draft_postmortem(found, form.cleaned_data["body"], by)
                if act == "publish":
                    actions.publish_postmortem(drafted, by)
        else:
            return _notice(request, page, user, found, postmortem_form=form, status=422)
    except ValueError as refusal:
        messages.error(request, str(refusal))
    return to_notice(found, page)


@require_POST
@login_required
def delete_notice(request: HttpRequest, name: str, wire_id: str) -> HttpResponse:
    page, user = editable(request, name)
    actions.delete_notice(_found(page, wire_id), actor_of(user, "web"))
    messages.success(request, _("It stands nowhere any more; the audit log keeps its name."))
    return to_page(page)


def _found(page: Page, wire_id: str) -> Notice:
    found = queries.notice_by_wire_id(page, wire_id)
    if found is None:
        raise Http404
    return found


def _notice(
    request: HttpRequest,
    page: Page,
    user: User,
    found: Notice,
    *,
    update_form: UpdateForm | None = None,
    postmortem_form: PostmortemForm | None = None,
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {
        "status_page": page,
        "notice": found,
        "url": f"{public_url(page)}/incidents/{found.wire_id}",
        "may_post": may_edit_team(user, page.team),
        "form": update_form or UpdateForm(page=page, notice=found),
        "postmortem_form": postmortem_form or PostmortemForm(initial={"body": found.postmortem_draft or ""}),
        "may_learn": found.is_over and not found.is_maintenance,
    }
    return shown(request, NOTICE, context, status=status)
