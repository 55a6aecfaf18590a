"""What sends alerts here: is it heard, is it understood, how is it connected."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from midwatch.core import clock, integration
from midwatch.core.contribute import panels
from midwatch.core.render import is_partial, page_or_partial
from midwatch.people.models import User
from midwatch.people.queries import actor_of, may_edit_team
from midwatch.people.viewing import acting_user, editable_teams, editing_user, viewer
from midwatch.respond.alerts.actions import send_test_alert
from midwatch.respond.alerts.actions.sources import (
    PRIORITIES,
    change_source,
    create_source,
    delete_source,
    end_rotation,
    rotate_key,
)
from midwatch.respond.alerts.models import Alert, Source, SourceProblem
from midwatch.respond.alerts.queries import problems
from midwatch.respond.alerts.snippets import MASK, address, snippets
from midwatch.respond.alerts.source_forms import SourceForm, initial_of, services_of, words_by_priority
from midwatch.settings import settings

SOURCES_MAX = 500
PROBLEMS_WITHIN = timedelta(days=1)
PROBLEMS_COUNTED = 10_000  # a source gone wild sends that many in a minute, and more says no more
TESTS_SHOWN = 3
TESTS_WITHIN = timedelta(hours=1)


@login_required
@require_safe
def source_list(request: HttpRequest) -> HttpResponse:
    user = viewer(request)
    now = clock.now()
    found = list(Source.objects.select_related("service__team").order_by("name")[:SOURCES_MAX])
    lately = (
        SourceProblem.objects.filter(at__gte=now - PROBLEMS_WITHIN).order_by("-at").values_list("source_id", flat=True)
    )
    counts = Counter(lately[:PROBLEMS_COUNTED])
    titles = {name: module.TITLE for name, module in integration.sources().items()}
    context = {
        "rows": [
            (source, titles.get(source.type, source.type), counts.get(source.pk, 0), is_silent(source))
            for source in found
        ],
        "may_create": bool(editable_teams(user)),
    }
    return page_or_partial(request, "alerts/sources/list.html", context)


def is_silent(source: Source) -> bool:
    """Should it have spoken by now?"""
    if not (source.is_active and source.expect_every_seconds and source.expected_at):
        return False
    last = source.last_event_at or source.created_at
    return last + timedelta(seconds=source.expect_every_seconds) < clock.now()


def _source(name: str) -> Source:
    return get_object_or_404(Source.objects.select_related("service__team"), name=name)


def may_see_key(user: User, source: Source) -> bool:
    """Whoever has the key can page people: administrators and those who may edit what the team owns."""
    return may_edit_team(user, source.service.team)


@login_required
@require_safe
def source_detail(request: HttpRequest, name: str) -> HttpResponse:
    """Two moving parts: when it was heard last and what was wrong, each 3 s; what came (`?part=events`), each 5 s."""
    user = viewer(request)
    source = _source(name)
    shows_key = may_see_key(user, source)
    if is_partial(request) and request.GET.get("part") == "events":
        shown = {"event_panels": panels("source.events", request, source) if shows_key else []}
        return page_or_partial(request, "alerts/sources/source.html", shown, partial="alerts/sources/_events.html")
    key = source.key if shows_key else MASK
    now = clock.now()
    tests = Alert.objects.filter(source=source, number=None, is_test=True, created_at__gte=now - TESTS_WITHIN)
    known = integration.sources().get(source.type)
    context = {
        "source": source,
        "type_title": known.TITLE if known else source.type,
        "is_silent": is_silent(source),
        "shows_key": shows_key,
        "may_edit": shows_key and not source.is_from_code,
        "may_act": user.may_act,
        "address": address(settings().base_url, key),
        "snippets": snippets(source.type, settings().base_url, key),
        "problems": problems(source),
        "tests": list(tests.order_by("-id")[:TESTS_SHOWN]),
        "priorities": _priorities(source),
        "event_panels": panels("source.events", request, source) if shows_key and not is_partial(request) else [],
    }
    return page_or_partial(request, "alerts/sources/source.html", context)


def _priorities(source: Source) -> list[tuple[str, list[str], list[str]]]:
    """Priority, the source's own words, the words known anyway."""
    own = words_by_priority(source.priorities)
    usual = words_by_priority({w: p for w, p in integration.PRIORITY_WORDS.items() if w not in source.priorities})
    return [(priority, own[priority], usual[priority]) for priority in PRIORITIES]


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    user = acting_user(request)
    services = services_of(editable_teams(user))
    if not services:
        raise PermissionDenied(_("A source needs a service of one of your teams: make the service first."))
    if request.method != "POST":
        initial = {"service": request.GET.get("service", ""), "type": request.GET.get("type", "alertmanager")}
        return _form(request, SourceForm(services=services, initial=initial))
    form = SourceForm(request.POST, services=services)
    if not form.is_valid():
        return _form(request, form, status=422)
    try:
        source = create_source(form.cleaned_data["name"], form.fields_of_source(), actor_of(user, "web"))
    except ValueError as refusal:
        form.add_error(None, str(refusal))
        return _form(request, form, status=422)
    messages.success(request, _("Made. Paste one of these into the sender; this page shows when it is heard."))
    return HttpResponseRedirect(reverse("sources:source", args=[source.name]))


