"""Who leads, and how that changes hands. An open incident has exactly one IC, at every moment, by the database.

A role that a rule or a declaration gave is provisional until somebody answers; after that it moves only by an offer that
is accepted, or by the IC's own word. The leaving one holds it until then (R5).
"""

from __future__ import annotations

from django.db import transaction

from midwatch.core import audit, clock, outbox
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.people.models import User
from midwatch.respond.incidents.actions.timeline import note
from midwatch.respond.incidents.duties import CM, DC, IC
from midwatch.respond.incidents.models import HandOver, HandOverState, How, Incident, IncidentRole, RoleHolding
from midwatch.respond.incidents.models.command import PROVISIONAL
from midwatch.respond.incidents.queries.brief import brief_of

TITLES = {IC: "Incident Commander", CM: "Communication Manager", DC: "Direct Contributor"}
SINGLE = (IC, CM)


def role_title(role: str) -> str:
    """As people read it. Raises ValueError for a role that there is not."""
    if role in TITLES:
        return TITLES[role]
    found = IncidentRole.objects.filter(name=role).first()
    if found is None:
        raise ValueError(f"there is no role {role!r}: give ic, cm, dc, or one from the settings")
    return found.title


def is_single(role: str) -> bool:
    if role in TITLES:
        return role in SINGLE
    return IncidentRole.objects.filter(name=role, is_single=True).exists()


def give(incident: Incident, role: str, user: User, how: How, by: Actor) -> RoleHolding:
    """Write who holds it from now on; a single role's holder before ends in the same moment. In the caller's transaction."""
    now = clock.now()
    single = is_single(role)
    before = RoleHolding.objects.filter(incident=incident, role=role, ended_at=None).select_related("user")
    held = {holding.user_id: holding for holding in before}
    if user.pk in held and (held[user.pk].how not in PROVISIONAL or how in PROVISIONAL):
        return held[user.pk]
    if single or user.pk in held:
        before.filter(**({} if single else {"user": user})).update(ended_at=now)
    made = RoleHolding.objects.create(
        incident=incident,
        role=role,
        user=user,
        how=how,
        given_by=str(by)[:200],
        is_single=single,
        assumed_at=now,
    )
    if single:
        HandOver.objects.filter(incident=incident, role=role, state=HandOverState.OFFERED).update(
            state=HandOverState.WITHDRAWN, answered_at=now
        )
    previous = ", ".join(str(holding.user) for holding in held.values() if single and holding.user_id != user.pk)
    after = f" after {previous}" if previous else ""
    note(incident, "role", f"{user} is {role_title(role)}{after} ({how.label})", by, role=role, user=user.name, how=how)
    outbox.emit("incident.role_taken", {"incident": incident.pk, "role": role, "user": user.pk, "by": by.user_id})
    return made


def confirm_commander(incident: Incident, user: User, by: Actor) -> bool:
    """Somebody answered: while the IC is a provisional one, whoever answers is the IC (R1). Never takes it from an IC who
    answered, accepted or was named. In the caller's transaction."""
    held = RoleHolding.objects.select_for_update().filter(incident=incident, role=IC, ended_at=None).first()
    if held is not None and held.how not in PROVISIONAL:
        return False
    give(incident, IC, user, How.ACKNOWLEDGED, by)
    return True


def assign_role(incident: Incident, role: str, user: User, by: Actor) -> RoleHolding:
    """The IC names a CM or DCs (R3). The IC's own role moves by `offer_role`, unless it is a provisional one that its holder
    or nobody else has answered for. Raises ValueError with a sentence."""
    _check_open(incident)
    role_title(role)
    if not user.may_act:
        raise ValueError(f"{user} cannot take part: switched off, or a viewer")
    with transaction.atomic():
        if role == IC:
            held = RoleHolding.objects.filter(incident=incident, role=IC, ended_at=None).select_related("user").get()
            if held.user_id != user.pk and held.how not in PROVISIONAL:
                raise ValueError(f"{held.user} is the IC: offer the role to {user}, who takes it by accepting")
        made = give(incident, role, user, How.ASSIGNED, by)
        audit.record(by, "assign role", "incident", str(incident), {"role": role, "user": user.name})
    return made


