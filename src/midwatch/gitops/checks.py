"""Does what runs agree with what was reviewed?"""

from __future__ import annotations

from midwatch.core.contribute import Check
from midwatch.gitops.models import Applied


def configuration_is_in_force() -> list[Check]:
    question = "Is the configuration of the last start in force?"
    checks = []
    applied = list(Applied.objects.order_by("owner"))
    for one in applied:
        if one.problem:
            when = f" since {one.problem_at:%Y-%m-%d %H:%M} UTC" if one.problem_at else ""
            first = one.problem.strip().splitlines()[0][:300]
            text = f"{one.directory or one.owner} was refused{when}, the one before is in force: {first}"
            remedy = f"correct it (`midwatch plan {one.directory}` shows every error) and apply it"
            checks.append(Check(f"configuration.{one.owner}", question, "failed", text, remedy))
    if checks:
        return checks
    owners = ", ".join(one.owner for one in applied)
    return [Check("configuration", question, "ok", f"applied: {owners}" if owners else "there is none")]


CHECKS = (configuration_is_in_force,)
