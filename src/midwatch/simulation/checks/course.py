"""The course of each alert's escalation, told a second time: which step is to be announced by when, which round follows.

A small model of its own, fed by the timeline and the policies as they were written down by the simulation. It expects
the next announcement within a limit, counts rounds, and gives up its expectations whenever a person, an edit or a group
changed the course; then the next announcement begins it anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from midwatch.simulation.checks.tables import Row
from midwatch.simulation.checks.view import View
from midwatch.simulation.world import PolicySpec

SLACK = 45.0  # seconds with a node: a lease and a tick
HAND_OVER = 80.0  # a step is counted from the hand-over, or from 65 s after it was sent
SOME_TIME = timedelta(minutes=5)
EARLY = timedelta(seconds=2)
# A person changed the course: nothing is expected until the next announcement, and rounds are no longer counted.
OFF = frozenset(
    {
        "acknowledged", "resolved", "snoozed", "declined", "reassigned", "escalated", "joined", "whole_team",
        "responder_added", "still_firing", "priority", "linked",
    }
)  # fmt: skip
ANEW = frozenset({"unacknowledged", "snooze_ended"})  # a round from step 1, and the full number of rounds
PASSES_ON = frozenset({"nobody", "unreachable", "delivery_failed", "delivery_overdue", "receipt"})


def _order(entry: Row) -> tuple[object, int, int]:
    """Entries of one transaction bear one time and are not written in the order of what they tell."""
    if entry["kind"] in {"opened", "round", *ANEW}:
        return entry["at"], 0, 0
    if entry["kind"] in PASSES_ON and entry["kind"] != "nobody":
        return entry["at"], 2, 0  # of those who were just announced
    level = re.match(r"level (\d+)", entry["text"]) if entry["kind"] in {"paged", "nobody"} else None
    return entry["at"], 1, int(level[1]) if level else 0


@dataclass
class Course:
    """`expects`: what is to be announced next, and by when (seconds with a node). `rounds`: since the last full start."""

    expects: str = ""
    until: float = 0.0
    not_before: datetime | None = None
    rounds: int = 1
    is_counted: bool = True
    has_failed: bool = False
    announced: int = -1  # the position of the step that was announced last
    raised_at: datetime | None = (
        None  # "raising starts the high rules now": who was paged is named again, no step goes out
    )
    taken: tuple[float, str] | None = None  # an acknowledgement or a snooze ends by then


@dataclass
class Courses:
    courses: dict[int, Course] = field(default_factory=dict)

    def rounds_and_steps_follow(self, view: View) -> Iterator[str]:
        at_once = {(one["alert_id"], one["at"]) for one in view.entries if one["kind"] in PASSES_ON}
        for entry in sorted(view.entries, key=_order):
            if entry["kind"] == "paged" and (entry["alert_id"], entry["at"]) in at_once:
                # A step that reaches nobody passes on at once: both are written in one transaction, at one moment.
                self.courses.setdefault(entry["alert_id"], Course()).has_failed = True
            course = self.courses.setdefault(entry["alert_id"], Course())
            yield from self._hear(view, course, entry)
        for alert, course in self.courses.items():
            yield from self._overdue(view, alert, course)

    def _hear(self, view: View, course: Course, entry: Row) -> Iterator[str]:
        kind, alert = entry["kind"], entry["alert_id"]
        policy = self._policy(view, alert)
        self._taken(view, course, entry, policy)
        if kind in PASSES_ON:
            course.has_failed = True
        if kind == "priority":
            course.raised_at = entry["at"]
        if kind in ANEW or kind == "opened":
            course.rounds, course.is_counted, course.announced = 1, True, -1
        if policy is None:
            course.expects, course.is_counted = "", False
            return
        if kind in OFF:
            course.expects = ""
            course.is_counted = course.is_counted and kind == "responder_added"
        elif kind in ANEW or kind == "opened":
            page_after = next(
                (after for name, _, after in view.world.services if name == self._service(view, alert)), 0
            )
            self._expect_step(view, course, policy, 0, page_after if kind == "opened" else 0)
        elif kind == "round":
            course.rounds += 1
            course.announced = -1
            if course.is_counted and course.rounds > 1 + policy.repeat:
                yield f"#{view.alerts[alert]['number']}: round {course.rounds} begins, and the policy has {1 + policy.repeat}"
            self._expect_step(view, course, policy, 0, 0)
        elif kind in {"paged", "nobody"} and entry["text"].startswith("level "):
            yield from self._announced(view, course, entry, policy)

    def _announced(self, view: View, course: Course, entry: Row, policy: PolicySpec) -> Iterator[str]:
        name = entry["text"].partition(":")[0]
        early = course.not_before
        position = int(name.removeprefix("level ")) - 1
        is_raised = course.raised_at is not None and entry["at"] - course.raised_at < timedelta(seconds=SLACK)
        if is_raised and position <= course.announced:
            return
        if course.expects and course.expects != name and not course.has_failed:
            number = view.alerts[entry["alert_id"]]["number"]
            yield f"#{number}: {name} was announced at {entry['at']}, {course.expects} should come first"
        elif (
            course.expects == name and early is not None and entry["at"] < early
            and not course.has_failed and not view.record.has_jumped
        ):  # fmt: skip
            yield f"#{view.alerts[entry['alert_id']]['number']}: {name} went out at {entry['at']}, before {early}"
        course.announced = position
        course.has_failed = entry["kind"] == "nobody"
        if position + 1 < len(policy.steps):
            pause = policy.steps[position + 1].after_seconds - policy.steps[position].after_seconds
            self._expect_step(view, course, policy, position + 1, pause, since=entry)
        elif course.is_counted and course.rounds < 1 + policy.repeat:
            course.expects, course.not_before = "another round", None
            course.until = view.up + policy.repeat_after_seconds + HAND_OVER + SLACK
        else:
            course.expects = ""

    def _expect_step(
        self, view: View, course: Course, policy: PolicySpec, position: int, pause: float, since: Row | None = None
    ) -> None:
        course.expects = f"level {position + 1}"
        first = policy.steps[position].after_seconds if since is None else 0
        course.until = view.up + pause + first + HAND_OVER + SLACK
        course.not_before = since["at"] + timedelta(seconds=pause) - EARLY if since is not None else None
        if since is None:
            course.has_failed = False

    def _taken(self, view: View, course: Course, entry: Row, policy: PolicySpec | None) -> None:
        """When an acknowledgement times out, when a snooze ends."""
        if entry["kind"] in {"acknowledged", "still_on_it", "still_firing"}:
            seconds = policy.ack_timeout_seconds if policy else None
            is_high = view.alerts[entry["alert_id"]]["urgency"] == "high"
            length = seconds if seconds is not None else 1800 if is_high else 0
            is_known = policy is not None and not view.record.has_jumped
            course.taken = (view.up + length + SLACK, "unacknowledged") if length and is_known else None
        elif entry["kind"] == "snoozed" or entry["kind"] in {"resolved", *ANEW}:
            course.taken = None

    def _overdue(self, view: View, alert: int, course: Course) -> Iterator[str]:
        row = view.alerts[alert]
        if row["status"] == "resolved" or row["is_test"]:
            course.expects, course.taken = "", None
        if course.expects and view.up > course.until:
            expected, course.expects = course.expects, ""
            state = view.escalations[alert]["state"] if alert in view.escalations else ""
            if row["status"] == "firing" and state not in {"held", "joined"} and self._policy(view, alert) is not None:
                yield f"#{row['number']}: {expected} was not announced by {view.now}"
        if course.taken is not None and view.up > course.taken[0]:
            course.taken = None
            if row["status"] == "acknowledged" and self._policy(view, alert) is not None:
                yield f"#{row['number']}: its acknowledgement did not time out by {view.now}"

    def _policy(self, view: View, alert: int) -> PolicySpec | None:
        """None when it was edited, or its service was in maintenance: then nothing is expected."""
        policy = view.record.policies.get(view.policy_of(alert))
        names = [edit.what for edit in view.record.edits if edit.what.startswith(("policy ", "service "))]
        if policy is None or f"policy {policy.name}" in names or f"service {self._service(view, alert)}" in names:
            return None
        return policy

    @staticmethod
    def _service(view: View, alert: int) -> str:
        return str(view.alerts[alert]["service__name"])
