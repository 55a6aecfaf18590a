"""The people: what somebody does when their phone rings, by temper and by chance, each answer with an id of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.integration import Act, Receipt, StatusReport
from midwatch.core.statements import Select
from midwatch.people.models import User
from midwatch.people.queries import actor_of
from midwatch.respond.alerts.actions import acknowledge_alert, resolve_alert, snooze_alert, unacknowledge_alert
from midwatch.respond.alerts.models import Alert
from midwatch.respond.escalation.actions import act_on_landing, replies
from midwatch.respond.notify.actions import record_status
from midwatch.respond.notify.models import Delivery
from midwatch.respond.notify.tokens import digest_of
from midwatch.simulation.script import Plan
from midwatch.simulation.wire import Ring
from midwatch.simulation.world import Person, World

Later = Callable[[datetime, str, str, Callable[[], object], tuple[str, str]], None]  # when, id, words, what, counted as
# How likely somebody of this temper answers a page at all.
ANSWERS = {"awake": 0.85, "slow": 0.5, "fickle": 0.7, "deaf": 0.0}
DELAYS = {"awake": (10, 180), "slow": (200, 1500), "fickle": (5, 600), "deaf": (1, 2)}


@dataclass(frozen=True, slots=True)
class Rung:
    """What a ring was about, as its own link says it."""

    kind: str
    delivery: int
    alert: int
    user: int


ABOUT = Delivery.objects.values_list("kind", "pk", "alert_id", "user_id")
BY_TOKEN = Select(lambda digest: ABOUT.filter(token_digest=digest)[:1])
BY_KEY = Select(lambda key: ABOUT.filter(idempotency_key=key)[:1])


def about_of(ring: Ring) -> Rung | None:
    rows = BY_TOKEN(digest_of(ring.token)) if ring.token else BY_KEY(ring.key) if ring.key else []
    return Rung(rows[0][0], rows[0][1], rows[0][2] or 0, rows[0][3]) if rows else None


@dataclass
class Crowd:
    plan: Plan
    world: World
    later: Later

    def hears(self, ring: Ring, about: Rung | None) -> None:
        """Somebody's phone rang; the provider may call back, too."""
        random = self.plan.stream(f"hears/{ring.id}")
        if ring.sid:
            self._calls_back(ring, random)
        if about is None or about.kind not in {"page", "bundle"}:
            if about is not None and "still on" in ring.text and random.random() < 0.5:
                self._after(random, ring, (30, 200), "says: still on it", lambda: _press(ring, "acknowledge"))
            return
        person = self.world.person(ring.who)
        if random.random() < ANSWERS[person.temper]:
            self._answers(ring, about, person, random)

    def _answers(self, ring: Ring, about: Rung, person: Person, random: Random) -> None:
        verb = random.choice(("acknowledge",) * 7 + ("resolve", "decline", "decline", "snooze"))
        if not about.alert:  # a bundle: its link is the one way to answer all of it
            verb = "decline" if verb == "snooze" else verb
        match verb:
            case "acknowledge":
                how, work = self._way_to_acknowledge(ring, about, random)
                self._after(random, ring, DELAYS[person.temper], f"acknowledges by {how}", work)
                if about.alert:
                    self._afterwards(ring, about, random)
            case "snooze":
                minutes = random.choice((10, 30, 90))
                self._after(
                    random,
                    ring,
                    DELAYS[person.temper],
                    f"snoozes it for {minutes} min",
                    lambda: snooze_alert(_alert(about), _actor(about), until=clock.now() + timedelta(minutes=minutes)),
                )
            case verb:
                self._after(random, ring, DELAYS[person.temper], f"{verb}s it by the link", lambda: _press(ring, verb))

    def _way_to_acknowledge(self, ring: Ring, about: Rung, random: Random) -> tuple[str, Callable[[], object]]:
        if not about.alert:
            return "link (all)", lambda: act_on_landing(ring.token, "acknowledge", scope="all")
        if ring.channel == "sms" and random.random() < 0.6:
            return "SMS", lambda: _text(about, ring)
        if ring.channel == "voice" and random.random() < 0.8:
            return "key", lambda: replies.answer_key(Act("acknowledge", delivery=ring.token))
        if random.random() < 0.3:
            return "web", lambda: acknowledge_alert(_alert(about), _actor(about))
        scope = "all" if random.random() < 0.5 else "this"
        return f"link ({scope})", lambda: act_on_landing(ring.token, "acknowledge", scope=scope)

    def _afterwards(self, ring: Ring, about: Rung, random: Random) -> None:
        draw = random.random()
        if draw < 0.15:
            self._after(random, ring, (120, 1500), "gives it back", lambda: _give_back(about), "-back")
        elif draw < 0.6:
            self._after(
                random, ring, (200, 4000), "resolves it", lambda: resolve_alert(_alert(about), _actor(about)), "-done"
            )

    def _after(
        self,
        random: Random,
        ring: Ring,
        seconds: tuple[int, int],
        words: str,
        work: Callable[[], object],
        suffix: str = "",
    ) -> None:
        at = clock.now() + timedelta(seconds=random.uniform(*seconds))
        self.later(at, f"r:{ring.id}{suffix}", f"{ring.who} {words}", work, ("answers", _counted(words)))

    def _calls_back(self, ring: Ring, random: Random) -> None:
        """Twice, late, in the wrong order; now and then it says that the message failed after all."""
        for number in range(random.choice((0, 0, 1, 2, 3))):
            is_failure = random.random() < 0.15
            receipt = Receipt("failed" if is_failure else "delivered", "the network says so", ring.sid)
            report = StatusReport(ring.sid, receipt, ring.token, is_failure=is_failure)
            at = clock.now() + timedelta(seconds=random.choice((0.5, 3, 20, 90, 1200)))
            words = f"the provider calls back: {receipt.word} ({ring.channel} to {ring.who})"
            counted = ("receipts", "failed after all" if is_failure else "delivered")
            self.later(at, f"c:{ring.id}/{number}", words, lambda report=report: record_status(report), counted)  # type: ignore[misc]


def _counted(words: str) -> str:
    """By its verb; an acknowledgement by the way it came, too."""
    verb = words.partition(" ")[0]
    return {"gives": "gives back", "says:": "still on it", "acknowledges": words}.get(verb, verb)


def _press(ring: Ring, action: str) -> object:
    return act_on_landing(ring.token, action)


def _alert(about: Rung) -> Alert:
    return Alert.objects.get(pk=about.alert)


def _actor(about: Rung) -> Actor:
    return actor_of(User.objects.get(pk=about.user), "web")


def _give_back(about: Rung) -> object:
    return unacknowledge_alert(_alert(about), _actor(about))


def _text(about: Rung, ring: Ring) -> object:
    number = Alert.objects.values_list("number", flat=True).get(pk=about.alert)
    address = User.objects.get(pk=about.user).contact_methods.filter(type="sms").values_list("address", flat=True)[0]
    return replies.answer_text([Act("acknowledge", number, from_address=address)])
