"""What was exercised, counted: a promise that held says little when nothing was done to break it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

# Each kind that every few hundred seeds must have had, in groups as they are shown.
KINDS: Mapping[str, tuple[str, ...]] = {
    "events": (
        "fires", "fires again", "resolves", "group", "poison", "misunderstood", "refused", "truncated", "large payload",
        "storm", "burst", "log pruned",
    ),
    "nodes": ("engine dies", "web worker dies", "engine is stopped", "web worker is stopped", "every engine is down"),
    "providers": ("slow", "unreachable", "refuses", "hangs", "taken-then-silent", "gone"),
    "receipts": ("delivered", "failed after all"),
    "answers": (
        "acknowledges by link (this)", "acknowledges by link (all)", "acknowledges by SMS", "acknowledges by key",
        "acknowledges by web", "resolves", "declines", "snoozes", "gives back", "still on it",
    ),
    "acts": (
        "race", "unacknowledge", "snooze", "escalate", "add", "reassign", "raise", "lower", "note", "close", "page",
    ),
    "edits": (
        "policy", "rota", "override", "turned off", "turned on", "maintenance", "policy mid-escalation",
        "rota mid-escalation", "turned off mid-escalation",
    ),
    "clock": ("set forward", "set back", "night of a jump", "night of a doubled hour"),
    "course": (
        "another round", "acknowledgement timed out", "snooze ended", "passed on", "nobody to page", "joined",
        "bundle", "after an answer, if unresolved", "sent twice and marked", "half an hour unanswered",
    ),
}  # fmt: skip


class Tally:
    """Counts by `group: kind`."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, group: str, kind: str, count: int = 1) -> None:
        self.counts[f"{group}: {kind}"] += count


def missing(counts: Mapping[str, int]) -> list[str]:
    """Kinds that never happened."""
    return [name for name in _names() if not counts.get(name)]


def told(counts: Mapping[str, int]) -> Iterable[str]:
    """A line for each group, with what never happened at its place, too."""
    for group, kinds in KINDS.items():
        yield f"{group}: " + ", ".join(f"{kind} {counts.get(f'{group}: {kind}', 0)}" for kind in kinds)
    if never := missing(counts):
        yield "never happened: " + "; ".join(never)


def _names() -> Iterable[str]:
    return (f"{group}: {kind}" for group, kinds in KINDS.items() for kind in kinds)
