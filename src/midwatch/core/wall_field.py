"""A form's field for a wall-clock time.

Django's own refuses the hours that DST removes or doubles. Ours takes them, since `zones.comes_at` knows when they come.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from midwatch.core import zones

WALL = "%Y-%m-%dT%H:%M"


class WallField(forms.Field):
    """A naive datetime, to the minute; None when empty. The caller knows the zone."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=WALL)

    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values:
            return None
        try:
            wall = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip()[:40])
        except ValueError as error:
            raise ValidationError(gettext("Write a day and a time, such as 2026-01-05T09:00.")) from error
        if wall.tzinfo is not None or not zones.YEAR_MIN < wall.year < zones.YEAR_MAX:
            raise ValidationError(gettext("Write a day and a time between 1971 and 2199, without offset."))
        return wall.replace(second=0, microsecond=0)

    def prepare_value(self, value: Any) -> Any:
        return value.strftime(WALL) if isinstance(value, datetime) else value
