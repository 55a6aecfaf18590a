"""What a channel shows of an incident: name, topic, headline. Pure, and every text in it is somebody else's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from midwatch.core.integration import ChatWish
from midwatch.core.text import clean, slug

NAME_MAX = 80  # https://docs.slack.dev/reference/methods/conversations.create/
TOPIC_MAX = 250
HEADER_MAX = 150
FIELD_MAX = 500
NAMES_MAX = 10
ROLE_TITLES: Mapping[str, str] = {"ic": "IC", "cm": "CM", "dc": "DC"}
TAKE, HAND_OVER, DECLARE = "midwatch-take", "midwatch-hand-over", "midwatch-declare"
ACKNOWLEDGE, RESOLVE, STAR = "midwatch-acknowledge", "midwatch-resolve", "midwatch-star"


def escaped(text: object, at_most: int) -> str:
    """Characters that Slack gives a meaning stand for themselves: no mention, no link of somebody else's making
    (https://docs.slack.dev/messaging/formatting-message-text#escaping). The limit counts what is sent."""
    said = clean(text, at_most, is_one_line=True)
    while len(found := said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")) > at_most:
        said = clean(said, len(said) - max(1, (len(found) - at_most) // 5), is_one_line=True)
    return found


def escaped_lines(text: str, at_most: int) -> str:
    """The same for an answer of several lines; what does not fit is left out by whole lines."""
    lines = [escaped(line, at_most) for line in text.splitlines()]
    while lines and len("\n".join(lines)) > at_most:
        lines.pop()
    return "\n".join(lines)


def channel_name(wish: ChatWish, attempt: int = 0) -> str:
    """`inc-42-checkout-is-down`, then `...-2`: lower case, digits and dashes."""
    tail = f"-{attempt + 1}" if attempt else ""
    head = f"{'drill' if wish.is_drill else 'inc'}-{wish.number}"
    said = f"{head}-{slug(wish.title, NAME_MAX)}"[: NAME_MAX - len(tail)].strip("-")
    return said + tail


def topic(wish: ChatWish) -> str:
    parts = ["DRILL"] if wish.is_drill else []
    parts += [wish.severity, wish.phase]
    for role in ("ic", "cm"):
        if names := wish.roles.get(role):
            parts.append(f"{ROLE_TITLES[role]} {', '.join(names[:2])}")
    if until := _next_update(wish):
        parts.append(f"next update {until}")
    return escaped(" · ".join(parts), TOPIC_MAX)


def headline(wish: ChatWish) -> tuple[str, list[dict[str, Any]]]:
    """(plain text for notifications, blocks). Titles stand in plain text blocks, where nothing is marked up."""
    drill = "DRILL " if wish.is_drill else ""
    title = clean(f"{drill}{wish.severity} {wish.title}", HEADER_MAX, is_one_line=True)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}},
        {"type": "section", "fields": [_field(name, value) for name, value in _facts(wish)]},
    ]
    buttons = [_button("Open the room", "midwatch-open", wish.number) | {"url": wish.url}]
    if not wish.is_closed:
        buttons += [_button("I take it", TAKE, wish.number), _button("Hand over", HAND_OVER, wish.number)]
    blocks.append({"type": "actions", "block_id": f"incident-{wish.number}", "elements": buttons})
    return escaped(f"{drill}{wish.severity} incident {wish.number}: {wish.title} ({wish.phase})", 1_000), blocks


def _facts(wish: ChatWish) -> Sequence[tuple[str, str]]:
    """At most ten: a section takes no more fields."""
    facts = [("Incident", f"{wish.number}"), ("Phase", wish.phase)]
    if wish.service:
        facts.append(("Service", wish.service))
    roles = sorted(wish.roles, key=lambda role: (list(ROLE_TITLES).index(role) if role in ROLE_TITLES else 9, role))
    for role in roles[:6]:
        names = wish.roles[role]
        more = f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else ""
        facts.append((ROLE_TITLES.get(role, role), ", ".join(names[:NAMES_MAX]) + more))
    if until := _next_update(wish):
        facts.append(("Next update by", until))
    return facts


def _field(name: str, value: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": f"{name}\n{clean(value, FIELD_MAX, is_one_line=True)}", "emoji": False}


def _button(label: str, act: str, number: int) -> dict[str, Any]:
    text = {"type": "plain_text", "text": label}
    return {"type": "button", "text": text, "action_id": act, "value": str(number)}


def _next_update(wish: ChatWish) -> str:
    at = wish.next_update_at
    return f"{at:%H:%M} UTC" if at is not None and not wish.is_closed else ""
