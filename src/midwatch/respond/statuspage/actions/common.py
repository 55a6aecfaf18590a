"""What every write of a page does: it is seen in what was rendered before, and the audit log says who."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import F

from midwatch.core import audit
from midwatch.core.actor import Actor
from midwatch.respond.statuspage.models import Page


def touch(page_id: int, now: datetime) -> None:
    """What was rendered of this page is old now."""
    Page.objects.filter(pk=page_id).update(version=F("version") + 1, updated_at=now)


def note(by: Actor, verb: str, page: Page, detail: Mapping[str, Any] | None = None) -> None:
    audit.record(by, verb, "status page", page.name, detail)
