"""Rot: what a runbook refers to is looked at once a night, a little at a time, and at once when somebody asks.

A night's round of one runbook writes an errand for each thing it refers to; the errands are done outside any transaction.
A thing that cannot be looked at from here is left unknown and counted so, never called well or broken.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q

from midwatch.catalog.models import Service
from midwatch.core import audit, clock, errands, leases, net
from midwatch.core.actor import Actor
from midwatch.core.guard import guarded
from midwatch.core.net import AddressRefused, NetError, addresses
from midwatch.core.text import clean
from midwatch.people.models import User
from midwatch.prepare.runbooks.document import DocumentError, parse
from midwatch.prepare.runbooks.models import Probe, ProbeKind, ProbeState, Round, Runbook, Secret
from midwatch.prepare.runbooks.models.trust import REASON_MAX
from midwatch.prepare.runbooks.references import Reference, references

NIGHT_HOUR = 1  # UTC; rounds are spread over the four hours after it
NIGHT = timedelta(hours=4)
SPREAD = timedelta(minutes=20)  # of one runbook's errands
TIMEOUT_SECONDS = 10.0
LEASE = timedelta(minutes=1)
NEW_MAX = 50  # runbooks that get their first round in one go
THERE = frozenset({401, 403, 405, 406, 407, 429})  # something answers, and wants to know who asks
ROUNDS = leases.Claimable(
    lambda now: (
        Round.objects.select_related("runbook__current", "runbook__owner")
        .exclude(due_at=None)
        .filter(due_at__lte=now)
        .order_by("due_at", "pk")
    )
)
DUE = errands.due(lambda: Probe.objects.select_related("runbook"))


class Found(NamedTuple):
    state: str
    sentence: str


def _share(text: str, length: timedelta) -> timedelta:
    """The same share of the time for the same text: spread, and not drawn anew each night."""
    return length * (int.from_bytes(sha256(text.encode()).digest()[:4], "big") / 2**32)


def next_night(name: str, now: datetime) -> datetime:
    tonight = now.replace(hour=NIGHT_HOUR, minute=0, second=0, microsecond=0) + _share(name, NIGHT)
    return tonight if tonight > now else tonight + timedelta(days=1)


def begin_rounds(*, limit: int = 5) -> int:
    """The engine: runbooks whose night has come; and those that never had one, a few at a time."""
    _adopt()
    found = leases.claim_due(ROUNDS, now=clock.now(), lease=LEASE, limit=limit)
    for one in found:
        guarded("round of a runbook's references", partial(_begin, one), otherwise=None)
    return len(found)


def _adopt() -> None:
    new = list(Runbook.objects.filter(is_active=True, round=None).order_by("pk")[:NEW_MAX])
    if new:
        now = clock.now()
        with transaction.atomic():
            rows = [Round(runbook=one, due_at=next_night(one.name, now)) for one in new]
            Round.objects.bulk_create(rows, ignore_conflicts=True)


def _begin(found: Round, spread: timedelta = SPREAD) -> None:
    now = clock.now()
    with transaction.atomic():
        mine = Round.objects.filter(pk=found.pk, claimed_until=found.claimed_until)
        if mine.update(due_at=next_night(found.runbook.name, now), claimed_until=None, began_at=now):
            _ask_all(found.runbook, now, spread)


def check_now(runbook: Runbook, by: Actor) -> int:
    """Somebody asks: everything it refers to is looked at as soon as a sender is free. Returns how much that is."""
    now = clock.now()
    with transaction.atomic():
        Round.objects.update_or_create(
            runbook=runbook,
            defaults={"began_at": now},
            create_defaults={"began_at": now, "due_at": next_night(runbook.name, now)},
        )
        audit.record(by, "check references", "runbook", runbook.name)
        return _ask_all(runbook, now, timedelta(0))


def _ask_all(runbook: Runbook, now: datetime, spread: timedelta) -> int:
    """The probes are what the text refers to now; what it does not any more is forgotten."""
    wanted = _references(runbook) if runbook.is_active else ()
    kept = {(one.kind, one.subject): one for one in Probe.objects.filter(runbook=runbook)}
    gone = [one.pk for key, one in kept.items() if Reference(*key) not in wanted]
    Probe.objects.filter(pk__in=gone).delete()
    new = [
        Probe(runbook=runbook, kind=one.kind, subject=one.subject)
        for one in wanted
        if (one.kind, one.subject) not in kept
    ]
    Probe.objects.bulk_create(new, ignore_conflicts=True)
    for one in Probe.objects.filter(runbook=runbook):
        at = now + _share(one.subject, spread)
        Probe.objects.filter(pk=one.pk).update(due_at=at, attempts=0)
    return len(wanted)


def _references(runbook: Runbook) -> tuple[Reference, ...]:
    found: list[Reference] = []
    if runbook.url:
        found.append(Reference(ProbeKind.URL, runbook.url))
    if runbook.owner is not None:
        found.append(Reference(ProbeKind.PERSON, runbook.owner.name))
    if runbook.service is not None:
        found.append(Reference(ProbeKind.SERVICE, runbook.service.name))
    if runbook.current is not None:
        try:
            found += references(parse(runbook.current.body))
        except DocumentError:
            return tuple(dict.fromkeys(found))  # its page says what is wrong with the text
    return tuple(dict.fromkeys(found))


# -- errands: one thing each ----------------------------------------------------------------------------------------------


def claim(limit: int) -> list[Probe]:
    return errands.claim(DUE, limit)


def probe(row: Probe) -> None:
    """Look at it, outside any transaction, and write what was found; `since` stays while the state does."""
    found = _ASK[ProbeKind(row.kind)](row)
    now = clock.now()
    errands.finish(
        row,
        state=found.state,
        sentence=clean(found.sentence, REASON_MAX, is_one_line=True),
        since=row.since if row.state == found.state and row.since is not None else now,
        checked_at=now,
    )


def _url(row: Probe) -> Found:
    """An address of configuration as code may be anything; one typed in the web goes through the guarded door."""
    try:
        answer = net.http(
            "GET",
            row.subject,
            is_trusted=row.runbook.is_trusted,
            timeout_seconds=TIMEOUT_SECONDS,
            redirects_max=3,
        )
    except AddressRefused as refusal:
        return Found(ProbeState.UNKNOWN, f"link {row.subject}: {refusal}")
    except NetError:
        return Found(ProbeState.BROKEN, f"link {row.subject} does not answer")
    if answer.status < 400 or answer.status in THERE:
        return Found(ProbeState.OK, f"link {row.subject} answers {answer.status}")
    if answer.status >= 500:
        return Found(ProbeState.BROKEN, f"link {row.subject} fails with {answer.status}")
    return Found(ProbeState.BROKEN, f"link {row.subject} answers {answer.status}")


def _host(row: Probe) -> Found:
    name = row.subject.rpartition("@")[2].split(":")[0].strip("[]")
    try:
        addresses.resolve(name, 22, TIMEOUT_SECONDS)
    except NetError as error:
        is_known = "no such host" in str(error)  # else it is the name server that does not answer
        state = ProbeState.BROKEN if is_known else ProbeState.UNKNOWN
        return Found(state, f"host {name} has no address" if is_known else f"host {error}")
    return Found(ProbeState.OK, f"host {name} has an address")


def _program(row: Probe) -> Found:
    is_there = shutil.which(row.subject) is not None
    where = "is" if is_there else "is not"
    state = ProbeState.OK if is_there else ProbeState.BROKEN
    return Found(state, f"program {row.subject} {where} on the machine of the engine")


def _person(row: Probe) -> Found:
    found = User.objects.filter(name=row.subject).first()
    if found is None:
        return Found(ProbeState.BROKEN, f"there is no {row.subject}")
    if not found.is_active:
        return Found(ProbeState.BROKEN, f"{found} left")
    return Found(ProbeState.OK, f"{found} is here")


def _service(row: Probe) -> Found:
    is_there = Service.objects.filter(name=row.subject).exists()
    state = ProbeState.OK if is_there else ProbeState.BROKEN
    return Found(state, f"service {row.subject} {'is' if is_there else 'is not'} in the catalog")


def _secret(row: Probe) -> Found:
    own = Q(team=None) | Q(team_id=row.runbook.team_id)
    is_there = Secret.objects.filter(own, name=row.subject).exists()
    state = ProbeState.OK if is_there else ProbeState.BROKEN
    return Found(state, f"secret {row.subject} {'is' if is_there else 'is not'} in the store")


_ASK: Mapping[ProbeKind, Callable[[Probe], Found]] = {
    ProbeKind.URL: _url,
    ProbeKind.HOST: _host,
    ProbeKind.PROGRAM: _program,
    ProbeKind.PERSON: _person,
    ProbeKind.SERVICE: _service,
    ProbeKind.SECRET: _secret,
}
