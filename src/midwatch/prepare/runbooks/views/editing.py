"""The editor: a text with its preview, made by the server, so that what is wrong is told by line as it will be at saving."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from midwatch.core.actor import Actor
from midwatch.core.render import is_partial
from midwatch.people.queries import actor_of
from midwatch.people.viewing import acting_user, editable_teams, editing_user, teams_for_new, viewer
from midwatch.prepare.runbooks.actions.by_hand import read_text, write_runbook
from midwatch.prepare.runbooks.document import DocumentError
from midwatch.prepare.runbooks.document import sentence as sentence_of
from midwatch.prepare.runbooks.forms import START, RunbookForm
from midwatch.prepare.runbooks.models import Runbook
from midwatch.prepare.runbooks.models.documents import BODY_MAX
from midwatch.prepare.runbooks.views.common import runbook_or_404
from midwatch.prepare.runbooks.views.document import blocks_of


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    user = acting_user(request)
    teams = teams_for_new(user, _("A runbook belongs to a team, and you are in none: ask an administrator."))
    if request.method != "POST":
        initial = {"team": request.GET.get("team", ""), "body": START, "is_active": True}
        return _page(request, RunbookForm(teams=teams, is_new=True, initial=initial))
    return _save(request, RunbookForm(request.POST, teams=teams, is_new=True), None, actor_of(user, "web"))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, name: str) -> HttpResponse:
    runbook = runbook_or_404(viewer(request), name)
    user = editing_user(request, runbook.team)
    if runbook.is_from_code:
        place = {"owner": runbook.code_owner, "file": runbook.code_file}
        raise PermissionDenied(
            _("This comes from configuration as code (%(owner)s, %(file)s): change it there.") % place
        )
    teams = editable_teams(user)
    if request.method != "POST":
        initial = {"team": runbook.team.name, "body": _text_of(runbook), "is_active": runbook.is_active}
        return _page(request, RunbookForm(teams=teams, is_new=False, initial=initial), runbook)
    form = RunbookForm(request.POST, teams=teams, is_new=False)
    base = request.POST.get("base", "")
    current = str(runbook.current.number) if runbook.current is not None else ""
    if base != current and request.POST.get("do") != "preview":
        form.add_error(
            None,
            _("Somebody saved another text meanwhile (look at its history). Save again to put yours in its place."),
        )
        return _page(request, form, runbook, status=409)
    return _save(request, form, runbook, actor_of(user, "web"))


def _save(request: HttpRequest, form: RunbookForm, runbook: Runbook | None, by: Actor) -> HttpResponse:
    if request.POST.get("do") == "preview":
        return _page(request, form, runbook, preview=preview_of(request.POST.get("body", "")))
    if not form.is_valid():
        return _page(request, form, runbook, status=422)
    data = form.cleaned_data
    try:
        document = read_text(data["body"])
        name = runbook.name if runbook is not None else form.name_for(document.front.name or document.title)
        if runbook is None and Runbook.objects.filter(name=name).exists():
            raise ValueError(_("There is a runbook called %s already: give another name.") % name)
        saved = write_runbook(name, data["body"], form.team_given, by, note=data["note"], is_active=data["is_active"])
    except DocumentError as error:
        return _page(request, form, runbook, status=422, preview={"problems": problems_of(error)})
    except ValueError as refusal:
        form.add_error(None, str(refusal))
        return _page(request, form, runbook, status=422)
    messages.success(request, _("Saved."))
    return HttpResponseRedirect(reverse("runbooks:runbook", args=[saved.name]))


@login_required
@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """Of the text in the editor, for a page with scripts; nothing is kept."""
    acting_user(request)
    context = preview_of(request.POST.get("body", ""))
    template = "runbooks/_preview.html" if is_partial(request) else "runbooks/preview.html"
    return render(request, template, context)


def preview_of(text: str) -> dict[str, Any]:
    text = text.replace("\r\n", "\n")[: BODY_MAX + 1]
    try:
        document = read_text(text)
    except DocumentError as error:
        return {"problems": problems_of(error)}
    return {"document": document, "blocks": blocks_of(document, {}, {}), "problems": []}


def problems_of(error: DocumentError) -> list[tuple[int, str]]:
    """(line, sentence), the first first."""
    return [(problem.line, sentence_of(problem)) for problem in error.problems]


def _text_of(runbook: Runbook) -> str:
    """Of a link there is no text: what is said about it, written as one."""
    if runbook.current is not None:
        return runbook.current.body
    service = f"service: {runbook.service.name}\n" if runbook.service is not None else ""
    return f"---\ntitle: {runbook.title}\n{service}url: {runbook.url}\n---\n"


def _page(
    request: HttpRequest,
    form: RunbookForm,
    runbook: Runbook | None = None,
    *,
    status: int = 200,
    preview: dict[str, Any] | None = None,
) -> HttpResponse:
    base = runbook.current.number if runbook is not None and runbook.current is not None else ""
    context = {"form": form, "runbook": runbook, "base": base, "has_preview": preview is not None, **(preview or {})}
    return render(request, "runbooks/edit.html", context, status=status)
