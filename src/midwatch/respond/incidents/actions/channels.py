"""Places where people talk, beside the built-in room (R2): a row for each provider that is set up; the engine tends them."""

from __future__ import annotations

from midwatch.core import clock, integration
from midwatch.respond.incidents.models import Channel, ChannelState, Incident
from midwatch.respond.notify.queries import chat_config


def open_channels(incident: Incident) -> None:
    """Wish for a channel of each provider that is set up. In the caller's transaction; nothing here may stop it."""
    now = clock.now()
    Channel.objects.bulk_create(
        [
            Channel(incident=incident, provider=name, due_at=now, created_at=now)
            for name, chat in integration.chats().items()
            if not chat.missing_settings(chat_config(name))
        ],
        ignore_conflicts=True,
    )


def refresh_channels(incident: Incident) -> None:
    """What is shown there is not so any more: the engine brings it up to date. In the caller's transaction."""
    Channel.objects.filter(incident=incident).exclude(state=ChannelState.ARCHIVED).update(
        due_at=clock.now(), attempts=0
    )
