"""Statements of a piece of work, and what the database would do for each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

# Tables that hold history. What is not named here has as many rows as the installation has people, services and rules.
GROWING = {
    "alerts_alert",
    "alerts_timelineentry",
    "alerts_sourceproblem",
    "catalog_changeevent",
    "core_auditentry",
    "core_outboxevent",
    "escalation_escalation",
    "notify_coveredalert",
    "notify_delivery",
    "notify_page",
    "intake_event",
    "django_session",
}
Statement = tuple[str, Any]


@contextmanager
def statements() -> Iterator[list[Statement]]:
    """Every SELECT that Django sends."""
    found: list[Statement] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip().startswith("SELECT"):
            found.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield found


def full_scans(statement: Statement) -> list[str]:
    """What it would read whole: "SCAN alerts_alert" and the like. An index that is walked to a LIMIT is none."""
    if not any(table in statement[0] for table in GROWING):
        return []
    return _on_sqlite(*statement) if connection.vendor == "sqlite" else _on_postgresql(*statement)


def _on_sqlite(sql: str, params: Any) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
        lines = [str(row[-1]) for row in cursor.fetchall()]
    is_walked = "LIMIT" in sql and not any("TEMP B-TREE" in line for line in lines)
    aliases = dict(re.findall(r'(?:FROM|JOIN) "?(\w+)"? (?:AS )?"?([A-Za-z]\w*)"?', sql))
    grown = GROWING | {alias for table, alias in aliases.items() if table in GROWING}
    scans = [line for line in lines if line.startswith("SCAN ") and line.split()[1] in grown]
    return [] if is_walked else scans


def _on_postgresql(sql: str, params: Any) -> list[str]:
    """A small table is read whole for good reason; told not to, the planner shows whether it has another way."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        said = cursor.fetchone()[0]
        plan = (json.loads(said) if isinstance(said, str) else said)[0]["Plan"]
    return [
        f"Seq Scan on {node['Relation Name']}"
        for node in _nodes(plan)
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in GROWING
    ]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)
