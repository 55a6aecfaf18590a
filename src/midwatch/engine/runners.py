"""Runners on other machines, as numbers: how many are there, and how many steps wait for one in vain."""

from __future__ import annotations

from collections import Counter

from midwatch.core import clock
from midwatch.core.statements import Select
from midwatch.engine.metrics import RUNNERS, STRANDED
from midwatch.prepare.runbooks.models import Runner
from midwatch.prepare.runbooks.queries.runners import STATES, runners_seen, stranded_steps

HAS_RUNNERS = Select(lambda: Runner.objects.values_list("pk", flat=True)[:1])


def count() -> int:
    counted = Counter(one.state for one in runners_seen()) if HAS_RUNNERS() else Counter()
    for state in STATES:
        RUNNERS.labels(state).set(counted[state])
    STRANDED.set(len(stranded_steps(clock.now())))
    return 0
