"""A resolved incident with its post-mortem, on the small world of the API's tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction

from api_world import World, make_world
from midwatch.core import clock
from midwatch.learn.postmortems import actions
from midwatch.learn.postmortems.models import Postmortem
from midwatch.people.models import User
from midwatch.people.queries import actor_of
from midwatch.respond.incidents import actions as incidents
from midwatch.respond.incidents.actions import Declaration
from midwatch.respond.incidents.models import Incident, RoleHolding

WRITTEN = {
    "summary": "Checkout was slow for twenty minutes.",
    "impact": "Every third order failed.",
    "factors": "Cy saw the pool fill up. The engineer forgot to raise the limit, and the load balancer failed to notice.",
    "surprised": "We believed that the pool grew by itself.",
    "well": "The runbook was found at once.",
    "lucky": "The campaign had ended an hour before.",
}


@dataclass
class Lesson:
    world: World
    incident: Incident

    @property
    def postmortem(self) -> Postmortem:
        found = Postmortem.objects.select_related("incident__team", "incident__service", "owner", "facilitator")
        return found.get(incident=self.incident)

    def write(self, by: User) -> None:
        actor = actor_of(by, "web")
        incidents.clients_checked(self.incident, actor)
        actions.add_row(self.postmortem, clock.now() - timedelta(minutes=5), "orders began to fail", actor)
        for key, text in WRITTEN.items():
            actions.save_section(self.postmortem, key, text, 0, actor)

    def review(self, writer: User, reader: User) -> None:
        actions.send_to_review(self.postmortem, actor_of(writer, "web"))
        found = self.postmortem
        actions.approve(found, reader, actor_of(reader, "web"), revision=found.revision)


def make_lesson(*, world: World | None = None, is_private: bool = False) -> Lesson:
    """cy led the incident; bo manages the team; ana is an administrator; vi looks."""
    world = world or make_world()
    by = actor_of(world.cy, "web")
    given = Declaration("checkout is slow", "SEV2", service=world.service, is_private=is_private)
    incident = incidents.declare_incident(given, by)
    with transaction.atomic():  # whoever was on call may lead at first: here it is cy
        RoleHolding.objects.filter(incident=incident, role="ic").update(user=world.cy, how="assigned")
        entry = incidents.add_note(incident, by, "the pool is full")
        incidents.star(entry, by, is_starred=True)
    incidents.set_phase(incident, "resolved", by)
    incident.refresh_from_db()
    actions.open_postmortem(incident, by)
    return Lesson(world, incident)
