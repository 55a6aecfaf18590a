"""How a text came to be: its revisions and what each changed; conflicts are among them, so that nothing is lost."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from midwatch.core.differences import Line
from midwatch.core.text import whole_number
from midwatch.learn.postmortems.models import Revision
from midwatch.learn.postmortems.queries import EXTERNAL, template_of
from midwatch.learn.postmortems.sections import differences
from midwatch.learn.postmortems.views.common import postmortem_or_404
from midwatch.people.viewing import viewer

SHOWN = 30


@dataclass(frozen=True, slots=True)
class Step:
    revision: Revision
    lines: list[Line]


@login_required
@require_safe
def show(request: HttpRequest, number: int, key: str) -> HttpResponse:
    """`?before=ID` for older ones."""
    found = postmortem_or_404(viewer(request), number)
    section = template_of(found).section(key)
    kept = Revision.objects.filter(postmortem=found, key=key)
    if section is None and key != EXTERNAL and not kept.exists():
        raise Http404(_("There is no such section."))
    before = whole_number(request.GET.get("before", ""))
    older = kept.filter(pk__lt=before) if before is not None else kept
    rows = list(older.order_by("-id")[: SHOWN + 1])
    steps = [Step(one, differences(_text_before(one), one.text)) for one in rows[:SHOWN]]
    context = {
        "pm": found,
        "key": key,
        "title": section.title if section is not None else _("External version") if key == EXTERNAL else key,
        "steps": steps,
        "older": rows[SHOWN - 1].pk if len(rows) > SHOWN else None,
    }
    return render(request, "postmortems/history.html", context)


def _text_before(revision: Revision) -> str:
    """What stood there when it came: of a conflict, what it lost to."""
    earlier = Revision.objects.filter(
        postmortem=revision.postmortem_id, key=revision.key, is_conflict=False, pk__lt=revision.pk
    )
    found = earlier.order_by("-id").values_list("text", flat=True).first()
    return found or ""
