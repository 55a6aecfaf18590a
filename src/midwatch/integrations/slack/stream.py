"""Socket mode: Slack's commands and buttons over a WebSocket that we open, for those whom Slack cannot reach.

https://docs.slack.dev/apis/events-api/using-socket-mode/ The same payloads as at /hooks/slack/chat, in envelopes that are to
be acknowledged within 3 s. There is no signature: the address of the socket is the secret, and comes over TLS.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from midwatch.core.integration import ChannelConfig, Rejected
from midwatch.core.talking import Envelope, TalkError
from midwatch.integrations.slack.talk import command_of, interaction_of, unescaped
from midwatch.integrations.slack.web import SlackError, call

PROVIDER = "slack"
SETTINGS: Sequence[str] = ("SLACK_APP_TOKEN", "SLACK_BOT_TOKEN", "SLACK_BASE_URL")
ASK_SECONDS = 5.0


def is_wanted(config: ChannelConfig) -> bool:
    return bool(config.values.get("SLACK_APP_TOKEN") and config.values.get("SLACK_BOT_TOKEN"))


def address(config: ChannelConfig) -> str:
    as_app = ChannelConfig({**config.values, "SLACK_BOT_TOKEN": config.values["SLACK_APP_TOKEN"]})
    try:
        url = call(as_app, "apps.connections.open", {}, seconds=ASK_SECONDS).get("url")
    except SlackError as error:
        raise TalkError(f"socket mode: {error}") from None
    if not isinstance(url, str) or not url.startswith(("wss://", "ws://")):
        raise TalkError("socket mode: Slack gave no address of a socket")
    return url


def read(text: str) -> Envelope:
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        raise Rejected("a frame is not JSON") from None
    if not isinstance(frame, dict):
        raise Rejected("a frame is not an object")
    kind, payload = frame.get("type"), frame.get("payload")
    given: Mapping[str, Any] = payload if isinstance(payload, dict) else {}
    known = frame.get("envelope_id")
    identity = known if isinstance(known, str) else ""
    takes_answer = frame.get("accepts_response_payload") is True
    match kind:
        case "hello":
            return Envelope("hello")
        case "disconnect":
            return Envelope("disabled" if frame.get("reason") == "link_disabled" else "closing")
        case "slash_commands":
            return Envelope("asked", identity, command_of(given), takes_answer)
        case "interactive":
            return Envelope("asked", identity, interaction_of(given), takes_answer)
        case _:
            return Envelope("other", identity)


def acknowledgement(envelope: Envelope, body: bytes = b"") -> str:
    """`body`: what HTTP would have answered, where the envelope takes it."""
    said: dict[str, Any] = {"envelope_id": envelope.id}
    if body and envelope.takes_answer:
        said["payload"] = json.loads(body)
    return json.dumps(said)


def words_of(body: bytes) -> str:
    found = json.loads(body)
    text = found.get("text") if isinstance(found, dict) else None
    return unescaped(text) if isinstance(text, str) else ""
