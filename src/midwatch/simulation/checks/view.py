"""What the checks look at: the database between two steps, the wire's rings, and the simulation's own record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from midwatch.core import clock
from midwatch.core.models import AuditEntry, OutboxEvent
from midwatch.respond.alerts.models import Alert, Source, TimelineEntry
from midwatch.respond.escalation.models import Escalation
from midwatch.respond.notify.models import CoveredAlert, Delivery, Page
from midwatch.simulation.baton import Baton
from midwatch.simulation.checks.tables import Row, Table
from midwatch.simulation.crowd import Rung
from midwatch.simulation.node import EngineNode
from midwatch.simulation.record import Record
from midwatch.simulation.wire import Ring, Wire
from midwatch.simulation.world import World

ENTRY = ("id", "alert_id", "at", "kind", "who", "user_id", "text", "detail")
AUDIT = ("id", "at", "who", "user_id", "via", "verb", "object_kind", "object_name")

ALERTS = Table(
    Alert.objects.all(),
    (
        "id", "number", "source_id", "dedup_key", "service__name", "status", "count", "created_at", "is_test", "urgency",
        "priority", "acknowledged_at", "acknowledged_by_id", "is_acknowledged_by_machine", "snoozed_until", "expires_at",
    ),
)  # fmt: skip
ESCALATIONS = Table(
    Escalation.objects.all(),
    (
        "id", "alert_id", "policy__name", "state", "why", "round", "rounds_limit", "next_step", "due_at",
        "claimed_until", "leader_id", "leader__alert_id", "has_reached",
    ),
)  # fmt: skip
OUTBOX = Table(
    OutboxEvent.objects.filter(done_at=None), ("id", "name", "payload", "due_at", "claimed_until", "quarantined_at")
)
DELIVERIES = Table(
    Delivery.objects.filter(state__in=["waiting", "sending"]),
    ("id", "state", "channel", "kind", "rank", "due_at", "wanted_at", "claimed_until", "passed_on_at", "alert_id"),
)
PAGES = Table(Page.objects.filter(state="running"), ("id", "alert_id", "user_id", "due_at", "claimed_until", "origin"))
ENTRIES = Table(TimelineEntry.objects.all(), ENTRY)
AUDIT_ENTRIES = Table(AuditEntry.objects.all(), AUDIT)
TABLES = (ALERTS, ESCALATIONS, OUTBOX, DELIVERIES, PAGES, ENTRIES, AUDIT_ENTRIES)


@dataclass
class View:
    """`entries`: timeline rows since the last look. `rings`: with what each was about, since the last look."""

    world: World
    record: Record
    wire: Wire
    baton: Baton
    nodes: list[EngineNode]
    now: datetime = field(default_factory=clock.now)
    alerts: dict[int, Row] = field(default_factory=dict)
    escalations: dict[int, Row] = field(default_factory=dict)  # by alert
    outbox: list[Row] = field(default_factory=list)
    deliveries: list[Row] = field(default_factory=list)  # outstanding
    pages: list[Row] = field(default_factory=list)  # running
    entries: list[Row] = field(default_factory=list)
    rings: list[tuple[Ring, Rung | None]] = field(default_factory=list)
    sources: dict[int, str] = field(default_factory=dict)
    users: dict[str, int] = field(default_factory=dict)
    timeline: dict[int, list[Row]] = field(default_factory=lambda: defaultdict(list))
    heard: dict[tuple[int, int], list[tuple[float, Ring]]] = field(default_factory=lambda: defaultdict(list))
    last_entry: int = 0
    backlog: int = 0
    is_over: bool = False
    is_changed: bool = True  # since the last look something was committed

    @property
    def up(self) -> float:
        """Seconds with a node, so far."""
        return self.record.up_seconds

    def __post_init__(self) -> None:
        for table in TABLES:  # what the run before has read
            table.forget()

    def is_anybody_up(self) -> bool:
        return any(one.node.is_alive and not one.node.is_stopped(self.now) for one in self.nodes)

    def is_anybody_paged(self) -> bool:
        """At the last look some escalation was under way."""
        return any(row["state"] == "paging" for row in self.escalations.values())

    def look(self) -> None:
        """Read the database as it is between two steps."""
        self.now = clock.now()
        if not self.sources:
            self.sources = dict(Source.objects.values_list("pk", "name"))
        self.alerts = {row["id"]: row for row in ALERTS.read()}
        self.escalations = {row["alert_id"]: row for row in ESCALATIONS.read()}
        self.outbox = OUTBOX.read()
        self.deliveries = DELIVERIES.read()
        self.pages = PAGES.read()
        self.entries = ENTRIES.read("AND id > %s", [self.last_entry])
        for entry in self.entries:
            self.timeline[entry["alert_id"]].append(entry)
            self.last_entry = entry["id"]

    def heard_since(self, alert: int, user: int, up: float) -> bool:
        return any(at >= up for at, _ in self.heard.get((alert, user), ()))

    def pending(self, alert: int) -> bool:
        """A reaction about this alert (or the one it pages with) is written down and still to be done."""
        row = self.escalations.get(alert)
        leaders = {row["id"], row["leader_id"]} if row else set()
        wanted = {alert, row["leader__alert_id"] if row else None}
        return any(
            one["payload"].get("alert") in wanted or one["payload"].get("escalation") in leaders - {None}
            for one in self.outbox
        )

    def policy_of(self, alert: int) -> str:
        row = self.escalations.get(alert)
        return str(row["policy__name"] or "") if row else ""


def covered(delivery: int) -> Iterable[int]:
    """The alerts that a bundle or an update listed."""
    return CoveredAlert.objects.filter(delivery_id=delivery).values_list("alert_id", flat=True)


def audit_rows() -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in AUDIT_ENTRIES.read()]


def timeline_rows() -> list[tuple[Any, ...]]:
    return [(*list(row.values())[:-1], repr(row["detail"])) for row in ENTRIES.read()]
