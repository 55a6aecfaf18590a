"""Opening by rule or by hand, waiving with a reason, reopening."""

from __future__ import annotations

from django.db import transaction

from midwatch.core import audit, clock, outbox
from midwatch.core.actor import ENGINE, Actor
from midwatch.core.text import clean
from midwatch.learn.postmortems import deadlines
from midwatch.learn.postmortems.actions.common import changed, locked, looked_at
from midwatch.learn.postmortems.actions.writing import import_stars
from midwatch.learn.postmortems.models import Postmortem, State
from midwatch.learn.postmortems.sections import newest
from midwatch.respond.incidents.actions import set_lesson
from midwatch.respond.incidents.models import Incident, Lesson
from midwatch.respond.incidents.queries import commander_of, demands_postmortem

TEMPLATE = "standard"


def on_incident_resolved(incident_id: int) -> Postmortem | None:
    """Reaction to "incident.resolved" (and to what may make a resolved one qualify): in that reaction's transaction."""
    incident = Incident.objects.filter(pk=incident_id).first()
    if incident is None or incident.resolved_at is None or not demands_postmortem(incident):
        return None
    return open_postmortem(incident, ENGINE)


def open_postmortem(incident: Incident, by: Actor, *, template: str = TEMPLATE) -> Postmortem:
    """Its owner is the IC; the meeting is due in a week. Twice is once. Raises TemplateError, a ValueError."""
    chosen = newest(template)
    now = clock.now()
    with transaction.atomic():
        if incident.resolved_at is None:
            raise ValueError(f"{incident} is not resolved yet: restore the service first")
        due = deadlines.due_at(now)
        made, is_new = Postmortem.objects.get_or_create(
            incident=incident,
            defaults={
                "template_name": chosen.name,
                "template_version": chosen.version,
                "owner": commander_of(incident),
                "opened_at": now,
                "due_at": due,
                "late_at": deadlines.late_at(now),
                "remind_at": deadlines.first_reminder_at(due),
            },
        )
        if is_new:
            import_stars(made, by)
            set_lesson(incident, Lesson.OPEN, by)
            audit.record(by, "open post-mortem", "incident", str(incident), {"template": template})
            outbox.emit("postmortem.opened", {"postmortem": made.pk, "incident": incident.pk})
    return made


def use_template(postmortem: Postmortem, name: str, by: Actor) -> None:
    """Another template, or the newest version of this one. Texts of sections it does not have stay in the history."""
    chosen = newest(name)
    with transaction.atomic():
        current = locked(postmortem)
        Postmortem.objects.filter(pk=current.pk).update(template_name=chosen.name, template_version=chosen.version)
        changed(current)
        audit.record(by, "choose template", "post-mortem", str(current), {"template": f"{name}-{chosen.version}"})


def waive(postmortem: Postmortem, by: Actor, why: str) -> None:
    """None is written, and the record says who decided so and why (R10). Raises ValueError with a sentence."""
    said = clean(why, 500).strip()
    if len(said) < 10:
        raise ValueError("say why nothing is to be learned here, in a sentence: it stays on record")
    now = clock.now()
    with transaction.atomic():
        current = locked(postmortem)
        Postmortem.objects.filter(pk=current.pk).update(
            state=State.WAIVED, waived_at=now, waived_by=str(by)[:200], waived_why=said, remind_at=None
        )
        set_lesson(current.incident, Lesson.WAIVED, by, why=said)
        audit.record(by, "waive", "post-mortem", str(current), {"why": said})
        outbox.emit("postmortem.waived", {"postmortem": current.pk, "incident": current.incident_id})
        looked_at(current)


def reopen(postmortem: Postmortem, by: Actor) -> None:
    """A waived one after all, or a published one that was wrong: what went out stays out, and the next version follows."""
    now = clock.now()
    with transaction.atomic():
        current = locked(postmortem, open_only=False)
        if current.is_open:
            return
        due = deadlines.due_at(now)
        Postmortem.objects.filter(pk=current.pk).update(
            state=State.DRAFT,
            waived_at=None,
            waived_by="",
            waived_why="",
            published_at=None,
            reviewed_at=None,
            due_at=due,
            late_at=deadlines.late_at(now),
            remind_at=deadlines.first_reminder_at(due),
        )
        current.state = State.DRAFT
        changed(current)
        set_lesson(current.incident, Lesson.OPEN, by)
        audit.record(by, "reopen", "post-mortem", str(current))
