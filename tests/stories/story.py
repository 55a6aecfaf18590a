"""Telling stories over the whole program: events go in at the log, the engine ticks, phones ring, and the clock moves.

What is replaced is the wire alone: every request and e-mail that leaves is caught at the network's one door.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.core.cache import caches
from django.db import connection, transaction

from midwatch import settings as midwatch_settings
from midwatch.catalog.models import Service
from midwatch.core import clock, net
from midwatch.core.actor import Actor
from midwatch.engine.pools import deliver_due
from midwatch.engine.tick import Ticker, next_due_at
from midwatch.intake import log
from midwatch.intake.records import microseconds
from midwatch.people.models import ContactMethod, Membership, NotificationRule, Team, User
from midwatch.people.queries import actor_of
from midwatch.respond.alerts.models import Alert, Source, TimelineEntry
from midwatch.respond.escalation.actions import act_on_landing
from midwatch.respond.escalation.models import (
    Escalation,
    EscalationPolicy,
    PolicyStep,
    ServicePolicy,
    StepTarget,
    TeamPolicy,
)
from midwatch.respond.notify import queries as notify_queries
from midwatch.respond.notify.models import Delivery, DeliveryState
from midwatch.respond.oncall.models import Layer, Schedule, TurnMember

START = datetime(2026, 3, 3, 2, 0, tzinfo=UTC)  # a Tuesday night, far from any DST change
DURATION = re.compile(r"(\d+)([smhd])")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds(text: str) -> int:
    found = DURATION.fullmatch(text)
    assert found, f"{text!r}: write 5m, 30s, 1h"
    return int(found[1]) * UNITS[found[2]]


def forget_caches() -> None:
    midwatch_settings.settings.cache_clear()
    notify_queries.channel_config.cache_clear()
    log.event_log.cache_clear()


@dataclass(frozen=True, slots=True)
class Heard:
    """One message that reached a phone. `channel`: webhook, sms, voice, ntfy, email."""

    channel: str
    who: str
    text: str
    body: Mapping[str, Any]
    at: datetime

    @property
    def kind(self) -> str:
        return str(self.body.get("kind", ""))

    @property
    def link(self) -> str:
        found = re.search(r"http://midwatch\.example/p/[a-z0-9]+", json.dumps(self.body) + self.text)
        return found[0] if found else ""

    @property
    def token(self) -> str:
        return self.link.rsplit("/", 1)[-1]


@dataclass
class PhonesNetwork:
    """The wire. Addresses are http://phones.example/NAME, +420...; `broken` maps a channel or a name to what happens."""

    heard: list[Heard] = field(default_factory=list)
    broken: dict[str, Callable[[], net.HttpAnswer]] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def http(self, request: net.HttpRequest) -> net.HttpAnswer:
        parts = urlsplit(request.url)
        body: dict[str, Any] = {}
        if parts.hostname == "twilio.example":
            form = {key: values[0] for key, values in parse_qs(request.body.decode()).items()}
            channel = "sms" if parts.path.endswith("Messages.json") else "voice"
            who, text, body = (
                self.numbers.get(form["To"], form["To"]),
                form.get("Body") or form.get("Twiml", ""),
                dict(form),
            )
        elif parts.hostname == "ntfy.example":
            channel, body = "ntfy", json.loads(request.body)
            who, text = str(body["topic"]), str(body.get("message", ""))
        elif parts.hostname == "phones.example":
            channel, who, body = "webhook", parts.path.strip("/"), json.loads(request.body)
            text = str((body.get("alert") or {}).get("title", body.get("text", "")))
        else:
            return net.HttpAnswer(200, {}, b"ok")
        for key in (who, channel, f"{who}/{channel}"):
            if key in self.broken:
                return self.broken[key]()
        self.count += 1
        self.heard.append(Heard(channel, who, text, body, clock.now()))
        return net.HttpAnswer(201, {}, json.dumps({"sid": f"SM{self.count:06d}"}).encode())

    def smtp(self, request: net.SmtpRequest) -> None:
        who = request.recipient.split("@")[0]
        for key in (who, "email", f"{who}/email"):
            if key in self.broken:
                self.broken[key]()
        message: EmailMessage = request.message
        plain = message.get_body(preferencelist=("plain",))
        text = f"{message['Subject']}\n{plain.get_content() if plain else ''}"
        self.heard.append(Heard("email", who, text, {"headers": dict(message.items())}, clock.now()))


def refuses(status: int = 400) -> Callable[[], net.HttpAnswer]:
    return lambda: net.HttpAnswer(status, {}, b"{}")


def unreachable() -> net.HttpAnswer:
    raise net.NetError("connection refused")


