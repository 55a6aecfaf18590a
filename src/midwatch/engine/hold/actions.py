"""Beginning and ending a hold. One hold is open at a time as a rule; an act on it means all that are open."""

from __future__ import annotations

import logging
import secrets
from datetime import datetime, timedelta
from pathlib import Path

from django.db import transaction

from midwatch.core import audit, clock, restore_mark, wake
from midwatch.core.actor import ENGINE, Actor
from midwatch.core.statements import Select
from midwatch.engine.hold.gate import forget
from midwatch.engine.hold.queries import summary
from midwatch.engine.hold.resume import resume
from midwatch.engine.models import Hold
from midwatch.respond.alerts.actions import resolve_alert
from midwatch.respond.alerts.models import Alert, AlertStatus
from midwatch.respond.escalation.actions import page_administrators

log = logging.getLogger("midwatch.hold")
FORGOTTEN_AFTER = timedelta(minutes=15)
TOLD_AGAIN_AFTER = timedelta(hours=1)
RESTORE = "a backup was restored"


class HoldError(ValueError):
    """The hold cannot be begun or ended. The message says why and what to do."""


def adopt(data_dir: Path) -> bool:
    """What a restore left is made a hold of the database, before any engine runs. True: paging is on hold by it."""
    given = restore_mark.read(data_dir)
    if given is None:
        return False
    with transaction.atomic():
        hold, is_new = Hold.objects.get_or_create(
            token=str(given.get("token") or "unreadable")[:40],
            defaults={
                "began_at": _moment(given.get("began_at")) or clock.now(),
                "by": str(given.get("by") or "midwatch restore")[:200],
                "reason": RESTORE,
                "backup_at": _moment(given.get("backup_at")),
            },
        )
        if is_new:
            detail = {"backup_at": given.get("backup_at", "")}
            audit.record(Actor(hold.by, "cli"), "hold paging", "installation", "restore", detail)
    forget()
    restore_mark.remove(data_dir)
    log.warning("paging is on hold since a restore: `midwatch restore --list` shows what waits, --release pages it")
    return True


def _moment(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def begin(by: Actor, reason: str) -> None:
    """By hand: after a snapshot or a point-in-time recovery, which no `midwatch restore` made. Raises `HoldError`."""
    with transaction.atomic():
        if Hold.objects.filter(released_at=None).exists():
            raise HoldError("paging is on hold already: `midwatch restore --list` shows it")
        Hold.objects.create(
            token=secrets.token_hex(16), began_at=clock.now(), by=str(by)[:200], reason=reason[:300] or "by hand"
        )
        audit.record(by, "hold paging", "installation", "by hand", {"reason": reason[:300]})
    forget()


def release(by: Actor) -> int:
    """Page what is due. Returns how many alerts that is about. Raises `HoldError`."""
    now = clock.now()
    with transaction.atomic():
        holds = _open_holds()
        if any(hold.dropped_at for hold in holds):
            raise HoldError("this restore was dropped as a drill and never pages: restore the backup again to use it")
        waiting = summary().alerts_count
        Hold.objects.filter(pk__in=[hold.pk for hold in holds]).update(released_at=now, released_by=str(by)[:200])
        resume(now)
        _end_page(holds)
        audit.record(
            by, "release hold", "installation", "paging", {"alerts": waiting, "since": holds[0].began_at.isoformat()}
        )
        transaction.on_commit(wake.wake)
    forget()
    return waiting


def drop(by: Actor) -> None:
    """The restore was a drill: what it holds is never paged, and nobody is told any more. Raises `HoldError`."""
    with transaction.atomic():
        holds = _open_holds()
        fresh = [hold.pk for hold in holds if hold.dropped_at is None]
        Hold.objects.filter(pk__in=fresh).update(dropped_at=clock.now(), dropped_by=str(by)[:200])
        _end_page(holds)
        audit.record(by, "drop restore", "installation", "paging", {"since": holds[0].began_at.isoformat()})
    forget()


def _open_holds() -> list[Hold]:
    found = list(Hold.objects.select_for_update(of=("self",)).filter(released_at=None).order_by("began_at"))
    if not found:
        raise HoldError("paging is not on hold: there is nothing to release")
    return found


def _end_page(holds: list[Hold]) -> None:
    for alert in Alert.objects.filter(pk__in=[hold.alert_id for hold in holds if hold.alert_id]):
        resolve_alert(alert, ENGINE)


_STANDING = Select(lambda: Hold.objects.filter(released_at=None).select_related("alert").order_by("began_at", "pk")[:1])


def remind() -> int:
    """A hold that is forgotten is worse than a page too many: after a quarter of an hour administrators are paged.

    Until one answers, as any page; when it was resolved and the hold still stands, anew after an hour.
    """
    now = clock.now()
    hold = next(iter(_STANDING()), None)
    if hold is None or hold.dropped_at is not None or now - hold.began_at < FORGOTTEN_AFTER:
        return 0
    is_open = hold.alert is not None and hold.alert.status != AlertStatus.RESOLVED
    if is_open or (hold.told_at is not None and now - hold.told_at < TOLD_AGAIN_AFTER):
        return 0
    with transaction.atomic():
        alert = page_administrators(
            f"Paging is on hold since {hold.began_at:%H:%M} UTC: nobody is paged until it is released",
            ENGINE,
            description=f"{hold.reason[:1].upper()}{hold.reason[1:]}. {summary().sentence} Look at Settings, Paging on hold, "
            "then release it there or with `midwatch restore --release`; if it was a drill, `midwatch restore --drop`.",
        )
        Hold.objects.filter(pk=hold.pk).update(alert=alert, told_at=now)
    forget()
    return 1
