"""E-mails of a post-mortem: rows with the act, sent by the engine's senders after it, tried again, their outcome shown."""

from __future__ import annotations

from collections.abc import Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from django.db import transaction

from midwatch.core import clock, errands, net, wake
from midwatch.core.actor import Actor
from midwatch.core.markdown import plain
from midwatch.core.text import clean
from midwatch.learn.postmortems.models import Letter, LetterState, Postmortem
from midwatch.learn.postmortems.queries import meeting_calendar, meeting_people
from midwatch.people.models import ContactMethod, User
from midwatch.respond.incidents.models import AffectedClient
from midwatch.settings import settings

TIMEOUT_SECONDS = 10.0
DUE = errands.due(lambda: Letter.objects.select_related("postmortem__incident"))
NO_ADDRESS = "no e-mail address is known: tell them another way, and note it on the incident"
NO_RELAY = "MIDWATCH_EMAIL_URL is not set: give the mail relay, or send it by hand"


def invite(postmortem: Postmortem, by: Actor, *, only: User | None = None) -> int:
    """To everybody who took part. In the caller's transaction; without a mail relay the calendar file is on the page."""
    people = [only] if only is not None else meeting_people(postmortem)
    calendar = meeting_calendar(postmortem).decode()
    at = postmortem.meeting_at
    assert at is not None, "an invitation is to a meeting that has a date"
    where = f"\nWhere: {postmortem.meeting_where}" if postmortem.meeting_where else ""
    body = (
        f"{by} invites you to the post-mortem of {postmortem.incident.title}.\n"
        f"When: {at:%A %d %B %Y, %H:%M} UTC, {postmortem.meeting_minutes} minutes{where}\n\n"
        f"The document: {settings().base_url}/postmortems/{postmortem.number}\n"
        "Please read it, and add what you saw, before we meet.\n"
    )
    return _write(
        postmortem,
        [
            Letter(
                user=person,
                key=f"invite/{postmortem.pk}/{postmortem.meeting_sequence}/{person.pk}",
                to_name=str(person)[:200],
                address=address_of(person),
                subject=f"Post-mortem: {postmortem.incident.title}"[:300],
                body=body,
                calendar=calendar,
            )
            for person in people
        ],
    )


def write_to_clients(postmortem: Postmortem, text: str) -> int:
    """To each affected client that has an address; the others are shown as such."""
    body = plain(text)
    clients = AffectedClient.objects.filter(incident=postmortem.incident, removed_at=None)
    return _write(
        postmortem,
        [
            Letter(
                client=client,
                key=f"client/{postmortem.pk}/{postmortem.revision}/{client.pk}",
                to_name=client.name,
                address=client.contact if "@" in client.contact else "",
                subject=f"What happened, and what we do about it: {postmortem.incident.title}"[:300],
                body=body,
            )
            for client in clients
        ],
    )


def address_of(person: User) -> str:
    if person.email:
        return person.email
    found = ContactMethod.objects.filter(user=person, type="email", disabled_at=None).order_by("position", "pk").first()
    return found.address if found else ""


def _write(postmortem: Postmortem, letters: Sequence[Letter]) -> int:
    now = clock.now()
    for letter in letters:
        letter.postmortem = postmortem
        letter.created_at = now
        letter.due_at = now if letter.address else None
        if not letter.address:
            letter.state, letter.problem = LetterState.NO_ADDRESS, NO_ADDRESS
        elif not settings().email_urls:
            letter.state, letter.problem, letter.due_at = LetterState.FAILED, NO_RELAY, None
    Letter.objects.bulk_create(letters, ignore_conflicts=True)
    transaction.on_commit(wake.wake)
    return len(letters)


def claim_letters(limit: int) -> list[Letter]:
    """What is due, leased."""
    return errands.claim(DUE, limit)


def send_letter(letter: Letter) -> None:
    """Outside any transaction; the outcome after."""
    given = settings()
    mail = compose(letter, given.email_from)
    problems: list[net.NetError] = []
    for url in given.email_urls:
        try:
            net.smtp(url, parseaddr(given.email_from)[1], letter.address, mail, TIMEOUT_SECONDS / len(given.email_urls))
        except net.NetError as error:
            problems.append(error)
        else:
            errands.finish(letter, state=LetterState.HANDED_OVER, handed_over_at=clock.now())
            return
    problem = "; ".join(dict.fromkeys(str(problem) for problem in problems)) or NO_RELAY
    is_permanent = all(problem.permanent for problem in problems)
    errands.postpone(letter, problem, is_permanent=is_permanent, state=LetterState.FAILED)


def compose(letter: Letter, sender: str) -> EmailMessage:
    """The same letter has the same Message-ID: a repeat after a crash is one mail in most clients."""
    name, spec = parseaddr(sender)
    domain = spec.rpartition("@")[2] or "localhost"
    user, _, host = letter.address.rpartition("@")
    mail = EmailMessage(policy=SMTP.clone(max_line_length=998))
    mail["Subject"] = clean(letter.subject, 300, is_one_line=True)
    mail["From"] = Address(clean(name, 100, is_one_line=True), addr_spec=spec) if spec else "midwatch@localhost"
    mail["To"] = Address(clean(letter.to_name, 100, is_one_line=True), user, host)
    mail["Date"] = format_datetime(letter.created_at)
    mail["Message-ID"] = f"<letter-{letter.pk}-{letter.created_at.timestamp():.0f}@{domain}>"
    mail.set_content(letter.body, cte="quoted-printable")
    if letter.calendar:
        mail.add_alternative(letter.calendar, subtype="calendar", params={"method": "REQUEST"})
        mail.add_attachment(letter.calendar.encode(), maintype="application", subtype="ics", filename="post-mortem.ics")
    return mail
