"""The one broad `except` of the program: it names the job, counts, and carries on."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

log = logging.getLogger("midwatch.guard")
failures: Counter[str] = Counter()
T = TypeVar("T")


def guarded(
    job: str, work: Callable[[], T], *, otherwise: T, on_failure: Callable[[Exception], None] | None = None
) -> T:
    """Run `work`; when it raises, log it with its name, count it, and return `otherwise`.

    One failing job must never stop the others: the caller carries on with the next one.
    """
    try:
        return work()
    except Exception as error:
        failures[job] += 1
        log.exception("job failed: %s", job)
        if on_failure is not None:
            on_failure(error)
        return otherwise
