"""The words of every message, in one place. Pure: facts in, a `Message` out; channels only transport it.

What a message must hold is in the design page on paging: one GSM-7 segment for an SMS, numbers spoken digit by digit,
honest lateness, never a carrier's own command word in an SMS.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from midwatch.core.integration import Message, MessageAlert
from midwatch.core.text import clean
from midwatch.core.text_sms import fit_gsm7, gsm7_length, to_gsm7

LATE_FROM = timedelta(minutes=2)
LISTED_MAX = 10
SEGMENT = 160
TITLE_SEPTETS_MIN = 16
KEYS = "Press 4 to acknowledge, 5 to pass on, 6 to resolve, 9 to repeat."
PRIORITY_SPOKEN = {"P1": "Priority 1", "P2": "Priority 2", "P3": "Priority 3", "P4": "Priority 4", "P5": "Priority 5"}


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the words of one delivery need. `alerts`: one, or those of a bundle. `late`: how late it leaves.

    `context`: step, others (who else was paged), next_step, next_at, who (has it), sentence (for updates and hand-offs),
    more (how many joined). `has_callbacks`: whether keys pressed and replies can reach us.
    """

    kind: str
    delivery: str
    person: str
    person_name: str
    address: str
    zone: ZoneInfo
    now: datetime
    alerts: Sequence[MessageAlert] = ()
    count: int = 1
    urgency: str = "high"
    ack_url: str = ""
    late: timedelta = timedelta(0)
    context: Mapping[str, object] = field(default_factory=dict)
    has_callbacks: bool = False
    callback_url: str = ""
    secret: str = ""
    is_address_trusted: bool = False


def compose(facts: Facts) -> Message:
    subject, short, spoken, lines = _BY_KIND[facts.kind](facts)
    first = facts.alerts[0] if facts.alerts else None
    return Message(
        delivery=facts.delivery,
        kind=facts.kind,
        to=facts.person,
        address=facts.address,
        subject=subject,
        text="\n".join(lines),
        short=short,
        spoken=spoken,
        sent_at=facts.now,
        lines=lines,
        alerts=facts.alerts,
        count=facts.count,
        step=str(facts.context.get("step", "")),
        ack_url=facts.ack_url,
        thread=f"alert-{first.id}" if first is not None and facts.kind != "bundle" else "",
        urgency=facts.urgency,
        secret=facts.secret,
        is_address_trusted=facts.is_address_trusted,
        callback_url=facts.callback_url,
    )


Rendered = tuple[str, str, str, list[str]]


def head(alert: MessageAlert) -> str:
    """ "Checkout: DiskFull db3"."""
    return f"{alert.service}: {alert.title}" if alert.service else alert.title


def number(alert: MessageAlert) -> str:
    return f"#{alert.number}" if alert.number else "TEST"


def spoken_number(alert: MessageAlert) -> str:
    return f"alert {' '.join(str(alert.number))}" if alert.number else "test alert"


def late_words(late: timedelta) -> str:
    return f"LATE {int(late.total_seconds() // 60)} min: " if late >= LATE_FROM else ""


def local(at: datetime, zone: ZoneInfo) -> str:
    """ "02:14 CET"; with the day when it is not that of now is left to the caller."""
    return f"{at.astimezone(zone):%H:%M %Z}"


def segment(before: str, title: str, after: str, *, extras: Sequence[str] = ()) -> str:
    """One GSM-7 segment: the title is cut, what stands before and after it never.

    `extras` stand between the title and `after`, the most important first; each is there whole or not at all, and the
    title keeps some room beside them.
    """
    before, after = to_gsm7(before), to_gsm7(after)
    room = SEGMENT - gsm7_length(before) - gsm7_length(after)
    least = min(gsm7_length(to_gsm7(title)), TITLE_SEPTETS_MIN)
    kept = ""
    for extra in extras:
        written = to_gsm7(extra)
        if room - gsm7_length(kept + written) >= least:
            kept += written
    room -= gsm7_length(kept)
    return before + (fit_gsm7(title, room) if room > 0 else "") + kept + after


def you_are(step: str) -> str:
    """ "You are level 1." A step's name may be any words: "You are whole team" reads badly, so those say "You are in ..."."""
    if not step:
        return ""
    return f" You are {step}." if step.lower().startswith("level") else f" You are in {step}."


def _page(facts: Facts) -> Rendered:
    alert = facts.alerts[0]
    late = late_words(facts.late)
    step = str(facts.context.get("step", ""))
    who = str(facts.context.get("who", ""))
    more = int(str(facts.context.get("more", 0) or 0))
    plus = f" (+{more} more)" if more else ""
    note = f" {who}." if who else ""
    call = f' Reply "ack {alert.number}" or "no {alert.number}".' if alert.number else ""
    link = f" {facts.ack_url}" if facts.ack_url else ""
    title = head(alert)
    extras = [f"{plus}.", note, you_are(step), call]
    short = segment(f"{late}Midwatch {alert.priority} {number(alert)} ", title, link, extras=extras)
    keys = f" {KEYS}" if facts.has_callbacks else ""
    spoken = (
        f"{late}Midwatch. {PRIORITY_SPOKEN.get(alert.priority, alert.priority)}, {spoken_number(alert)}, "
        f"{clean(title, 200, is_one_line=True)}.{note}{you_are(step)}{keys}"
    )
    return (
        f"{late}[{alert.priority}] {title} ({number(alert)}){plus}",
        short,
        spoken,
        _page_lines(facts, alert, who, plus),
    )


