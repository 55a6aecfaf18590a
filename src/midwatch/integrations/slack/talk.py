"""What people say to Midwatch in Slack: slash commands, buttons, forms and message shortcuts, all at /hooks/slack/chat.

Everything is signed (https://docs.slack.dev/authentication/verifying-requests-from-slack); nothing is believed before that
holds. Who somebody is says the e-mail address of their profile, for full members of the app's own workspace alone: a guest's
or a partner workspace's profile says what somebody else wrote there.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from midwatch.core.integration import ChannelConfig, InboundRequest, Rejected
from midwatch.core.talking import Asked, Form, FormField, TalkError
from midwatch.core.text import clean, whole_number
from midwatch.integrations.slack.web import SlackError, call
from midwatch.integrations.slack.words import ACKNOWLEDGE, DECLARE, HAND_OVER, RESOLVE, STAR, TAKE, escaped_lines

PROVIDER = "slack"
SETTINGS: Sequence[str] = ("SLACK_SIGNING_SECRET", "SLACK_BOT_TOKEN", "SLACK_BASE_URL")

JSON = "application/json; charset=utf-8"
AGE_SECONDS_MAX = 300
ASK_SECONDS = 1.0  # Slack waits 3 s for the answer, and at most two questions come before it
FIELDS_MAX = 100
WORDS_MAX = 3_000
TEXT_MAX = 3_000
PRESSED: Mapping[str, str] = {TAKE: "take", HAND_OVER: "hand over", ACKNOWLEDGE: "acknowledge", RESOLVE: "resolve"}
SENT: Mapping[str, str] = {DECLARE: "declare", HAND_OVER: "offer"}
_own_team: dict[tuple[str, str], str] = {}  # (address, token) -> the workspace that the token is of


def receive(request: InboundRequest, now: datetime, config: ChannelConfig) -> Asked:
    check_signature(request, now, config.values.get("SLACK_SIGNING_SECRET", ""))
    if request.headers.get("content-type", "").startswith("application/json"):
        return _event(_payload(request.body.decode("utf-8", "replace")))
    try:
        fields = dict(parse_qsl(request.body.decode("utf-8"), keep_blank_values=True, max_num_fields=FIELDS_MAX))
    except ValueError:
        raise Rejected("the form cannot be read") from None
    if "payload" in fields:
        return interaction_of(_payload(fields["payload"]))
    if "command" not in fields:
        raise Rejected("neither a command nor an interaction: set this address for both in your Slack app")
    return command_of(fields)


def command_of(fields: Mapping[str, Any]) -> Asked:
    """A slash command; the socket brings the same fields as the form."""
    return Asked(
        "command",
        who=_text(fields.get("user_id")),
        text=unescaped(_text(fields.get("text"))),
        place=_text(fields.get("channel_id")),
        trigger=_text(fields.get("trigger_id")),
    )


def _event(payload: Mapping[str, Any]) -> Asked:
    """Slack asks once whether the address is ours, when it is set in the app. Other events are taken, and nothing follows:
    Midwatch subscribes to none."""
    if payload.get("type") == "url_verification":
        return Asked("challenge", text=clean(payload.get("challenge", ""), 200, is_one_line=True))
    return Asked("")


def check_signature(request: InboundRequest, now: datetime, secret: str) -> None:
    """Raises PermissionError. Of the raw body, and not older than five minutes: a caught request is of no use later."""
    if not secret:
        raise PermissionError("MIDWATCH_SLACK_SIGNING_SECRET is not set: nothing from Slack can be believed")
    stamp = request.headers.get("x-slack-request-timestamp", "")
    sent_at = whole_number(stamp)
    if sent_at is None:
        raise PermissionError("the request has no timestamp")
    if abs(now.timestamp() - sent_at) > AGE_SECONDS_MAX:
        raise PermissionError("the request is older than five minutes: is the clock right?")
    wanted = signature(request.body, stamp, secret)
    if not hmac.compare_digest(
        wanted.encode(), request.headers.get("x-slack-signature", "").encode("utf-8", "replace")
    ):
        raise PermissionError("the signature does not hold")


def signature(body: bytes, stamp: str, secret: str) -> str:
    return "v0=" + hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()


def email_of(who: str, config: ChannelConfig) -> str:
    try:
        user = call(config, "users.info", {"user": who}, seconds=ASK_SECONDS).get("user")
        team = _team(config)
    except SlackError as error:
        if error.code in {"user_not_found", "user_not_visible"}:
            return ""
        raise TalkError(str(error)) from None
    if not isinstance(user, Mapping) or not isinstance(user.get("profile"), Mapping):
        return ""
    is_other = any(
        user.get(name) for name in ("deleted", "is_bot", "is_restricted", "is_ultra_restricted", "is_stranger")
    )
    if is_other or user.get("team_id") != team or user.get("is_email_confirmed") is False:
        return ""
    email = user["profile"].get("email")
    return email if isinstance(email, str) else ""


def _team(config: ChannelConfig) -> str:
    key = (config.values["SLACK_BASE_URL"], config.values["SLACK_BOT_TOKEN"])
    if key not in _own_team:
        _own_team[key] = str(call(config, "auth.test", {}, seconds=ASK_SECONDS).get("team_id", ""))
    return _own_team[key]


def open_form(asked: Asked, form: Form, config: ChannelConfig) -> None:
    view = {
        "type": "modal",
        "callback_id": HAND_OVER if form.verb == "offer" else DECLARE,
        "private_metadata": "" if form.number is None else str(form.number),
        "title": _plain(form.title, 24),
        "submit": _plain(form.submit, 24),
        "close": _plain("Cancel", 24),
        "blocks": [_input(field) for field in form.fields],
    }
    try:
        call(config, "views.open", {"trigger_id": asked.trigger, "view": view}, seconds=ASK_SECONDS)
    except SlackError as error:
        raise TalkError(str(error)) from None


def _input(field: FormField) -> dict[str, Any]:
    element: dict[str, Any] = {"action_id": "value"}
    match field.kind:
        case "text":
            element |= {"type": "plain_text_input", "max_length": 200}
            if field.value:
                element["initial_value"] = clean(field.value, 200, is_one_line=True)
        case "choice":
            options = [{"text": _plain(words, 75), "value": value} for value, words in field.choices.items()][:100]
            element |= {"type": "static_select", "options": options}
            if chosen := [one for one in options if one["value"] == field.value]:
                element["initial_option"] = chosen[0]
        case "person":
            element["type"] = "users_select"
    label = _plain(field.label, 100)
    return {
        "type": "input", "block_id": field.name, "label": label, "element": element, "optional": field.is_optional,
    }  # fmt: skip


def _plain(words: str, at_most: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": clean(words, at_most, is_one_line=True), "emoji": False}


def answer(asked: Asked, words: str, config: ChannelConfig, *, is_refused: bool = False) -> tuple[str, bytes]:
    """A command's reply is shown to who typed it; a form's shows errors alone; a button's shows nothing."""
    if asked.verb == "challenge":
        return "text/plain; charset=utf-8", words.encode()
    text = escaped_lines(words, WORDS_MAX)
    if asked.verb == "command":
        said = {"response_type": "ephemeral", "text": text, "mrkdwn": False} if text else {}
        return (JSON, json.dumps(said).encode()) if said else ("text/plain; charset=utf-8", b"")
    if asked.verb in SENT.values() and is_refused:
        block = next(iter(asked.values), "title")
        shown = clean(words, 500, is_one_line=True)
        return JSON, json.dumps({"response_action": "errors", "errors": {block: shown}}).encode()
    if text:
        _whisper(asked, text, config)
    return "text/plain; charset=utf-8", b""


