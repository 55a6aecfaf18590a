"""The canary: each minute a synthetic event goes the whole way of a page, and only its arrival says that Midwatch is well.

In through the lane's door with a key of its own, into the event log, out of it in order with everything else, recorded and
deduplicated in one batch with it, an alert with an escalation, a page, a message, the pool and its receipt: the same code
and tables as a real one. What is left out is the vendor's parser before and the vendor's wire behind. Its alert is a test:
no number, in no list or count; its user is hidden from everything that asks for people; both its rows and its raw event are
gone within the hour.

One canary a minute in all, whichever node is first. The one who sent it asks for the dead-man ping when it arrives.
During a restore hold none flies: nobody is paged then, so nothing outside should hear that all is well.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from midwatch.core import clock, net
from midwatch.core.actor import ENGINE
from midwatch.core.integration import NULL_CHANNEL, Event
from midwatch.engine import canary_metrics, hold
from midwatch.engine.models import Canary
from midwatch.intake import canary as door
from midwatch.intake import log as event_log
from midwatch.intake.records import CANARY, LogError, microseconds
from midwatch.people.models import CANARY_USER, ContactMethod, NotificationRule, Role, Urgency, User
from midwatch.respond.alerts.actions import Arrival, resolve_alert
from midwatch.respond.alerts.models import OPEN, Alert, Source
from midwatch.respond.escalation.actions import page_administrators
from midwatch.respond.escalation.models import Escalation
from midwatch.respond.notify.models import Page
from midwatch.settings import LANE_URL, settings

log = logging.getLogger("midwatch.canary")
ARRIVES_WITHIN = timedelta(seconds=30)
ABANDONED_AFTER = timedelta(seconds=60)  # its node ended: another one writes down how far it came
KEPT = timedelta(hours=1)
TIMES = 2  # the event is recorded so often
IN_A_ROW = 2  # so many failures before somebody is told, so many arrivals before it is over
DOOR_SECONDS = 10.0
PREFIX = "midwatch/canary/"
TITLE = "Midwatch's own canary does not arrive: pages may not go out"
Enter = Callable[[str], None]  # sends one with this token; raises DoorError


class DoorError(Exception):
    """The canary was not let in. The text says why."""


# -- the way in ----------------------------------------------------------------------------------------------------------


def way_in() -> Enter | None:
    """By HTTP through the lane that runs beside us, or at the address that was set; an engine that is alone on
    PostgreSQL writes it into the event log itself. None: it is off, or there is no way."""
    own = settings()
    if own.canary == "off":
        return None
    address = os.environ.get(LANE_URL, "") if own.canary == "on" else own.canary
    if address:
        return lambda token: _post(address, token)
    return None if own.is_sqlite else _write


def _body(token: str) -> bytes:
    return json.dumps({"title": "canary", "key": token}).encode()


def _post(address: str, token: str) -> None:
    try:
        answer = net.http(
            "POST",
            f"{address}/in/{door.key()}",
            is_trusted=True,
            headers={"Content-Type": "application/json"},
            body=_body(token),
            timeout_seconds=DOOR_SECONDS,
        )
    except net.NetError as error:
        raise DoorError(str(error)) from error
    if answer.status != 202:
        raise DoorError(f"the lane answered {answer.status}")


def _write(token: str) -> None:
    store = event_log.store()
    try:
        store.write(
            [(token, door.CANARY_SOURCE, CANARY, microseconds(clock.now()), "application/json", "", _body(token))]
        )
    except LogError as error:
        raise DoorError(str(error)) from error
    finally:
        store.close()


# -- out of the log: the engine, in the transaction that moves it on -----------------------------------------------------


def arrivals(tokens: Sequence[str]) -> list[Arrival]:
    """Each one that is expected, twice: who repeats an event must not open a second alert. An old one that is read again
    is nothing."""
    now = clock.now()
    expected = Canary.objects.filter(token__in=tokens, read_at=None, failed_at=None, sent_at__gt=now - ARRIVES_WITHIN)
    return [
        Arrival(
            Source(name="midwatch-canary", type="generic"),
            Event(key=f"{PREFIX}{canary.token}", status="firing", title=f"canary {canary.token[:8]}"),
            canary.sent_at,
            is_test=True,
            priority="P5",
        )
        for canary in expected
        for _ in range(TIMES)
    ]


def opened(alerts: Sequence[Alert]) -> None:
    """Their alerts, each with an escalation that is due; one whose repeat was not counted goes no further."""
    now = clock.now()
    for alert in alerts:
        canary = Canary.objects.filter(token=alert.dedup_key.removeprefix(PREFIX))
        if alert.count != TIMES:
            canary.update(read_at=now, alert_id=alert.pk, problem="its event and the repeat of it are not one alert")
            continue
        Escalation.objects.create(alert=alert, direct_user=_user(now), round_started_at=now, due_at=now)
        canary.update(read_at=now, alert_id=alert.pk)


def _user(now: datetime) -> User:
    """Whom it calls. Made when it is first needed; cannot log in, and is hidden by the manager of people."""
    found = User.with_canary.filter(name=CANARY_USER).first()
    if found is not None:
        return found
    made = User.with_canary.create(name=CANARY_USER, display_name="Canary", role=Role.VIEWER, created_at=now)
    contact = ContactMethod.objects.create(
        user=made, name="null", type=NULL_CHANNEL, address="canary", confirmed_at=now, is_from_code=True
    )
    NotificationRule.objects.create(user=made, urgency=Urgency.LOW, position=0, after_seconds=0, contact=contact)
    return made


# -- sending and watching ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Keeper:
    """Sends them, sees them arrive or not. `step` is called about once a second, beside the engine's loop."""

    node: str
    enter: Enter

    def step(self) -> bool:
        """Whether one of ours arrived just now."""
        now = clock.now()
        if hold.gate() is not None:
            return False
        has_arrived = self._look(now)
        self._send(now)
        return has_arrived

    def _send(self, now: datetime) -> None:
        minute = now.replace(second=0, microsecond=0)
        token = secrets.token_hex(16)
        if Canary.objects.filter(minute__gte=minute).exists():
            return
        with transaction.atomic():
            Canary.objects.bulk_create(
                [Canary(minute=minute, token=token, node=self.node, sent_at=now)], ignore_conflicts=True
            )
            _clean_up(now)
        mine = Canary.objects.filter(token=token)
        if not mine.exists():
            return  # another node was first
        canary_metrics.SENT.inc()
        try:
            self.enter(token)
        except DoorError as error:
            with transaction.atomic():
                mine.update(problem=f"the lane did not take it: {error}"[:500])
            return
        with transaction.atomic():
            mine.update(accepted_at=clock.now())

    def _look(self, now: datetime) -> bool:
        has_arrived = False
        for canary in Canary.objects.filter(arrived_at=None, failed_at=None).order_by("sent_at"):
            page = Page.objects.filter(alert_id=canary.alert_id or 0).exclude(handed_over_at=None).first()
            took = (page.handed_over_at or now) - canary.sent_at if page is not None else None
            if took is not None and took <= ARRIVES_WITHIN:
                has_arrived |= self._arrived(canary, now, took)
            elif now - canary.sent_at > (ARRIVES_WITHIN if canary.node == self.node else ABANDONED_AFTER):
                self._failed(canary, now)
        return has_arrived

    def _arrived(self, canary: Canary, now: datetime, took: timedelta) -> bool:
        with transaction.atomic():
            is_first = Canary.objects.filter(pk=canary.pk, arrived_at=None, failed_at=None).update(arrived_at=now)
            if not is_first:
                return False
            Alert.objects.filter(pk=canary.alert_id or 0, is_test=True).delete()
            if _all_of_last(IN_A_ROW, "arrived_at"):
                for alert in _own_alerts().filter(status__in=OPEN):
                    resolve_alert(alert, ENGINE)
        canary_metrics.SECONDS.set(took.total_seconds())
        canary_metrics.ARRIVED_AT.set(canary.sent_at.timestamp())
        return now - canary.sent_at <= ARRIVES_WITHIN

    def _failed(self, canary: Canary, now: datetime) -> None:
        stage, problem = _how_far(canary)
        with transaction.atomic():
            is_first = Canary.objects.filter(pk=canary.pk, arrived_at=None, failed_at=None).update(
                failed_at=now, problem=problem
            )
            if not is_first:
                return
            if _all_of_last(IN_A_ROW, "failed_at") and not _is_told(now):
                description = (
                    f"Each minute a synthetic event goes the whole way of a page. The last {IN_A_ROW} did not arrive within "
                    f"{ARRIVES_WITHIN.seconds} s: {problem}. The dead-man ping is withheld meanwhile."
                )
                page_administrators(TITLE, ENGINE, priority="P2", description=description)
        canary_metrics.FAILED.labels(stage).inc()
        log.error("the canary did not arrive within %d s: %s", ARRIVES_WITHIN.seconds, problem)


