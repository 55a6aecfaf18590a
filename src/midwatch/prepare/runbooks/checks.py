"""Can every secret be read, and does somebody take the steps that wait?"""

from __future__ import annotations

from midwatch.core import clock
from midwatch.core.contribute import Check
from midwatch.prepare.runbooks.actions.secrets import keyring, unreadable
from midwatch.prepare.runbooks.models import Secret, SecretSource
from midwatch.prepare.runbooks.queries.runners import runners_seen, stranded_steps

SECRETS_MAX = 2_000
TOLD_MAX = 5


def secrets_can_be_read() -> list[Check]:
    question = "Can the secrets be read that steps of runbooks are given?"
    rows = list(Secret.objects.select_related("team").order_by("pk")[:SECRETS_MAX])
    problems = unreadable(rows)
    if problems:
        text = "; ".join(list(problems.values())[:TOLD_MAX])
        remedy = "set it anew with `midwatch secret set`, or give what is missing to every process of Midwatch"
        return [Check("runbooks.secrets", question, "failed", text, remedy)]
    present = keyring().current_id
    old = [row for row in rows if row.source == SecretSource.STORED and row.key_id != present]
    if old:
        text = f"{len(old)} secrets are still encrypted with an earlier key"
        remedy = "run `midwatch secret rotate`; then MIDWATCH_SECRET_KEY_PREVIOUS can go"
        return [Check("runbooks.secrets", question, "warning", text, remedy)]
    return [Check("runbooks.secrets", question, "ok", f"{len(rows)} secrets, all readable")]


def steps_find_runners() -> list[Check]:
    question = "Does a runner take every step that waits for one?"
    now = clock.now()
    stranded = stranded_steps(now)
    if stranded:
        words = [
            f"execution {one.execution}, {one.step} (executor {one.executor}, tags {', '.join(one.tags)})"
            for one in stranded
        ]
        more = f" and {len(words) - TOLD_MAX} more" if len(words) > TOLD_MAX else ""
        text = f"no runner that is alive takes {'; '.join(words[:TOLD_MAX])}{more}"
        remedy = "start a runner with these tags and executors (`midwatch runner list` shows them), or cancel the step"
        return [Check("runbooks.runners", question, "failed", text, remedy)]
    seen = runners_seen()
    away = [one.runner.name for one in seen if one.state == "away"]
    if away:
        text = f"not heard from: {', '.join(away[:TOLD_MAX])}"
        remedy = "start it again, or remove it with `midwatch runner remove NAME`"
        return [Check("runbooks.runners", question, "warning", text, remedy)]
    return [Check("runbooks.runners", question, "ok", f"{len(seen)} runners, no step waits for one in vain")]


CHECKS = (secrets_can_be_read, steps_find_runners)
