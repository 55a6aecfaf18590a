"""Writing the document: sections with a conflict check, the timeline's rows, the tree of whys. Nothing typed is lost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.urls import reverse

from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.core.text import clean as clean_line
from midwatch.learn.postmortems import whys
from midwatch.learn.postmortems.actions.common import changed, locked
from midwatch.learn.postmortems.models import Postmortem, Revision, SectionText, TimelineRow
from midwatch.learn.postmortems.queries import EXTERNAL, template_of
from midwatch.learn.postmortems.sections import clean
from midwatch.respond.incidents.models import Entry, Star

SITTING = timedelta(minutes=10)
ROWS_MAX = 500
ROW_TEXT_MAX = 4_000


@dataclass(frozen=True, slots=True)
class Saved:
    """`text` and `revision`: what stands there now. `conflict`: the row that keeps what was not taken."""

    text: str
    revision: int
    changed_by: str
    conflict: Revision | None = None


def save_section(postmortem: Postmortem, key: str, text: str, base: int, by: Actor) -> Saved:
    """`base`: the revision that the writer began from. When somebody was faster, nothing is overwritten: theirs stands,
    and what was not taken is kept as a conflict. Raises ValueError with a sentence."""
    said = clean(text)
    now = clock.now()
    with transaction.atomic():
        current = locked(postmortem)
        if key != EXTERNAL and template_of(current).section(key) is None:
            raise ValueError(f"{key!r} is no section of its template: reload the page")
        section, _ = SectionText.objects.get_or_create(
            postmortem=current, key=key, defaults={"changed_at": now, "changed_by": str(by)[:200]}
        )
        if said == section.text:
            return Saved(section.text, section.revision, section.changed_by)
        last = Revision.objects.filter(postmortem=current, key=key, is_conflict=False).order_by("-id").first()
        if base != section.revision and not _is_same_hand(last, base, by):
            kept = _keep(current, section, said, base, by, now)
            return Saved(section.text, section.revision, section.changed_by, kept)
        number = section.revision + 1
        SectionText.objects.filter(pk=section.pk).update(
            text=said, revision=number, changed_at=now, changed_by=str(by)[:200]
        )
        _remember(current, last, section, said, base, by, now)
        changed(current)
    return Saved(said, number, str(by))


def _is_same_hand(last: Revision | None, base: int, by: Actor) -> bool:
    """An answer got lost on the way: the same person goes on from where they were."""
    return last is not None and last.user_id == by.user_id is not None and last.base <= base < last.number


def _remember(
    postmortem: Postmortem,
    last: Revision | None,
    section: SectionText,
    text: str,
    base: int,
    by: Actor,
    now: datetime,
) -> None:
    number = section.revision + 1
    is_sitting = (
        last is not None
        and last.user_id == by.user_id
        and last.number == base == section.revision
        and now - last.began_at < SITTING
    )
    if last is not None and is_sitting:
        Revision.objects.filter(pk=last.pk).update(text=text, number=number, at=now)
        return
    Revision.objects.create(
        postmortem=postmortem,
        key=section.key,
        number=number,
        base=base,
        text=text,
        who=str(by)[:200],
        user_id=by.user_id,
        began_at=now,
        at=now,
    )
    audit.record(by, "write", "post-mortem", str(postmortem), {"section": section.key, "revision": number})


def _keep(postmortem: Postmortem, section: SectionText, text: str, base: int, by: Actor, now: datetime) -> Revision:
    """One row for a writer and a base, however often their page saves by itself."""
    mine = Revision.objects.filter(
        postmortem=postmortem, key=section.key, is_conflict=True, settled_at=None, user_id=by.user_id, base=base
    ).first()
    if mine is None:
        return Revision.objects.create(
            postmortem=postmortem,
            key=section.key,
            number=section.revision,
            base=base,
            text=text,
            who=str(by)[:200],
            user_id=by.user_id,
            began_at=now,
            at=now,
            is_conflict=True,
        )
    mine.text, mine.number, mine.at = text, section.revision, now
    mine.save(update_fields=["text", "number", "at"])
    return mine


def settle_conflict(conflict: Revision, by: Actor, *, text: str | None, base: int) -> Saved | None:
    """Take it up as `text` (perhaps put together by hand), or let it go (None). It stays in the history."""
    with transaction.atomic():
        saved = None
        if text is not None:
            saved = save_section(conflict.postmortem, conflict.key, text, base, by)
            if saved.conflict is not None:
                return saved
        Revision.objects.filter(pk=conflict.pk, settled_at=None).update(settled_at=clock.now())
        audit.record(by, "settle conflict", "post-mortem", str(conflict.postmortem), {"taken": text is not None})
    return saved


# --- the timeline ---


def import_stars(postmortem: Postmortem, by: Actor) -> int:
    """Entries of the incident's timeline with a star that are not here yet. How many came."""
    with transaction.atomic():
        current = locked(postmortem)
        had = TimelineRow.objects.filter(postmortem=current)
        known = set(had.exclude(entry=None).values_list("entry_id", flat=True))
        stars = Star.objects.filter(entry__incident=current.incident).exclude(entry__in=known)
        found = stars.select_related("entry").order_by("entry__happened_at", "entry_id")[: ROWS_MAX - had.count()]
        rows = [_row(current, star.entry) for star in found]
        TimelineRow.objects.bulk_create(rows, ignore_conflicts=True)
        if rows:
            changed(current)
            audit.record(by, "import timeline", "post-mortem", str(current), {"entries": len(rows)})
    return len(rows)


