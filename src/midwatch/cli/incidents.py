"""Verbs about incidents: declare, list, look, write, lead, close, ask for help."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from midwatch.api.commands import KINDS
from midwatch.api.incident_views import detail_of
from midwatch.api.moments import moment
from midwatch.api.shapes import incidents as shapes
from midwatch.cli.alerts import alert_numbered, target_of
from midwatch.cli.ground import shown_time
from midwatch.cli.output import VerbError, show, table
from midwatch.cli.people import acting, person
from midwatch.core.actor import Actor
from midwatch.people.models import User
from midwatch.respond.incidents import actions, permits
from midwatch.respond.incidents.models import Incident
from midwatch.respond.incidents.permits import Act
from midwatch.respond.incidents.queries import IncidentFilter, commanders_of, incidents, visible_to


def _viewer(args: Namespace) -> tuple[Actor, User]:
    by, user = acting(args)
    if user is None:
        raise VerbError("there is no administrator yet: say who acts with --as USER")
    return by, user


def _incident(number: int, user: User) -> Incident:
    found = visible_to(user).select_related("merged_into").filter(number=number).first()
    if found is None:
        raise VerbError(f"there is no incident {number}: `midwatch incident list` shows them")
    return found


def _permitted(args: Namespace, act: Act) -> tuple[Incident, Actor, User]:
    by, user = _viewer(args)
    incident = _incident(args.number, user)
    if not permits.may(user, incident, act):
        raise VerbError(permits.why_not(act))
    return incident, by, user


def _again(incident: Incident) -> Incident:
    return Incident.objects.select_related("service", "team", "type", "merged_into").get(pk=incident.pk)


def _said(args: Namespace, incident: Incident, user: User, line: str) -> int:
    show(args, detail_of(_again(incident), user).model_dump(mode="json"), [line])
    return 0


def declare(args: Namespace) -> int:
    by, user = _viewer(args)
    alert = alert_numbered(args.alert) if args.alert else None
    service = KINDS["service"](args.service) if args.service else None
    team = KINDS["team"](args.team) if args.team else None
    for kind, name, found in (("service", args.service, service), ("team", args.team, team)):
        if name and found is None:
            raise VerbError(f"there is no {kind} {name!r}")
    wanted = actions.Declaration(
        title=args.title,
        severity=args.severity,
        service=service,
        team=team,
        alert=alert,
        is_private=args.private,
        is_drill=args.drill,
    )
    if args.acknowledge and alert is None:
        raise VerbError("--acknowledge takes an alert: name it with --alert N")
    made = (
        actions.take_and_declare(alert, wanted, by)
        if args.acknowledge and alert
        else actions.declare_incident(wanted, by)
    )
    lead = commanders_of([made])[made.pk]
    url = shapes.incident_values(_again(made))["url"]
    return _said(args, made, user, f"{made.severity} {made}, led by {lead}: {url}")


def list_incidents(args: Namespace) -> int:
    _, user = _viewer(args)
    state = "" if args.status == "all" else args.status
    by = IncidentFilter(state, tuple(args.severity), args.service, args.team, args.query.replace("\0", ""))
    found = list(incidents(user, by).select_related("merged_into")[: args.limit])
    leaders = commanders_of(found)
    rows = [
        (
            one.number,
            one.severity,
            one.phase,
            shown_time(one.declared_at),
            one.service or "",
            leaders.get(one.pk, ""),
            one.title,
        )
        for one in found
    ]
    data = [shapes.IncidentOut.of(one).model_dump(mode="json") for one in found]
    heads = ("INCIDENT", "SEVERITY", "PHASE", "DECLARED", "SERVICE", "IC", "TITLE")
    show(args, data, table(rows, heads) if rows else ["No such incident."])
    return 0


def show_incident(args: Namespace) -> int:
    _, user = _viewer(args)
    incident = _incident(args.number, user)
    detail = detail_of(incident, user)
    roles = detail.roles
    lines = [
        f"{incident.severity} {incident} {incident.phase}: {incident.title}",
        f"service {incident.service or '-'}, team {incident.team or '-'}, since {shown_time(incident.started_at)}",
        f"IC {roles.ic.name}, CM {_held(roles.cm)}, DC {', '.join(_held(one) for one in roles.dc)}",
        *(f"{name}: {shown_time(at)}" for name, at in detail.phases.model_dump().items() if at),
        *(f"task {one.id} ({one.user or one.role}, {one.status}): {one.title}" for one in detail.tasks),
        *(f"next {one.audience} update: {shown_time(one.next_at)}" for one in detail.promises if one.next_at),
        "",
        *(
            f"{shown_time(entry.happened_at)}  {'' if entry.is_automatic else f'{entry.who}: '}{entry.text}"
            for entry in detail.timeline
        ),
    ]
    show(args, detail.model_dump(mode="json"), lines)
    return 0


def _held(role: shapes.RoleOut) -> str:
    return role.name if role.held_as == "assigned" else f"{role.name} (as IC)"


def note(args: Namespace) -> int:
    incident, by, user = _permitted(args, Act.NOTE)
    at = moment(args.at) if args.at else None
    actions.add_note(incident, by, args.text, kind=args.kind, happened_at=at)
    return _said(args, incident, user, f"Written into {incident}.")


def role(args: Namespace) -> int:
    """The IC's own role is offered, others are given."""
    incident, by, user = _permitted(args, Act.OFFER)
    taking = person(args.person)
    if args.role == "ic" or args.offer:
        if not permits.may_offer(user, incident, args.role):
            raise VerbError(permits.why_not(Act.ROLE))
        offer = actions.offer_role(incident, args.role, taking, by, why=args.why)
        return _said(args, incident, user, f"Offered to {taking}; {offer.leaving} holds it until they accept.")
    if not permits.may(user, incident, Act.ROLE):
        raise VerbError(permits.why_not(Act.ROLE))
    actions.assign_role(incident, args.role, taking, by)
    return _said(args, incident, user, f"{taking} is {actions.role_title(args.role)} of {incident}.")


def phase(args: Namespace) -> int:
    incident, by, user = _permitted(args, Act.PHASE)
    changed = actions.set_phase(incident, args.phase, by, at=moment(args.at) if args.at else None)
    return _said(args, incident, user, f"{incident} is {changed.phase}.")


def close(args: Namespace) -> int:
    incident, by, user = _permitted(args, Act.CLOSE)
    actions.close_incident(incident, by)
    return _said(args, incident, user, f"{incident} is closed.")


def page(args: Namespace) -> int:
    incident, by, user = _permitted(args, Act.RESPONDER)
    kind, target = target_of(args.target)
    if kind == "schedule":
        raise VerbError("page a person, a team or a service into an incident: user:NAME, team:NAME, service:NAME")
    given: dict[str, Any] = {kind: target}
    asked = actions.add_responder(incident, by, message=args.message, **given)
    return _said(args, incident, user, f"{asked.alert} pages {kind} {target} into {incident}.")
