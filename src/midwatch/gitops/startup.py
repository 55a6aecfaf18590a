"""`serve --config DIR`: the configuration is applied before anything is served.

One that cannot be applied never takes the service down: the one before stays in force and administrators are told.
Only the very first start, when there is nothing to stay in force, ends.
"""

from __future__ import annotations

import sys
from pathlib import Path

from django.db import transaction

from midwatch.core import clock, outbox
from midwatch.core.written.problems import ConfigurationError
from midwatch.gitops.actions import OWNER, apply
from midwatch.gitops.models import Applied
from midwatch.gitops.plan import Plan
from midwatch.people.queries import people

PROBLEM_MAX = 20_000
TOLD_MAX = 2_000


def apply_at_start(directory: Path, *, owner: str = OWNER) -> Plan | None:
    """None when it was refused and the configuration before stays in force. Raises `SystemExit` at the first start."""
    try:
        plan = apply(directory, owner)
    except ConfigurationError as error:
        _refused(directory, owner, error)
        return None
    for line in plan.lines():
        _say(line)
    return plan


def _refused(directory: Path, owner: str, error: ConfigurationError) -> None:
    _say(str(error))
    is_first = not Applied.objects.filter(owner=owner, applied_at__isnull=False).exists() and not people().exists()
    if is_first:
        raise SystemExit(1) from error
    _say(f"{directory} was refused: the configuration before stays in force")
    record_problem(directory, owner, error)


def record_problem(directory: Path, owner: str, error: ConfigurationError) -> None:
    """Seen in the doctor and the web; administrators are told once of each."""
    problem = str(error)[:PROBLEM_MAX]
    with transaction.atomic():
        applied, _ = Applied.objects.get_or_create(owner=owner)
        is_new = applied.problem != problem
        Applied.objects.filter(pk=applied.pk).update(
            problem=problem, problem_at=clock.now(), directory=str(directory.absolute())[:1_000]
        )
        if is_new:
            outbox.emit(
                "config.refused",
                {
                    "owner": owner,
                    "directory": str(directory),
                    "count": len(error.problems),
                    "problem": problem[:TOLD_MAX],
                },
            )


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
