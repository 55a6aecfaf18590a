"""Who should facilitate: somebody who was not in it, and not always the same (seed; R11). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

PROPOSED_MAX = 5


@dataclass(frozen=True, slots=True)
class Candidate:
    """`involvement`: why this person counts as involved ("held IC", "was paged"), empty for who does not.

    `is_near`: of a team that owns an affected service: proposed last. `facilitated`: how many in the last 180 days.
    """

    person: int
    name: str
    facilitated: int
    is_near: bool = False
    involvement: tuple[str, ...] = ()

    @property
    def is_involved(self) -> bool:
        return bool(self.involvement)

    @property
    def why(self) -> str:
        if self.involvement:
            return ", ".join(self.involvement)
        times = {0: "none", 1: "one"}.get(self.facilitated, str(self.facilitated))
        return f"not involved{', but of an owning team' if self.is_near else ''}; facilitated {times} in 180 days"


def proposals(
    candidates: Iterable[Candidate], *, but: Iterable[int] = (), at_most: int = PROPOSED_MAX
) -> list[Candidate]:
    """Nobody who was involved; those of other teams first, then whoever did it least. `but`: who declined already."""
    declined = set(but)
    free = [one for one in candidates if not one.is_involved and one.person not in declined]
    return sorted(free, key=lambda one: (one.is_near, one.facilitated, one.name, one.person))[:at_most]


def refusal(candidate: Candidate, reason: str) -> str:
    """Why this one may not be chosen like that, "" when they may."""
    if candidate.is_involved and not reason.strip():
        return f"{candidate.name} was involved ({candidate.why}): choose somebody else, or say why it must be them"
    return ""