def end_role(incident: Incident, role: str, user: User, by: Actor) -> None:
    """Somebody leaves a role; what it covered is the IC's again (R4). The IC leaves by handing over."""
    if role == IC:
        raise ValueError("an incident is never without an IC: offer the role to somebody")
    with transaction.atomic():
        ended = RoleHolding.objects.filter(incident=incident, role=role, user=user, ended_at=None).update(
            ended_at=clock.now()
        )
        if ended:
            note(incident, "role", f"{user} is {role_title(role)} no more", by, role=role, user=user.name, ended=True)
            audit.record(by, "end role", "incident", str(incident), {"role": role, "user": user.name})


def offer_role(incident: Incident, role: str, taking: User, by: Actor, *, why: str = "") -> HandOver:
    """Offer a role, with a brief of how things stand. The leaving one holds it until it is accepted (R5)."""
    _check_open(incident)
    if not taking.may_act:
        raise ValueError(f"{taking} cannot take part: switched off, or a viewer")
    with transaction.atomic():
        leaving = (
            RoleHolding.objects.filter(incident=incident, role=role, ended_at=None)
            .select_related("user")
            .order_by("assumed_at")
            .first()
            or RoleHolding.objects.filter(incident=incident, role=IC, ended_at=None).select_related("user").get()
        ).user
        if leaving.pk == taking.pk:
            raise ValueError(f"{taking} has it already")
        now = clock.now()
        HandOver.objects.filter(incident=incident, role=role, state=HandOverState.OFFERED).update(
            state=HandOverState.WITHDRAWN, answered_at=now
        )
        offer = HandOver.objects.create(
            incident=incident,
            role=role,
            leaving=leaving,
            taking=taking,
            brief=brief_of(incident, now),
            why=clean(why, 200, is_one_line=True),
            offered_by=str(by)[:200],
            offered_at=now,
        )
        note(
            incident,
            "offer",
            f"{role_title(role)} is offered to {taking}; {leaving} holds it until then",
            by,
            role=role,
        )
        audit.record(by, "offer role", "incident", str(incident), {"role": role, "user": taking.name})
        outbox.emit("incident.role_offered", {"hand_over": offer.pk})
    return offer


def answer_offer(offer: HandOver, by: Actor, *, is_accepted: bool) -> HandOver:
    """The one it was offered to says yes or no, in so many words. Twice, or too late, changes nothing."""
    if by.user_id != offer.taking_id:
        raise ValueError(f"this was offered to {offer.taking}: they answer for themselves")
    with transaction.atomic():
        state = HandOverState.ACCEPTED if is_accepted else HandOverState.DECLINED
        taken = HandOver.objects.filter(pk=offer.pk, state=HandOverState.OFFERED, incident__closed_at=None).update(
            state=state, answered_at=clock.now()
        )
        offer.refresh_from_db()
        if taken and is_accepted:
            give(offer.incident, offer.role, offer.taking, How.ACCEPTED, by)
            audit.record(by, "accept role", "incident", str(offer.incident), {"role": offer.role})
        elif taken:
            note(offer.incident, "offer", f"{offer.taking} declined; {offer.leaving} holds it on", by, role=offer.role)
            audit.record(by, "decline role", "incident", str(offer.incident), {"role": offer.role})
            outbox.emit("incident.role_declined", {"hand_over": offer.pk})
    return offer


def withdraw_offer(offer: HandOver, by: Actor) -> None:
    with transaction.atomic():
        taken = HandOver.objects.filter(pk=offer.pk, state=HandOverState.OFFERED).update(
            state=HandOverState.WITHDRAWN, answered_at=clock.now()
        )
        if taken:
            note(offer.incident, "offer", f"the offer to {offer.taking} was withdrawn", by, role=offer.role)
            audit.record(by, "withdraw offer", "incident", str(offer.incident), {"role": offer.role})


def _check_open(incident: Incident) -> None:
    if not Incident.objects.filter(pk=incident.pk, closed_at=None).exists():
        raise ValueError(f"{incident} is closed: its roles ended with it")
