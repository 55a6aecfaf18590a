"""One run, from its plan to its verdict. Call `ground.prepare` first."""

from __future__ import annotations

import hashlib
import heapq
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import connection

from midwatch.core import clock, guard, net, wake
from midwatch.core.wake import Waiter
from midwatch.engine import events, hold, invariants
from midwatch.intake import log
from midwatch.people.models import ContactMethod, User
from midwatch.respond.alerts.models import OPEN, Alert, Source
from midwatch.simulation import counting, fresh, happen
from midwatch.simulation.baton import Baton, Node
from midwatch.simulation.checks import Checks
from midwatch.simulation.checks.ending import everything_urgent_still_rings, nothing_is_left
from midwatch.simulation.checks.tables import earliest
from midwatch.simulation.checks.view import View, audit_rows, covered, timeline_rows
from midwatch.simulation.crowd import Crowd, Rung, about_of
from midwatch.simulation.node import EngineNode, WebNode
from midwatch.simulation.record import Edit, Record
from midwatch.simulation.script import Happening, Plan
from midwatch.simulation.wire import Outage, Ring, Wire

POLL = timedelta(seconds=1.05)
LOOK_EVERY = timedelta(minutes=20)
WATCH = timedelta(minutes=26)
BY_THE_CLOCK = {"page.after_answer"}  # it compares two moments: a clock set back between them makes the later earlier
END = timedelta(minutes=35)
VIOLATIONS_MAX = 5
EVENTS = ("fire", "resolve", "poison", "misunderstood", "refused", "truncated", "storm", "burst", "large")
EDITS = ("edit-policy", "edit-rota", "override", "turn-off", "turn-on", "maintenance")
EXPECTED = {"events", "event"}  # jobs that a poison event makes fail
OUTSTANDING = "FROM notify_delivery WHERE state IN ('waiting', 'sending')"
TO_DO = "FROM core_outboxevent WHERE done_at IS NULL AND quarantined_at IS NULL"
# The last one is when a delivery was wanted: a minute later it is passed on.
ALARMS = (
    "SELECT min(due_at) FROM escalation_escalation WHERE due_at > :now",
    "SELECT min(due_at) FROM notify_page WHERE state = 'running' AND due_at > :now",
    f"SELECT min(due_at) {TO_DO} AND due_at > :now",
    f"SELECT min(claimed_until) {TO_DO} AND claimed_until > :now",
    f"SELECT min(due_at) {OUTSTANDING} AND due_at > :now",
    f"SELECT min(claimed_until) {OUTSTANDING} AND claimed_until > :now",
    "SELECT min(snoozed_until) FROM alerts_alert WHERE snoozed_until > :now",
    "SELECT min(expires_at) FROM alerts_alert WHERE expires_at > :now",
    "SELECT min(expected_at) FROM alerts_source WHERE expected_at > :now",
    f"SELECT min(wanted_at) {OUTSTANDING} AND passed_on_at IS NULL AND kind IN ('page', 'bundle')",
)
OVERDUE = (
    "SELECT min(due_at) FROM escalation_escalation WHERE due_at <= :now",
    "SELECT min(due_at) FROM notify_page WHERE state = 'running' AND due_at <= :now",
    f"SELECT min(due_at) {TO_DO} AND due_at <= :now",
    f"SELECT min(due_at) {OUTSTANDING} AND due_at <= :now AND (claimed_until IS NULL OR claimed_until <= :now)",
    "SELECT min(snoozed_until) FROM alerts_alert WHERE snoozed_until <= :now",
    "SELECT min(expires_at) FROM alerts_alert WHERE expires_at <= :now AND status <> 'resolved'",
    "SELECT min(expected_at) FROM alerts_source WHERE expected_at <= :now",
)


@dataclass(frozen=True, slots=True)
class Violation:
    check: str
    words: str
    at: datetime


