"""What of runbooks can be followed: an execution (its steps and states), a step's output, and the list of executions."""

from __future__ import annotations

from midwatch.core.text import whole_number
from midwatch.core.topics import Topic
from midwatch.people.models import User
from midwatch.prepare.runbooks.models import Execution, StepRun
from midwatch.prepare.runbooks.queries import visible_executions

EXECUTION = "execution"
OUTPUT = "step-output"
LIST = "executions"


def topic_of(execution: Execution) -> str:
    """Changed: a step, a state, an approval."""
    return f"{EXECUTION}:{execution.number}"


def output_topic_of(step_run_id: int) -> str:
    """Something was written by this step."""
    return f"{OUTPUT}:{step_run_id}"


def _may_follow(user: User, key: str) -> bool:
    number = whole_number(key)
    return number is not None and visible_executions(user).filter(number=number).exists()


def _may_read(user: User, key: str) -> bool:
    pk = whole_number(key)
    return pk is not None and StepRun.objects.filter(pk=pk, execution__in=visible_executions(user).order_by()).exists()


TOPICS = [
    Topic(EXECUTION, _may_follow, has_presence=True),
    Topic(OUTPUT, _may_read),
    Topic(LIST, lambda user, key: key == ""),
]
