"""What people do to an alert's escalation, from the alert's page."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.translation import gettext as _

from midwatch.core.actor import Actor
from midwatch.people.models import User
from midwatch.people.queries import active_people
from midwatch.people.viewing import viewer
from midwatch.respond.alerts.actions import Outcome
from midwatch.respond.alerts.models import Alert
from midwatch.respond.alerts.views.common import alert_act
from midwatch.respond.escalation import actions


@alert_act
def escalate(request: HttpRequest, alert: Alert, by: Actor) -> Outcome:
    return actions.escalate_now(alert, by)


@alert_act
def reassign(request: HttpRequest, alert: Alert, by: Actor) -> Outcome:
    return actions.reassign(alert, _chosen(request), by)


@alert_act
def add_responder(request: HttpRequest, alert: Alert, by: Actor) -> Outcome:
    return actions.add_responder(alert, _chosen(request), by)


@alert_act
def decline(request: HttpRequest, alert: Alert, by: Actor) -> Outcome:
    return actions.decline(alert, viewer(request), by)


def _chosen(request: HttpRequest) -> User:
    found = active_people().filter(name=request.POST.get("user", "")[:63]).first()
    if found is None:
        raise ValueError(_("Choose a person first."))
    return found
