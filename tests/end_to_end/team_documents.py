"""The configuration of kill runs, node tests and benchmarks: people with a webhook each, and a service each.

One service a person, so that the storm limits of one person (`MIDWATCH_STORM_OTHER_PER_MINUTE`) do not stand in the way
of counting. A service is picked by the label `service`: s0, s1, ...
"""

from __future__ import annotations

import json

KEY = "0123456789abcdef0123456789abcdef"
NO_STORMS = {"MIDWATCH_STORM_OTHER_PER_MINUTE": "6000"}


def documents(hook: str, people: int, *, second_level_after: str = "") -> str:
    """`hook`: where p0, p1, ... listen, at HOOK/p0 and so on. `second_level_after`: then the next person is paged too."""
    parts = [_person(hook, index, (index + 1) % people, second_level_after) for index in range(people)]
    return "\n---\n".join([*parts, _common()])


def _person(hook: str, index: int, following: int, second_level_after: str) -> str:
    second = f", {{name: level 2, targets: [{{user: p{following}}}], after: {second_level_after}}}"
    return f"""
apiVersion: midwatch.dev/v1
kind: User
metadata: {{name: p{index}}}
spec:
  displayName: Person {index}
  contactMethods: [{{name: hook, type: webhook, address: "{hook}/p{index}"}}]
  notificationRules: {{high: [{{after: 0s, contact: hook}}], low: [{{after: 0s, contact: hook}}], repeatAfter: 0s}}
---
apiVersion: midwatch.dev/v1
kind: EscalationPolicy
metadata: {{name: p{index}}}
spec:
  team: ops
  steps: [{{name: level 1, targets: [{{user: p{index}}}], after: 0s}}{second if second_level_after else ""}]
---
apiVersion: midwatch.dev/v1
kind: Service
metadata: {{name: s{index}}}
spec: {{displayName: Service {index}, team: ops, escalationPolicy: p{index}}}"""


def _common() -> str:
    return f"""
apiVersion: midwatch.dev/v1
kind: Team
metadata: {{name: ops}}
spec: {{displayName: Ops, members: [{{user: p0, role: manager}}]}}
---
apiVersion: midwatch.dev/v1
kind: Source
metadata: {{name: posts}}
spec: {{type: generic, key: "{KEY}", service: s0, serviceLabel: service}}
"""


def event(title: str, service: int) -> bytes:
    """What is posted to /in/KEY."""
    return json.dumps({"title": title, "priority": "P1", "labels": {"service": f"s{service}"}}).encode()
