"""What people ask for in a chat, done as themselves: the commands that they type elsewhere too, buttons, and two forms.

Who somebody is says the provider, by the e-mail address of their profile; a person with that address must be here, active,
and may do what they may do on the pages, no more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from midwatch.api import commands
from midwatch.api.commands import Acknowledge, CommandError, Declare, Resolve
from midwatch.catalog.models import Service
from midwatch.core.actor import Actor
from midwatch.core.integration import ChannelConfig
from midwatch.core.talking import Asked, Form, FormField, Talk
from midwatch.people.models import User
from midwatch.people.queries import active_people, actor_of
from midwatch.respond.alerts.actions import acknowledge_alert
from midwatch.respond.alerts.models import AlertStatus
from midwatch.respond.incidents import actions, permits
from midwatch.respond.incidents.actions import Declaration
from midwatch.respond.incidents.actions.timeline import TEXT_MAX
from midwatch.respond.incidents.duties import CM, DC, IC
from midwatch.respond.incidents.models import Channel, HandOverState, Incident, Severity
from midwatch.respond.incidents.permits import Act
from midwatch.respond.incidents.queries import commander_of, visible_to
from midwatch.respond.incidents.queries.links import room_url
from midwatch.respond.incidents.queries.room import alerts_of, offers_of

STRANGER = (
    "Midwatch does not know you: no active person there has the e-mail address of your profile here. "
    "Ask an administrator to add you, with this address."
)
ROLES = {IC: "Incident Commander", CM: "Communication Manager", DC: "Direct Contributor"}
NOT_THERE = "There is no such incident, or it is none of yours."


@dataclass(frozen=True, slots=True)
class Said:
    """`form`: is opened. `is_refused`: the form that was sent stays open, with the words."""

    words: str = ""
    form: Form | None = None
    is_refused: bool = False


def respond(talk: Talk, asked: Asked, config: ChannelConfig) -> Said:
    """Do it. Raises `TalkError` when the provider does not say who it is."""
    if not asked.verb:
        return Said()
    if asked.verb == "challenge":
        return Said(asked.text)
    user = person_of(talk, asked.who, config)
    if user is None:
        return Said(STRANGER, is_refused=True)
    by = actor_of(user, "chat")
    try:
        match asked.verb:
            case "command":
                return _command(asked, user, by)
            case "acknowledge":
                return Said(commands.run(Acknowledge((asked.number or 0,)), by, user))
            case "resolve":
                return Said(commands.run(Resolve((asked.number or 0,)), by, user))
            case "take":
                return Said(_in_incident(asked, user, Act.ANSWER_OFFER, lambda one: _take(one, user, by)))
            case "hand over":
                return _hand_over(asked, user)
            case "offer":
                taking = person_of(talk, asked.values.get("person", ""), config)
                return Said(_in_incident(asked, user, Act.OFFER, lambda one: _offer(one, asked, taking, user, by)))
            case "declare":
                return Said(_declare(asked, user, by))
            case "star":
                return Said(_star(talk.PROVIDER, asked, user, by))
            case _:
                return Said()
    except ValueError as refusal:
        return Said(str(refusal), is_refused=True)


def person_of(talk: Talk, who: str, config: ChannelConfig) -> User | None:
    """Exactly one active person with the address of their profile, as for logging in."""
    email = talk.email_of(who, config) if who else ""
    if not email or "\0" in email or len(email) > 254:
        return None
    found = list(active_people().filter(email__iexact=email)[:2])
    return found[0] if len(found) == 1 else None


def _command(asked: Asked, user: User, by: Actor) -> Said:
    try:
        command = commands.parse(asked.text)
    except CommandError as error:
        return Said(str(error))
    if isinstance(command, Declare) and not (command.severity and command.title) and asked.trigger:
        return Said(form=declare_form(command)) if user.may_act else Said(commands.VIEWER)
    return Said(commands.run(command, by, user))


def declare_form(command: Declare) -> Form:
    services = dict(Service.objects.order_by("name").values_list("name", "name")[:100])
    fields = [
        FormField("title", "What is wrong?", value=command.title),
        FormField("severity", "How bad is it?", "choice", dict(Severity.choices), command.severity or "SEV3"),
        FormField("private", "Who may see it?", "choice", {"no": "everybody", "yes": "who takes part"}, "no"),
    ]
    if services:
        fields.insert(2, FormField("service", "Which service?", "choice", services, is_optional=True))
    return Form("declare", "Declare an incident", "Declare", fields)


def _declare(asked: Asked, user: User, by: Actor) -> str:
    if not user.may_act:
        raise ValueError(commands.VIEWER)
    name = asked.values.get("service", "")
    service = Service.objects.select_related("team").filter(name=name).first() if name else None
    made = actions.declare_incident(
        Declaration(
            asked.values.get("title", ""),
            asked.values.get("severity", ""),
            service=service,
            is_private=asked.values.get("private") == "yes",
        ),
        by,
    )
    return f"{made.severity} {made} is declared: {room_url(made)}"


def _in_incident(asked: Asked, user: User, act: Act, do: Callable[[Incident], str]) -> str:
    incident = visible_to(user).filter(number=asked.number or 0).first()
    if incident is None:
        raise ValueError(NOT_THERE)
    if not permits.may(user, incident, act):
        raise ValueError(permits.why_not(act))
    return do(incident)


def _take(incident: Incident, user: User, by: Actor) -> str:
    """What waits for this person, else the alerts that nobody has answered: whoever answers leads, while nobody else has."""
    mine = [offer for offer in offers_of(incident, is_open=True) if offer.taking_id == user.pk]
    if mine:
        answered = [actions.answer_offer(offer, by, is_accepted=True) for offer in mine]
        taken = [actions.role_title(offer.role) for offer in answered if offer.state == HandOverState.ACCEPTED]
        return f"You are {' and '.join(taken)} of {incident}." if taken else "Too late: the offer is over."
    firing = [linked.alert for linked in alerts_of(incident) if linked.alert.status == AlertStatus.FIRING]
    if firing:
        return "\n".join(acknowledge_alert(alert, by).sentence for alert in firing[:20])
    holder = commander_of(incident)
    if holder.pk == user.pk:
        return f"You lead {incident} already."
    return f"{holder} leads {incident}, and no alert of it waits: ask them to hand over."


def _hand_over(asked: Asked, user: User) -> Said:
    def form(incident: Incident) -> str:
        return str(incident)

    title = _in_incident(asked, user, Act.OFFER, form)
    fields = [
        FormField("person", "To whom?", "person"),
        FormField("role", "Which role?", "choice", ROLES, IC),
        FormField("why", "Why?", is_optional=True),
    ]
    return Said(form=Form("offer", f"Hand over {title}"[:24], "Offer", fields, asked.number))


def _offer(incident: Incident, asked: Asked, taking: User | None, user: User, by: Actor) -> str:
    role = asked.values.get("role", "")
    if taking is None:
        raise ValueError("Midwatch does not know them: no active person there has the e-mail address of their profile")
    if role not in ROLES or not permits.may_offer(user, incident, role):
        raise ValueError(permits.why_not(Act.ROLE))
    offer = actions.offer_role(incident, role, taking, by, why=asked.values.get("why", ""))
    return f"Offered to {taking}. {offer.leaving} holds it until they accept."


def _star(provider: str, asked: Asked, user: User, by: Actor) -> str:
    """A message of an incident's channel becomes a starred entry of its timeline."""
    row = Channel.objects.filter(provider=provider, external__channel=asked.place).first() if asked.place else None
    incident = visible_to(user).filter(pk=row.incident_id).first() if row else None
    if incident is None:
        raise ValueError("this channel belongs to no incident of yours")
    if not permits.may(user, incident, Act.STAR):
        raise ValueError(permits.why_not(Act.STAR))
    entry = actions.add_note(incident, by, asked.text[:TEXT_MAX])
    actions.star(entry, by, is_starred=True)
    return f"It stands on the timeline of {incident}, with a star."
