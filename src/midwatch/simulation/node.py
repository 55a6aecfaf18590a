"""One engine node: the real ticker and the real pools, as actors. What a thread pool would run, an actor runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from midwatch.core import clock
from midwatch.core.guard import guarded
from midwatch.engine.pools import ChannelPool, Pools, channels_with_work
from midwatch.engine.tick import Ticker
from midwatch.respond.notify.models import Delivery
from midwatch.simulation import wire as wires
from midwatch.simulation.baton import Actor, Baton, Node
from midwatch.simulation.wire import Wire

SENDERS = 3
ASK_EVERY = timedelta(seconds=5)
LOOK_EVERY = timedelta(minutes=30)
RARELY = ("shift messages", "gap warnings", "retention")
# No page, and nobody waits for it: what goes by the hour would be left over whenever a run ends then.
NEVER = ("weekly digest", "references of runbooks")


class Senders:
    """In the place of a thread pool: each send is an actor of its own, so that it can be slow, and die."""

    def __init__(self, engine: EngineNode) -> None:
        self.engine = engine

    def submit(self, work: Callable[[Any], None], what: Any) -> None:
        engine = self.engine
        engine.count += 1
        name = f"{engine.node.name}.send-{engine.count}"
        engine.wire.claims[name] = wires.running().commits_at  # the engine's own, or its pools', that just claimed it
        engine.wire.naps[name] = engine.node.naps

        def send(actor: Actor) -> None:
            wires.runs(actor)
            if work.__name__ == "_poll":
                actor.use_database()
            actor.point()
            work(what)
            if engine.pools is not None:
                engine.pools.wake()

        engine.baton.start(name, engine.node, send)


class Outlet(Pools):
    """The engine's own: what may leave at once is claimed in the transaction that writes it, and leaves with its commit.

    A node that dies after the commit and before the send leaves messages that are claimed and were never sent.
    """

    def __init__(self, engine: EngineNode) -> None:
        super().__init__(senders=SENDERS, node=engine.node.name)
        self.engine = engine
        for pool in self._pools.values():
            pool._executor.shutdown(wait=False)
            pool._executor = Senders(engine)  # type: ignore[assignment]

    def channels(self, names: Sequence[str]) -> list[ChannelPool]:
        return [self._pools[name] for name in names]

    def send(self, deliveries: Sequence[Delivery]) -> None:
        self.engine.left_with_commit += len(deliveries)
        super().send(deliveries)

    def look(self, channels: set[str]) -> None:
        super().look(channels)
        if self.engine.pools is not None:
            self.engine.pools.wake()


@dataclass(eq=False)
class EngineNode:
    """A process of `midwatch engine`: it ticks, its pools claim and write receipts, its senders send."""

    baton: Baton
    wire: Wire
    node: Node
    channels: list[str]
    looks_at_shifts: bool = True
    engine: Actor | None = None
    pools: Actor | None = None
    count: int = 0
    ticks: int = 0
    left_with_commit: int = 0
    outlet: Outlet | None = None
    channel_pools: list[ChannelPool] = field(default_factory=list)

    def start(self) -> None:
        self.node.is_alive = True
        self.outlet = Outlet(self)
        self.channel_pools = self.outlet.channels(self.channels)
        self.pools = self.baton.start(f"{self.node.name}.pools", self.node, self._run_pools)
        self.engine = self.baton.start(f"{self.node.name}.engine", self.node, self._run_engine)

    def wake(self) -> None:
        for actor in (self.engine, self.pools):
            if actor is not None and self.node.is_alive:
                actor.wake()

    def _run_engine(self, actor: Actor) -> None:
        actor.use_database()
        wires.runs(actor)
        assert self.pools is not None
        ticker = Ticker(outlet=self.outlet)
        while True:
            self._rarely(ticker)
            done = guarded("tick", ticker.tick, otherwise=0)
            self.ticks += 1
            if done:
                self.pools.wake()
                actor.point()
            else:
                self.pools.wake()
                actor.wait()

    def _rarely(self, ticker: Ticker) -> None:
        """Messages about shifts are no pages and dear to work out: they are looked at every half hour, or not at all."""
        now = clock.now()
        ticker.last_run |= dict.fromkeys(NEVER, now)
        for name in RARELY:
            last = ticker.last_run.get(f"really {name}")
            if not self.looks_at_shifts or (last is not None and timedelta(0) <= now - last < LOOK_EVERY):
                ticker.last_run[name] = now
            else:
                ticker.last_run[f"really {name}"] = now

    def _run_pools(self, actor: Actor) -> None:
        actor.use_database()
        wires.runs(actor)
        asked_at = clock.now()
        while True:
            nothing: set[str] = set()
            due = guarded("due", channels_with_work, otherwise=nothing)
            for pool in self.channel_pools:
                if pool.channel in due:
                    pool.wake()
                if pool._sent or pool.channel in due:
                    guarded(f"pool {pool.channel}", pool._dispatch, otherwise=None)
            if abs(clock.now() - asked_at) > ASK_EVERY:
                asked_at = clock.now()
                for pool in self.channel_pools:
                    guarded(f"receipts {pool.channel}", pool._ask_providers, otherwise=None)
            if not any(pool._sent for pool in self.channel_pools):
                actor.wait()


@dataclass(eq=False)
class WebNode:
    """A web worker: does what people ask, one thing after another."""

    baton: Baton
    node: Node
    actor: Actor | None = None
    queue: list[Callable[[], object]] = field(default_factory=list)
    refused: int = 0

    def start(self) -> None:
        self.node.is_alive = True
        self.actor = self.baton.start(f"{self.node.name}.worker", self.node, self._run)

    def do(self, work: Callable[[], object]) -> None:
        self.queue.append(work)
        if self.actor is not None:
            self.actor.wake()

    def _run(self, actor: Actor) -> None:
        actor.use_database()
        while True:
            while self.queue:
                work = self.queue.pop(0)
                guarded("web", partial(self._work, work), otherwise=None)
            actor.wait()

    def _work(self, work: Callable[[], object]) -> None:
        try:
            work()
        except (ValueError, LookupError):
            self.refused += 1  # a sentence for the person: what they wanted cannot be done
