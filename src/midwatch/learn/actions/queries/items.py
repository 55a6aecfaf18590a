"""Which items there are for whom, which are late, and which might have prevented an incident."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import Q, QuerySet

from midwatch.learn.actions.models import ActionItem, DebtAnswer, ItemState
from midwatch.people.models import User
from midwatch.respond.incidents.models import Incident
from midwatch.respond.incidents.queries import visible_to

WORD = re.compile(r"[a-z0-9][a-z0-9_-]{3,}")
CANDIDATES_MAX = 200
DEBTS_MAX = 5
COMMON = frozenset({"with", "that", "this", "from", "when", "have", "into", "service", "alert", "incident", "error"})


def visible_items(user: User) -> QuerySet[ActionItem]:
    """All but those of private incidents that this person does not see."""
    found = ActionItem.objects.select_related("owner", "team", "service", "incident")
    if user.is_administrator:
        return found
    return found.filter(
        Q(incident=None)
        | Q(incident__is_private=False)
        | Q(incident__in=visible_to(user).filter(is_private=True))
        | Q(owner=user)
    )


def overdue(items: QuerySet[ActionItem], today: date) -> QuerySet[ActionItem]:
    return items.filter(state=ItemState.OPEN, due_on__lt=today)


@dataclass(frozen=True, slots=True)
class Debt:
    """An open item that may have prevented an incident. `why`: what matched."""

    item: ActionItem
    why: str
    days_overdue: int
    answer: DebtAnswer | None


def debts_of(incident: Incident, today: date, viewer: User) -> list[Debt]:
    """Open items of the same service, or with the same words, the most overdue first (N4); only what the viewer may see."""
    scope = Q(service__in=incident.affected_services.values("service"))
    if incident.team_id:
        scope |= Q(team=incident.team_id)
    rows = (
        visible_items(viewer)
        .filter(scope, state__in=[ItemState.OPEN, ItemState.DRAFT], created_at__lt=incident.declared_at)
        .order_by("due_on", "pk")[:CANDIDATES_MAX]
    )
    services = set(incident.affected_services.values_list("service", flat=True))
    answers = {answer.item_id: answer for answer in DebtAnswer.objects.filter(incident=incident)}
    titles = " ".join(linked.alert.title for linked in incident.linked_alerts.select_related("alert")[:20])
    wanted = words_of(f"{incident.title} {titles}")
    found = [(item, _why(item, services, wanted)) for item in rows]
    ranked = sorted(
        ((item, why) for item, why in found if why or item.pk in answers),
        key=lambda one: (-len(one[1]), one[0].due_on or today),
    )
    return [
        Debt(item, ", ".join(why), (today - item.due_on).days if item.due_on else 0, answers.get(item.pk))
        for item, why in ranked[:DEBTS_MAX]
    ]


def words_of(text: str) -> set[str]:
    return {word for word in WORD.findall(text.lower()) if word not in COMMON}


def _why(item: ActionItem, services: set[int], wanted: set[str]) -> Sequence[str]:
    shared = sorted(words_of(item.title) & wanted)[:3]
    return [
        *([f"same service ({item.service})"] if item.service_id in services else []),
        *([f"same words: {', '.join(shared)}"] if shared else []),
    ]
