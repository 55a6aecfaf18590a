"""A page as `respond/notify` would hand it to a channel."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from midwatch.core.integration import Message, MessageAlert

ALERT = MessageAlert(
    id=7,
    number=1042,
    title="DiskFull db3",
    priority="P1",
    status="firing",
    service="Checkout",
    url="https://midwatch.example.com/alerts/1042",
    since=datetime(2026, 11, 22, 2, 10, tzinfo=UTC),
)


def a_message(address: str = "ana@example.com", **changes: Any) -> Message:
    usual: dict[str, Any] = {
        "delivery": "31/1/1/ana/1/1",
        "kind": "page",
        "to": "ana",
        "address": address,
        "subject": "[P1] Checkout: DiskFull db3 (#1042)",
        "text": "Since 02:10. You are level 1. Next: Bo at 02:19.",
        "short": 'Midwatch P1 #1042 Checkout: DiskFull db3. You are level 1. Reply "ack 1042". https://m.example/p/x',
        "spoken": "Midwatch. Priority 1, alert 1 0 4 2, Checkout: disk full on D B 3. Press 4 to acknowledge",
        "sent_at": datetime(2026, 11, 22, 2, 14, 5, tzinfo=UTC),
        "lines": ("Since 02:10, you are level 1, nobody else was paged; next: Bo at 02:19.", "Disk of db3 is 97% full"),
        "alerts": (ALERT,),
        "step": "level 1",
        "ack_url": "https://m.example/p/landing-token",
        "thread": "alert-7",
        "is_address_trusted": True,
    }
    return Message(**{**usual, **changes})
