"""The queue: what is due and waits for a worker or a limit, what runs, and what waits for people."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import Count

from midwatch.core import clock
from midwatch.prepare.runbooks.models import STEP_WAITING, StepRun, StepState


def steps_by_state() -> Mapping[str, int]:
    """Of steps under way: queued (and due), running, waiting_person, waiting_approval, unknown."""
    states = (StepState.RUNNING, *STEP_WAITING)
    found = {state.value: 0 for state in (StepState.QUEUED, *states)}
    open_ones = StepRun.objects.filter(execution__ended_at=None, state__in=states).order_by()
    found |= dict(open_ones.values_list("state").annotate(Count("pk")))
    found["queued"] = StepRun.objects.filter(state="queued", due_at__lte=clock.now()).count()
    return found


def queued_steps(limit: int = 100) -> list[StepRun]:
    """In the order in which they are taken, with their runbooks."""
    related = ("execution", "execution__runbook")
    return list(StepRun.objects.select_related(*related).filter(state="queued").order_by("due_at", "id")[:limit])
