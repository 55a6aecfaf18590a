"""What the engine knows that changes what a lower room says."""

from __future__ import annotations

from midwatch.core.contribute import Condition
from midwatch.engine import hold


def _is_held(alert_id: int) -> bool:
    """Paging is on hold, and not for this alert: the one about the hold itself pages."""
    held = hold.gate()
    return held is not None and held.alert_id != alert_id


CONDITIONS = [Condition("paging.held", _is_held)]
