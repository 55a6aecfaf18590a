"""What others read: decided by the CM and the IC, both (R13); to clients by e-mail, to the status page by event."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from midwatch.core import audit, clock, outbox
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.learn.postmortems import export
from midwatch.learn.postmortems.actions.common import locked, looked_at, say
from midwatch.learn.postmortems.actions.letters import write_to_clients
from midwatch.learn.postmortems.actions.writing import Saved, save_section
from midwatch.learn.postmortems.blameless import replace_names
from midwatch.learn.postmortems.models import Decision, Postmortem, SectionText, State
from midwatch.learn.postmortems.queries import EXTERNAL, document, roles_of
from midwatch.learn.postmortems.sections import is_written
from midwatch.people.models import User
from midwatch.respond.incidents.actions import set_lesson
from midwatch.respond.incidents.duties import CM, IC
from midwatch.respond.incidents.models import Lesson
from midwatch.respond.incidents.queries import participants_of, seats_of
from midwatch.respond.statuspage.models import Notice, NoticeKind, NoticeStatus

SEATS = (IC, CM)
PAGE_TEXT_MAX = 25_000  # as Statuspage takes


def make_external(postmortem: Postmortem, by: Actor) -> tuple[Saved, Sequence[str]]:
    """What clients may read, put together anew from the sections meant for them, names replaced by roles. Also the words
    that may be names and stayed: somebody looks at them before it goes out."""
    with transaction.atomic():
        current = locked(postmortem)
        replaced = replace_names(export.external(document(current)), roles_of(current))
        had = SectionText.objects.filter(postmortem=current, key=EXTERNAL).first()
        saved = save_section(current, EXTERNAL, replaced.text, had.revision if had else 0, by)
        audit.record(by, "make external version", "post-mortem", str(current), {"names": replaced.count})
    return saved, [word for _, word in replaced.doubtful]


def seats_held(postmortem: Postmortem, person: User) -> list[str]:
    """For whom this person decides: IC, CM, both when the CM was never named; administrators for both."""
    if not person.may_act:
        return []
    held = [seat.role for seat in seats_of(postmortem.incident) if seat.role in SEATS and person in seat.people]
    return list(SEATS) if person.is_administrator else held


def decide(
    postmortem: Postmortem, person: User, by: Actor, *, is_for_page: bool, is_for_clients: bool, why: str = ""
) -> str:
    """Records it for each seat the person holds; when both want the same, it is published. Returns what follows.

    Raises ValueError with a sentence."""
    with transaction.atomic():
        current = locked(postmortem)
        seats = seats_held(current, person)
        if not seats:
            raise ValueError("the IC and the CM of the incident decide what is published")
        if current.state != State.REVIEWED:
            raise ValueError("it is not reviewed yet: somebody reads and approves it first")
        if is_for_page or is_for_clients:
            _check_outside(current)
        if is_for_page:
            _check_page(current)
        now = clock.now()
        Decision.objects.filter(postmortem=current, seat__in=seats, voided_at=None).update(voided_at=now)
        Decision.objects.bulk_create(
            Decision(
                postmortem=current,
                seat=seat,
                user=person,
                is_for_page=is_for_page,
                is_for_clients=is_for_clients,
                why=clean(why, 500),
                revision=current.revision,
                at=now,
            )
            for seat in seats
        )
        detail = {"seats": seats, "page": is_for_page, "clients": is_for_clients, "why": why[:500]}
        audit.record(by, "decide publication", "post-mortem", str(current), detail)
        standing = {one.seat: one.choice for one in Decision.objects.filter(postmortem=current, voided_at=None)}
        looked_at(current)
        if len(standing) < len(SEATS):
            other = next(seat for seat in SEATS if seat not in standing)
            _ask(current, other, person)
            return f"recorded; the {other.upper()} decides too"
        if len(set(standing.values())) > 1:
            return "the IC and the CM want different things: talk, then one of you decides again"
        _publish(current, by, is_for_page=is_for_page, is_for_clients=is_for_clients)
    return "published"


def _check_outside(postmortem: Postmortem) -> None:
    incident = postmortem.incident
    if incident.is_private or incident.is_drill:
        kind = "private" if incident.is_private else "a drill"
        raise ValueError(f"the incident is {kind}: nothing of it goes outside")
    text = external_text(postmortem)
    if not is_written(text):
        raise ValueError("make the external version first: it is what they read")
    left = replace_names(text, roles_of(postmortem))
    if left.count:
        raise ValueError("names still stand in the external version: make it anew, or say their roles")


def _check_page(postmortem: Postmortem) -> None:
    if not notices_of(postmortem):
        raise ValueError(
            "no status page tells of this incident as resolved: resolve it there first, or leave the page out"
        )
    if len(external_text(postmortem)) > PAGE_TEXT_MAX:
        raise ValueError(f"a status page takes {PAGE_TEXT_MAX} characters: shorten the external version")


def notices_of(postmortem: Postmortem) -> list[Notice]:
    """What status pages said of its incident, as far as a post-mortem may follow it."""
    told = Notice.objects.filter(incident_number=postmortem.incident.number, kind=NoticeKind.INCIDENT)
    return list(told.filter(status__in=(NoticeStatus.RESOLVED, NoticeStatus.POSTMORTEM)).select_related("page"))


def external_text(postmortem: Postmortem) -> str:
    found = SectionText.objects.filter(postmortem=postmortem, key=EXTERNAL).values_list("text", flat=True).first()
    return found or ""


def _ask(postmortem: Postmortem, seat: str, decided: User) -> None:
    people = [person for one in seats_of(postmortem.incident) if one.role == seat for person in one.people]
    sentence = f"{decided} decided what of its post-mortem is published; you as {seat.upper()} decide too"
    say(postmortem, people, sentence, f"decide/{postmortem.pk}/{seat}/{postmortem.revision}")


def _publish(postmortem: Postmortem, by: Actor, *, is_for_page: bool, is_for_clients: bool) -> None:
    now = clock.now()
    Postmortem.objects.filter(pk=postmortem.pk).update(state=State.PUBLISHED, published_at=now, remind_at=None)
    set_lesson(postmortem.incident, Lesson.PUBLISHED, by)
    if is_for_clients:
        write_to_clients(postmortem, external_text(postmortem))
    say(
        postmortem,
        [person for person in participants_of(postmortem.incident) if person.pk != by.user_id],
        "its post-mortem is published",
        f"published/{postmortem.pk}/{postmortem.revision}",
    )
    audit.record(by, "publish", "post-mortem", str(postmortem), {"page": is_for_page, "clients": is_for_clients})
    outbox.emit(
        "postmortem.published",
        {
            "postmortem": postmortem.pk,
            "incident": postmortem.incident_id,
            "page": is_for_page,
            "by": by.user_id,
            "who": str(by),
        },
    )
