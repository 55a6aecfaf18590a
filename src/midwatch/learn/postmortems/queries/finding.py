"""Which post-mortems there are for whom: those of the incidents that a person may see."""

from __future__ import annotations

from django.db.models import QuerySet

from midwatch.learn.postmortems.models import Asked, Postmortem
from midwatch.people.models import User
from midwatch.people.queries import is_manager
from midwatch.respond.incidents import queries as incident_queries
from midwatch.respond.incidents.queries import commander_of


def visible_to(user: User) -> QuerySet[Postmortem]:
    found = Postmortem.objects.select_related("incident__service", "incident__team", "owner", "facilitator")
    if user.is_administrator:
        return found
    seen = incident_queries.visible_to(user).values("pk")
    own = Postmortem.objects.filter(owner=user) | Postmortem.objects.filter(
        facilitator=user, facilitator_state__in=(Asked.ASKED, Asked.ACCEPTED)
    )
    return found.filter(incident__in=seen) | found.filter(pk__in=own.values("pk"))


def get_postmortem(user: User, number: int) -> Postmortem | None:
    return visible_to(user).filter(incident__number=number).first()


def may_lead(user: User, postmortem: Postmortem) -> bool:
    """The meeting, the facilitator, review: its owner, who facilitates, the IC, the team's managers, administrators."""
    if not user.may_act:
        return False
    if user.is_administrator or user.pk == postmortem.owner_id:
        return True
    if user.pk == postmortem.facilitator_id and postmortem.facilitator_state == Asked.ACCEPTED:
        return True
    return may_waive(user, postmortem)


def may_waive(user: User, postmortem: Postmortem) -> bool:
    """The IC, the managers of the incident's team, administrators."""
    if not user.may_act:
        return False
    team = postmortem.incident.team
    is_theirs = team is not None and is_manager(user, team)
    return user.is_administrator or is_theirs or commander_of(postmortem.incident).pk == user.pk
