"""One composer for three audiences: the room, the stakeholders, the status page (R7).

What clients read needs the IC's approval where the severity asks for it, unless the IC wrote it. An approval is of these
very words: any change of them voids it. What was published stays as it is; a correction is another update.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from midwatch.core import audit, clock, outbox
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.people.models import User
from midwatch.respond.incidents import wording
from midwatch.respond.incidents.actions.channels import refresh_channels
from midwatch.respond.incidents.actions.promises import audience_heard
from midwatch.respond.incidents.actions.telling import tell
from midwatch.respond.incidents.actions.timeline import note
from midwatch.respond.incidents.models import (
    Audience,
    Incident,
    RoleHolding,
    Stakeholder,
    Update,
    UpdateDelivery,
    UpdateState,
)
from midwatch.respond.incidents.queries.finding import commander_of
from midwatch.respond.incidents.queries.severities import severity_rule

NEXT_MAX = timedelta(hours=24)
STAKEHOLDERS = "stakeholders"
PAGE = "statuspage:"


@dataclass(frozen=True, slots=True)
class Composed:
    """`targets`: "stakeholders", "statuspage:NAME"; the room always gets it. `components`: {"PAGE/COMPONENT": status}."""

    stage: str
    internal_text: str = ""
    external_text: str = ""
    title: str = ""
    targets: Sequence[str] = ()
    components: Mapping[str, str] = field(default_factory=dict)
    next_at: datetime | None = None


def compose_update(incident: Incident, composed: Composed, by: Actor) -> Update:
    """Publish it, or put it before the IC. Raises ValueError with a sentence."""
    now = clock.now()
    _check(incident, composed, now)
    with transaction.atomic():
        current = Incident.objects.select_for_update().get(pk=incident.pk)
        if current.closed_at is not None:
            raise ValueError(f"{incident} is closed: reopen it, or write into its post-mortem")
        update = Update.objects.create(
            incident=current,
            author_id=by.user_id,
            author_name=str(by)[:200],
            created_at=now,
            **_values(composed),
        )
        Update.objects.filter(pk=update.pk).update(text_digest=digest_of(update))
        update.refresh_from_db()
        if _needs_approval(current, update, by):
            Update.objects.filter(pk=update.pk).update(state=UpdateState.WAITING)
            note(current, "update", f"{by} wrote an update that waits for the IC", by, update=update.pk)
            sentence = f"{by} wrote an update for clients: read and approve it"
            tell(current, [commander_of(current)], sentence, f"approve/{update.pk}")
        else:
            _publish(current, update, by)
        audit.record(
            by, "write update", "incident", str(incident), {"update": update.pk, "targets": list(composed.targets)}
        )
    update.refresh_from_db()
    return update


def _values(composed: Composed) -> dict[str, object]:
    return {
        "stage": composed.stage,
        "title": clean(composed.title, wording.TITLE_MAX, is_one_line=True),
        "internal_text": clean(composed.internal_text, wording.TEXT_MAX),
        "external_text": clean(composed.external_text, wording.TEXT_MAX),
        "targets": list(dict.fromkeys(composed.targets)),
        "components": dict(composed.components),
        "next_at": composed.next_at,
    }


def _check(incident: Incident, composed: Composed, now: datetime) -> None:
    if composed.stage not in wording.STAGES:
        raise ValueError(f"{composed.stage!r} is no stage: give one of {', '.join(wording.STAGES)}")
    if not (composed.internal_text.strip() or composed.external_text.strip()):
        raise ValueError("write what is known, also when that is little")
    longest = max(len(composed.internal_text), len(composed.external_text))
    if longest > wording.TEXT_MAX or len(composed.title) > wording.TITLE_MAX:
        raise ValueError(f"at most {wording.TITLE_MAX} characters of title and {wording.TEXT_MAX:,} of text")
    if composed.next_at is not None and not now < composed.next_at <= now + NEXT_MAX:
        raise ValueError("promise the next update within 24 hours from now")
    pages = [target for target in composed.targets if target.startswith(PAGE)]
    unknown = [target for target in composed.targets if target not in pages and target != STAKEHOLDERS]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no target: give {STAKEHOLDERS} or {PAGE}NAME")
    if pages and not composed.external_text.strip():
        raise ValueError("a status page needs the text for clients")
    if pages and (incident.is_private or incident.is_drill):
        what = "a private incident" if incident.is_private else "a drill"
        raise ValueError(f"{what} is not published: take the status pages off")


def digest_of(update: Update) -> str:
    """Of everything that the IC reads before the approval: what clients and stakeholders will see, and the promise."""
    promised = update.next_at.isoformat() if update.next_at else None
    seen = [
        update.stage,
        update.title,
        update.external_text,
        sorted(update.targets),
        sorted(update.components.items()),
        update.internal_text,
        promised,
    ]
    return hashlib.sha256(json.dumps(seen, ensure_ascii=True).encode()).hexdigest()


def _needs_approval(incident: Incident, update: Update, by: Actor) -> bool:
    is_external = any(target.startswith(PAGE) for target in update.targets) or bool(update.external_text.strip())
    if not is_external or not severity_rule(incident.severity).is_approval_demanded:
        return False
    return not is_commander(incident, by)


def is_commander(incident: Incident, by: Actor) -> bool:
    return RoleHolding.objects.filter(incident=incident, role="ic", user=by.user_id, ended_at=None).exists()


def change_update(update: Update, composed: Composed, by: Actor) -> Update:
    """Other words for one that waits or was refused: it is put before the IC anew. Raises ValueError with a sentence."""
    _check(update.incident, composed, clock.now())
    with transaction.atomic():
        changed = Update.objects.filter(
            pk=update.pk, state__in=[UpdateState.WAITING, UpdateState.REFUSED, UpdateState.DRAFT]
        ).update(state=UpdateState.WAITING, answered_by="", answered_at=None, why_refused="", **_values(composed))
        if not changed:
            raise ValueError("it is published: write another one")
        update.refresh_from_db()
        Update.objects.filter(pk=update.pk).update(text_digest=digest_of(update))
        note(update.incident, "update", f"{by} changed the update that waits", by, update=update.pk)
        audit.record(by, "change update", "incident", str(update.incident), {"update": update.pk})
    update.refresh_from_db()
    return update


def approve_update(update: Update, by: Actor, *, digest: str) -> Update:
    """The IC read these very words. Raises ValueError when they have changed since, or by anybody else."""
    with transaction.atomic():
        incident = Incident.objects.select_for_update().get(pk=update.incident_id)
        current = Update.objects.select_for_update().get(pk=update.pk)
        if not is_commander(incident, by):
            raise ValueError(f"{commander_of(incident)} is the IC: the approval is theirs")
        if current.state != UpdateState.WAITING:
            raise ValueError(f"this update is {current.get_state_display().lower()} already")
        if digest != current.text_digest:
            raise ValueError("its words were changed after you opened it: read it again")
        Update.objects.filter(pk=update.pk).update(answered_by=str(by)[:200], answered_at=clock.now())
        _publish(incident, current, by)
        audit.record(by, "approve update", "incident", str(incident), {"update": update.pk})
    current.refresh_from_db()
    return current


def refuse_update(update: Update, by: Actor, why: str) -> Update:
    if not why.strip():
        raise ValueError("say what should be different")
    with transaction.atomic():
        if not is_commander(update.incident, by):
            raise ValueError(f"{commander_of(update.incident)} is the IC: the answer is theirs")
        changed = Update.objects.filter(pk=update.pk, state=UpdateState.WAITING).update(
            state=UpdateState.REFUSED,
            answered_by=str(by)[:200],
            answered_at=clock.now(),
            why_refused=clean(why, 500),
        )
        if changed:
            note(update.incident, "update", f"{by} sent the update back: {why}", by, update=update.pk)
            audit.record(by, "refuse update", "incident", str(update.incident), {"update": update.pk})
            author = User.objects.filter(pk=update.author_id).first() if update.author_id else None
            tell(
                update.incident,
                [author] if author else [],
                f"{by} sent your update back: {why}",
                f"refused/{update.pk}",
            )
    update.refresh_from_db()
    return update


def _publish(incident: Incident, update: Update, by: Actor) -> None:
    now = clock.now()
    Update.objects.filter(pk=update.pk).update(state=UpdateState.PUBLISHED, published_at=now)
    text = update.internal_text.strip() or update.external_text
    note(incident, "update", f"{update.stage}: {text}", by, update=update.pk, targets=update.targets)
    pages = [target for target in update.targets if target.startswith(PAGE)]
    _write_deliveries(incident, update, now)
    if update.internal_text.strip() or STAKEHOLDERS in update.targets:
        audience_heard(incident, Audience.INTERNAL, now, update.next_at)
    if pages or _has_external(update):
        audience_heard(incident, Audience.EXTERNAL, now, update.next_at)
    if pages:
        outbox.emit("incident.update_published", {"incident": incident.pk, "update": update.pk})
    refresh_channels(incident)  # they show when the next one is due


def _has_external(update: Update) -> bool:
    return UpdateDelivery.objects.filter(update=update, stakeholder__audience=Audience.EXTERNAL).exists()


def _write_deliveries(incident: Incident, update: Update, now: datetime) -> None:
    """A row for each stakeholder who asked to hear of such an incident; sent by the engine."""
    if STAKEHOLDERS not in update.targets or incident.is_private:
        return
    wanted = Stakeholder.objects.filter(
        Q(service=None) | Q(service=incident.service),
        Q(team=None) | Q(team=incident.team),
        removed_at=None,
        severity_at_most__gte=incident.severity,
    )
    if incident.is_drill or not update.external_text.strip():
        wanted = wanted.filter(audience=Audience.INTERNAL)
    UpdateDelivery.objects.bulk_create(
        [UpdateDelivery(update=update, stakeholder=stakeholder, due_at=now) for stakeholder in wanted],
        ignore_conflicts=True,
    )