def _whisper(asked: Asked, text: str, config: ChannelConfig) -> None:
    """To one person: in the channel where they pressed, else in their conversation with the app."""
    said = {"text": text, "parse": "none", "link_names": False}
    try:
        if asked.place:
            call(config, "chat.postEphemeral", {"channel": asked.place, "user": asked.who, **said}, seconds=ASK_SECONDS)
        else:
            call(config, "chat.postMessage", {"channel": asked.who, **said}, seconds=ASK_SECONDS)
    except SlackError as error:
        raise TalkError(str(error)) from None


# --- reading interactions: https://docs.slack.dev/reference/interaction-payloads/


def _payload(raw: str) -> Mapping[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        raise Rejected("the payload is not JSON") from None
    if not isinstance(found, dict):
        raise Rejected("the payload is not an object")
    return found


def interaction_of(payload: Mapping[str, Any]) -> Asked:
    who, place = _at(payload, "user", "id"), _at(payload, "channel", "id")
    trigger = _text(payload.get("trigger_id"))
    match payload.get("type"):
        case "block_actions":
            actions = payload.get("actions")
            pressed = actions[0] if isinstance(actions, list) and actions and isinstance(actions[0], dict) else {}
            verb = PRESSED.get(_text(pressed.get("action_id")), "")
            return Asked(verb, who, number=_number(pressed.get("value")), place=place, trigger=trigger)
        case "view_submission":
            view = payload.get("view")
            shown = view if isinstance(view, dict) else {}
            verb = SENT.get(_text(shown.get("callback_id")), "")
            return Asked(verb, who, number=_number(shown.get("private_metadata")), values=_values(shown))
        case "message_action" if payload.get("callback_id") == STAR:
            text = unescaped(_at(payload, "message", "text"))
            return Asked("star", who, text=text, place=place, trigger=trigger)
        case _:
            return Asked("", who, place=place)


def _values(view: Mapping[str, Any]) -> dict[str, str]:
    state = view.get("state")
    blocks = state.get("values") if isinstance(state, dict) else None
    found: dict[str, str] = {}
    for name, block in list(blocks.items())[:FIELDS_MAX] if isinstance(blocks, dict) else ():
        element = block.get("value") if isinstance(block, dict) else None
        if isinstance(element, dict):
            option = element.get("selected_option")
            chosen = option.get("value") if isinstance(option, dict) else None
            given = element.get("value") or element.get("selected_user") or chosen
            found[str(name)] = clean(_text(given), 1_000, is_one_line=True)
    return found


def _at(payload: Mapping[str, Any], name: str, inner: str) -> str:
    found = payload.get(name)
    return _text(found.get(inner)) if isinstance(found, dict) else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def unescaped(text: str) -> str:
    """As it was typed: Slack escapes these three."""
    return clean(text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"), TEXT_MAX)


def _number(value: object) -> int | None:
    return whole_number(value) if isinstance(value, str) else None
