"""What lower rooms are told of an alert that they know only by its number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from midwatch.core.contribute import Export
from midwatch.respond.alerts.models import Alert


def _labels(number: Any) -> Sequence[str]:
    """NAME=VALUE each: what fills the options of a runbook that is started for it."""
    labels = Alert.objects.filter(number=number).values_list("labels", flat=True).first() or {}
    return [f"{name}={value}" for name, value in labels.items() if "=" not in name]


EXPORTS = (Export("alert.labels", _labels),)
