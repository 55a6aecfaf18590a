"""`midwatch-sim`: runs seeds in several processes, shrinks what fails, tells it as a story, ends with a line of figures.

Imports no Django: workers read their settings after `ground.prepare`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from midwatch.simulation import ground, tally
from midwatch.simulation.scenes import SCENES
from midwatch.simulation.script import SIZES, Plan

FAILURES_MAX = 3  # seeds that are shrunk and told; more are only counted
WORKERS_MAX = 32


@dataclass
class Figures:
    """What the last line says."""

    seeds: int = 0
    steps: int = 0
    events: int = 0
    pages: int = 0
    kills: int = 0
    switches: int = 0
    violations: int = 0
    failing: list[int] = field(default_factory=list)
    cpu: float = 0.0
    checks: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, told: dict[str, Any]) -> None:
        self.seeds += 1
        for name in ("steps", "events", "pages", "kills", "switches"):
            setattr(self, name, getattr(self, name) + told[name])
        self.cpu += told["seconds"]
        self.kinds.update(told["kinds"])
        if told["violations"]:
            self.violations += len(told["violations"])
            self.failing.append(told["seed"])
            self.checks[str(told["violations"][0][0])] += 1

    def line(self, seconds: float) -> str:
        return (
            f"seeds={self.seeds} steps={self.steps} events={self.events} pages={self.pages} kills={self.kills} "
            f"switches={self.switches} violations={self.violations} cpu={self.cpu:.1f} seconds={seconds:.1f}"
        )


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="midwatch-sim", description="Deterministic simulation of the paging core: one seed is one run."
    )
    made.add_argument("--seeds", type=_whole, default=20, help="how many seeds, from --from on (default 20)")
    made.add_argument("--from", type=int, default=1, dest="first", help="the first seed (default 1)")
    made.add_argument("--minutes", type=float, help="run for so long instead")
    made.add_argument("--seed", type=int, help="one seed, told as a story")
    made.add_argument("--keep", help="with --seed: only these happenings, as a shrunk failure names them")
    made.add_argument("--scene", default="", choices=["", *SCENES], help="a directed world instead of chance's")
    made.add_argument("--size", default="mixed", choices=SIZES, help="of the worlds (default: each seed draws its own)")
    made.add_argument(
        "--database", default="", help="postgresql://...: a database that is emptied for each run (default: SQLite)"
    )
    made.add_argument("--workers", type=_whole, default=min(os.cpu_count() or 1, 4), help="processes (default: cores)")
    made.add_argument("--json", action="store_true", help="a line of JSON for each seed")
    made.add_argument("--no-shrink", action="store_true", help="tell a failing seed as it is")
    made.add_argument("--import", dest="extra", help=argparse.SUPPRESS)  # a module that plants a bug, for the tests
    made.add_argument("--work", action="store_true", help=argparse.SUPPRESS)  # a worker: seeds from standard input
    made.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    return made


def _whole(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("give 1 or more")
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0: every promise held; 1: a violation; 2: wrong usage."""
    args = parser().parse_args(argv)
    if args.work:
        return _work(args)
    root = ground.scratch()
    try:
        return _tell(args, root) if args.seed is not None else _many(args, root)
    finally:
        ground.forget(root)


# -- one seed ----------------------------------------------------------------------------------------------------------------


def _tell(args: argparse.Namespace, root: Path) -> int:
    _prepare(args, root / "one")
    shrink = importlib.import_module("midwatch.simulation.shrink")
    started = time.monotonic()
    only = frozenset(args.keep.split(",")) if args.keep is not None else None
    plan = Plan(args.seed, only=only, scene=args.scene, size=args.size)
    told = shrink.tell(plan, shrinks=not args.no_shrink and only is None)
    print(told["story"])
    figures = Figures()
    figures.add(told)
    print(f"trace={told['trace']}")
    print(figures.line(time.monotonic() - started))
    return 1 if told["violations"] else 0


def _same(args: argparse.Namespace, database: str) -> list[str]:
    """What a process started by this one is told as well."""
    planted = ["--import", args.extra] if args.extra else []
    return [*planted, "--scene", args.scene, "--size", args.size, "--database", database]


