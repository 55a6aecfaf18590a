"""Who was in it, who may facilitate, and how people are called outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

from django.db.models import Count, Q

from midwatch.core import clock
from midwatch.learn.postmortems.blameless import Known, Person
from midwatch.learn.postmortems.facilitators import Candidate
from midwatch.learn.postmortems.models import Asked, Postmortem
from midwatch.people.models import Membership, Role, User
from midwatch.people.queries import active_people, people
from midwatch.respond.incidents.actions.roles import role_title
from midwatch.respond.incidents.models import AffectedService, Entry, Incident, LinkedAlert, Responder, RoleHolding
from midwatch.respond.notify.models import Delivery, DeliveryKind

COUNTED_FOR = timedelta(days=180)
KNOWN_MAX = 5_000
SEEN_MAX = 2_000
OUTSIDE = {"ic": "the incident commander", "cm": "the communication manager", "dc": "a responder"}
RESPONDER = "a responder"


def involvement_of(incident: Incident) -> dict[int, list[str]]:
    """By person, why they count as involved: a role, a page into it, a word on its timeline (R11)."""
    found: dict[int, list[str]] = {}

    def add(user_ids: Iterable[int | None], why: str) -> None:
        for pk in user_ids:
            if pk is not None and why not in found.setdefault(pk, []):
                found[pk].append(why)

    for user_id, role in RoleHolding.objects.filter(incident=incident).values_list("user_id", "role").distinct():
        add([user_id], f"held {role_title(role)}")
    asked = Responder.objects.filter(incident=incident).values_list("user_id", "answered_by_id")
    add((pk for pair in asked for pk in pair), "was asked to respond")
    alerts = list(LinkedAlert.objects.filter(incident=incident).values_list("alert_id", flat=True))
    paged = Delivery.objects.filter(alert__in=alerts, kind__in=(DeliveryKind.PAGE, DeliveryKind.BUNDLE))
    add(paged.values_list("user_id", flat=True).distinct()[:SEEN_MAX], "was paged")
    authors = Entry.objects.filter(incident=incident, is_automatic=False).exclude(user_id=None)
    add(authors.values_list("user_id", flat=True).distinct()[:SEEN_MAX], "wrote on the timeline")
    return found


def _owning_team_ids(incident: Incident) -> set[int]:
    teams = set(AffectedService.objects.filter(incident=incident).values_list("service__team_id", flat=True))
    teams |= {incident.team_id} if incident.team_id else set()
    if incident.service is not None:
        teams.add(incident.service.team_id)
    return {pk for pk in teams if pk is not None}


def _facilitated(postmortem: Postmortem) -> Mapping[int, int]:
    """How many each facilitated lately; this one apart."""
    lately = Q(facilitator_since__gte=clock.now() - COUNTED_FOR, facilitator_state=Asked.ACCEPTED)
    rows = Postmortem.objects.filter(lately).exclude(pk=postmortem.pk).values("facilitator").annotate(count=Count("pk"))
    return {row["facilitator"]: row["count"] for row in rows if row["facilitator"] is not None}


def candidates(postmortem: Postmortem) -> list[Candidate]:
    """Everybody who may act, with what is to be known of them."""
    incident = postmortem.incident
    involved, counts = involvement_of(incident), _facilitated(postmortem)
    teams = _owning_team_ids(incident)
    near = set(Membership.objects.filter(team__in=teams).values_list("user_id", flat=True))
    return [
        Candidate(one.pk, str(one), counts.get(one.pk, 0), one.pk in near, tuple(involved.get(one.pk, ())))
        for one in active_people().exclude(role=Role.VIEWER)[:KNOWN_MAX]
    ]


def candidate(postmortem: Postmortem, person: User) -> Candidate:
    involved = involvement_of(postmortem.incident).get(person.pk, [])
    is_near = Membership.objects.filter(team__in=_owning_team_ids(postmortem.incident), user=person).exists()
    return Candidate(person.pk, str(person), _facilitated(postmortem).get(person.pk, 0), is_near, tuple(involved))


def known_people(postmortem: Postmortem) -> Known:
    """Everybody whose name the linter looks for; of two who share one, the one who was in it."""
    return Known(_persons(postmortem))


def _persons(postmortem: Postmortem) -> list[Person]:
    involved = involvement_of(postmortem.incident)
    everybody = people().order_by("pk").values_list("pk", "name", "display_name")[:KNOWN_MAX]
    return [Person(pk, name, display, pk in involved) for pk, name, display in everybody]


def roles_of(postmortem: Postmortem) -> dict[Person, str]:
    """How each is called in what others read. Of several roles the first one counts; IC and CM before others."""
    said: dict[int, str] = {}
    held = RoleHolding.objects.filter(incident=postmortem.incident).order_by("assumed_at", "id")
    for holding in sorted(held, key=lambda one: list(OUTSIDE).index(one.role) if one.role in OUTSIDE else len(OUTSIDE)):
        said.setdefault(holding.user_id, OUTSIDE.get(holding.role) or f"the {role_title(holding.role).lower()}")
    return {person: said.get(person.key, RESPONDER if person.is_responder else "") for person in _persons(postmortem)}
