"""What a step wrote: what is new, for the open page, and all of it as a file."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe

from midwatch.core.text import slug
from midwatch.people.viewing import viewer
from midwatch.prepare.runbooks.queries import output
from midwatch.prepare.runbooks.views.common import execution_or_404, step_or_404


@login_required
@require_safe
def new_output(request: HttpRequest, number: int, pk: int) -> JsonResponse:
    """`?after=PLACE`: what came since, as HTML, and the next place. Without a place, or with nonsense: the end of it."""
    step = step_or_404(execution_or_404(viewer(request), number), pk)
    place = output.place_of(request.GET.get("after", ""))
    is_over = step.is_ended  # asked before: what comes in between is shown twice as likely, never lost
    shown = output.after(step, place) if place is not None else output.tail(step)
    said = {
        "html": render_to_string("runbooks/_output.html", {"pieces": shown.pieces, "is_behind": shown.is_behind}),
        "open": render_to_string("runbooks/_output.html", {"pieces": [shown.open_line] if shown.open_line else []}),
        "next": str(shown.next),
        "is_behind": shown.is_behind,
        "is_over": is_over and str(shown.next) == request.GET.get("after", ""),
    }
    answer = JsonResponse(said)
    answer["Cache-Control"] = "no-store"
    return answer


@login_required
@require_safe
def whole_output(request: HttpRequest, number: int, pk: int) -> StreamingHttpResponse:
    """All that is kept, as plain text without colours, in pieces."""
    step = step_or_404(execution_or_404(viewer(request), number), pk)
    answer = StreamingHttpResponse(output.whole_text(step), content_type="text/plain; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="execution-{number}-{slug(step.step) or step.pk}.txt"'
    answer["Cache-Control"] = "no-store"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer
