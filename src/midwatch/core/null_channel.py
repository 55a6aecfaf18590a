"""The canary's channel: takes every message and leads nowhere. Nobody can choose it.

What it proves is everything before it: claim, words, pool, receipt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from midwatch.core.integration import NULL_CHANNEL, ChannelConfig, Message, Receipt

TYPES: Sequence[str] = (NULL_CHANNEL,)
TITLE = "Nowhere"
NAMES: Mapping[str, str] = {NULL_CHANNEL: "Nowhere"}
EXAMPLES: Mapping[str, str] = {NULL_CHANNEL: "canary"}
SETTINGS: Sequence[str] = ()
RINGS: Mapping[str, bool] = {NULL_CHANNEL: True}


def check_address(type: str, address: str) -> str:
    return address


def missing_settings(type: str, config: ChannelConfig) -> str:
    return ""


def send(type: str, message: Message, config: ChannelConfig) -> Receipt:
    return Receipt("handed over")
