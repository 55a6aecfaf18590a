"""What the pages of runbooks share: finding what an address names."""

from __future__ import annotations

from django.http import Http404
from django.urls import reverse
from django.utils.translation import gettext as _

from midwatch.people.models import User
from midwatch.prepare.runbooks.models import Execution, Runbook, StepRun
from midwatch.prepare.runbooks.queries import visible_executions, visible_to

NUMBER_MAX = 2**53


def runbook_or_404(user: User, name: str) -> Runbook:
    found = visible_to(user).filter(name=name).first() if len(name) <= 63 else None
    if found is None:
        raise Http404(_("There is no runbook called %s.") % name[:63])
    return found


def execution_or_404(user: User, number: int) -> Execution:
    found = visible_executions(user).filter(number=number).first() if number <= NUMBER_MAX else None
    if found is None:
        raise Http404(_("There is no execution %d.") % number)
    return found


def step_or_404(execution: Execution, pk: int) -> StepRun:
    found = StepRun.objects.filter(execution=execution, pk=pk).first() if pk <= NUMBER_MAX else None
    if found is None:
        raise Http404(_("There is no such step in this execution."))
    return found


def execution_url(execution: Execution, step: str = "") -> str:
    """The page; of one step when it is named."""
    url = reverse("runbooks:execution", args=[execution.number])
    return f"{url}?step={step}#stage" if step else url
