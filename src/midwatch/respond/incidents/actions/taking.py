"""Somebody takes an alert and declares in one breath: one transaction, so that there is never the one without the other."""

from __future__ import annotations

from dataclasses import replace

from django.db import transaction

from midwatch.core.actor import Actor
from midwatch.respond.alerts.actions import acknowledge_alert
from midwatch.respond.alerts.models import Alert
from midwatch.respond.incidents.actions.declaring import Declaration, declare_incident
from midwatch.respond.incidents.models import Incident


def take_and_declare(alert: Alert, wanted: Declaration, by: Actor) -> Incident:
    """Whoever acknowledges is the IC (R1); when somebody was quicker with the alert, they are. Raises ValueError."""
    with transaction.atomic():
        acknowledge_alert(alert, by)
        taken = Alert.objects.select_related("service__team", "team", "acknowledged_by").get(pk=alert.pk)
        return declare_incident(replace(wanted, alert=taken), by)
