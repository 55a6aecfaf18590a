"""A call is an address that nobody guesses; the first who opens it makes it, so there is nothing to ask the server for."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from midwatch.core.integration import ChannelConfig, ChatRoom, ChatWish

PROVIDER = "jitsi"
TITLE = "Jitsi call"
SETTINGS: Sequence[str] = ("JITSI_URL", "JITSI_SECRET")


def missing_settings(config: ChannelConfig) -> str:
    if not config.values.get("JITSI_URL"):
        return "MIDWATCH_JITSI_URL is not set: give the address of a Jitsi server, for example https://meet.example.com"
    if not config.values.get("JITSI_SECRET"):
        return "MIDWATCH_JITSI_SECRET is not set: the names of the calls come from it, so that nobody guesses them"
    return ""


def tend(wish: ChatWish, config: ChannelConfig) -> ChatRoom:
    """The same incident has the same call on every node and after every restart."""
    known = wish.external.get("room")
    if not isinstance(known, str):
        secret = config.values["JITSI_SECRET"].encode()
        digest = hmac.new(secret, f"incident/{wish.number}".encode(), hashlib.sha256).hexdigest()
        known = f"incident-{wish.number}-{digest[:20]}"
    return ChatRoom(f"{config.values['JITSI_URL'].rstrip('/')}/{known}", "video call", {"room": known})
