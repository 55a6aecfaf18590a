"""What an answer from a phone does: a text message, a key pressed in a call, a call that was picked up.

Who answers is known by the number the text came from, or by the call's own reference. Every answer is confirmed
in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import transaction

from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.integration import Act, Question, Receipt, StatusReport
from midwatch.core.text import clean
from midwatch.core.text_sms import fit_gsm7
from midwatch.people.actions.contacts import disable_contact, enable_contact
from midwatch.people.models import ContactMethod, MemberRole, User
from midwatch.people.queries import active_people, actor_of, users_by_phone
from midwatch.respond.alerts.actions import Outcome, acknowledge_alert, resolve_alert
from midwatch.respond.alerts.models import Alert, AlertStatus
from midwatch.respond.escalation.actions.acts import decline, escalate_now
from midwatch.respond.escalation.actions.landing import act_on_landing
from midwatch.respond.notify import words
from midwatch.respond.notify.actions import Told, record_status, tell_many
from midwatch.respond.notify.actions.deliveries import covered_alerts, find_delivery, message_alert
from midwatch.respond.notify.actions.messages import confirm_method
from midwatch.respond.notify.models import CoveredAlert, Delivery, DeliveryKind, PageState

ANSWERED_WITHIN = timedelta(hours=4)  # a bare "ack" means a page that went to that number within this time
LISTED_MAX = 5
WORDS_MAX = 2 * 153  # two segments: a list is worth one more
PHONE_TYPES = ("sms", "voice")
STOPPED = "answered STOP: texts to this number are off; answer START to turn them on"
HOW = 'Reply "ack NUMBER", "no NUMBER" or "resolve NUMBER".'
UNCONFIRMED = 'This number is not confirmed yet: send it a test page from your profile, then reply "ok".'
CONFIRMED = "Thank you. This number is confirmed."
NOBODY = "This number belongs to nobody in Midwatch. Add it to your contact methods."


def answer_text(acts: Sequence[Act]) -> str:
    """A text message, read as acts. The words of the reply; "" sends none."""
    if not acts:
        return ""
    sender = acts[0].from_address
    people = users_by_phone(sender)
    if len(people) != 1 or not people[0].is_active:
        return NOBODY
    user = people[0]
    by = actor_of(user, "sms")
    match acts[0].verb:
        case "stop":
            stop(user, sender, by)
            return ""  # the carrier confirms a STOP itself, and refuses whatever else we send
        case "start":
            start(user, sender, by)
            return "Midwatch texts to this number are on again."
    if not _is_confirmed(user, sender):
        return _confirm(user, sender, by) if acts[0].verb == "acknowledge" else UNCONFIRMED
    said = [_answer_one(act, user, by) for act in acts]
    return fit_gsm7(" ".join(dict.fromkeys(said)), WORDS_MAX)


def _answer_one(act: Act, user: User, by: Actor) -> str:
    if act.verb == "list":
        return _list(user, act.from_address)
    if act.number is not None:
        alert = Alert.objects.filter(number=act.number, is_test=False).first() if act.number < 2**53 else None
        return _do(act.verb, alert, user, by) if alert is not None else f"There is no alert #{act.number}."
    waiting = unanswered(user, act.from_address, clock.now())
    if len(waiting) == 1:
        return _do(act.verb, waiting[0], user, by)
    if not waiting and act.verb == "acknowledge" and _test_of(user, act.from_address) is not None:
        return _confirm(user, act.from_address, by)
    return _list(user, act.from_address)


def _is_confirmed(user: User, number: str) -> bool:
    """Has its owner ever answered? Until then it may be a stranger's, written down wrong: it acts on nothing."""
    own = ContactMethod.objects.filter(user=user, address=number, type__in=PHONE_TYPES)
    return own.exclude(confirmed_at=None).exists()


def _test_of(user: User, number: str) -> Delivery | None:
    """The last test page by text to this number, while nobody has answered it."""
    since = clock.now() - ANSWERED_WITHIN
    sent = Delivery.objects.filter(user=user, contact__address=number, channel="sms", kind=DeliveryKind.TEST)
    return sent.filter(handed_over_at__gte=since).exclude(receipt="answered").order_by("-pk").first()


def _confirm(user: User, number: str, by: Actor) -> str:
    test = _test_of(user, number)
    if test is None:
        return UNCONFIRMED
    confirm_method(test, by)
    return CONFIRMED


def unanswered(user: User, number: str, now: datetime) -> list[Alert]:
    """Firing alerts whose page went to this number lately, newest first."""
    sent = Delivery.objects.filter(
        user=user,
        contact__address=number,
        kind__in=[DeliveryKind.PAGE, DeliveryKind.BUNDLE],
        handed_over_at__gte=now - ANSWERED_WITHIN,
    )
    called = sent.filter(page__state=PageState.RUNNING).values("alert")
    covered = CoveredAlert.objects.filter(delivery__in=sent.values("pk")).values("alert")
    firing = Alert.objects.filter(status=AlertStatus.FIRING, is_test=False).select_related("service")
    by_page = list(firing.filter(pk__in=called).order_by("-number")[:100])
    by_list = list(firing.filter(pk__in=covered).order_by("-number")[:100])
    return sorted({alert.pk: alert for alert in [*by_page, *by_list]}.values(), key=lambda alert: -(alert.number or 0))


