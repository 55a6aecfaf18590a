"""Every write of the notification room, by intent."""

from midwatch.respond.notify.actions.deliveries import (
    claim_deliveries,
    claim_polls,
    pass_on_overdue,
    poll_claimed,
    record_status,
    send_claimed,
)
from midwatch.respond.notify.actions.messages import Told, send_test_page, send_test_pages, tell, tell_many
from midwatch.respond.notify.actions.pages import NewPage, advance_due_pages, decline_page, start_pages, stop_pages

__all__ = [
    "NewPage",
    "Told",
    "advance_due_pages",
    "claim_deliveries",
    "claim_polls",
    "decline_page",
    "pass_on_overdue",
    "poll_claimed",
    "record_status",
    "send_claimed",
    "send_test_page",
    "send_test_pages",
    "start_pages",
    "stop_pages",
    "tell",
    "tell_many",
]
