"""The IC's powers as forms of the room."""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpRequest
from django.utils.translation import gettext as _

from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.respond.incidents import actions
from midwatch.respond.incidents.models import Incident
from midwatch.respond.incidents.permits import Act
from midwatch.respond.incidents.views.common import incident_act, person, service, whole_in
from midwatch.respond.oncall.models import Schedule


@incident_act(Act.POWERS, "powers")
def silence(request: HttpRequest, incident: Incident, by: Actor) -> str:
    found = service(request.POST.get("service", ""))
    minutes = whole_in(request, "minutes") or 60
    actions.silence(incident, found, by, until=clock.now() + timedelta(minutes=minutes))
    return _("%s pages nobody until then.") % found


@incident_act(Act.POWERS, "powers")
def put_on_call(request: HttpRequest, incident: Incident, by: Actor) -> str:
    name = request.POST.get("schedule", "").replace("\0", "")[:63]
    schedule = Schedule.objects.select_related("team").filter(name=name).first()
    if schedule is None:
        raise ValueError(_("Choose a schedule."))
    user = person(request.POST.get("user", ""))
    hours = whole_in(request, "hours") or 4
    actions.put_on_call(incident, schedule, user, by, until=clock.now() + timedelta(hours=hours))
    return _("%(who)s is on call for %(schedule)s.") % {"who": user, "schedule": schedule}
