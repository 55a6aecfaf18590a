"""Writing: saving a section (by itself every three seconds, or by a button), preview, conflicts, moments, whys."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from midwatch.core.markdown import render as render_markdown
from midwatch.core.text import whole_number
from midwatch.core.zones import zone
from midwatch.learn.postmortems import actions
from midwatch.learn.postmortems.actions import Saved
from midwatch.learn.postmortems.models import Postmortem, Revision, SectionText, TimelineRow
from midwatch.learn.postmortems.queries import EXTERNAL, known_people, template_of
from midwatch.learn.postmortems.sections import TEXT_MAX, differences
from midwatch.learn.postmortems.views.common import actor_of, postmortem_act, postmortem_or_404
from midwatch.learn.postmortems.views.detail import findings_of
from midwatch.people.models import User
from midwatch.people.viewing import acting_user


@login_required
@require_POST
def save(request: HttpRequest, number: int, key: str) -> HttpResponse:
    """`text`, `base`. Answers JSON to the page that saves by itself, else goes back with a sentence."""
    user = acting_user(request)
    found = postmortem_or_404(user, number)
    is_by_itself = request.headers.get("Accept", "").startswith("application/json")
    base = _number(request.POST.get("base", ""))
    try:
        saved = actions.save_section(found, key, request.POST.get("text", ""), base, actor_of(user, "web"))
    except ValueError as refusal:
        if is_by_itself:
            return JsonResponse({"refused": str(refusal)}, status=409)
        messages.error(request, str(refusal))
        return HttpResponseRedirect(_place(number, key))
    if is_by_itself:
        return _answer(request, found, number, saved)
    if saved.conflict is not None:
        messages.error(request, _("%s saved this section meanwhile. Nothing is lost: choose below.") % saved.changed_by)
        return HttpResponseRedirect(reverse("postmortems:conflict", args=[number, saved.conflict.pk]))
    if len(request.POST.get("text", "")) > TEXT_MAX:
        messages.warning(request, _("The text was cut at %d characters.") % TEXT_MAX)
    messages.success(request, _("Saved."))
    return HttpResponseRedirect(_place(number, key))


def _answer(request: HttpRequest, found: Postmortem, number: int, saved: Saved) -> JsonResponse:
    if saved.conflict is not None:
        said = _("Not taken: %s saved this section meanwhile. Your text is kept.") % saved.changed_by
        where = reverse("postmortems:conflict", args=[number, saved.conflict.pk])
        return JsonResponse({"revision": saved.revision, "conflict": where, "said": said})
    hints = {"findings": findings_of(saved.text, known_people(found))}
    return JsonResponse(
        {
            "revision": saved.revision,
            "said": _("Saved %s") % f"{timezone.localtime():%H:%M:%S}",
            "findings": render_to_string("postmortems/_findings.html", hints, request),
        }
    )


def _number(text: str) -> int:
    return whole_number(text, 9) or 0


def _place(number: int, key: str) -> str:
    if key == EXTERNAL:
        return reverse("postmortems:external", args=[number])
    return f"{reverse('postmortems:detail', args=[number])}#section-{key}"


@login_required
@require_POST
def preview(request: HttpRequest, number: int) -> HttpResponse:
    """The text as it will be read."""
    postmortem_or_404(acting_user(request), number)
    text = request.POST.get("text", "")[:TEXT_MAX]
    return HttpResponse(f'<div class="prose">{render_markdown(text)}</div>')


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def conflict(request: HttpRequest, number: int, pk: int) -> HttpResponse:
    """Both texts and their difference; take one, put them together, or let it go."""
    user = acting_user(request)
    found = postmortem_or_404(user, number)
    mine = Revision.objects.filter(postmortem=found, pk=pk, is_conflict=True).first()
    if mine is None:
        raise Http404(_("There is no such text."))
    if request.method == "POST":
        return _settled(request, found, mine, user)
    now = SectionText.objects.filter(postmortem=found, key=mine.key).first()
    section = template_of(found).section(mine.key)
    context = {
        "pm": found,
        "mine": mine,
        "title": section.title if section is not None else _("External version"),
        "now_text": now.text if now is not None else "",
        "now_by": now.changed_by if now is not None else "",
        "base": now.revision if now is not None else 0,
        "lines": differences(now.text if now is not None else "", mine.text),
    }
    return render(request, "postmortems/conflict.html", context)


def _settled(request: HttpRequest, found: Postmortem, mine: Revision, user: User) -> HttpResponse:
    is_taken = request.POST.get("act") == "take"
    text = request.POST.get("text", "") if is_taken else None
    base = _number(request.POST.get("base", ""))
    try:
        saved = actions.settle_conflict(mine, actor_of(user, "web"), text=text, base=base)
    except ValueError as refusal:
        messages.error(request, str(refusal))
        return HttpResponseRedirect(_place(found.number, mine.key))
    if saved is not None and saved.conflict is not None:
        messages.error(request, _("%s saved it once more: look again.") % saved.changed_by)
        return HttpResponseRedirect(reverse("postmortems:conflict", args=[found.number, saved.conflict.pk]))
    messages.success(request, _("Saved.") if is_taken else _("Let go; it stays in the history."))
    return HttpResponseRedirect(_place(found.number, mine.key))


@postmortem_act(anchor="#section-timeline")
def import_moments(request: HttpRequest, found: Postmortem, user: User) -> str:
    count = actions.import_stars(found, actor_of(user, "web"))
    return (
        _("%d entries came from the incident's timeline.") % count if count else _("Every entry with a star is here.")
    )


@postmortem_act(anchor="#section-timeline")
def add_moment(request: HttpRequest, found: Postmortem, user: User) -> str:
    at = moment_of(request.POST.get("at", ""), user)
    actions.add_row(found, at, request.POST.get("text", ""), actor_of(user, "web"))
    return _("Added.")


def moment_of(text: str, user: User) -> datetime:
    """What <input type="datetime-local"> sends, in the person's zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(_("give a day and a time")) from error
    here: ZoneInfo = zone(user.time_zone)
    return at if at.tzinfo is not None else at.replace(tzinfo=here)


@postmortem_act(anchor="#section-timeline")
def change_moment(request: HttpRequest, found: Postmortem, user: User, pk: int) -> str:
    row = TimelineRow.objects.select_related("postmortem").filter(postmortem=found, pk=pk).first()
    if row is None:
        raise ValueError(_("that moment is gone: reload the page"))
    if request.POST.get("act") == "remove":
        actions.remove_row(row, actor_of(user, "web"))
        return _("Left out of the story; the incident's timeline keeps it.")
    actions.change_row(row, request.POST.get("text", ""), actor_of(user, "web"))
    return _("Saved.")


@postmortem_act(anchor="#section-why")
def add_why(request: HttpRequest, found: Postmortem, user: User) -> str:
    actions.add_why(found, _number(request.POST.get("parent", "")), request.POST.get("text", ""), actor_of(user, "web"))
    return _("Added.")


@postmortem_act(anchor="#section-why")
def remove_why(request: HttpRequest, found: Postmortem, user: User, pk: int) -> str:
    actions.remove_why(found, pk, actor_of(user, "web"))
    return _("Removed, with what was below it.")
