"""When a provider is asked what became of a message, because its callbacks cannot reach us. Reads settings, writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from midwatch.core import integration
from midwatch.core.integration import ChannelConfig, StatusReport
from midwatch.settings import settings

POLL_EVERY = timedelta(seconds=15)
POLL_FOR = timedelta(minutes=10)  # after that its receipt is "unknown"
Poll = Callable[[str, str, ChannelConfig], StatusReport | None]


def poll_of(channel: str) -> Poll | None:
    found: Poll | None = getattr(integration.senders().get(channel), "poll", None)
    return found


def first_poll_at(channel: str, provider_id: str, now: datetime) -> datetime | None:
    """None when there is nothing to ask, or the provider tells us by itself."""
    if settings().has_public_url or not provider_id or poll_of(channel) is None:
        return None
    return now + POLL_EVERY
