"""Receipts for installations that providers cannot call back: ask what became of a message, for a while."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import cast

from midwatch.core import clock, integration
from midwatch.core.integration import ChannelConfig, DeliveryError, StatusReport
from midwatch.respond.notify.actions.deliveries import record_status
from midwatch.respond.notify.models import Delivery, DeliveryState
from midwatch.respond.notify.queries import channel_config
from midwatch.settings import settings

ASKED_FOR = timedelta(minutes=10)  # afterwards the receipt stays "handed over": nothing more is known
AT_ONCE_MAX = 20
Poll = Callable[[str, str, ChannelConfig], StatusReport | None]


def poll_receipts(channel: str) -> int:
    """Outside any transaction. Returns how many receipts were learned; a provider that is silent is asked again."""
    module = integration.channels().get(channel)
    poll = cast("Poll | None", getattr(module, "poll", None))
    if poll is None or settings().has_public_url:
        return 0
    since = clock.now() - ASKED_FOR
    asked = Delivery.objects.filter(
        channel=channel, state=DeliveryState.HANDED_OVER, receipt="handed over", handed_over_at__gt=since
    ).exclude(provider_id="")
    learned = 0
    for provider_id in list(asked.order_by("id").values_list("provider_id", flat=True)[:AT_ONCE_MAX]):
        try:
            report = poll(channel, provider_id, channel_config(channel))
        except DeliveryError:
            return learned
        learned += report is not None and record_status(report)
    return learned
