"""Finding a runbook and an execution, as far as somebody may see them."""

from __future__ import annotations

from django.db.models import QuerySet

from midwatch.people.models import User
from midwatch.prepare.runbooks.models import Execution, Runbook


def visible_to(user: User) -> QuerySet[Runbook]:
    """Everybody who logs in reads every runbook: whoever is paged at night may need another team's."""
    found = Runbook.objects.select_related("team", "service", "owner", "current")
    return found if user.is_active else found.none()


def runbook_named(name: str) -> Runbook | None:
    """By its slug."""
    if not name or len(name) > 63 or "\0" in name:
        return None
    return Runbook.objects.select_related("team", "service", "owner", "current").filter(name=name).first()


def visible_executions(user: User) -> QuerySet[Execution]:
    """The newest first."""
    found = Execution.objects.select_related("runbook", "runbook__team", "revision", "started_by").order_by("-number")
    return found if user.is_active else found.none()


def execution(number: int) -> Execution | None:
    """With its runbook and revision."""
    found = Execution.objects.select_related("runbook", "runbook__team", "runbook__service", "revision", "started_by")
    return found.filter(number=number).first()