@dataclass
class Phone:
    """A person's phone: `rings_with` takes the next message off and checks it."""

    story: Story
    user: User

    def rings_with(self, words: str = "", *, kind: str = "page", by: str = "") -> Heard:
        for index, heard in enumerate(self.story.phones_network.heard):
            if heard.who != self.user.name or (heard.kind and heard.kind != kind) or (by and heard.channel != by):
                continue
            if words.lower() in (heard.text + json.dumps(heard.body)).lower():
                return self.story.phones_network.heard.pop(index)
        raise AssertionError(f"{self.user.name}'s phone did not ring with {words!r} ({kind}): {self.story.rang()}")

    def is_silent(self) -> None:
        rang = [heard for heard in self.story.phones_network.heard if heard.who == self.user.name]
        assert not rang, f"{self.user.name}'s phone rang: {rang}"

    @property
    def actor(self) -> Actor:
        return actor_of(self.user, "web")


class Story:
    def __init__(self) -> None:
        self.phones_network = PhonesNetwork()
        self.ticker = Ticker()
        self.people: dict[str, Phone] = {}

    # -- the installation --------------------------------------------------------------------------------------------

    def open(self) -> None:
        clock.freeze(START)
        for cache in caches.all():
            cache.clear()
        self.store = log.store()
        self.store.open()

    def close(self) -> None:
        self.store.close()
        if connection.vendor == "postgresql":
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("TRUNCATE intake_event")

    def person(self, name: str, *, methods: Sequence[str] = ("webhook",), zone: str = "UTC", **fields: Any) -> Phone:
        """`methods`: types in the order of their rules, a minute apart for high urgency; the first one for low."""
        with transaction.atomic():
            user = User.objects.create(
                name=name,
                display_name=name.capitalize(),
                email=f"{name}@example.com",
                time_zone=zone,
                created_at=clock.now(),
                **fields,
            )
            for position, type_ in enumerate(methods):
                contact = self.contact(user, type_, position)
                NotificationRule.objects.create(
                    user=user, urgency="high", position=position, after_seconds=60 * position, contact=contact
                )
                if position == 0:
                    NotificationRule.objects.create(
                        user=user, urgency="low", position=0, after_seconds=0, contact=contact
                    )
        self.people[name] = Phone(self, user)
        return self.people[name]

    def contact(self, user: User, type_: str, position: int = 0) -> ContactMethod:
        number = f"+4206{user.pk:08d}"
        self.phones_network.numbers[number] = user.name
        address = {
            "webhook": f"http://phones.example/{user.name}",
            "ntfy": f"http://ntfy.example/{user.name}",
            "email": f"{user.name}@example.com",
        }.get(type_, number)
        return ContactMethod.objects.create(
            user=user,
            name=f"{type_}-{position}",
            type=type_,
            address=address,
            position=position,
            is_from_code=True,
            confirmed_at=clock.now(),
        )

    def phones(self, *names: str, methods: Sequence[str] = ("webhook",)) -> list[Phone]:
        return [self.people.get(name) or self.person(name, methods=methods) for name in names]

    def team(self, name: str, *members: str, managers: Sequence[str] = ()) -> Team:
        with transaction.atomic():
            team, _ = Team.objects.get_or_create(
                name=name, defaults={"display_name": name.capitalize(), "created_at": clock.now()}
            )
            for position, member in enumerate(members):
                role = "manager" if member in managers else "responder"
                Membership.objects.get_or_create(
                    team=team, user=self.phones(member)[0].user, defaults={"role": role, "position": position}
                )
        return team

    def service(self, name: str = "checkout", *, team: str = "payments", **fields: Any) -> Service:
        owner = self.team(team)
        with transaction.atomic():
            service, _ = Service.objects.update_or_create(
                name=name,
                defaults={"display_name": name.capitalize(), "team": owner, "created_at": clock.now(), **fields},
            )
        return service

    def source(self, service: str = "checkout", *, type: str = "generic", name: str = "", **fields: Any) -> Source:
        found = Source.objects.filter(name=name or f"{service}-{type}").first()
        if found is not None:
            return found
        with transaction.atomic():
            return Source.objects.create(
                name=name or f"{service}-{type}",
                type=type,
                key=secrets.token_hex(16),
                service=self.service(service),
                created_at=clock.now(),
                **fields,
            )

    def policy(
        self,
        service: str = "checkout",
        *,
        steps: Sequence[tuple[Any, ...]],
        team: str = "payments",
        **fields: Any,
    ) -> EscalationPolicy:
        """`steps`: (target, after[, condition]); a target is a person, "team:NAME", "schedule:NAME", or a list of these."""
        owner = self.team(team)
        with transaction.atomic():
            policy = EscalationPolicy.objects.create(
                name=f"{service}-policy", team=owner, created_at=clock.now(), **fields
            )
            for position, (target, after, *rest) in enumerate(steps):
                step = PolicyStep.objects.create(
                    policy=policy,
                    position=position,
                    name=f"level {position + 1}",
                    after_seconds=seconds(after),
                    condition=rest[0] if rest else "unacknowledged",
                )
                for order, one in enumerate(target if isinstance(target, list) else [target]):
                    StepTarget.objects.create(step=step, position=order, **self._target(one))
            ServicePolicy.objects.update_or_create(
                service=self.service(service, team=team), defaults={"policy": policy}
            )
            TeamPolicy.objects.update_or_create(team=owner, defaults={"policy": policy})
        return policy

    def _target(self, target: str) -> dict[str, Any]:
        kind, _, name = target.rpartition(":")
        if kind == "team":
            return {"team": self.team(name), "notify": "all"}
        if kind == "schedule":
            return {"schedule": Schedule.objects.get(name=name), "notify": "current"}
        return {"user": self.phones(name)[0].user}

    def schedule(
        self,
        name: str,
        *participants: str,
        team: str = "payments",
        zone: str = "UTC",
        every: int = 1,
        unit: str = "weeks",
        start: str = "2026-03-02T00:00",
    ) -> Schedule:
        owner = self.team(team)
        with transaction.atomic():
            schedule = Schedule.objects.create(name=name, team=owner, time_zone=zone, created_at=clock.now())
            layer = Layer.objects.create(
                schedule=schedule,
                position=0,
                name="main",
                start=start,
                every=every,
                unit=unit,
                turn_count=len(participants),
            )
            for turn, participant in enumerate(participants):
                if participant != "nobody":
                    TurnMember.objects.create(layer=layer, turn=turn, user=self.phones(participant)[0].user)
        return schedule

    # -- what happens ------------------------------------------------------------------------------------------------

    def sends(
        self, source: Source, payload: object, *, kind: str = "event", minted: Mapping[str, Any] | None = None
    ) -> None:
        """The lane has written this event to the log; the engine takes it from there."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.store.write(
            [
                (
                    secrets.token_hex(16),
                    source.pk,
                    kind,
                    microseconds(clock.now()),
                    "application/json",
                    json.dumps(minted or {}) if minted else "",
                    body,
                )
            ]
        )
        self.settle()

    def fires(
        self, service: str = "checkout", title: str = "disk full", *, priority: str = "P1", key: str = "", **fields: Any
    ) -> Alert:
        source = self.source(service)
        self.sends(source, {"title": title, "key": key or title, "priority": priority, **fields})
        found = Alert.objects.filter(source=source, dedup_key=key or title).order_by("-id").first()
        assert found is not None, "the event became no alert"
        return found

    def resolves(self, service: str = "checkout", title: str = "disk full", *, key: str = "") -> None:
        self.sends(self.source(service), {"title": title, "key": key or title, "status": "resolved"})

    def settle(self) -> None:
        """Until nothing is due at this moment."""
        for _ in range(1_000):
            if self.ticker.tick() + deliver_due() == 0:
                return
        raise AssertionError("the engine does not come to rest")

    def forward(self, *, minutes: float = 0, seconds: float = 0, hours: float = 0) -> None:
        """Move the clock, stopping wherever something is due, as the engine would."""
        end = clock.now() + timedelta(minutes=minutes, seconds=seconds, hours=hours)
        while clock.now() < end:
            upcoming = [
                moment
                for moment in (next_due_at(), self._next_delivery_at())
                if moment is not None and moment > clock.now()
            ]
            step = min([end, clock.now() + timedelta(minutes=1), *upcoming])
            clock.freeze(step)
            self.settle()

    def _next_delivery_at(self) -> datetime | None:
        waiting = Delivery.objects.filter(state__in=[DeliveryState.WAITING, DeliveryState.SENDING])
        moments = list(waiting.order_by("due_at").values_list("due_at", flat=True)[:1])
        return moments[0] if moments else None

    def sleeps(self, **length: float) -> None:
        """Midwatch is down for so long: the clock moves, nothing runs; then it starts again."""
        clock.forward(timedelta(**length))
        self.settle()

    def press(self, heard: Heard, action: str = "acknowledge", scope: str = "this") -> str:
        """Open the message's landing page and press a button."""
        _, sentence = act_on_landing(heard.token, action, scope=scope)
        self.settle()
        return sentence

    @contextmanager
    def broken(self, what: str, how: Callable[[], net.HttpAnswer] = unreachable) -> Iterator[None]:
        self.phones_network.broken[what] = how
        try:
            yield
        finally:
            del self.phones_network.broken[what]

    # -- what is seen ------------------------------------------------------------------------------------------------

    def rang(self) -> list[str]:
        return [f"{heard.who}: {heard.kind or heard.channel} {heard.text[:60]}" for heard in self.phones_network.heard]

    def nothing_else_happens(self, *, minutes: float = 0) -> None:
        if minutes:
            self.forward(minutes=minutes)
        assert not self.phones_network.heard, f"still ringing: {self.rang()}"

    def alert(self, alert: Alert) -> Alert:
        return Alert.objects.select_related("acknowledged_by", "resolved_by").get(pk=alert.pk)

    def timeline(self, alert: Alert) -> list[str]:
        return [f"{entry.kind}: {entry.text}" for entry in TimelineEntry.objects.filter(alert=alert)]

    def escalation(self, alert: Alert) -> Escalation:
        return Escalation.objects.get(alert=alert)
