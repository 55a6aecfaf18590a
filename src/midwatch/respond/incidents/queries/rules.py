"""Which open alerts a declaration rule names, and no incident has yet."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet

from midwatch.respond.alerts.models import OPEN, Alert, AlertStatus
from midwatch.respond.escalation.models import Escalation, EscalationState
from midwatch.respond.incidents.models import DeclarationRule, LinkedAlert

AT_ONCE_MAX = 50


def alerts_that_declare(rule: DeclarationRule) -> QuerySet[Alert]:
    """The oldest first; those in maintenance wait for its end, and what a person resolved is left alone."""
    paging = Escalation.objects.filter(alert=OuterRef("pk")).exclude(state=EscalationState.HELD)
    status = OPEN if rule.step is None else (AlertStatus.FIRING,)
    if rule.step is not None:
        paging = paging.filter(next_step__gte=rule.step)
    found = Alert.objects.select_related("service__team", "team", "acknowledged_by").filter(
        Exists(paging),
        ~Exists(LinkedAlert.objects.filter(alert=OuterRef("pk"))),
        status__in=status,
        is_test=False,
        created_at__gte=rule.created_at,
        **({"service": rule.service_id} if rule.service_id else {"team": rule.team_id}),
    )
    if rule.priorities:
        found = found.filter(priority__in=rule.priorities)
    return found.order_by("number")[:AT_ONCE_MAX]
