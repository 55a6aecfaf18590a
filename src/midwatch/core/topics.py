"""Topics: "something about this changed", for pages that are open.

    topics.touch("incident:42")          # in the transaction that changes it

A topic is a room's word and perhaps a key, "incident:42". A message never says what changed: whoever looks reads the page
again, so permission is asked in one place. A room that has topics has a `topics.py` with `TOPICS`; it is found by name.

On PostgreSQL a transaction that began earlier may become visible later, so ids come out of order: `Reader` waits for those
that are missing, and `changed` looks back a little further than it was asked to.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.db import transaction
from django.db.models import Max, Q

from midwatch.core import clock, wake
from midwatch.core.models import Presence, TopicEvent
from midwatch.core.rows import insert_rows
from midwatch.lifecycle import LIFECYCLE

WAKE = "topics"  # what listeners of `core.wake` listen for
NAME = re.compile(r"[a-z][a-z0-9-]{0,30}(?::[A-Za-z0-9_.-]{1,60})?")
LATE = timedelta(
    seconds=40
)  # a statement may take 30 s, an idle transaction 3 s; then a missing id will not come any more
READ_MAX = 5_000
KEPT = timedelta(hours=1)
PRESENT = timedelta(seconds=90)
SEEN_AGAIN = timedelta(seconds=40)  # at most one write in that time for a person and a topic
PRESENT_MAX = 50


@dataclass(frozen=True, slots=True)
class Topic:
    """What can be followed. `may_follow(user, key)`: asked at the start and every quarter of a minute; the key is "" for a
    topic without one. `has_presence`: who has it open is kept (`present`)."""

    prefix: str
    may_follow: Callable[[Any, str], bool]
    has_presence: bool = False


@cache
def known() -> dict[str, Topic]:
    """Every room's, by prefix."""
    found: list[Topic] = []
    for step in LIFECYCLE:
        name = f"midwatch.{step.package}.topics"
        if step.package != "core" and importlib.util.find_spec(name) is not None:
            found.extend(importlib.import_module(name).TOPICS)
    return {topic.prefix: topic for topic in found}


def may_follow(user: Any, topic: str) -> bool:
    """No for what nobody knows, as for what this person may not see."""
    prefix, _, key = topic.partition(":")
    found = known().get(prefix)
    return found is not None and NAME.fullmatch(topic) is not None and found.may_follow(user, key)


def has_presence(topic: str) -> bool:
    found = known().get(topic.partition(":")[0])
    return found is not None and found.has_presence


# --- what changed ---


def touch(*names: str) -> None:
    """These changed. Call it in the transaction that changes them; who looks is told after the commit."""
    if not names:
        return
    assert all(NAME.fullmatch(name) for name in names), f"a topic is a word, or word:key, not {names}"
    now = clock.now()
    insert_rows([TopicEvent(topic=name, at=now) for name in dict.fromkeys(names)])
    transaction.on_commit(_wake)


def _wake() -> None:
    wake.wake(WAKE)


def latest() -> int:
    """The position to read on from; 0 when nothing ever changed."""
    return TopicEvent.objects.aggregate(last=Max("pk"))["last"] or 0


def changed(names: Collection[str], after: int) -> list[str]:
    """Which of these changed since that position; perhaps one more, never one less. An unknown position: all of them."""
    at = TopicEvent.objects.filter(pk=after).values_list("at", flat=True).first()
    if at is None:
        return sorted(names)
    since = TopicEvent.objects.filter(topic__in=names).filter(Q(pk__gt=after) | Q(at__gte=at - LATE, pk__lt=after))
    return sorted(since.values_list("topic", flat=True).distinct())


class Reader:
    """Reads what is new, from its making on. One for a process; not for several threads."""

    def __init__(self) -> None:
        recent = TopicEvent.objects.filter(at__gte=clock.now() - LATE).values_list("pk", flat=True)
        now = clock.monotonic()
        self._seen = dict.fromkeys(recent, now)
        self._floor = min(self._seen) - 1 if self._seen else latest()
        self.position = max(self._seen, default=self._floor)

    def read(self) -> set[str] | None:
        """The topics that changed since the last call; None: so many that nobody should rely on a list."""
        rows = list(TopicEvent.objects.filter(pk__gt=self._floor).order_by("pk").values_list("pk", "topic")[:READ_MAX])
        now = clock.monotonic()
        new = [(key, topic) for key, topic in rows if key not in self._seen]
        self._seen.update((key, now) for key, _ in new)
        self._advance(now)
        if len(rows) == READ_MAX:
            self._floor = self.position = latest()
            self._seen.clear()
            return None
        self.position = max(self.position, *(key for key, _ in new)) if new else self.position
        return {topic for _, topic in new}

    def _advance(self, now: float) -> None:
        """Over what is complete: each id came, or is missing for so long that it was rolled back."""
        for key in sorted(self._seen):
            if key != self._floor + 1 and now - self._seen[key] < LATE.total_seconds():
                return
            del self._seen[key]
            self._floor = key


# --- who looks ---


def see(user_id: int, names: Iterable[str]) -> None:
    """This person has them open. Says so again every quarter of a minute; written at most every `SEEN_AGAIN`."""
    wanted = [name for name in names if has_presence(name)]
    if not wanted:
        return
    now = clock.now()
    rows = Presence.objects.filter(topic__in=wanted, user_id=user_id).values_list("topic", "seen_at")
    seen: dict[str, datetime] = dict(rows)
    stale = [name for name in wanted if name not in seen or seen[name] < now - SEEN_AGAIN]
    if not stale:
        return
    arrived = [name for name in stale if name not in seen or seen[name] < now - PRESENT]
    with transaction.atomic():
        Presence.objects.bulk_create(
            [Presence(topic=name, user_id=user_id, seen_at=now) for name in stale],
            update_conflicts=True,
            unique_fields=["topic", "user_id"],
            update_fields=["seen_at"],
        )
        touch(*arrived)


def leave(user_id: int, names: Iterable[str]) -> None:
    """This person has closed them. Without it they are gone after `PRESENT`."""
    wanted = [name for name in names if has_presence(name)]
    if not wanted:
        return
    with transaction.atomic():
        if Presence.objects.filter(topic__in=wanted, user_id=user_id).delete()[0]:
            touch(*wanted)


def present(name: str) -> list[int]:
    """Who has it open, by user id, those first who came to it first; at most `PRESENT_MAX`."""
    found = Presence.objects.filter(topic=name, seen_at__gte=clock.now() - PRESENT).order_by("pk")
    return list(found.values_list("user_id", flat=True)[:PRESENT_MAX])


# --- what is old ---


def forget_old(now: datetime, limit: int) -> int:
    """Events and presence of an hour ago. The last event stays: positions are counted from it."""
    with transaction.atomic():
        old = TopicEvent.objects.filter(at__lt=now - KEPT, pk__lt=latest()).order_by("at")
        events, _ = TopicEvent.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:limit])).delete()
        gone = Presence.objects.filter(seen_at__lt=now - KEPT).order_by("seen_at")
        seen, _ = Presence.objects.filter(pk__in=list(gone.values_list("pk", flat=True)[:limit])).delete()
    return events + seen