def _page_lines(facts: Facts, alert: MessageAlert, who: str, plus: str) -> list[str]:
    context = facts.context
    first = [f"Since {local(alert.since, facts.zone)}" if alert.since else "Firing"]
    if context.get("step"):
        first.append(f"you are {context['step']}")
    others = [str(name) for name in list(context.get("others", []) or [])]  # type: ignore[call-overload]
    first.append(f"also paged: {', '.join(others)}" if others else "nobody else was paged")
    if context.get("next_at"):
        at = datetime.fromisoformat(str(context["next_at"]))
        first.append(f"next: {context.get('next_step', 'next step')} at {local(at, facts.zone)}")
    lines = [late_words(facts.late) + "; ".join(first) + "."]
    if who:
        lines.append(f"{who}.")
    lines.append(f"{alert.priority} {number(alert)} {head(alert)}{plus}")
    if alert.description:
        lines.append(clean(alert.description, 2_000))
    lines.append(alert.url)
    return lines


def _sentence(facts: Facts) -> Rendered:
    """Updates, resolved and the like: one sentence, said by who made the delivery."""
    sentence = str(facts.context.get("sentence", ""))
    alert = facts.alerts[0] if facts.alerts else None
    if alert is None:
        return sentence, segment("Midwatch: ", sentence, ""), f"Midwatch. {sentence}", [sentence]
    subject = f"[{alert.priority}] {head(alert)} ({number(alert)})"
    link = f" {facts.ack_url}" if facts.ack_url else ""
    short = segment(f"Midwatch {number(alert)} ", f"{head(alert)}: {sentence}", link)
    if gsm7_length(to_gsm7(f"Midwatch: {sentence}{link}")) <= SEGMENT:
        short = to_gsm7(f"Midwatch: {sentence}{link}")
    return (
        f"{subject}: {sentence}",
        short,
        f"Midwatch. {sentence}",
        [sentence, f"{alert.priority} {number(alert)} {head(alert)}", alert.url],
    )


def _handoff(facts: Facts) -> Rendered:
    sentence = str(facts.context.get("sentence", ""))
    url = str(facts.context.get("url", ""))
    lines = [sentence, *([url] if url else [])]
    return f"On call: {sentence}", segment("Midwatch: ", sentence, ""), f"Midwatch. {sentence}", lines


def _test(facts: Facts) -> Rendered:
    link = f" {facts.ack_url}" if facts.ack_url else ""
    sentence = "TEST, no action needed. Answering proves that this method reaches you."
    keys = " Press 4 to confirm." if facts.has_callbacks else ""
    answer = 'Reply "ok" or open' if facts.has_callbacks else "Open"
    lines = [sentence, f"Sent by {facts.context.get('by', 'Midwatch')} to {facts.person_name}."]
    return (
        "TEST, no action needed",
        f"Midwatch TEST, no action needed. {answer} to confirm:{link}",
        f"Midwatch. {sentence}{keys}",
        lines,
    )


def _bundle(facts: Facts) -> Rendered:
    numbers = [number(alert) for alert in facts.alerts]
    top = min((alert.priority for alert in facts.alerts), default="P3")
    shown = ", ".join(numbers[:LISTED_MAX]) + (
        f" and {facts.count - LISTED_MAX} more" if facts.count > LISTED_MAX else ""
    )
    late = late_words(facts.late)
    first = facts.alerts[0] if facts.alerts else None
    title = head(first) if first else ""
    link = f" {facts.ack_url}" if facts.ack_url else ""
    sentence = str(facts.context.get("sentence", "")) or f"{facts.count} alerts wait for you"
    who = str(facts.context.get("who", ""))
    note = f" {who}." if who else ""
    short = segment(
        f"{late}Midwatch {top}: {facts.count} alerts, first {numbers[0] if numbers else ''} ",
        title,
        link,
        extras=[".", note],
    )
    keys = f" {KEYS}" if facts.has_callbacks else ""
    spoken = f"{late}Midwatch. {facts.count} alerts. The first: {clean(title, 200, is_one_line=True)}.{note}{keys}"
    lines = [f"{late}{sentence}: {shown}.", *([f"{who}."] if who else [])]
    lines += [f"{alert.priority} {number(alert)} {head(alert)}" for alert in facts.alerts[: LISTED_MAX * 2]]
    return f"{late}[{top}] {facts.count} alerts: {shown}", short, spoken, lines


_BY_KIND = {
    "page": _page,
    "update": _sentence,
    "resolved": _sentence,
    "handoff": _handoff,
    "test": _test,
    "bundle": _bundle,
}


def answered_call(alerts: Sequence[MessageAlert], state: str, *, can_act: bool) -> str:
    """What a ringing phone says when it is answered: the state of that moment, with keys while there is something to press."""
    if not alerts:
        return f"Midwatch. {state}"
    alert = alerts[0]
    more = f" and {len(alerts) - 1} more" if len(alerts) > 1 else ""
    priority = PRIORITY_SPOKEN.get(alert.priority, alert.priority)
    opening = f"Midwatch. {priority}, {spoken_number(alert)}{more}, {clean(head(alert), 200, is_one_line=True)}."
    return f"{opening} {state} {KEYS}".replace("  ", " ") if can_act else f"{opening} {state}".strip()
