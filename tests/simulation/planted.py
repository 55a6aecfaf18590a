"""Bugs to plant in the real code, each what somebody might write, or has written elsewhere. The simulation must find them.

`midwatch-sim --scene SCENE --import TESTS/simulation:planted/NAME` plants one in every worker; the product itself knows
nothing of it. `test_mutations.BUGS` says in which scene each is found, and by which promise.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from midwatch.core import clock, leases
from midwatch.core.models import OutboxEvent
from midwatch.core.rows import insert_rows
from midwatch.engine import events, reactions
from midwatch.engine.pools import ChannelPool
from midwatch.intake import sqlite_log
from midwatch.intake.models import Offset
from midwatch.respond.alerts.actions import people
from midwatch.respond.alerts.models import Alert, AlertStatus, TimelineEntry
from midwatch.respond.escalation import decide
from midwatch.respond.escalation.actions import answers, running, starting
from midwatch.respond.notify.actions import claiming, deliveries, pages
from midwatch.respond.notify.models import Delivery, DeliveryState
from midwatch.respond.oncall import queries as oncall_queries

PLANTED: dict[str, Callable[[], None]] = {}


def planted(plant: Callable[[], None]) -> Callable[[], None]:
    PLANTED[plant.__name__] = plant
    return plant


def plant(name: str) -> None:
    PLANTED[name]()


@planted
def lease_never_expires() -> None:
    """A row that a dead node had claimed is nobody's for ever."""

    def claim(due: Any, *, now: datetime, lease: timedelta, limit: int, values: Any = (), **narrow: int) -> list[Any]:
        with transaction.atomic(savepoint=False):
            queryset = due.queryset(now, *values).filter(**narrow) if isinstance(due, leases.Claimable) else due
            rows = list(queryset.filter(claimed_until=None)[:limit])
            queryset.model._default_manager.filter(pk__in=[row.pk for row in rows]).update(claimed_until=now + lease)
            for row in rows:
                row.claimed_until = now + lease
        return rows

    leases.claim = claim


@planted
def receipt_before_send() -> None:
    """The message is written down as handed over before it is: a crash between loses it."""
    mark, born = claiming._mark, claiming._claimed_at_birth

    def marks(leaving: Any, by: str, now: datetime) -> None:
        mark(leaving, by, now)
        for one in leaving:
            Delivery.objects.filter(pk=one.pk).update(
                state=DeliveryState.HANDED_OVER, handed_over_at=now, finished_at=now, claimed_until=None
            )
        pages.handed_over(leaving, now)

    def at_birth(deliveries: Any, outlet: Any, now: datetime) -> list[Delivery]:
        leaving = born(deliveries, outlet, now)
        for one in leaving:
            one.state, one.handed_over_at, one.finished_at = DeliveryState.HANDED_OVER, now, now
        pages.handed_over(leaving, now)
        return leaving

    claiming._mark = marks
    claiming._claimed_at_birth = at_birth


@planted
def ack_race() -> None:
    """Looks first, then writes: two people who press at once both have it."""
    acknowledge = people.acknowledge_alert

    def acknowledges(alert: Alert, by: Any) -> Any:
        if Alert.objects.get(pk=alert.pk).status != AlertStatus.FIRING:
            return acknowledge(alert, by)
        with transaction.atomic():
            Alert.objects.filter(pk=alert.pk).exclude(status=AlertStatus.RESOLVED).update(
                status=AlertStatus.ACKNOWLEDGED, acknowledged_at=clock.now(), acknowledged_by_id=by.user_id
            )
            people.note(alert.pk, "acknowledged", f"{by} acknowledged", by, via=by.via)
            people.audit.record(by, "acknowledge", "alert", str(alert))
            people.outbox.emit("alert.acknowledged", {"alert": alert.pk, "by": by.user_id})
        return people.Outcome(people.fresh(alert), is_changed=True, sentence="taken")

    _everywhere("acknowledge_alert", acknowledge, acknowledges)


@planted
def one_repeat_too_few() -> None:
    """Off by one: the last round never begins."""
    after = decide._after_the_last_step

    def early(facts: decide.Facts) -> Any:
        return after(replace(facts, rounds_limit=facts.rounds_limit - 1))

    decide._after_the_last_step = early


@planted
def repeat_sends_nothing() -> None:
    """The idempotency key forgets the round, so that a repeat is taken for the same page."""

    def origin_of(escalation: Any, step: object) -> str:
        return f"{escalation.pk}/{step}"

    _everywhere("origin_of", running.origin_of, origin_of)


@planted
def handoff_in_utc() -> None:
    """The rota counts hours of UTC from its start, so a change of the clocks moves every hand-off."""
    value = oncall_queries.layer_value

    def layer_value(layer: Any, turns: Any) -> Any:
        found = value(layer, turns)
        zone = ZoneInfo(layer.schedule.time_zone)
        shift = clock.now().astimezone(zone).utcoffset() - found.start.replace(tzinfo=zone).utcoffset()
        return replace(found, start=found.start + shift)

    oncall_queries.layer_value = layer_value


