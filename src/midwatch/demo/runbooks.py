"""The demo's runbooks: what this company does when its usual troubles come, carried out a few times, once right now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from midwatch.demo.company import Company
from midwatch.demo.replay import Replay
from midwatch.people.models import User
from midwatch.people.queries import actor_of
from midwatch.prepare.runbooks import actions
from midwatch.prepare.runbooks.actions import Reference
from midwatch.prepare.runbooks.actions.feedback import give_feedback
from midwatch.prepare.runbooks.actions.written import save_text
from midwatch.prepare.runbooks.models import Execution, Runbook, StepRun, StepState
from midwatch.respond.alerts.models import Alert

DISK = """---
name: free-a-full-disk
title: A disk of the orders database fills up
service: orders-db
team: platform
isPublic: true
alerts:
  - labels: {alertname: DiskFull}
scenarios: [orders-database-is-full]
options:
  - {name: machine, label: instance, pattern: "[a-z0-9.:-]+", required: true, title: Which machine}
---
# A disk of the orders database fills up

At 100 % PostgreSQL stops and the shop with it. There are usually **40 minutes** from the alert to that.

```text {"name": "look", "kind": "manual", "asks": "Which directory grows?", "expects": "One of pg_wal, base, log."}
Open the dashboard *Disks of orders-db*. See which directory grows, and since when.
```

## What takes the space

```sh {"name": "sizes", "kind": "copy", "expects": "pg_wal below 20 GB."}
ssh ${option.machine} 'sudo du -xh --max-depth=1 /var/lib/postgresql | sort -h'
```

If `pg_wal` grows, the archive is stuck. Anything else: page whoever knows the database.

```sh {"name": "archive", "kind": "copy", "idempotent": "yes"}
ssh ${option.machine} sudo systemctl restart pg_receivewal
```

```text {"name": "after", "kind": "manual", "asks": "How full is it now?"}
Wait five minutes. The disk has to fall below 80 %.
```
"""
SLOW = """---
name: slow-payments
title: Payments are slow
service: payments-api
team: payments
type: playbook
alerts:
  - labels: {alertname: HighLatency}
options:
  - {name: pods, type: number, min: 2, max: 24, default: 8, title: How many pods}
---
# Payments are slow

The acquirers answer in 300 ms. When we need two seconds, our own pods wait: mostly for connections to the database.

```text {"name": "acquirers", "kind": "manual", "asks": "Do all acquirers answer in time?", "expects": "All below 500 ms."}
Look at *Acquirers, p95*. If one of them is slow, route around it instead: see *An acquirer is down*.
```

```text {"name": "agree", "kind": "approve", "who": ["team:payments"], "timeout": "30m"}
More pods cost more connections: the database has 200 in all. Say yes when there are 40 left or more.
```

## More pods

```sh {"name": "scale", "kind": "copy", "idempotent": "yes"}
kubectl -n payments scale deployment/payments-api --replicas=${option.pods}
```

```text {"name": "after", "kind": "manual", "asks": "What is p99 now?"}
Five minutes later p99 has to be below 800 ms.
```
"""
LINK: Final = """---
name: acquirer-is-down
title: An acquirer is down
service: payments-api
team: payments
url: https://wiki.example.com/payments/acquirers
isPublic: true
alerts:
  - title: "~declines"
  - labels: {acquirer: "~.+"}
---
"""
ERRORS = """---
name: checkout-errors
title: Checkout answers with errors
service: checkout
team: payments
alerts:
  - labels: {alertname: HighErrorRate}
options:
  - {name: release, required: false, title: The release before, pattern: "[0-9]{4}[.][0-9]{1,2}[.][0-9]{1,2}", default: 2026.46.3}
---
# Checkout answers with errors

Nine times of ten it was a release. Roll back first, ask afterwards.

```text {"name": "look", "kind": "manual", "asks": "When did it begin, and was there a release?"}
Compare the start with *Changes* on the service's page.
```

