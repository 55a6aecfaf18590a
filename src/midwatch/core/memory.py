"""Looking for garbage, as much as a server needs."""

from __future__ import annotations

import gc

YOUNG_MAX = (
    20_000  # objects made before Python looks for circles among them; its own 700 is less than one transaction makes
)


def settle() -> None:
    """Called once, when a process has loaded what it runs with: that is never garbage, and is not looked through again.

    An eighth of the engine's CPU time went into looking through it and through rows that were still in use.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, 10, 10)
