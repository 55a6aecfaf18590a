"""Who runs: one actor at a time, a baton passed by a seeded generator, on a clock that moves only here.

An actor is a thread with a database connection of its own: a node's engine, its pools, one sender, a web worker. It can
be stopped, or die, wherever it stands: before each statement outside a transaction, before BEGIN, before and after
COMMIT and around every send the baton may go to another; at every statement the actor's node may die.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from django.db import connection

from midwatch.core import clock

RESUME = timedelta(milliseconds=1)  # what the processor takes each time the baton is passed
SWITCHES_MAX = 200_000  # a run has some thousands; one that does not end is a finding
SWITCH_CHANCE = 0.12


class NodeKilled(BaseException):
    """kill -9: the transaction rolls back, the thread and its connection go, leases stay."""


@dataclass(eq=False)
class Node:
    """What lives and dies together. `fuse`: at so many points from now it dies; `nap`: it is stopped (SIGSTOP)."""

    name: str
    is_alive: bool = True
    fuse: int | None = None
    nap_fuse: int | None = None
    nap: timedelta = timedelta(0)
    stopped_until: datetime | None = None
    deaths: int = 0
    naps: int = 0

    def is_stopped(self, now: datetime) -> bool:
        return self.stopped_until is not None and self.stopped_until > now


class Actor:
    """A thread that runs only while it holds the baton."""

    def __init__(self, baton: Baton, name: str, node: Node, work: Callable[[Actor], None]) -> None:
        self.baton = baton
        self.name = name
        self.node = node
        self.wake_at: datetime | None = None  # asleep until then; None: ready
        self.is_waiting = False  # asleep until woken (or wake_at)
        self.is_done = False
        self.is_broken = False
        self.has_connection = False
        self.commits_at = 0  # the count of all commits when this actor last committed
        self._work = work
        self._go = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    # -- the actor's own thread ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        self._go.acquire()
        self.is_broken = True
        try:
            if self.node.is_alive:
                self._work(self)
            self.is_broken = False
        except NodeKilled:
            self.is_broken = False
        finally:
            if self.has_connection:
                _unhook()
                connection.close()
            self.is_done = True
            self.baton.back.release()

    def use_database(self) -> None:
        """From now on every statement of this thread is a point."""
        self.has_connection = True
        _hook(self)

    def point(self, *, can_switch: bool = True) -> None:
        """The node may die here; when `can_switch`, another may run, or this node may be stopped for a while."""
        self.baton.points += 1
        node = self.node
        if node.fuse is not None:
            node.fuse -= 1
            if node.fuse < 0:
                self.baton.kill(node)
        if not node.is_alive:
            raise NodeKilled
        if not can_switch:
            return
        if node.nap_fuse is not None:
            node.nap_fuse -= 1
            if node.nap_fuse < 0:
                node.nap_fuse = None
                node.stopped_until = clock.now() + node.nap
                node.naps += 1
                self.baton.on_stop(node)
                self.give_way()
                return
        if self.baton.random.random() < SWITCH_CHANCE:
            self.give_way()

    def give_way(self) -> None:
        """Hand the baton over, and come back when it is this actor's turn."""
        self.baton.back.release()
        self._go.acquire()
        if not self.node.is_alive:
            raise NodeKilled

    def sleep(self, length: timedelta) -> None:
        self.wake_at = clock.now() + length
        self.give_way()

    def wait(self, until: datetime | None = None) -> None:
        """Until woken, or `until`."""
        self.is_waiting, self.wake_at = True, until
        self.give_way()

    # -- the director's thread -----------------------------------------------------------------------------------------

    def wake(self) -> None:
        if self.is_waiting:
            self.is_waiting, self.wake_at = False, None

    def is_ready(self, now: datetime) -> bool:
        if not self.node.is_alive:
            return True  # to die
        if self.node.is_stopped(now):
            return False
        if self.wake_at is not None:
            return self.wake_at <= now
        return not self.is_waiting

    def resume(self) -> None:
        self.is_waiting, self.wake_at = False, None
        self._go.release()
        self.baton.back.acquire()


@dataclass(eq=False)
class Baton:
    """The scheduler. `random` decides who runs and when the baton changes hands."""

    random: Random
    on_kill: Callable[[Node], None] = lambda _node: None
    on_stop: Callable[[Node], None] = lambda _node: None
    actors: list[Actor] = field(default_factory=list)
    back: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    points: int = 0
    switches: int = 0
    commits: int = 0
    broken: list[str] = field(default_factory=list)

    def start(self, name: str, node: Node, work: Callable[[Actor], None]) -> Actor:
        actor = Actor(self, name, node, work)
        self.actors.append(actor)
        return actor

    def kill(self, node: Node) -> None:
        if node.is_alive:
            node.is_alive = False
            node.fuse = None
            node.deaths += 1
            self.on_kill(node)

    def run_until_idle(self) -> None:
        """Pass the baton until nobody is ready at this moment."""
        while True:
            now = clock.now()
            ready = [actor for actor in self.actors if actor.is_ready(now)]
            if not ready:
                return
            actor = ready[0] if len(ready) == 1 else self.random.choice(ready)
            self.switches += 1
            if self.switches > SWITCHES_MAX:
                raise RuntimeError(f"{actor.name} and others do not come to rest")
            clock.forward(RESUME)
            actor.resume()
            if actor.is_done:
                self.actors.remove(actor)
                if actor.is_broken:
                    self.broken.append(actor.name)

    def next_wake(self) -> datetime | None:
        """When an actor that sleeps, or a node that is stopped, goes on by itself."""
        moments = []
        now = clock.now()
        for actor in self.actors:
            if actor.node.is_stopped(now):
                moments.append(actor.node.stopped_until)
            elif actor.wake_at is not None:
                moments.append(actor.wake_at)
        return min((at for at in moments if at is not None), default=None)

    def end(self) -> None:
        """Every thread ends."""
        for actor in self.actors:
            actor.node.is_alive = False
        while self.actors:
            actor = self.actors.pop()
            actor.resume()


def _hook(actor: Actor) -> None:
    """Every statement, BEGIN and COMMIT of this thread's connection asks the baton first."""

    def before(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        # BEGIN is executed with the write ticket in hand: who stops there would stop everybody.
        actor.point(can_switch=not connection.in_atomic_block and not sql.startswith("BEGIN"))
        return execute(sql, params, many, context)

    set_autocommit, commit = connection.set_autocommit, connection.commit

    def hooked_autocommit(autocommit: bool, **more: Any) -> None:
        if not autocommit:
            actor.point()  # a dead node opens no transaction in a `finally` either: kill -9 runs none
        set_autocommit(autocommit, **more)

    def hooked_commit() -> None:
        actor.point(can_switch=False)
        commit()
        actor.baton.commits += 1
        actor.commits_at = actor.baton.commits
        actor.point()

    connection.execute_wrappers.append(before)
    connection.set_autocommit = hooked_autocommit  # type: ignore[method-assign, assignment]
    connection.commit = hooked_commit  # type: ignore[method-assign]


def _unhook() -> None:
    connection.execute_wrappers.clear()
    del connection.set_autocommit, connection.commit  # the instance's own: the class's come back