@planted
def poison_stops_the_log() -> None:
    """An event that fails is tried again, and again."""
    events._take_one = lambda: 0


@planted
def log_ids_are_reused() -> None:
    """Without AUTOINCREMENT an emptied log begins with 1 again, below the offset."""
    sqlite_log.SCHEMA = sqlite_log.SCHEMA.replace("PRIMARY KEY AUTOINCREMENT", "PRIMARY KEY")

    def state(self: Any) -> tuple[str, int]:
        rows = self._rows("SELECT uuid, (SELECT coalesce(max(id), 0) FROM event) FROM epoch")
        return (str(rows[0][0]), int(rows[0][1])) if rows else ("", 0)

    def position(epoch: str, last: int) -> tuple[Offset, int, bool]:
        stored = Offset.objects.filter(pk=1).first() or Offset(pk=1)
        return stored, stored.offset if stored.epoch == epoch else 0, False

    sqlite_log.SqliteLog._state = state
    sqlite_log.SqliteLog._position = staticmethod(position)


@planted
def passed_on_step_is_lost() -> None:
    """Every method failed, and nobody tells the escalation: it waits for a hand-over that never comes."""
    facts_of = running._facts
    reactions.REACTIONS = {**reactions.REACTIONS, "page.failed": {}}
    decide.HAND_OVER_WITHIN = timedelta(days=1)
    running._facts = lambda escalation, batch: replace(facts_of(escalation, batch), has_failed=False)


@planted
def given_back_is_forgotten() -> None:
    """Who gives an alert back changes its state, and nothing follows."""
    reactions.REACTIONS = {**reactions.REACTIONS, "alert.unacknowledged": {}}


@planted
def reaction_is_done_before_it_is() -> None:
    """What follows is marked as done in a transaction of its own: a crash between loses it."""

    def in_two(event: Any, further: list[Any]) -> list[Any]:
        with transaction.atomic():
            mine = OutboxEvent.objects.filter(pk=event.pk, done_at=None, claimed_until=event.claimed_until)
            is_mine = mine.update(done_at=clock.now(), claimed_until=None)
        if is_mine:
            with transaction.atomic():
                reactions.follow_up(event)
                insert_rows(further)
        return further if is_mine else []

    reactions._in_one_transaction = in_two


@planted
def acknowledged_for_ever() -> None:
    """The time-out of an acknowledgement is not looked at."""
    acknowledged = decide._acknowledged
    decide._acknowledged = lambda facts: acknowledged(replace(facts, ack_timeout=None))


@planted
def refusal_is_silent() -> None:
    """A payload refused at the door is counted, and shown to nobody."""
    once = events._once_a_source

    def some(problems: Any) -> Any:
        return once([one for one in problems if one[1] != events.Kind.REFUSED_AT_THE_DOOR])

    events._once_a_source = some


@planted
def joined_alert_is_forgotten() -> None:
    """The first of a group resolves, and those that paged with it are nobody's."""
    answers._promote = lambda _leader, _called=(): None


@planted
def timeline_is_overwritten() -> None:
    """The newest entry takes the place of the one before."""
    write = starting.note_many

    def note_many(entries: Any) -> None:
        found = list(entries)
        for one in found:
            old = TimelineEntry.objects.filter(alert_id=one.alert_id, kind="delivery").order_by("id").first()
            if one.kind == "delivery" and old is not None:
                TimelineEntry.objects.filter(pk=old.pk).update(text=one.text)
        write(found)

    deliveries.note_many = note_many


@planted
def answered_pages_leave() -> None:
    """A message that waits is sent although somebody has the alert."""
    claiming._is_answered = lambda _delivery: False
    _everywhere("stop_pages", pages.stop_pages, lambda _ids, **_more: [])


@planted
def receipts_are_dropped() -> None:
    """What came back while the pool was busy is thrown away: the lease runs out, and it is sent again."""
    written = ChannelPool._write

    def write(self: Any) -> bool:
        if len(self._sent) % 3 == 1:
            self._sent.clear()
        return written(self)

    ChannelPool._write = write


@planted
def event_counts_twice() -> None:
    """The offset moves in a transaction of its own, after the alerts: a crash between repeats the batch."""

    def move(stored: Offset, epoch: str, offset: int, items: int) -> None:
        def later() -> None:
            with transaction.atomic():
                Offset.objects.update_or_create(pk=1, defaults={"epoch": epoch, "offset": offset, "items_done": items})

        transaction.on_commit(later)

    sqlite_log.SqliteLog._move = staticmethod(move)


def _everywhere(name: str, old: object, new: object) -> None:
    """In every module that took it by name."""
    modules = sys.modules
    for module in [one for key, one in modules.items() if key.startswith("midwatch.")]:
        if getattr(module, name, None) is old:
            setattr(module, name, new)
