"""Every act of these screens writes inside a transaction: outside the test's own one, the database refuses anything else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from api_world import make_world
from midwatch.core import clock
from midwatch.core.models import AuditEntry
from midwatch.respond.alerts.models import Maintenance
from midwatch.respond.oncall.models import Override

pytestmark = pytest.mark.django_db(transaction=True)
SERVICE = {
    "display_name": "Basket",
    "team": "payments",
    "tier": "1",
    "urgency": "high",
    "hours_zone": "UTC",
    "hours_outside": "low",
}
SOURCE = {"name": "grafana", "type": "grafana", "service": "basket"}
OVERRIDE = {"kind": "add", "user": "cy"}
NEW_SCHEDULE = {
    "team": "payments",
    "name": "second",
    "turns": ["bo"],
    "turns-with": [""],
    "unit": "days",
    "weekday": "0",
    "hour": "09:00",
    "time_zone": "UTC",
}
LAYERS = {
    "team": "payments", "time_zone": "UTC", "combine": "all", "layer-TOTAL_FORMS": "1", "layer-INITIAL_FORMS": "1",
    "layer-0-name": "weekly", "layer-0-every": "1", "layer-0-unit": "weeks", "layer-0-start": "2026-01-05T09:00",
    "layer-0-turns": ["cy", "ana"], "layer-0-turns-with": ["", ""],
}  # fmt: skip


def test_every_act() -> None:
    clock.freeze(datetime(2026, 1, 8, 12, 0, tzinfo=UTC))  # cy's week
    world = make_world()
    client = Client()
    with transaction.atomic():
        client.force_login(world.bo)

    def done(path: str, data: dict[str, Any] | None = None) -> None:
        before = AuditEntry.objects.count()
        answer = client.post(path, data or {})
        assert answer.status_code == 302, (path, answer.content.decode()[:1_000])
        assert AuditEntry.objects.count() > before, f"{path} stands not in the audit log"

    later = clock.now() + timedelta(days=1)
    times = {"starts": f"{later:%Y-%m-%dT%H:%M}", "ends": f"{later + timedelta(hours=2):%Y-%m-%dT%H:%M}"}
    done("/new-service", {**SERVICE, "depends_on": ["checkout"]})
    done("/services/basket/edit", {**SERVICE, "tier": "2"})
    done("/services/basket/policy", {"policy": "payments"})
    done("/services/basket/maintenance", {"for": "1h"})
    done(f"/maintenance/{Maintenance.objects.get().pk}/end")
    done("/services/basket/maintenance", times)
    done("/new-source", SOURCE)
    done("/sources/grafana/edit", {**SOURCE, "expect_every": "5m", "is_active": "on"})
    done("/sources/grafana/test")
    done("/sources/grafana/rotate")
    done("/sources/grafana/end-rotation")
    done("/sources/grafana/delete")
    done("/schedules/payments-primary/take-over", {"for": "1h"})
    done(f"/schedules/payments-primary/overrides/{Override.objects.get().pk}/cancel")
    done("/schedules/payments-primary/overrides", {**OVERRIDE, **times})
    mark = client.post("/schedules/payments-primary/edit", LAYERS).context["preview"].mark
    done("/schedules/payments-primary/edit", {**LAYERS, "do": "save", "seen": mark})
    done("/new-schedule", NEW_SCHEDULE)
    done("/schedules/second/delete")
