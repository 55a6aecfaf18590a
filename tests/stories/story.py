"""Telling stories over the whole program: events go in at the log, the engine ticks, phones ring, and the clock moves.

What is replaced is the wire alone: every request and e-mail that leaves is caught at the network's one door, and what a
provider calls back is signed as the provider signs it.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django.core.cache import caches
from django.db import connection, transaction
from django.db.models import Min
from django.test import RequestFactory

from midwatch import settings as midwatch_settings
from midwatch.catalog.models import Service
from midwatch.core import clock, net
from midwatch.core.actor import Actor
from midwatch.core.models import OutboxEvent
from midwatch.engine import errands, executions, hold
from midwatch.engine.pools import Inline, deliver_due
from midwatch.engine.tick import Ticker, next_due_at
from midwatch.intake import log
from midwatch.intake.records import microseconds
from midwatch.integrations.twilio.inbound import signature
from midwatch.learn.actions.models import ActionItem, ItemIssue
from midwatch.people.models import ContactMethod, Membership, NotificationRule, Team, User
from midwatch.people.queries import actor_of
from midwatch.prepare.runbooks.models import Execution, Probe, StepRun, Trigger
from midwatch.respond.alerts.actions import acknowledge_alert, resolve_alert
from midwatch.respond.alerts.models import Alert, Source, TimelineEntry
from midwatch.respond.escalation.actions import act_on_landing, decline
from midwatch.respond.escalation.models import (
    Escalation,
    EscalationPolicy,
    PolicyStep,
    ServicePolicy,
    StepTarget,
    TeamPolicy,
    TeamPost,
)
from midwatch.respond.escalation.views.hooks import hook
from midwatch.respond.incidents.models import Channel, Evidence, Incident, Promise, Task, UpdateDelivery
from midwatch.respond.notify import queries as notify_queries
from midwatch.respond.notify.models import Delivery, DeliveryState, Page, PageState
from midwatch.respond.notify.plan import FAILED_AFTER
from midwatch.respond.oncall.models import Layer, Schedule, TurnMember
from stories.phones import PUBLIC, Heard, PhonesNetwork, unreachable

START = datetime(2026, 3, 3, 2, 0, tzinfo=UTC)  # a Tuesday night, far from any DST change
DURATION = re.compile(r"(\d+)([smhd])")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
LOOK_EVERY = timedelta(minutes=30)  # when nothing is due, jobs that run by the clock get their turn this often


def seconds(text: str) -> int:
    found = DURATION.fullmatch(text)
    assert found, f"{text!r}: write 5m, 30s, 1h"
    return int(found[1]) * UNITS[found[2]]


def forget_caches() -> None:
    midwatch_settings.settings.cache_clear()
    notify_queries.channel_config.cache_clear()
    log.event_log.cache_clear()
    hold.forget()


@dataclass
class Phone:
    """A person's phone: `rings_with` and `is_told` take the next message off and check it."""

    story: Story
    user: User

    def rings_with(self, words: str = "", *, kind: str = "page", by: str = "") -> Heard:
        """The next message that holds these words. `kind` is looked at where the channel says it (webhook)."""
        for index, heard in enumerate(self.story.network.heard):
            if heard.who != self.user.name or (heard.kind and heard.kind != kind) or (by and heard.channel != by):
                continue
            if words.lower() in heard.everything.lower():
                return self.story.network.heard.pop(index)
        wanted = f"{words!r} ({kind}{f' by {by}' if by else ''})"
        raise AssertionError(f"{self.user.name}'s phone did not ring with {wanted}: {self.story.rang()}")

    def is_told(self, words: str, *, kind: str = "update", by: str = "") -> Heard:
        """News that wakes nobody: update, resolved, handoff."""
        return self.rings_with(words, kind=kind, by=by)

    def is_silent(self) -> None:
        rang = [heard for heard in self.story.network.heard if heard.who == self.user.name]
        assert not rang, f"{self.user.name}'s phone rang: {rang}"

    def forgets(self) -> int:
        """Takes whatever came off, and says how many messages it was."""
        mine = [heard for heard in self.story.network.heard if heard.who == self.user.name]
        self.story.network.heard[:] = [heard for heard in self.story.network.heard if heard not in mine]
        return len(mine)

    # -- what this person does ---------------------------------------------------------------------------------------

    @property
    def actor(self) -> Actor:
        return actor_of(self.user, "web")

    def acknowledges(self, alert: Alert) -> str:
        return self.story.acts(lambda: acknowledge_alert(alert, self.actor).sentence)

    def resolves(self, alert: Alert) -> str:
        return self.story.acts(lambda: resolve_alert(alert, self.actor).sentence)

    def declines(self, alert: Alert) -> str:
        return self.story.acts(lambda: decline(alert, self.user, self.actor).sentence)

    def texts(self, words: str) -> str:
        """Answers by SMS; the reply that comes back."""
        number = self.number
        return self.story.calls_back("sms", {"From": number, "To": "+15005550006", "Body": words})

    def picks_up(self, call: Heard, *, answered_by: str = "human") -> str:
        """What the call says."""
        return self.story.calls_back(
            f"{call.reference}/voice", {"CallSid": call.sid, "To": self.number, "AnsweredBy": answered_by}
        )

    def presses(self, call: Heard, key: str) -> str:
        """What the call says then."""
        return self.story.calls_back(f"{call.reference}/keys", {"CallSid": call.sid, "To": self.number, "Digits": key})

    @property
    def number(self) -> str:
        return next(number for number, name in self.story.network.numbers.items() if name == self.user.name)


