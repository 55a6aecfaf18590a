"""A runbook with an execution that stands at one of its steps: rows as the machine leaves them."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from api_world import World
from midwatch.core import clock
from midwatch.people.models import User
from midwatch.people.queries import actor_of
from midwatch.prepare.runbooks.actions import RunbookFields, revise, save_runbook
from midwatch.prepare.runbooks.models import Execution, LogChunk, Runbook, StepRun, StepState

BODY = """---
title: Restart checkout
service: checkout
---
Restart it when the pool is used up.

```sh {"name": "look", "kind": "manual"}
Look at the dashboard: is the pool used up?
```

```sh {"name": "restart", "kind": "run", "executor": "local"}
echo restarted
```

```sh {"name": "check", "kind": "copy"}
curl -fsS https://checkout.example/health
```
"""


def make_runbook(world: World, name: str = "restart-checkout", body: str = BODY, **fields: Any) -> Runbook:
    by = actor_of(world.bo, "web")
    given = {"title": "Restart checkout", "service": world.service, "owner": world.bo, **fields}
    runbook = save_runbook(name, RunbookFields(world.team, **given), by)
    if not runbook.is_link:
        revise(runbook, body, by)
    return runbook


def make_execution(world: World, runbook: Runbook | None = None, *, by: User | None = None, **fields: Any) -> Execution:
    """Done by hand, running, and one to come; without a machine behind it."""
    runbook = runbook or Runbook.objects.filter(name="restart-checkout").first() or make_runbook(world)
    assert runbook.current is not None
    who = by or world.cy
    number = (Execution.objects.order_by("-number").values_list("number", flat=True).first() or 0) + 1
    now = clock.now()
    with transaction.atomic():
        execution = Execution.objects.create(
            number=number,
            runbook=runbook,
            revision=runbook.current,
            started_by=who,
            who=str(who),
            via="web",
            created_at=now,
            service_slug="checkout",
            **fields,
        )
        usual = {"execution": execution, "rendered": {"language": "sh", "body": "echo restarted"}, "digest": "d" * 64}
        StepRun.objects.create(
            position=1, step="look", title="Look at it", kind="manual", state=StepState.OK, seen="it is red",
            answered_by=str(who), started_at=now, ended_at=now, **usual,
        )  # fmt: skip
        running = StepRun.objects.create(
            position=2, step="restart", title="Restart it", kind="run", state=StepState.RUNNING, attempt=1,
            executor="local", claimed_by="node-1", started_at=now, **usual,
        )  # fmt: skip
        StepRun.objects.create(position=3, step="check", title="Check it", kind="copy", **usual)
        LogChunk.objects.create(step_run=running, seq=1, at=now, text="\x1b[32mbegun\x1b[0m <script>\nhalf a li")
    return execution


FULL_BODY = """---
title: Restart checkout
service: checkout
options:
  - {name: host, required: true, pattern: "[a-z0-9.-]+", title: Which machine}
---
Restart it when the pool is used up.

```text {"name": "look", "kind": "manual", "title": "Look at it", "asks": "What does the dashboard show?"}
Open the **dashboard**.
```

```text {"name": "agree", "kind": "approve", "title": "Agree on it", "needs": 1}
Carts of the last minute are lost.
```

```sh {"name": "restart", "kind": "run", "executor": "local", "title": "Restart it", "secrets": ["KEY=deploy-key"]}
echo "$OPTION_HOST"
sudo systemctl restart checkout
```

```sh {"verifies": "restart"}
systemctl is-active checkout
```

```sh {"name": "check", "kind": "copy", "title": "Check it"}
curl -fsS https://${option.host}/health
```
"""
