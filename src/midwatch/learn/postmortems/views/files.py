"""The document to take along: Markdown, JSON, a page to print (and so a PDF), the meeting for a calendar."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from midwatch.core.contribute import panels
from midwatch.learn.postmortems import export
from midwatch.learn.postmortems.queries import document, meeting_calendar, template_of, texts_of
from midwatch.learn.postmortems.views.common import postmortem_or_404
from midwatch.people.viewing import viewer


@login_required
@require_safe
def calendar(request: HttpRequest, number: int) -> HttpResponse:
    found = postmortem_or_404(viewer(request), number)
    if found.meeting_at is None:
        raise Http404(_("The meeting has no date yet."))
    return _file(meeting_calendar(found), "text/calendar; charset=utf-8", f"post-mortem-{number}.ics")


@login_required
@require_safe
def markdown(request: HttpRequest, number: int) -> HttpResponse:
    found = postmortem_or_404(viewer(request), number)
    text = export.markdown(document(found)).encode()
    return _file(text, "text/markdown; charset=utf-8", f"post-mortem-{number}.md")


@login_required
@require_safe
def values(request: HttpRequest, number: int) -> HttpResponse:
    found = postmortem_or_404(viewer(request), number)
    answer = JsonResponse(export.values(document(found)), json_dumps_params={"ensure_ascii": False, "indent": 2})
    answer["Content-Disposition"] = f'attachment; filename="post-mortem-{number}.json"'
    return answer


@login_required
@require_safe
def printed(request: HttpRequest, number: int) -> HttpResponse:
    """Everything on one page, for paper: the browser prints it or makes a PDF of it."""
    found = postmortem_or_404(viewer(request), number)
    texts = texts_of(found)
    context = {
        "pm": found,
        "document": document(found),
        "parts": [
            (section, texts[section.key].text if section.key in texts else "")
            for section in template_of(found).sections
        ],
        "actions_panels": panels("postmortem.print", request, found),
    }
    return render(request, "postmortems/print.html", context)


def _file(content: bytes, kind: str, name: str) -> HttpResponse:
    answer = HttpResponse(content, content_type=kind)
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