@dataclass
class Result:
    plan: Plan
    violations: list[Violation]
    lines: list[tuple[datetime, str]]
    happened: list[str]
    trace: str
    steps: int = 0
    events: int = 0
    pages: int = 0
    kills: int = 0
    switches: int = 0
    seconds: float = 0.0
    kinds: dict[str, int] = field(default_factory=dict)


class _Bus:
    """Wakes an engine by chance: the real call may be lost, and a poll a second makes that good."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def wake(self, topic: str) -> None:
        self.run.wake_some()

    def waiter(self, topic: str) -> Waiter:
        raise AssertionError("nodes of a simulation wait for the baton")


class _Failures(logging.Handler):
    """What the guard caught."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self.told.append(f"{record.getMessage()}: {type(error).__name__}: {error}")


@dataclass
class Run:
    plan: Plan
    violations: list[Violation] = field(default_factory=list)
    steps: int = 0
    _heap: list[tuple[datetime, int, Callable[[], None]]] = field(default_factory=list)
    _count: int = 0
    _rung: int = 0
    _seen_commits: int = -1
    _is_muted: bool = False
    _jumped: timedelta = timedelta(0)
    _back: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.world = self.plan.world()
        self.record = Record(self.world)
        self.random = self.plan.stream("schedule")
        self.baton = Baton(self.random, on_kill=self._died, on_stop=self._stopped)
        self.wire = Wire(self.plan, self.world.trouble)
        self.wire.on_trouble = lambda who, how: self.record.say(f"the wire to {who}: {how}")
        self.wire.on_fault = partial(self.record.tally.add, "providers")
        self.crowd = Crowd(self.plan, self.world, self._reaction)
        channels = sorted({method for person in self.world.people for method in person.methods})
        self.nodes = [
            EngineNode(self.baton, self.wire, Node(f"node-{number}"), channels, self.world.looks_at_shifts)
            for number in range(self.world.nodes)
        ]
        self.webs = [WebNode(self.baton, Node(f"web-{number}")) for number in range(2)]
        self.processes: list[EngineNode | WebNode] = [*self.nodes, *self.webs]
        self.checks = Checks()
        self.failures = _Failures()
        self.poll_at: datetime | None = None
        self.view = View(self.world, self.record, self.wire, self.baton, self.nodes)

    # -- the whole ---------------------------------------------------------------------------------------------------------

    def run(self) -> Result:
        fresh.fresh()
        started = time.process_time()
        guard.failures.clear()
        events._large = ("", 0, [])
        logger = logging.getLogger("midwatch.guard")
        clock.freeze(self.world.starts_at)
        with ExitStack() as stack:
            clock.measure_by(self._monotonic)
            stack.callback(clock.measure_by, time.monotonic)
            stack.callback(clock.thaw)
            hold.forget()
            stack.callback(connection.close)
            stack.enter_context(net.installed(self.wire))
            stack.enter_context(wake.using(_Bus(self)))
            logger.addHandler(self.failures)
            stack.callback(logger.removeHandler, self.failures)
            self._open(stack)
            self._live()
            trace = self._trace()
            counting.course(self.view)
        result = Result(self.plan, self.violations, self.record.lines, self._happened(), trace)
        result.steps, result.events, result.pages = self.steps, len(self.record.accepted), len(self.wire.rings)
        result.kills = sum(one.node.deaths for one in self.processes)
        result.switches, result.seconds = self.baton.switches, time.process_time() - started
        result.kinds = dict(self.record.tally.counts)
        return result

    def _monotonic(self) -> float:
        return (clock.now() - self._jumped).timestamp()

    def _open(self, stack: ExitStack) -> None:
        fresh.build(self.world)
        store = log.store()
        store.open()
        stack.callback(store.close)
        stack.callback(self.baton.end)
        self.door = happen.Door(store, self.record, dict(Source.objects.values_list("name", "pk")))
        self.happenings = happen.Happenings(
            self.record, self.door, self._web, self._later, {source.name: source for source in self.world.sources}
        )
        self.view.users = dict(User.objects.values_list("name", "pk"))
        phones = ContactMethod.objects.filter(type__in=("sms", "voice")).values_list("address", "user__name")
        self.wire.numbers = dict(phones)
        for number, happening in enumerate(self.plan.script(self.world)):
            work: Callable[[], None] = partial(self._happen, happening)
            heapq.heappush(self._heap, (self.world.starts_at + happening.at, number - 10_000, work))
        for node in self.processes:
            node.start()

    def _live(self) -> None:
        self.record.passes(clock.now(), is_up=True)
        self._until(self.world.starts_at + self.world.length)
        if self.violations:
            return
        self._heal()
        self._until(clock.now() + self.world.settles)
        if self.plan.stream("ending").random() < self.world.watched:
            self.record.tally.add("course", "half an hour unanswered")
            since = self.record.up_seconds
            self._until(clock.now() + WATCH)
            self._ask("everything_urgent_still_rings", partial(everything_urgent_still_rings, since_up=since))
        if self.violations:
            return
        self._resolve_everything()
        self.view.is_over = True
        self._until(clock.now() + END)
        self._ask("nothing_is_left", nothing_is_left)
        self._ask("history_is_append_only", self.checks.memory.nothing_was_rewritten)
        self._ask_the_guard()
        if not self.violations:
            self._ask_the_doctor()

    def _ask_the_doctor(self) -> None:
        for found in invariants.violations(now=clock.now()):  # the same questions that `doctor --deep` asks
            if found.name in BY_THE_CLOCK and self.record.has_jumped:
                continue
            self._violated(f"doctor: {found.name}", found.sentence)

    def _ask_the_guard(self) -> None:
        """No job failed but those that a poison event makes fail, and no thread broke."""
        unexpected = {job: count for job, count in guard.failures.items() if job not in EXPECTED}
        is_poisoned = any(one.fate == "quarantined" for one in self.record.accepted)
        if unexpected or (guard.failures and not is_poisoned) or self.baton.broken:
            told = [
                *self.baton.broken,
                *[line for line in self.failures.told if not is_poisoned or "Decode" not in line],
            ]
            self._violated("no_job_fails", f"jobs failed: {unexpected or dict(guard.failures)}: {told[:3]}")

    def _heal(self) -> None:
        """The world is well again: nodes up, the wire clean, nobody does anything any more."""
        self.record.say("everything is healed, and nobody answers any more")
        self._is_muted = True
        self._heap.clear()
        self.wire.is_healed = True
        for node in self.processes:
            node.node.fuse = node.node.nap_fuse = node.node.stopped_until = None
            if not node.node.is_alive:
                node.start()

    def _resolve_everything(self) -> None:
        self.record.say("the sources resolve everything, and somebody resolves the rest")
        for alert in Alert.objects.filter(status__in=OPEN).order_by("pk").select_related("source"):
            spec = self.happenings.sources.get(alert.source.name) if alert.source else None
            if spec is not None and not alert.dedup_key.startswith("midwatch/"):
                self.door.write(spec, [happen.fire(spec, alert.dedup_key, "P3", "resolved")])
            else:
                self._web("ana: resolve", partial(happen.resolve_by_hand, alert.pk))
        self._wake_all()

    # -- time --------------------------------------------------------------------------------------------------------------

    def _until(self, end: datetime) -> None:
        """Let things happen until `end`, by the simulated clock."""
        while not self.violations:
            self.baton.run_until_idle()
            self._after_step()
            now = clock.now()
            if self._do_due(now):
                continue
            moments = [end, now + LOOK_EVERY, self.baton.next_wake(), self._alarm(now)]
            moments += [self._heap[0][0]] if self._heap else []
            upcoming = max(now, min(at for at in moments if at is not None))
            if upcoming >= end:
                self._move(max(end, now))
                self._wake_all()
                self.baton.run_until_idle()
                self._after_step()
                return
            is_alarm = upcoming not in {self.baton.next_wake()}
            self._move(upcoming)
            if is_alarm:
                self.wake_some()

    def _move(self, to: datetime) -> None:
        self.record.passes(to, is_up=self.view.is_anybody_up())
        clock.freeze(to)

    def _do_due(self, now: datetime) -> bool:
        is_done = False
        while self._heap and self._heap[0][0] <= now:
            _, _, work = heapq.heappop(self._heap)
            work()
            is_done = True
        return is_done

    def _alarm(self, now: datetime) -> datetime | None:
        """When something is due next, read from the tables; what is due and undone is looked at by the poll."""
        ahead = earliest(ALARMS, now)
        late = earliest(OVERDUE, now)
        moments = [at for at in ahead[:-1] if at is not None]
        passes_on_at = ahead[-1] + timedelta(seconds=60) if ahead[-1] is not None else None
        if passes_on_at is not None and passes_on_at > now:
            moments.append(passes_on_at)
        is_late = any(at is not None for at in late) or (passes_on_at is not None and passes_on_at <= now)
        if (self.view.backlog or is_late) and self.view.is_anybody_up():
            moments.append(now + POLL)
        return min(moments, default=None)

    def wake_some(self) -> None:
        """One node that runs hears it, others perhaps."""
        now = clock.now()
        able = [one for one in self.nodes if one.node.is_alive and not one.node.is_stopped(now)]
        if not able:
            return
        first = self.random.choice(able)
        for one in able:
            if one is first or self.random.random() < 0.15:
                one.wake()

    def _wake_all(self) -> None:
        for one in self.nodes:
            one.wake()

    # -- after each step ---------------------------------------------------------------------------------------------------

    def _after_step(self) -> None:
        self.steps += 1
        self.view.rings = [(ring, about_of(ring)) for ring in self.wire.rings[self._rung :]]
        self._rung = len(self.wire.rings)
        for ring, about in self.view.rings:
            self._heard(ring, about)
        self.view.backlog = self._backlog()
        self.view.is_changed = self.baton.commits != self._seen_commits or self.view.is_over
        if self.view.is_changed:
            self._seen_commits = self.baton.commits
            self.view.look()
        else:
            self.view.now, self.view.entries = clock.now(), []
        for check in self.checks.all():
            self._ask(check.__name__, check)

    def _backlog(self) -> int:
        """How many accepted events are not alerts yet, by what went in: numbers of the embedded log begin with one."""
        if connection.vendor != "sqlite":
            return log.event_log().backlog()
        with connection.cursor() as cursor:
            cursor.execute("SELECT offset FROM intake_offset WHERE id = 1")
            row = cursor.fetchone()
        return self.door.count - (int(row[0]) if row else 0)

    def _ask(self, name: str, check: Callable[[View], Iterator[str]]) -> None:
        for words in check(self.view):
            self._violated(name, words)

    def _violated(self, name: str, words: str) -> None:
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(Violation(name, words, clock.now()))
            self.record.say(f"VIOLATION {name}: {words}")

    def _heard(self, ring: Ring, about: Rung | None) -> None:
        what = about.kind if about is not None else "message"
        self.record.say(f"{ring.who}'s {ring.channel} rings: {what} {_words(ring)}")
        if about is not None:
            for alert in {about.alert, *covered(about.delivery)} - {0}:
                self.view.heard[alert, about.user].append((self.record.up_seconds, ring))
        if not self._is_muted:
            self.crowd.hears(ring, about)

    # -- what happens ------------------------------------------------------------------------------------------------------

    def _later(self, at: datetime, work: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, work))

    def _reaction(
        self, at: datetime, id: str, words: str, work: Callable[[], object], counted: tuple[str, str]
    ) -> None:
        def react() -> None:
            if self._is_muted or not self.plan.allows(id):
                return
            self.record.note(id, words)
            self.record.tally.add(*counted)
            self._web(words, work)

        self._later(at, react)

    def _web(self, words: str, work: Callable[[], object]) -> None:
        alive = [web for web in self.webs if web.node.is_alive] or self.webs
        self._count += 1
        alive[self._count % len(alive)].do(work)

    def _happen(self, happening: Happening) -> None:
        self.record.note(happening.id, str(happening))
        facts, kind = happening.facts, happening.kind
        counting.happening(self.record.tally, kind, facts, is_paging=self.view.is_anybody_paged())
        if kind in EVENTS:
            self.happenings.event(kind, facts)
            self.view.backlog = 1
            self.wake_some()
        elif kind in EDITS:
            self.happenings.edit(kind, facts)
        elif kind in {"kill", "pause"}:
            self._trouble(kind, facts)
        elif kind == "break":
            self.wire.outages.append(
                Outage(facts["what"], facts["how"], clock.now() + timedelta(seconds=facts["seconds"]))
            )
        elif kind == "clock":
            self._jump(timedelta(seconds=facts["seconds"]))
        elif kind == "prune":
            self.door.store.prune(clock.now() + timedelta(days=1), 1_000)
        else:
            self.happenings.act(kind, facts)

    def _trouble(self, kind: str, facts: Mapping[str, Any]) -> None:
        nodes = {one.node.name: one for one in self.processes}
        found = nodes.get(str(facts["node"]))
        if found is None or not found.node.is_alive:
            return
        if kind == "pause":
            found.node.nap_fuse, found.node.nap = facts["fuse"], timedelta(seconds=facts["seconds"])
        else:
            found.node.fuse = facts["fuse"]
            self._back[found.node.name] = facts["back_seconds"]

    def _died(self, node: Node) -> None:
        self.record.say(f"{node.name} dies")
        counting.death(self.record.tally, node, self.nodes)
        found = next(one for one in self.processes if one.node is node)
        back = clock.now() + timedelta(seconds=self._back[node.name])

        def start() -> None:
            if not node.is_alive:
                self.record.say(f"{node.name} starts again")
                found.start()

        self._later(back, start)

    def _stopped(self, node: Node) -> None:
        counting.stop(self.record.tally, node)
        self.record.say(f"{node.name} is stopped for {node.nap.total_seconds():.0f} s")

    def _jump(self, by: timedelta) -> None:
        """The clock is set. What was to happen happens as long after now as before."""
        now = clock.now()
        self.record.has_jumped = True
        self._jumped += by
        self.record.edits.append(Edit("clock", now - abs(by), now + abs(by)))
        clock.freeze(now + by)
        self.record.passes(clock.now(), is_up=False)
        self._heap = [(at + by, number, work) for at, number, work in self._heap]
        heapq.heapify(self._heap)
        for actor in self.baton.actors:
            if actor.wake_at is not None:
                actor.wake_at += by
            if actor.node.stopped_until is not None and actor.node.stopped_until > now:
                actor.node.stopped_until += by

    # -- the verdict -------------------------------------------------------------------------------------------------------

    def _happened(self) -> list[str]:
        return [*self.record.happened, *self.wire.happened]

    def _trace(self) -> str:
        """A digest of everything that happened and of what was written down."""
        parts = [f"{at.isoformat()} {line}" for at, line in self.record.lines]
        parts += [repr(row) for row in timeline_rows()]
        parts += [repr(row) for row in audit_rows()]
        parts.append(f"{self.baton.points} {self.baton.switches} {self.baton.commits}")
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _words(ring: Ring) -> str:
    return " ".join(ring.text.split())[:90]


def told(plan: Plan) -> dict[str, Any]:
    """A run's figures and verdict as plain values."""
    result = Run(plan).run()
    return {
        "seed": plan.seed,
        "size": "scene" if plan.scene else "long" if plan.is_long else "small",
        "kinds": result.kinds,
        "violations": [(one.check, one.words, one.at.isoformat()) for one in result.violations],
        "trace": result.trace,
        **{name: getattr(result, name) for name in ("steps", "events", "pages", "kills", "switches", "seconds")},
    }
