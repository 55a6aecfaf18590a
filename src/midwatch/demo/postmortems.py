"""The demo's post-mortem: of the incident that is resolved, half written, its meeting to come."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from midwatch.demo.company import Company
from midwatch.demo.replay import Replay
from midwatch.learn.postmortems import actions
from midwatch.learn.postmortems.models import Postmortem

SUMMARY = (
    "Nobody in Europe could pay for 18 minutes. The certificate of the payment gateway was rotated, and the new one was "
    "served without its chain. Cards that were declined were not charged."
)
FACTORS = """- The rotation copies the leaf and, since its last release, no chain; it ends with success all the same.
- The check after a rotation opens the gateway from inside, where the chain is in the trust store.
- The engineer on call forgot to look at the dashboard of the acquirers.
- The load balancer failed to notice: its health check does not verify.
"""
SURPRISED = "We believed that the check after each rotation sees what a client sees."
WELL = "The alert came after 40 seconds, and the decision to put the chain back by hand took two minutes."


def plan_postmortem(replay: Replay, company: Company, resolved_at: datetime, now: datetime) -> None:
    def after(hours: float) -> datetime:
        return resolved_at + timedelta(hours=hours)

    replay.at(after(2), partial(_ask, company))
    replay.at(after(2.4), partial(_accept, company))
    replay.at(after(3), partial(_meet, company, now + timedelta(days=1, hours=3)))
    replay.at(after(20), partial(_write, company))
    replay.at(after(21), partial(_comment, company))


def _open() -> Postmortem:
    found = Postmortem.objects.select_related("incident", "owner", "facilitator").order_by("-opened_at").first()
    assert found is not None, "the incident's reaction opened it"
    return found


def _ask(company: Company) -> None:
    found = _open()
    actions.ask_facilitator(found, company.people["hana"], company.actor(found.owner.name))


def _accept(company: Company) -> None:
    hana = company.people["hana"]
    actions.answer_as_facilitator(_open(), hana, company.actor("hana"), is_accepted=True)


def _meet(company: Company, at: datetime) -> None:
    found = _open()
    actions.set_meeting(found, at.replace(minute=0, second=0, microsecond=0), company.actor(found.owner.name))


def _write(company: Company) -> None:
    found = _open()
    by = company.actor(found.owner.name)
    for key, text in (("summary", SUMMARY), ("factors", FACTORS), ("surprised", SURPRISED), ("well", WELL)):
        actions.save_section(found, key, text, 0, by)
    actions.add_why(found, 0, "The gateway was without its chain", by)
    actions.add_why(_open(), 1, "The rotation ends with success when a file is missing", by)
    actions.add_why(_open(), 1, "The check afterwards runs where the chain is not needed", by)


def _comment(company: Company) -> None:
    actions.comment(_open(), company.actor("hana"), "How could the check see it as a **client** does?", key="factors")
