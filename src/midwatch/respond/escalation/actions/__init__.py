"""Every write of the escalation room, by intent."""

from midwatch.respond.escalation.actions.acts import (
    add_responder,
    decline,
    escalate_now,
    page_administrators,
    page_somebody,
    reassign,
)
from midwatch.respond.escalation.actions.landing import Landing, act_on_landing, landing
from midwatch.respond.escalation.actions.running import run_due
from midwatch.respond.escalation.actions.starting import start

__all__ = [
    "Landing",
    "act_on_landing",
    "add_responder",
    "decline",
    "escalate_now",
    "landing",
    "page_administrators",
    "page_somebody",
    "reassign",
    "run_due",
    "start",
]