class Story:
    def __init__(self) -> None:
        self.network = PhonesNetwork()
        self.outlet = Inline()
        self.ticker = Ticker(self.outlet)
        self.people: dict[str, Phone] = {}
        self.runners: Mapping[str, Any] | None = None  # who does steps of runbooks; None: the real executors
        self.expected_failures: set[str] = set()  # guarded jobs that this story makes fail

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
                display_name=fields.pop("display_name", name.capitalize()),
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

    def contact(self, user: User, type_: str, position: int = 0, **fields: Any) -> ContactMethod:
        number = f"+4206{user.pk:08d}"
        self.network.numbers[number] = user.name
        address = {
            "webhook": f"http://phones.example/{user.name}",
            "ntfy": f"http://ntfy.example/{user.name}",
            "email": f"{user.name}@example.com",
        }.get(type_, number)
        values = {"is_from_code": True, "confirmed_at": clock.now(), **fields}
        with transaction.atomic():
            return ContactMethod.objects.create(
                user=user, name=f"{type_}-{position}", type=type_, address=address, position=position, **values
            )

    def hours(self, phone: Phone, opens: str, closes: str, urgency: str = "low") -> None:
        """Messages of this urgency are held outside these hours of the person's own zone."""
        with transaction.atomic():
            NotificationRule.objects.filter(user=phone.user, urgency=urgency).update(
                opens_at=time.fromisoformat(opens), closes_at=time.fromisoformat(closes)
            )

    def phones(self, *names: str, methods: Sequence[str] = ("webhook",)) -> list[Phone]:
        return [self.people.get(name) or self.person(name, methods=methods) for name in names]

    def team(self, name: str, *members: str, managers: Sequence[str] = ()) -> Team:
        with transaction.atomic():
            team, _ = Team.objects.get_or_create(
                name=name, defaults={"display_name": name.capitalize(), "created_at": clock.now()}
            )
            for position, member in enumerate([*members, *managers]):
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
                defaults={"display_name": name.capitalize(), "team": owner, **fields},
                create_defaults={
                    "display_name": name.capitalize(),
                    "team": owner,
                    "created_at": clock.now(),
                    **fields,
                },
            )
        return service

    def source(self, service: str = "checkout", *, type: str = "generic", name: str = "", **fields: Any) -> Source:
        found = Source.objects.filter(name=name or f"{service}-{type}").select_related("service").first()
        if found is not None:
            return found
        with transaction.atomic():
            return Source.objects.create(
                name=name or f"{service}-{type}",
                type=type,
                key=secrets.token_hex(16),
                service=Service.objects.filter(name=service).first() or self.service(service),
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
        """`steps`: (target, after[, condition]); a target is a person, "team:NAME", "managers:NAME", "schedule:NAME",
        "next:NAME" (the next on a schedule), or a list of these. The service's and its team's policy from now on."""
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
            known = Service.objects.filter(name=service).first() or self.service(service, team=team)
            ServicePolicy.objects.update_or_create(service=known, defaults={"policy": policy})
            TeamPolicy.objects.update_or_create(team=owner, defaults={"policy": policy})
        return policy

    def _target(self, target: str) -> dict[str, Any]:
        kind, _, name = target.rpartition(":")
        match kind:
            case "team":
                return {"team": self.team(name), "notify": "all"}
            case "managers":
                return {"team": self.team(name), "notify": "managers"}
            case "schedule":
                return {"schedule": Schedule.objects.get(name=name), "notify": "current"}
            case "next":
                return {"schedule": Schedule.objects.get(name=name), "notify": "next"}
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
        end: str | None = None,
    ) -> Schedule:
        owner = self.team(team)
        with transaction.atomic():
            schedule = Schedule.objects.create(name=name, team=owner, time_zone=zone, created_at=clock.now())
            layer = Layer.objects.create(
                schedule=schedule,
                position=0,
                name="main",
                start=start,
                end=end,
                every=every,
                unit=unit,
                turn_count=len(participants),
            )
            for turn, participant in enumerate(participants):
                if participant != "nobody":
                    TurnMember.objects.create(layer=layer, turn=turn, user=self.phones(participant)[0].user)
        return schedule

    # -- what happens ------------------------------------------------------------------------------------------------

    def arrives(
        self, source: Source, payload: object, *, kind: str = "event", minted: Mapping[str, Any] | None = None
    ) -> None:
        """The lane has written this to the log; the engine has not looked yet."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        minted_text = json.dumps(minted) if minted else ""
        token = secrets.token_hex(16)
        self.store.write([(token, source.pk, kind, microseconds(clock.now()), "application/json", minted_text, body)])

    def sends(
        self, source: Source, payload: object, *, kind: str = "event", minted: Mapping[str, Any] | None = None
    ) -> None:
        self.arrives(source, payload, kind=kind, minted=minted)
        self.settle()

    def fires(
        self, service: str = "checkout", title: str = "disk full", *, priority: str = "P1", key: str = "", **fields: Any
    ) -> Alert:
        self.sends(self.source(service), {"title": title, "key": key or title, "priority": priority, **fields})
        return self.newest(service, key or title)

    def newest(self, service: str, key: str, type: str = "generic") -> Alert:
        found = Alert.objects.filter(source=self.source(service, type=type), dedup_key=key).order_by("-id").first()
        assert found is not None, "the event became no alert"
        return found

    def resolves(self, service: str = "checkout", title: str = "disk full", *, key: str = "") -> None:
        self.sends(self.source(service), {"title": title, "key": key or title, "status": "resolved"})

    def prometheus(
        self,
        *names: str,
        service: str = "checkout",
        group: str = "disks",
        severity: str = "critical",
        status: str = "firing",
        starts: datetime = START,
        **more: Any,
    ) -> list[Alert]:
        """Alertmanager sends one group: an alert for each name, by that fingerprint."""
        source = self.source(service, type="alertmanager")
        alerts = [
            {
                "status": status,
                "fingerprint": name,
                "startsAt": starts.isoformat(),
                "labels": {"alertname": "DiskFull", "instance": name, "severity": severity},
            }
            for name in names
        ]
        self.sends(source, {"version": "4", "groupKey": group, "status": status, "alerts": alerts, **more})
        newest = {alert.dedup_key: alert for alert in Alert.objects.filter(source=source).order_by("id")}
        return [newest[name] for name in names]

    def acts(self, what: Callable[[], str]) -> str:
        said = what()
        self.settle()
        return said

    def settle(self) -> None:
        """Until nothing is due at this moment."""
        for _ in range(1_000):
            work = self.ticker.tick() + deliver_due(self.outlet) + errands.run_due()
            if work + executions.run_due(self.runners) == 0:
                return
        raise AssertionError("the engine does not come to rest")

    def forward(
        self,
        *,
        seconds: float = 0,
        minutes: float = 0,
        hours: float = 0,
        days: float = 0,
        to: datetime | None = None,
        look_every: timedelta = LOOK_EVERY,
    ) -> None:
        """Move the clock, stopping wherever something is due, as the engine would. Weeks go by faster when one looks
        seldom in between."""
        end = to or clock.now() + timedelta(seconds=seconds, minutes=minutes, hours=hours, days=days)
        while clock.now() < end:
            upcoming = [at for at in (next_due_at(), *self._moments()) if at is not None and at > clock.now()]
            clock.freeze(min([end, clock.now() + look_every, *upcoming]))
            self.settle()

    def _moments(self) -> list[datetime | None]:
        """When the jobs that look by themselves have something to find."""
        outstanding = Delivery.objects.filter(state__in=[DeliveryState.WAITING, DeliveryState.SENDING])
        overdue = outstanding.filter(passed_on_at=None).aggregate(at=Min("wanted_at"))["at"]
        return [
            outstanding.aggregate(at=Min("due_at"))["at"],
            outstanding.filter(claimed_until__gt=clock.now()).aggregate(at=Min("claimed_until"))["at"],
            overdue + FAILED_AFTER if overdue else None,
            Delivery.objects.aggregate(at=Min("poll_at"))["at"],
            Alert.objects.aggregate(at=Min("snoozed_until"))["at"],
            Alert.objects.aggregate(at=Min("expires_at"))["at"],
            Source.objects.aggregate(at=Min("expected_at"))["at"],
            ActionItem.objects.aggregate(at=Min("remind_at"))["at"],
            ActionItem.objects.aggregate(at=Min("proof_due_at"))["at"],
            Incident.objects.aggregate(at=Min("prompted_at"))["at"],
            Execution.objects.aggregate(at=Min("due_at"))["at"],
            StepRun.objects.filter(state="queued").aggregate(at=Min("due_at"))["at"],
            StepRun.objects.filter(state="running").aggregate(at=Min("claimed_until"))["at"],
            *(
                model.objects.aggregate(at=Min("due_at"))["at"]
                for model in (Promise, Task, UpdateDelivery, Channel, Evidence, TeamPost, ItemIssue, Trigger, Probe)
            ),
        ]

    def sleeps(self, **length: float) -> None:
        """Midwatch is down for so long: the clock moves, nothing runs; then it starts again."""
        clock.forward(timedelta(**length))
        self.settle()

    def is_now(self, at: datetime) -> None:
        """Much later, with nothing of interest in between: the engine looks once."""
        clock.freeze(at)
        self.settle()

    def press(self, heard: Heard, action: str = "acknowledge", scope: str = "this") -> str:
        """Open the message's landing page and press a button."""
        _, sentence = act_on_landing(heard.token, action, scope=scope)
        self.settle()
        return sentence

    def calls_back(self, path: str, form: Mapping[str, str], *, provider: str = "twilio") -> str:
        """The provider posts to /hooks, signed; the words of the answer."""
        address = f"/hooks/{provider}/{path}"
        signed = f"{PUBLIC}{address}" + "".join(f"{name}{form[name]}" for name in sorted(form))
        request = RequestFactory().post(
            address,
            urlencode(form),
            content_type="application/x-www-form-urlencoded",
            headers={"X-Twilio-Signature": signature(signed, "twilio-token-of-the-tests").decode()},
        )
        answer = hook(request, provider, path)
        assert answer.status_code == 200, answer.content
        self.settle()
        words = re.findall(r"<(?:Say|Message)>(.*?)</(?:Say|Message)>", answer.content.decode(), re.DOTALL)
        return " ".join(dict.fromkeys(words)).replace("&quot;", '"').replace("&amp;", "&")

    def twilio_says(self, heard: Heard, status: str, **fields: str) -> None:
        """What became of a message or call."""
        is_call = heard.channel == "voice"
        names = ("CallSid", "CallStatus", "voice-status") if is_call else ("MessageSid", "MessageStatus", "sms-status")
        self.calls_back(f"{heard.reference}/{names[2]}", {names[0]: heard.sid, names[1]: status, **fields})

    @contextmanager
    def broken(self, *what: str, how: Callable[[], net.HttpAnswer] = unreachable) -> Iterator[None]:
        """A person, a channel or person/channel cannot be reached meanwhile."""
        self.network.broken |= dict.fromkeys(what, how)
        try:
            yield
        finally:
            for one in what:
                del self.network.broken[one]

    # -- what is seen ------------------------------------------------------------------------------------------------

    def rang(self) -> list[str]:
        return [
            f"{heard.at:%H:%M:%S} {heard.who}: {heard.kind or heard.channel} {heard.text[:80]}"
            for heard in self.network.heard
        ]

    def nothing_else_happens(self, *, minutes: float = 0) -> None:
        if minutes:
            self.forward(minutes=minutes)
        assert not self.network.heard, f"still ringing: {self.rang()}"

    def alert(self, alert: Alert) -> Alert:
        return Alert.objects.select_related("acknowledged_by", "resolved_by").get(pk=alert.pk)

    def timeline(self, alert: Alert) -> str:
        return "\n".join(f"{entry.kind}: {entry.text}" for entry in TimelineEntry.objects.filter(alert=alert))

    def escalation(self, alert: Alert) -> Escalation:
        return Escalation.objects.get(alert=alert)

    def called(self, alert: Alert) -> set[str]:
        """Who is being called for it now."""
        running = Page.objects.filter(alert=alert, state=PageState.RUNNING)
        return set(running.values_list("user__name", flat=True))

    def quarantined(self) -> list[str]:
        return list(OutboxEvent.objects.exclude(quarantined_at=None).values_list("name", flat=True))