def _editable(request: HttpRequest, name: str) -> tuple[User, Source]:
    source = _source(name)
    user = editing_user(request, source.service.team)
    if source.is_from_code:
        place = {"owner": source.code_owner, "file": source.code_file}
        raise PermissionDenied(
            _("This comes from configuration as code (%(owner)s, %(file)s): change it there.") % place
        )
    return user, source


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, name: str) -> HttpResponse:
    user, source = _editable(request, name)
    services = services_of(editable_teams(user))
    if request.method != "POST":
        return _form(request, SourceForm(services=services, source=source, initial=initial_of(source)))
    form = SourceForm(request.POST, services=services, source=source)
    if not form.is_valid():
        return _form(request, form, status=422)
    try:
        change_source(source, form.fields_of_source(), actor_of(user, "web"))
    except ValueError as refusal:
        form.add_error(None, str(refusal))
        return _form(request, form, status=422)
    messages.success(request, _("Saved."))
    return HttpResponseRedirect(reverse("sources:source", args=[name]))


def _form(request: HttpRequest, form: SourceForm, *, status: int = 200) -> HttpResponse:
    template = "alerts/sources/edit.html"
    return page_or_partial(request, template, {"form": form, "source": form.source}, partial=template, status=status)


@require_POST
@login_required
def send_test(request: HttpRequest, name: str) -> HttpResponse:
    user = acting_user(request)
    source = _source(name)
    send_test_alert(source, actor_of(user, "web"))
    messages.success(request, _("A test alert went through. It takes no number, and nobody is paged."))
    return HttpResponseRedirect(reverse("sources:source", args=[name]))


@require_POST
@login_required
def rotate(request: HttpRequest, name: str) -> HttpResponse:
    user, source = _editable(request, name)
    rotate_key(source, actor_of(user, "web"))
    messages.success(request, _("There is a new key. The old one is accepted until you end the rotation."))
    return HttpResponseRedirect(reverse("sources:source", args=[name]))


@require_POST
@login_required
def finish_rotation(request: HttpRequest, name: str) -> HttpResponse:
    user, source = _editable(request, name)
    end_rotation(source, actor_of(user, "web"))
    messages.success(request, _("Only the new key is accepted now."))
    return HttpResponseRedirect(reverse("sources:source", args=[name]))


@require_POST
@login_required
def delete(request: HttpRequest, name: str) -> HttpResponse:
    user, source = _editable(request, name)
    try:
        delete_source(source, actor_of(user, "web"))
    except ValueError as refusal:
        messages.error(request, str(refusal))
        return HttpResponseRedirect(reverse("sources:source", args=[name]))
    messages.success(request, _("The source %s is gone; its alerts stay.") % name)
    return HttpResponseRedirect(reverse("sources:list"))