```sh {"name": "back", "kind": "copy"}
deploy checkout --release ${option.release} --now
```

```text {"name": "after", "kind": "manual", "asks": "What is the share of errors now?"}
Below 0.5 % within three minutes.
```
"""
Find = Callable[[str], Alert]
# Runbook, the case it answers, hours ago, minutes between steps, what was seen, what was said afterwards.
CARRIED_OUT: Final = (
    ("checkout-errors", "errors", 160.4, 3, ("2 minutes after 2026.46.4.", "", "0.2 %"), "helped"),
    ("free-a-full-disk", "disk", 137.3, 4, ("pg_wal, since Tuesday.", "pg_wal 61 GB", "", "71 %"), "helped"),
    ("slow-payments", "latency", 133.6, 4, ("All below 400 ms.", "yes", "", "640 ms"), "helped"),
)
LIVE_MINUTES: Final = 10  # ago: the one for the incident that runs now


def write_runbooks(company: Company) -> None:
    """On the day the company set Midwatch up."""
    for text, who in ((DISK, "ana"), (SLOW, "ana"), (LINK, "ana"), (ERRORS, "ana")):
        save_text(text, company.actor(who))


def plan_executions(replay: Replay, company: Company, now: datetime, find: Find) -> None:
    """A few of the week's alerts were answered by the book; the one of now waits for a yes."""
    for name, case, hours, pause, seen, verdict in CARRIED_OUT:
        begins_at = now - timedelta(hours=hours) + timedelta(minutes=4)
        if case == "disk":
            begins_at += timedelta(minutes=5)  # whoever took it took their time
        replay.at(begins_at, partial(_begin, company, name, find, case))
        for count, words in enumerate(seen, start=1):
            replay.at(begins_at + timedelta(minutes=pause * count), partial(_go_on, company, name, words))
        said_at = begins_at + timedelta(minutes=pause * (len(seen) + 1))
        replay.at(said_at, partial(_say, name, verdict))
    begins_at = now - timedelta(minutes=LIVE_MINUTES)
    replay.at(begins_at, partial(_begin, company, "slow-payments", find, "latency"))
    replay.at(begins_at + timedelta(minutes=3), partial(_go_on, company, "slow-payments", "All below 350 ms."))


def _begin(company: Company, name: str, find: Find, case: str) -> None:
    alert = find(case)
    service = alert.service.name if alert.service is not None else ""
    by = actor_of(_who(company, alert), "web")
    reference = Reference(None, alert.number, service, alert.labels)
    actions.start(Runbook.objects.select_related("current", "service").get(name=name), {}, by, reference=reference)


def _who(company: Company, alert: Alert) -> User:
    return alert.acknowledged_by or company.people["ana"]


def _go_on(company: Company, name: str, words: str) -> None:
    """Whoever began it says what they saw; somebody else of the team says yes."""
    execution = Execution.objects.select_related("runbook__team").filter(runbook__name=name).order_by("-number")[0]
    waiting = StepRun.objects.filter(
        execution=execution, state__in=(StepState.WAITING_PERSON, StepState.WAITING_APPROVAL)
    )
    row = waiting.order_by("position").first()
    if row is None:
        return
    starter = execution.started_by or company.people["ana"]
    if row.state == StepState.WAITING_APPROVAL:
        members = execution.runbook.team.members.exclude(pk=starter.pk).exclude(memberships__role="observer")
        yes = members.order_by("pk").first() or starter
        actions.approve(row, actor_of(yes, "web"), "approved", digest=row.digest, note="61 left.")
        return
    actions.answer(row, actor_of(starter, "web"), "done", seen=words)


def _say(name: str, verdict: str) -> None:
    execution = (
        Execution.objects.select_related("runbook", "started_by").filter(runbook__name=name).order_by("-number")[0]
    )
    if execution.started_by is not None:
        by = actor_of(execution.started_by, "web")
        give_feedback(
            execution.runbook, verdict, by, alert_number=execution.alert_number, service=execution.service_slug
        )
