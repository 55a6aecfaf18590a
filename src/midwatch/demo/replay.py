"""Living a week in seconds: the clock stands where the next thing happens, and the engine's own jobs do the rest.

What is replaced is the wire alone, and who reads: events go through the vendors' parsers, steps go out by the
policies, messages are composed and handed over, and people answer through the actions that the web calls.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.db import connection, transaction
from django.db.models import Model

from midwatch.core import clock, net
from midwatch.core.integration import Receipt, StatusReport
from midwatch.core.models import OutboxEvent
from midwatch.demo.phones import ntfy_answer, twilio_answer
from midwatch.engine import events
from midwatch.engine.reactions import react
from midwatch.engine.tick import call_people, end_snoozes, escalate
from midwatch.intake import log
from midwatch.intake.records import EVENT, Kind, Record, Row, microseconds, minted_text
from midwatch.respond.alerts.models import Alert, Source
from midwatch.respond.escalation.models import Escalation
from midwatch.respond.notify.actions import claim_deliveries, record_status
from midwatch.respond.notify.actions.deliveries import prepare, transport, write_sent
from midwatch.respond.notify.models import Delivery, DeliveryState, Page, PageState

ROUNDS_MAX = 1_000
CLAIMED_AT_ONCE = 50
CARRIER_TAKES = timedelta(seconds=6)
WAITING = (DeliveryState.WAITING, DeliveryState.SENDING)


class Wire:
    """Answers as providers do when all is well; nothing is opened."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def http(self, request: net.HttpRequest) -> net.HttpAnswer:
        path = urlsplit(request.url).path
        number = next(self._numbers)
        if path.startswith("/2010-04-01/"):
            form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
            return net.HttpAnswer(201, {}, json.dumps(twilio_answer(path, form, number)[0]).encode())
        message = json.loads(request.body)
        told = ntfy_answer(message, number)[0] if path == "/" else {}
        return net.HttpAnswer(200, {}, json.dumps(told).encode())

    def smtp(self, request: net.SmtpRequest) -> None:
        """The relay took it."""


class Replay:
    """What happens when. `at` plans something; `run` lives through all of it, in the order of the clock."""

    def __init__(self) -> None:
        self._plan: list[tuple[datetime, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._rows: list[Row] = []
        self._due: dict[str, datetime] = {}

    def at(self, moment: datetime, happens: Callable[[], object]) -> None:
        heapq.heappush(self._plan, (moment, next(self._order), happens))

    def run(self, until: datetime) -> None:
        """In one transaction: a demo that is cut off leaves nothing."""
        with transaction.atomic(), net.installed(Wire()):
            self.at(until, lambda: None)
            while self._plan and self._plan[0][0] <= until:
                moment, _, happens = heapq.heappop(self._plan)
                self._live_until(moment)
                clock.freeze(moment)
                happens()
                self._settle()
        self._write_log()

    def send(self, source: Source, payload: Mapping[str, Any], *, kind: Kind = EVENT, **minted: str) -> None:
        """What the lane and the engine's first job do with one event."""
        body = json.dumps(payload).encode() if payload else b""
        now = clock.now()
        token = hashlib.sha256(f"{len(self._rows)} {now.isoformat()}".encode()).hexdigest()[:32]
        self._rows.append((token, source.pk, kind, microseconds(now), "application/json", minted_text(minted), body))
        with transaction.atomic():
            events.process([Record(len(self._rows), token, source.pk, kind, now, body, minted, "application/json")])

    def _live_until(self, moment: datetime) -> None:
        """Everything that comes due by itself before: steps, repeats, time-outs, ends of snoozes."""
        for _ in range(ROUNDS_MAX):
            due = min(self._due.values(), default=moment)
            if due >= moment:
                return
            clock.freeze(due)
            self._settle()
        raise RuntimeError("the demo's week does not come to rest")

    def _settle(self) -> None:
        """Until nothing is due at this moment. Only the jobs that have something to do are run: a week has many."""
        jobs = {"reactions": react, "escalations": escalate, "pages": call_people, "snoozes": end_snoozes}
        for _ in range(ROUNDS_MAX):
            self._due = _due()
            waiting = {what for what, at in self._due.items() if at <= clock.now()}
            if not waiting:
                return
            for what, job in jobs.items():
                if what in waiting:
                    job()
            self._deliver()
        raise RuntimeError("the demo's engine does not come to rest")

    def _deliver(self) -> None:
        due = Delivery.objects.filter(state__in=WAITING, due_at__lte=clock.now())
        channels = list(due.order_by().values_list("channel", flat=True).distinct())
        claimed = [one for channel in channels for one in claim_deliveries(channel, by="demo", limit=CLAIMED_AT_ONCE)]
        sent = [transport(prepare(delivery)) for delivery in claimed]
        write_sent(sent)
        for one in sent:
            if one.delivery.channel == "sms" and one.receipt is not None:
                told = StatusReport(one.receipt.provider_id, Receipt("delivered", "the carrier delivered it"))
                self.at(clock.now() + CARRIER_TAKES, partial(record_status, told))

    def _write_log(self) -> None:
        """The raw events as the lane would have kept them, all of them read."""
        store = log.store()
        store.open()
        store.write(self._rows)
        store.close()
        is_read = False
        while not is_read:
            with transaction.atomic(), log.event_log().next_batch(len(self._rows)) as batch:
                batch.done()
                is_read = not batch


def newest(source: Source, key: str) -> Alert:
    return Alert.objects.filter(source=source, dedup_key=key).order_by("-id")[0]


def _due() -> dict[str, datetime]:
    """When each kind of work comes due next: one statement, since it is asked at every step of the clock."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE)
        rows = cursor.fetchall()
    return {what: datetime.fromisoformat(at).replace(tzinfo=UTC) for what, at in rows if at is not None}


def _earliest(what: str, model: type[Model], column: str, condition: str = "1") -> str:
    return f"SELECT '{what}', min({column}) FROM {model._meta.db_table} WHERE {condition}"  # noqa: S608 - own names


_DUE = " UNION ALL ".join(
    (
        _earliest("reactions", OutboxEvent, "due_at", "done_at IS NULL AND quarantined_at IS NULL"),
        _earliest("escalations", Escalation, "due_at"),
        _earliest("pages", Page, "due_at", f"state = '{PageState.RUNNING}'"),
        _earliest("deliveries", Delivery, "due_at", f"state IN ('{DeliveryState.WAITING}', '{DeliveryState.SENDING}')"),
        _earliest("snoozes", Alert, "snoozed_until"),
    )
)