def _how_far(canary: Canary) -> tuple[str, str]:
    """(stage, in words): where it was lost."""
    page = Page.objects.filter(alert_id=canary.alert_id or 0).first()
    if canary.read_at is None and canary.accepted_at is None:
        return "intake", canary.problem or "the lane did not answer"
    if canary.read_at is None:
        return "events", "the lane took it, and no engine read it from the event log"
    if page is None and canary.problem:
        return "events", canary.problem
    if page is None:
        return "escalation", "it became an alert, and its escalation did not run"
    return "channel", "its page was due, and the channel's pool did not send it"


def _all_of_last(count: int, field: str) -> bool:
    """Whether the last ones that came to an end all came to this one."""
    ended = Canary.objects.exclude(arrived_at=None, failed_at=None).order_by("-minute")[:count]
    found = [getattr(one, field) is not None for one in ended]
    return len(found) == count and all(found)


def _own_alerts() -> QuerySet[Alert]:
    return Alert.objects.filter(source=None, dedup_key=TITLE, is_test=False)


def _is_told(now: datetime) -> bool:
    """Once for each time it breaks: whoever resolved the alert while it was broken is not told again."""
    last = Canary.objects.exclude(arrived_at=None).order_by("-minute").first()
    since = last.minute if last is not None else now - timedelta(days=1)
    told = _own_alerts()
    return told.filter(status__in=OPEN).exists() or told.filter(created_at__gte=since).exists()


