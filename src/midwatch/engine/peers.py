"""Two installations watch each other: each asks the other's `/readyz` how its last canary is, and pages when it is not well.

Where the other is down, cut off, stuck or paging nobody, it cannot say so itself. Administrators here are told once, by a
page that resolves when the other is well again. The answer tells no secret, so nothing has to be shared but the address.
"""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models import Q

from midwatch.core import clock, net
from midwatch.core.actor import ENGINE
from midwatch.engine import canary_metrics
from midwatch.engine.models import Peer
from midwatch.respond.alerts.actions import resolve_alert
from midwatch.respond.alerts.models import OPEN, Alert
from midwatch.respond.escalation.actions import page_administrators
from midwatch.settings import settings

BAD_MAX = 4  # checks in a row: two minutes by default, so that an upgrade or a restart there wakes nobody here
GOOD_MIN = 4  # checks in a row before it counts as back: one that comes and goes is one page, not many
CANARY_SECONDS_MAX = 150.0  # a canary flies each minute and has 30 s: two were missed
TIMEOUT_SECONDS = 10.0
ANSWER_BYTES_MAX = 20_000


def check_due() -> int:
    """The engine, about once a second: asks those whose time has come. Returns how many."""
    urls = settings().peer_url
    if not urls:
        return 0
    now = clock.now()
    known = {peer.url: peer for peer in Peer.objects.filter(url__in=urls)}
    missing = [Peer(url=url) for url in urls if url not in known]
    if missing:
        with transaction.atomic():
            Peer.objects.bulk_create(missing, ignore_conflicts=True)
            Peer.objects.exclude(url__in=urls).delete()
    before = now - timedelta(seconds=settings().peer_seconds)
    due = Peer.objects.filter(url__in=urls).filter(Q(checked_at=None) | Q(checked_at__lte=before))
    return sum(_check(peer) for peer in due)


def _check(peer: Peer) -> int:
    with transaction.atomic():
        is_mine = Peer.objects.filter(pk=peer.pk, checked_at=peer.checked_at).update(checked_at=clock.now())
    if not is_mine:
        return 0  # another node asks
    problem = ask(peer.url)
    canary_metrics.PEER_UP.labels(name_of(peer.url)).set(0 if problem else 1)
    with transaction.atomic():
        found = Peer.objects.select_for_update(of=("self",)).get(pk=peer.pk)
        if problem:
            _bad(found, problem)
        else:
            _good(found)
    return 1


def name_of(url: str) -> str:
    """Host and port: what may stand in a title and a metric."""
    return urlsplit(url).netloc.rpartition("@")[2]


def ask(url: str) -> str:
    """ "" when it is well, else what is wrong, in words."""
    try:
        answer = net.http("GET", f"{url}/readyz", is_trusted=True, timeout_seconds=TIMEOUT_SECONDS)
        said = json.loads(answer.body[:ANSWER_BYTES_MAX])
    except net.NetError as error:
        return f"it does not answer: {error}"
    except ValueError:
        return f"it answers {answer.status}, and not as a Midwatch does: give the base address of one"
    return judge(said)


def judge(said: object) -> str:
    """What the body of `/readyz` says of an installation; "" when all is well. Pure."""
    if not isinstance(said, dict) or "engine" not in said:
        return "its answer is not that of a Midwatch: give the base address of one"
    if not said.get("ready"):
        problems = said.get("problems")
        return (
            f"it is not ready: {'; '.join(map(str, problems))[:300]}"
            if isinstance(problems, list)
            else "it is not ready"
        )
    if said["engine"] != "ticking":
        return f"its engine is {str(said['engine'])[:100]}"
    if said.get("hold"):
        return "its paging is on hold since a restore"
    flown = said.get("canary")
    if not isinstance(flown, dict) or flown.get("state") == "off":
        return ""  # it ticks, and has no canary to say more
    age = flown.get("age_seconds")
    if age is None:
        return "none of its canaries has arrived yet"
    if not isinstance(age, int | float) or age > CANARY_SECONDS_MAX:
        return f"its last canary that arrived is {age} s old: {str(flown.get('problem') or 'none flies')[:200]}"
    return ""


def _bad(peer: Peer, problem: str) -> None:
    now = clock.now()
    bad = peer.bad_count + 1
    alert = peer.alert
    if bad >= BAD_MAX and peer.bad_count < BAD_MAX and (alert is None or alert.status not in OPEN):
        since = f"since {peer.well_at:%Y-%m-%d %H:%M} UTC" if peer.well_at is not None else "since it is watched"
        alert = page_administrators(
            f"The Midwatch at {name_of(peer.url)} is not well: pages from there may not go out",
            ENGINE,
            priority="P1",
            description=f"This installation watches it and has found it unwell {bad} times in a row, {since}: {problem}.",
        )
    Peer.objects.filter(pk=peer.pk).update(
        bad_count=bad, good_count=0, problem=problem[:500], alert=alert, checked_at=now
    )


def _good(peer: Peer) -> None:
    now = clock.now()
    good = peer.good_count + 1
    is_back = good >= GOOD_MIN
    if is_back and peer.alert is not None and peer.alert.status in OPEN:
        resolve_alert(Alert.objects.get(pk=peer.alert.pk), ENGINE)
    Peer.objects.filter(pk=peer.pk).update(
        good_count=good,
        well_at=now,
        problem="",
        # One good answer between bad ones starts no new count while its alert is open: that would be a new page.
        bad_count=0 if is_back or peer.bad_count < BAD_MAX else peer.bad_count,
    )
