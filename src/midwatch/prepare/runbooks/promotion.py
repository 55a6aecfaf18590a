"""When a step should rise a rung, or fall one. Pure: what happened to it, newest first, in; a proposal with its reason out.

The rungs are manual, copy, run, auto. A step rises after so many real runs in a row that people carried out as written; it
falls when it fails. Both are proposals: a person decides, and both the proposal and the decision stay on record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

RUNGS = ("manual", "copy", "run", "auto")
RUNS_IN_A_ROW = 5
RUNS_IN_A_ROW_AUTO = 10  # the last rung takes the person away
FAILURES_OF_RUN = 2  # of the last five: a step that a person presses may fail once without being wrong
LOOKED_AT = 5


@dataclass(frozen=True, slots=True)
class Seen:
    """One real run of the step. `kind`: the rung it was on. `number`: of its execution."""

    number: int
    kind: str
    state: str
    is_edited: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    direction: str  # promote, demote
    from_kind: str
    to_kind: str
    why: str
    number: int  # the newest execution it rests on


def propose(kind: str, seen: Sequence[Seen], *, has_command: bool, decided_at_number: int = 0) -> Proposal | None:
    """`kind`: its rung now. `seen`: newest first. `has_command`: without one nothing can be copied or run.
    `decided_at_number`: what was decided rested on executions up to this one; only later ones count."""
    if kind not in RUNGS:
        return None
    news = [one for one in seen if one.number > decided_at_number and one.state != "skipped" and one.kind == kind]
    return _demotion(kind, news) or _promotion(kind, news, has_command=has_command)


def _demotion(kind: str, news: Sequence[Seen]) -> Proposal | None:
    bad = [one for one in news[:LOOKED_AT] if one.state in {"failed", "unknown"}]
    if kind == "auto" and bad:
        last = bad[0]
        why = f"it ended {last.state} in execution {last.number} while it ran by itself"
        return Proposal("demote", "auto", "run", why, news[0].number)
    if kind == "run" and len(bad) >= FAILURES_OF_RUN:
        numbers = " and ".join(str(one.number) for one in bad[:FAILURES_OF_RUN])
        why = f"{len(bad)} of its last {min(len(news), LOOKED_AT)} runs did not succeed (executions {numbers})"
        return Proposal("demote", "run", "copy", why, news[0].number)
    return None


def _promotion(kind: str, news: Sequence[Seen], *, has_command: bool) -> Proposal | None:
    if kind == RUNGS[-1] or not has_command:
        return None
    clean = 0
    for one in news:
        if one.state != "ok" or one.is_edited:
            break
        clean += 1
    needed = RUNS_IN_A_ROW_AUTO if kind == "run" else RUNS_IN_A_ROW
    if clean < needed:
        return None
    why = f"{clean} real runs in a row were done as written, without an edit"
    return Proposal("promote", kind, RUNGS[RUNGS.index(kind) + 1], why, news[0].number)
