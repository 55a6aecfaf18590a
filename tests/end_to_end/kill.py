"""Kill -9 runs on the real program: `midwatch serve` is killed, whole or in parts, while thousands of events come in.

    python benchmarks/kill.py [--kills 40] [--seed N] [--database sqlite|postgresql|both]

A run is told by its seed as far as chance is ours: which victim, and after how long; the machine does the rest.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import postgres
from end_to_end.ledger import Pager, Senders
from end_to_end.running import Midwatch, Program, on_postgresql, run_verb, wait_until
from end_to_end.team_documents import NO_STORMS, documents

PEOPLE = 10
LEASE_SECONDS = 20.0  # of a delivery
LATE_SECONDS = LEASE_SECONDS + 2
PAUSES = (0.2, 1.2)  # seconds between two kills
END_SECONDS_MAX = 240.0
SETTLE_SECONDS_MAX = 60.0
ORPHAN_SECONDS_MAX = 15.0
VICTIMS = ("web", "engine", "parent", "all")


@dataclass(slots=True)
class Figures:
    """What came of one run. `lost` counts accepted events that paged nobody."""

    database: str
    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    accepted: int = 0
    tries: int = 0
    alerts: int = 0
    lost: int = 0
    alerts_doubled: int = 0
    pages: int = 0
    repeated: int = 0
    repeated_unmarked: int = 0
    late: int = 0
    delays: list[float] = field(default_factory=list)
    refused: list[tuple[str, int]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)  # processes that should not have been there
    orphan_seconds: float = 0.0  # how long children outlived a killed parent, at most

    def delay(self, share: float) -> float:
        ordered = sorted(self.delays)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0

    def line(self) -> str:
        killed = ", ".join(f"{self.kills[name]} {name}" for name in VICTIMS if self.kills[name])
        return (
            f"{self.database}, seed {self.seed}: {sum(self.kills.values())} kills ({killed}) in {self.seconds:.0f} s; "
            f"{self.accepted} events accepted in {self.tries} tries, {self.lost} lost, {self.alerts} alerts "
            f"({self.alerts_doubled} doubled); {self.pages} pages handed over, {self.repeated} of them repeats after a "
            f"kill ({self.repeated_unmarked} unmarked); accepted to page p50 {self.delay(0.5):.2f} s, "
            f"p99 {self.delay(0.99):.1f} s, max {self.delay(1.0):.1f} s, {self.late} later than {LATE_SECONDS:.0f} s; "
            f"children of a killed parent ended within {self.orphan_seconds:.1f} s"
        )


def parts_of(group: int) -> Counter[str]:
    """How many processes of each part of Midwatch live in a process group."""
    found: Counter[str] = Counter()
    listed = subprocess.run(["ps", "-eo", "pgid,stat,args"], capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines()[1:]:
        number, state, arguments = line.split(None, 2)
        if int(number) == group and not state.startswith("Z"):
            words = arguments.split()
            found[words[words.index("midwatch.parts") + 1] if "midwatch.parts" in words else "serve"] += 1
    return found


def pid_of(group: int, part: str) -> int | None:
    listed = subprocess.run(["ps", "-eo", "pid,pgid,args"], capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines()[1:]:
        pid, number, arguments = line.split(None, 2)
        if int(number) == group and f"midwatch.parts {part} " in arguments:
            return int(pid)
    return None


def run(directory: Path, *, database: str, kills: int, seed: int) -> Figures:
    figures = Figures(database, seed)
    chance = random.Random(seed)
    with ExitStack() as stack:
        settings: dict[str, str] = dict(NO_STORMS)
        if database == "postgresql":
            settings |= on_postgresql(stack.enter_context(postgres.running()).create_database("kill"))
            run_verb(directory, "upgrade", **settings)
        pager = stack.enter_context(Pager())
        midwatch = Midwatch(directory, documents(pager.url, PEOPLE), **settings)
        stack.callback(_end, midwatch)
        midwatch.start()
        senders = stack.enter_context(Senders([midwatch.port], services=PEOPLE, pause_seconds=0.05))
        started = time.monotonic()
        for _ in range(kills):
            time.sleep(chance.uniform(*PAUSES))
            _kill(midwatch, chance.choice(VICTIMS), figures)
        wait_until(midwatch.is_ready, seconds=90, what="readiness")
        time.sleep(chance.uniform(*PAUSES))  # some events after the last kill too
        senders.stop()
        figures.seconds = time.monotonic() - started
        _settle(midwatch, senders, pager)
        _count(midwatch, senders, pager, figures)
    return figures


def _kill(midwatch: Midwatch, victim: str, figures: Figures) -> None:
    assert midwatch.process is not None
    group = midwatch.process.pid
    figures.kills[victim] += 1
    match victim:
        case "all":
            midwatch.kill_group()
            midwatch.start()
        case "parent":
            midwatch.process.kill()
            midwatch.process.wait(10)
            Program.start(midwatch)  # as systemd would, at once: the children of the dead one may still be there
            _watch_orphans(group, midwatch.process.pid, figures)
            wait_until(midwatch.is_ready, seconds=90, what="readiness")
        case part:
            pid = pid_of(group, part)
            if pid is not None:  # else it was just being started again
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _watch_orphans(dead: int, alive: int, figures: Figures) -> None:
    """Children end with their parent, and the next one starts none before they have."""
    since = time.monotonic()
    while orphans := parts_of(dead):
        started = parts_of(alive)  # asked after the orphans: what is seen now began while they lived
        if orphans["web"] + orphans["engine"] and started["web"] + started["engine"] and parts_of(dead):
            figures.wrong.append(f"{dict(started)} beside {dict(orphans)} of a dead parent")
        if time.monotonic() - since > ORPHAN_SECONDS_MAX:
            figures.wrong.append(f"{dict(orphans)} outlived their parent")
            return
        time.sleep(0.02)
    figures.orphan_seconds = max(figures.orphan_seconds, time.monotonic() - since)


def _settle(midwatch: Midwatch, senders: Senders, pager: Pager) -> None:
    """Until everybody who is to be paged was, and nothing is being sent any more."""
    deadline = time.monotonic() + END_SECONDS_MAX
    while time.monotonic() < deadline and not senders.accepted.keys() <= pager.first_page.keys():
        time.sleep(0.05)  # what is missing at the end is counted as lost, not waited for without end
    assert midwatch.process is not None
    group = midwatch.process.pid
    wait_until(
        lambda: parts_of(group) == Counter(serve=1, web=1, engine=1),
        seconds=SETTLE_SECONDS_MAX,
        what="one of each part",
    )


def _count(midwatch: Midwatch, senders: Senders, pager: Pager, figures: Figures) -> None:
    accepted = dict(senders.accepted)
    alerts = Counter(str(alert["title"]) for alert in midwatch.all_alerts())
    figures.accepted = len(accepted)
    figures.tries = senders.tries
    figures.refused = senders.refused
    figures.alerts = sum(alerts.values())
    figures.alerts_doubled = sum(count - 1 for count in alerts.values())
    figures.lost = sum(title not in pager.first_page or title not in alerts for title in accepted)
    figures.delays = [pager.first_page[title] - at for title, at in accepted.items() if title in pager.first_page]
    figures.late = sum(delay > LATE_SECONDS for delay in figures.delays)
    figures.pages = len(pager.arrivals)
    repeated = pager.repeated()
    figures.repeated = sum(len(arrivals) - 1 for arrivals in repeated.values())
    figures.repeated_unmarked = sum(
        not _is_marked(midwatch, arrivals[0].numbers[0]) for arrivals in repeated.values() if arrivals[0].numbers
    )


def _is_marked(midwatch: Midwatch, number: int) -> bool:
    """The receipt of a message that went out again may be on its way still."""
    with suppress(AssertionError):
        return wait_until(lambda: "sent again" in str(midwatch.alert(number)["timeline"]), seconds=45, what="the mark")
    return False


def _end(midwatch: Midwatch) -> None:
    midwatch.stop()
    if midwatch.process is not None:
        with suppress(ProcessLookupError):
            os.killpg(midwatch.process.pid, signal.SIGKILL)
