"""The demo's post-mortems: a short one that is published, and one that is half written, its meeting to come."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from midwatch.demo.company import Company
from midwatch.demo.replay import Replay
from midwatch.learn.postmortems import actions
from midwatch.learn.postmortems.models import Postmortem
from midwatch.respond.incidents.models import Incident
from midwatch.respond.incidents.queries import commander_of

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


# Of the search, published before its incident was closed.
LEARNED = {
    "summary": "For 16 minutes, half of all searches found nothing. A list of synonyms was loaded that was a hundred times "
    "as long as any before; queries with a synonym ran into their time limit.",
    "factors": "- The list is made by a job that has no limit of its own.\n"
    "- The search takes any list, and finds out at the first query what it costs.\n"
    "- A query that runs into its limit is answered as if nothing was found, so that error rates stayed low.",
    "lucky": "The list of the week before was still in the last release. Nobody had cleaned it up, which was chance.",
    "surprised": "We believed that a slow search is seen as slow, and not as empty.",
}


def plan_lesson(replay: Replay, company: Company, resolved_at: datetime) -> None:
    """Of a small incident: opened by hand, read by somebody else, published; its action item goes on."""

    def after(hours: float) -> datetime:
        return resolved_at + timedelta(hours=hours)

    replay.at(after(0.5), partial(_open_short, company))
    replay.at(after(1.5), partial(_learn, company))
    replay.at(after(2), partial(_agree, company))
    replay.at(after(2.2), partial(_publish, company))


def _open_short(company: Company) -> None:
    incident = Incident.objects.order_by("-number")[0]
    actions.open_postmortem(incident, company.actor(commander_of(incident).name), template="short")


def _learn(company: Company) -> None:
    found = _open()
    by = company.actor(found.owner.name)
    for key, text in LEARNED.items():
        actions.save_section(found, key, text, 0, by)
    actions.meeting_was_held(_open(), by)
    actions.send_to_review(_open(), by)


def _agree(company: Company) -> None:
    found = _open()
    reader = company.people["hana" if found.owner.name != "hana" else "dana"]
    actions.approve(found, reader, company.actor(reader.name), revision=found.revision)


def _publish(company: Company) -> None:
    """The IC, who was never asked for a CM, decides for both: for us, not for clients."""
    found = _open()
    ic = commander_of(found.incident)
    actions.decide(found, ic, company.actor(ic.name), is_for_page=False, is_for_clients=False)


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
