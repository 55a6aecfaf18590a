"""The world's side of the wire: providers that are slow, refuse, hang, take a message and never say so, or call back
twice, late and in the wrong order.

It stands at the network's one door, so the real channels speak to it. What a provider took is a ring, written down here
and nowhere in Midwatch: the simulation's own account of who heard what.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from urllib.parse import parse_qs, unquote_plus, urlsplit

from midwatch.core import clock, net
from midwatch.simulation.baton import Actor
from midwatch.simulation.script import Plan

TOKEN = re.compile(r"/(?:p|hooks/twilio)/([a-z2-7]{26})")
TIME_OUT = timedelta(seconds=10)
QUIET = timedelta(0)


@dataclass(slots=True)
class Ring:
    """A provider took this message for `who`. `answered`: the sender heard that it did."""

    id: str
    at: datetime
    channel: str
    who: str
    token: str
    key: str
    text: str
    claimed_at: int  # the count of commits when the sender's claim was committed
    order: int  # the count of commits when the provider took it
    sender: str
    answered: bool = False
    sid: str = ""
    was_stopped: bool = False  # between its claim and now: another may have sent it meanwhile


@dataclass(slots=True)
class Outage:
    what: str
    how: str
    until: datetime


@dataclass
class Wire:
    """`rings`: everything that providers took, in order. `on_ring` hears of each at once."""

    plan: Plan
    trouble: float
    numbers: dict[str, str] = field(default_factory=dict)
    rings: list[Ring] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    tries: dict[str, int] = field(default_factory=dict)
    happened: list[str] = field(default_factory=list)  # ids of troubles of its own making
    claims: dict[str, int] = field(default_factory=dict)  # by the sender's name
    naps: dict[str, int] = field(default_factory=dict)  # of its node when it claimed
    is_healed: bool = False
    on_ring: Callable[[Ring], None] = lambda _ring: None
    on_trouble: Callable[[str, str], None] = lambda _what, _how: None
    on_fault: Callable[[str], None] = lambda _how: None

    # -- what core.net calls ----------------------------------------------------------------------------------------------

    def http(self, request: net.HttpRequest) -> net.HttpAnswer:
        parts = urlsplit(request.url)
        body = request.body.decode("utf-8", "replace")
        match parts.hostname:
            case "twilio.example" if request.method == "GET":
                return net.HttpAnswer(200, {}, b'{"status": "queued"}')
            case "twilio.example":
                form = {key: values[0] for key, values in parse_qs(body).items()}
                channel = "sms" if parts.path.endswith("Messages.json") else "voice"
                return self._send(channel, self.numbers[form["To"]], unquote_plus(body))
            case "ntfy.example":
                return self._send("ntfy", str(json.loads(body)["topic"]), body)
            case "phones.example":
                key = request.headers.get("X-Midwatch-Delivery", "")
                return self._send("webhook", parts.path.strip("/"), body, key)
        raise net.NetError(f"the simulation knows no host {parts.hostname}")

    def smtp(self, request: net.SmtpRequest) -> None:
        message: EmailMessage = request.message
        plain = message.get_body(preferencelist=("plain",))
        text = f"{message['Subject']}\n{plain.get_content() if plain else ''}"
        answer = self._send("email", request.recipient.split("@")[0], text)
        if not answer.is_ok:
            raise net.SmtpRefused("550 no", permanent=answer.status == 410, code=550)

    # -- what providers do ------------------------------------------------------------------------------------------------

    def _send(self, channel: str, who: str, text: str, key: str = "") -> net.HttpAnswer:
        actor = running()
        actor.point()
        found = TOKEN.search(text)
        token = found[1] if found else ""
        name = f"{who}/{channel}/{key or token or text[:60]}"
        count = self.tries[name] = self.tries.get(name, 0) + 1
        how = self._fate(channel, who, f"{name}/{count}")
        if how != "taken":
            self.on_fault(how)
        random = self.plan.stream(f"latency/{name}/{count}")
        latency = timedelta(seconds=0.02 + random.random() * (0.5 if how != "slow" else 8.0))
        if how in {"unreachable", "hangs"}:
            actor.sleep(latency if how == "unreachable" else TIME_OUT)
            raise net.NetError("connection refused" if how == "unreachable" else "nobody answered within 10 s")
        actor.sleep(latency / 2)
        if how in {"refuses", "gone"}:
            return net.HttpAnswer(500 if how == "refuses" else 410, {}, b"{}")
        ring = self._take(actor, channel, who, token, key, text)
        actor.point()  # it is taken, and whoever sent it may die before the answer comes
        if how == "taken-then-silent":
            actor.sleep(TIME_OUT)
            raise net.NetError("nobody answered within 10 s")
        actor.sleep(latency / 2)
        ring.answered = True
        return net.HttpAnswer(201, {}, json.dumps({"sid": ring.sid, "id": ring.sid}).encode())

    def _fate(self, channel: str, who: str, name: str) -> str:
        if self.is_healed:
            return "taken"
        now = clock.now()
        for outage in self.outages:
            if outage.until > now and outage.what in {channel, who}:
                return outage.how
        random = self.plan.stream(f"fate/{name}")
        if random.random() >= self.trouble:
            return "taken"
        how = random.choice(("slow", "slow", "unreachable", "refuses", "hangs", "taken-then-silent", "gone"))
        id = f"w:{name}"
        if not self.plan.allows(id):
            return "taken"
        self.happened.append(id)
        self.on_trouble(f"{who} by {channel}", how)
        return how

    def _take(self, actor: Actor, channel: str, who: str, token: str, key: str, text: str) -> Ring:
        ring = Ring(
            id=f"{who}/{sum(1 for one in self.rings if one.who == who) + 1}",
            at=clock.now(),
            channel=channel,
            who=who,
            token=token,
            key=key,
            text=text,
            claimed_at=self.claims.get(actor.name, 0),
            order=actor.baton.commits,
            sender=actor.name,
            sid=f"{'CA' if channel == 'voice' else 'SM'}{len(self.rings):06d}" if channel in {"sms", "voice"} else "",
            was_stopped=actor.node.naps > self.naps.get(actor.name, 0),
        )
        self.rings.append(ring)
        self.on_ring(ring)
        return ring


_running = threading.local()


def runs(actor: Actor) -> None:
    """This thread is that actor's."""
    _running.actor = actor


def running() -> Actor:
    found: Actor = _running.actor
    return found