def _list(user: User, number: str) -> str:
    waiting = unanswered(user, number, clock.now())
    if not waiting:
        return "No page waits for you."
    listed = [
        f"{alert} {clean(words.head(message_alert(alert)), 40, is_one_line=True)}" for alert in waiting[:LISTED_MAX]
    ]
    more = f" and {len(waiting) - LISTED_MAX} more" if len(waiting) > LISTED_MAX else ""
    pages = "1 page waits" if len(waiting) == 1 else f"{len(waiting)} pages wait"
    return f"{pages} for you: {'; '.join(listed)}{more}. {HOW}"


def _do(verb: str, alert: Alert, user: User, by: Actor) -> str:
    if not user.may_act:
        return "Your role is viewer: you may look, not act."
    outcome = _outcome(verb, alert, user, by)
    if verb == "acknowledge" and outcome.is_changed:
        return f"You have {alert}. Escalation stopped."
    return outcome.sentence if outcome.sentence.endswith(".") else f"{outcome.sentence}."


def _outcome(verb: str, alert: Alert, user: User, by: Actor) -> Outcome:
    match verb:
        case "acknowledge":
            return acknowledge_alert(alert, by)
        case "resolve":
            return resolve_alert(alert, by)
        case "decline":
            return decline(alert, user, by)
        case "escalate":
            return escalate_now(alert, by)
        case _:
            raise ValueError(f"no such answer: {verb}")


def answer_key(act: Act) -> str:
    """A key pressed in a call: it acts on exactly what that call was about. What is said next."""
    delivery = find_delivery(act.delivery)
    if delivery is None:
        return "Midwatch does not know this call. Good bye."
    if act.verb == "repeat":
        return _state_words(delivery)
    record_status(StatusReport(delivery.provider_id, Receipt("answered", "with a key"), act.delivery))
    landing, sentence = act_on_landing(act.delivery, act.verb, via="voice")
    if landing.is_test:
        return CONFIRMED
    if (
        act.verb == "acknowledge"
        and len(landing.alerts) == 1
        and landing.alerts[0].acknowledged_by_id == landing.user.pk
    ):
        return f"You have {spoken_alert(landing.alerts[0])}. Escalation stopped."
    return sentence


def spoken_alert(alert: Alert) -> str:
    return words.spoken_number(message_alert(alert))


def answer_question(question: Question) -> str:
    """A ringing call was picked up: the state at this moment, not that of when it was dialled."""
    delivery = find_delivery(question.delivery)
    return _state_words(delivery) if delivery is not None else "Midwatch does not know this call."


def _state_words(delivery: Delivery) -> str:
    if delivery.kind == DeliveryKind.TEST:
        return "Midwatch. TEST, no action needed. Press 4 to confirm that this number reaches you."
    alerts = covered_alerts(delivery)
    waiting = [alert for alert in alerts if alert.status == AlertStatus.FIRING]
    shown = waiting or alerts
    step = str(delivery.context.get("step", ""))
    state = words.you_are(step).strip() if waiting else _state(delivery)
    return words.answered_call([message_alert(alert) for alert in shown], state, can_act=bool(waiting))


def _state(delivery: Delivery) -> str:
    """Who has it, when nobody is needed any more."""
    alerts = covered_alerts(delivery)
    taken = [alert for alert in alerts if alert.status == AlertStatus.ACKNOWLEDGED]
    if not taken:
        return "It is resolved." if len(alerts) == 1 else "They are resolved."
    owner = taken[0].acknowledged_by
    if owner is None:
        return "It is acknowledged by its source."
    return "You have it." if owner == delivery.user else f"{owner} has it. Go back to sleep."


def stop(user: User, number: str, by: Actor) -> None:
    """No more texts to this number: the method is off, and the person and their managers learn it by other ways."""
    with transaction.atomic():
        texts = ContactMethod.objects.filter(user=user, address=number, type="sms").select_related("user")
        if not [contact for contact in texts if disable_contact(contact, STOPPED, by)]:
            return
        key = f"stop/{user.pk}/{clock.now().timestamp():.0f}"
        own = f"Your texts are off: {number} answered STOP. Answer START there, or add another method."
        told = [Told(user, f"{key}/self", DeliveryKind.HANDOFF, own)]
        other = f"{user} gets no texts any more: their number answered STOP. See that they can be reached."
        told += [Told(one, f"{key}/{one.pk}", DeliveryKind.HANDOFF, other) for one in _managers(user)]
        tell_many(told)


def _managers(user: User) -> Iterable[User]:
    """Managers of the person's teams, but not the person."""
    teams = user.memberships.values("team")
    managers = active_people().filter(memberships__team__in=teams, memberships__role=MemberRole.MANAGER)
    return managers.exclude(pk=user.pk).distinct()


def start(user: User, number: str, by: Actor) -> None:
    """What a STOP turned off is on again; what somebody else turned off stays so."""
    with transaction.atomic():
        for contact in ContactMethod.objects.filter(
            user=user, address=number, type="sms", problem=STOPPED
        ).select_related("user"):
            enable_contact(contact, by)
