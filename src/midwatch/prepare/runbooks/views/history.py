"""Executions: all of them, the newest first; and what waits for a yes."""

from __future__ import annotations

from dataclasses import asdict
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from midwatch.core.render import page_or_partial
from midwatch.core.text import clean, whole_number
from midwatch.people.models import Team
from midwatch.people.viewing import viewer
from midwatch.prepare.runbooks.models import ExecutionKind, ExecutionState, StepState
from midwatch.prepare.runbooks.queries.listing import ExecutionFilter, executions, steps_waiting
from midwatch.prepare.runbooks.views.listing import execution_rows

PAGE_SIZE = 50
CHOICES_MAX = 500
INBOX_MAX = 100


def filters_from(query: QueryDict) -> ExecutionFilter:
    """Whatever is not understood is left out, so that an old bookmark still opens."""
    state, kind = query.get("state", ""), query.get("kind", "")
    words = [clean(query.get(name, ""), 100, is_one_line=True) for name in ("runbook", "team", "q")]
    is_state = state in ExecutionState.values or state == "under-way"
    return ExecutionFilter(state if is_state else "", kind if kind in ExecutionKind.values else "", *words)


@login_required
@require_safe
def execution_list(request: HttpRequest) -> HttpResponse:
    user = viewer(request)
    filters = filters_from(request.GET)
    before = whole_number(request.GET.get("before", ""))
    found = executions(user, filters)
    if before is not None:
        found = found.filter(number__lt=before)
    rows = list(found[: PAGE_SIZE + 1])
    given = {name: value for name, value in asdict(filters).items() if value}
    here = f"{reverse('runbooks:executions')}?{urlencode(given)}"
    context = {
        "rows": execution_rows(rows[:PAGE_SIZE]),
        "filters": filters,
        "states": ExecutionState.choices,
        "kinds": ExecutionKind.choices,
        "teams": Team.objects.order_by("name").values_list("name", "display_name")[:CHOICES_MAX],
        "here": here,
        "poll_url": f"{here}&before={before}" if before else here,
        "older_url": f"{here}&before={rows[PAGE_SIZE - 1].number}" if len(rows) > PAGE_SIZE else "",
        "is_first_page": before is None,
    }
    return page_or_partial(request, "runbooks/executions.html", context)


@login_required
@require_safe
def approvals(request: HttpRequest) -> HttpResponse:
    """What waits for a yes, the oldest first; what waits for other hands below."""
    user = viewer(request)
    context = {
        "asked": steps_waiting(user, StepState.WAITING_APPROVAL, INBOX_MAX),
        "wanted": steps_waiting(user, StepState.WAITING_PERSON, INBOX_MAX),
        "unclear": steps_waiting(user, StepState.UNKNOWN, INBOX_MAX),
        "may_act": user.may_act,
    }
    return render(request, "runbooks/approvals.html", context)