def _row(postmortem: Postmortem, entry: Entry) -> TimelineRow:
    """What it says now: the last amendment counts. Its evidence: where it stands in the room, and files beside it."""
    amended = entry.amendments.order_by("-id").first()
    number = postmortem.incident.number
    room = reverse("incidents:room", args=[number])
    evidence: list[dict[str, Any]] = [{"text": f"entry of {entry.at:%H:%M} UTC", "url": f"{room}#entry-{entry.pk}"}]
    evidence += [
        {"text": file.name, "url": reverse("incidents:file", args=[number, file.file_id, file.name])}
        for file in entry.attachments.all()[:10]
    ]
    return TimelineRow(
        postmortem=postmortem,
        entry=entry,
        happened_at=entry.happened_at,
        text=(amended or entry).text,
        who=entry.who,
        evidence=evidence,
    )


def add_row(postmortem: Postmortem, happened_at: datetime, text: str, by: Actor) -> TimelineRow:
    said = _said(text)
    with transaction.atomic():
        current = locked(postmortem)
        if TimelineRow.objects.filter(postmortem=current).count() >= ROWS_MAX:
            raise ValueError(f"{ROWS_MAX} moments are enough for one story")
        if happened_at > clock.now():
            raise ValueError("it lies in the future: give a moment that has been")
        row = TimelineRow.objects.create(postmortem=current, happened_at=happened_at, text=said, who=str(by)[:200])
        changed(current)
        audit.record(by, "add moment", "post-mortem", str(current), {"row": row.pk})
    return row


def change_row(row: TimelineRow, text: str, by: Actor) -> None:
    """The words of the story; the incident's own timeline stays as it is."""
    said = _said(text)
    with transaction.atomic():
        current = locked(row.postmortem)
        if TimelineRow.objects.filter(pk=row.pk).exclude(text=said).update(text=said):
            changed(current)
            audit.record(by, "change moment", "post-mortem", str(current), {"row": row.pk, "before": row.text[:500]})


def remove_row(row: TimelineRow, by: Actor) -> None:
    """It stays known, so that the next import does not bring it back."""
    with transaction.atomic():
        current = locked(row.postmortem)
        if TimelineRow.objects.filter(pk=row.pk, removed_at=None).update(removed_at=clock.now()):
            changed(current)
            audit.record(by, "remove moment", "post-mortem", str(current), {"row": row.pk})


def _said(text: str) -> str:
    said = clean_line(text, ROW_TEXT_MAX).strip()
    if not said:
        raise ValueError("write what happened")
    return said


# --- five whys ---


def add_why(postmortem: Postmortem, parent: int, text: str, by: Actor) -> None:
    with transaction.atomic():
        current = locked(postmortem)
        nodes = whys.added(whys.read(current.why), parent, clean_line(text, whys.TEXT_MAX, is_one_line=True))
        Postmortem.objects.filter(pk=current.pk).update(why=whys.write(nodes))
        changed(current)
        audit.record(by, "ask why", "post-mortem", str(current))


def remove_why(postmortem: Postmortem, node: int, by: Actor) -> None:
    with transaction.atomic():
        current = locked(postmortem)
        nodes = whys.read(current.why)
        left = whys.without(nodes, node)
        if len(left) < len(nodes):
            Postmortem.objects.filter(pk=current.pk).update(why=whys.write(left))
            changed(current)
            audit.record(
                by, "drop why", "post-mortem", str(current), {"texts": [n.text for n in nodes if n not in left]}
            )
