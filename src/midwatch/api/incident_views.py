"""One incident with everything about it, as the API and the command line show it."""

from __future__ import annotations

from midwatch.api.shapes import incidents as shapes
from midwatch.people.models import User
from midwatch.respond.incidents.models import Incident
from midwatch.respond.incidents.queries import room, seats_of


def detail_of(incident: Incident, viewer: User) -> shapes.IncidentDetailOut:
    return shapes.IncidentDetailOut(
        **shapes.incident_values(incident),
        summary=incident.summary,
        roles=shapes.RolesOut.of(seats_of(incident)),
        timeline=[shapes.EntryOut.of(entry) for entry in reversed(room.timeline(incident))],
        tasks=[shapes.TaskOut.of(task) for task in room.tasks_of(incident)],
        responders=[shapes.ResponderOut.of(asked) for asked in room.responders_of(incident)],
        impact=[shapes.ImpactOut.of(window) for window in room.windows_of(incident)],
        clients=shapes.ClientsOut(
            checked_at=incident.clients_checked_at,
            checked_by=incident.clients_checked_by,
            affected=[shapes.ClientOut.of(client) for client in room.clients_of(incident)],
        ),
        hand_overs=[shapes.HandOverOut.of(offer) for offer in room.offers_of(incident)],
        alerts=[linked.alert.number for linked in room.alerts_of(incident) if linked.alert.number],
        links=[shapes.LinkOut.of(link) for link in room.links_of(incident, viewer)],
        promises=[
            shapes.PromiseOut(audience=one.audience, last_at=one.last_at, next_at=one.promised_at)
            for one in room.promises_of(incident)
        ],
    )
