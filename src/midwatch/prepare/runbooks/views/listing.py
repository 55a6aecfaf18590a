"""The list of runbooks, each with what proves it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from midwatch.catalog.models import Service
from midwatch.core.text import clean
from midwatch.people.models import Team
from midwatch.people.viewing import editable_teams, viewer
from midwatch.prepare.runbooks.freshness import Freshness
from midwatch.prepare.runbooks.models import Execution, Runbook, RunbookType
from midwatch.prepare.runbooks.queries import Proof, evidence_of
from midwatch.prepare.runbooks.queries.listing import RunbookFilter, runbooks, under_way, wanted_steps
from midwatch.prepare.runbooks.queries.trusting import freshness_of_many

PAGE_SIZE = 50
CHOICES_MAX = 500
UNDER_WAY_SHOWN = 20
STATES = ("", "off", "all")


@dataclass(frozen=True, slots=True)
class Row:
    runbook: Runbook
    proof: Proof | None  # None: a link
    freshness: Freshness | None


def filters_from(query: QueryDict) -> RunbookFilter:
    q, team, service = (clean(query.get(name, ""), 100, is_one_line=True) for name in ("q", "team", "service"))
    kind, state = query.get("type", ""), query.get("state", "")
    return RunbookFilter(q, team, service, kind if kind in RunbookType.values else "", state if state in STATES else "")


@login_required
@require_safe
def runbook_list(request: HttpRequest) -> HttpResponse:
    user = viewer(request)
    filters = filters_from(request.GET)
    listed = Paginator(runbooks(user, filters), PAGE_SIZE).get_page(request.GET.get("page"))
    texts = [found for found in listed if not found.is_link]
    proofs = evidence_of(found.pk for found in texts)
    fresh = freshness_of_many(texts, proofs)
    given = {name: value for name, value in asdict(filters).items() if value}
    running = under_way(user, UNDER_WAY_SHOWN)
    context = {
        "rows": [Row(found, proofs.get(found.pk), fresh.get(found.pk)) for found in listed],
        "listed": listed,
        "filters": filters,
        "is_narrow": bool(given),
        "here": f"{reverse('runbooks:list')}?{urlencode(given)}",
        "services": Service.objects.order_by("name").values_list("name", "display_name")[:CHOICES_MAX],
        "teams": Team.objects.order_by("name").values_list("name", "display_name")[:CHOICES_MAX],
        "may_create": bool(editable_teams(user)),
        "under_way": execution_rows(running),
    }
    return render(request, "runbooks/list.html", context)


@dataclass(frozen=True, slots=True)
class ExecutionRow:
    """`wanted`: the step at which it stands, "" when it is over."""

    execution: Execution
    wanted: str


def execution_rows(found: list[Execution]) -> list[ExecutionRow]:
    steps = wanted_steps([one for one in found if not one.is_ended])
    return [ExecutionRow(one, str(steps.get(one.pk) or "")) for one in found]
