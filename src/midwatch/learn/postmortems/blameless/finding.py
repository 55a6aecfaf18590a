"""What the linter says of a stretch of text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    ACTOR = "actor"  # a person is the grammatical actor of a failure
    COUNTERFACTUAL = "counterfactual"  # what people should have done
    JUDGEMENT = "judgement"  # careless, obviously, poor decision
    HUMAN_ERROR = "human-error"  # as a cause
    WHY_YOU = "why-you"  # why did you ...
    ALTERNATE = "alternate-reality"  # a hint: a world that was not, said of systems
    NAMED = "named"  # a hint: somebody is named where a role would do


@dataclass(frozen=True, slots=True)
class Finding:
    """`start`, `end`: positions in the text as given. `line` counts from 1."""

    rule: Rule
    start: int
    end: int
    line: int
    text: str
    reason: str
    suggestion: str

    @property
    def is_hint(self) -> bool:
        return self.rule in {Rule.NAMED, Rule.ALTERNATE}


@dataclass(frozen=True, slots=True)
class Hit:
    rule: Rule
    first: int
    last: int
    suggestion: str