def _prepare(args: argparse.Namespace, data: Path) -> None:
    data.mkdir(parents=True, exist_ok=True)
    ground.prepare(data, args.database)
    if args.extra:
        path, _, name = str(args.extra).rpartition(":")
        sys.path.insert(0, path or ".")
        importlib.import_module("midwatch.simulation.run")
        module, _, what = name.partition("/")
        importlib.import_module(module).plant(what)


# -- many --------------------------------------------------------------------------------------------------------------------


@dataclass
class Worker:
    """A process of its own, told seeds on its standard input, one answer a line."""

    process: subprocess.Popen[str]

    def ask(self, seed: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{seed}\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"a worker of the simulation ended with {self.process.wait()}: run one seed to see why")
        return dict(json.loads(line))


def _many(args: argparse.Namespace, root: Path) -> int:
    started = time.monotonic()
    figures = Figures()
    workers = _start(args, root)
    try:
        for told in _answers(workers, _seeds(args, started)):
            figures.add(told)
            if args.json:
                print(json.dumps(told), flush=True)
            elif told["violations"]:
                check, words, _ = told["violations"][0]
                print(f"seed {told['seed']}: {check}: {words}", flush=True)
    finally:
        _stop(workers)
    if not args.no_shrink and not args.json:
        for seed in figures.failing[:FAILURES_MAX]:
            _shrunk(args, root, seed)
    if not args.json:
        print("\n".join(tally.told(figures.kinds)))
    print(figures.line(time.monotonic() - started))
    return 1 if figures.failing else 0


def _seeds(args: argparse.Namespace, started: float) -> Iterator[int]:
    seed = args.first
    while True:
        if args.minutes is not None:
            if time.monotonic() - started > args.minutes * 60:
                return
        elif seed >= args.first + args.seeds:
            return
        yield seed
        seed += 1


def _start(args: argparse.Namespace, root: Path) -> list[Worker]:
    found: list[Worker] = []
    count = min(args.workers, WORKERS_MAX)
    for number in range(count):
        extra = _same(args, ground.database_of(args.database, number))
        process = subprocess.Popen(
            [sys.executable, "-m", "midwatch.simulation", "--work", "--data", str(root / f"w{number}"), *extra],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        found.append(Worker(process))
        if number == 0 and count > 1 and not args.database:
            found[0].ask(-1)  # makes the migrated template that the others copy
            found[0].answer()
    return found


def _answers(workers: list[Worker], seeds: Iterator[int]) -> Iterator[dict[str, Any]]:
    """Each worker has one seed in hand and one waiting, so that none stands still."""
    selector = selectors.DefaultSelector()
    busy = 0
    for worker in workers:
        seed = next(seeds, None)
        if seed is not None:
            worker.ask(seed)
            busy += 1
        assert worker.process.stdout is not None
        selector.register(worker.process.stdout, selectors.EVENT_READ, worker)
    while busy:
        for key, _ in selector.select():
            yield key.data.answer()
            busy -= 1
            seed = next(seeds, None)
            if seed is not None:
                key.data.ask(seed)
                busy += 1
    selector.close()


def _stop(workers: list[Worker]) -> None:
    for worker in workers:
        assert worker.process.stdin is not None
        worker.process.stdin.close()
        worker.process.wait()


def _shrunk(args: argparse.Namespace, root: Path, seed: int) -> None:
    """In a process of its own, so that this one stays without Django."""
    extra = _same(args, args.database)
    command = [sys.executable, "-m", "midwatch.simulation", "--seed", str(seed), *extra]
    print(subprocess.run(command, capture_output=True, text=True, check=False).stdout, flush=True)


def _work(args: argparse.Namespace) -> int:
    _prepare(args, args.data)
    run = importlib.import_module("midwatch.simulation.run")
    for line in sys.stdin:
        seed = int(line)
        if seed < 0:
            importlib.import_module("midwatch.simulation.fresh").fresh()
            print("{}", flush=True)
            continue
        print(json.dumps(run.told(Plan(seed, scene=args.scene, size=args.size))), flush=True)
    return 0
