"""The promises, each a function with its own message; after every step all of them are asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from midwatch.simulation.checks import accounting, lateness, reaching
from midwatch.simulation.checks.course import Courses
from midwatch.simulation.checks.history import Memory
from midwatch.simulation.checks.lateness import Lateness
from midwatch.simulation.checks.reaching import Reach
from midwatch.simulation.checks.ringing import Ears
from midwatch.simulation.checks.view import View

Check = Callable[[View], Iterator[str]]


@dataclass
class Checks:
    """With what each remembers from step to step."""

    lateness: Lateness = field(default_factory=Lateness)
    memory: Memory = field(default_factory=Memory)
    reach: Reach = field(default_factory=Reach)
    ears: Ears = field(default_factory=Ears)
    courses: Courses = field(default_factory=Courses)

    def all(self) -> tuple[Check, ...]:
        return (
            accounting.every_event_is_somewhere,
            accounting.every_refusal_is_visible,
            accounting.numbers_are_given_once,
            lateness.every_firing_alert_is_escalated,
            lateness.every_acknowledgement_runs_out,
            lateness.leases_are_short,
            lateness.nothing_was_put_aside,
            self.lateness.nothing_due_is_late,
            self.memory.history_is_append_only,
            self.memory.timelines_agree_with_the_state,
            self.ears.no_key_is_sent_twice,
            self.ears.acknowledged_is_quiet,
            self.reach.everybody_paged_is_rung,
            reaching.steps_page_the_right_people,
            self.courses.rounds_and_steps_follow,
        )