def _clean_up(now: datetime) -> None:
    """What is over: rows of an hour ago, and the alerts of those that were lost on the way."""
    Canary.objects.filter(sent_at__lt=now - KEPT).delete()
    old = Alert.objects.filter(source=None, dedup_key__startswith=PREFIX, is_test=True, created_at__lt=now - KEPT)
    old.delete()


# -- how it is, for the health page, /readyz, the doctor and peers -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Last:
    """`arrived`: the last that arrived. `problem`: why the last one that ended did not, or ""."""

    arrived: Canary | None
    ended: Canary | None
    now: datetime

    @property
    def age_seconds(self) -> float | None:
        """Since the last one that arrived was sent."""
        return (self.now - self.arrived.sent_at).total_seconds() if self.arrived is not None else None

    @property
    def problem(self) -> str:
        return self.ended.problem if self.ended is not None and self.ended.failed_at is not None else ""

    @property
    def took_seconds(self) -> float | None:
        if self.arrived is None or self.arrived.arrived_at is None:
            return None
        return (self.arrived.arrived_at - self.arrived.sent_at).total_seconds()


def last() -> Last:
    ended = Canary.objects.exclude(arrived_at=None, failed_at=None).order_by("-minute").first()
    arrived = Canary.objects.exclude(arrived_at=None).order_by("-minute").first()
    return Last(arrived, ended, clock.now())
