"""Counts what happened in a run, by the kinds of `tally`: the script's happenings, deaths, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from midwatch.respond.notify.models import Delivery
from midwatch.simulation.baton import Node
from midwatch.simulation.checks.view import View
from midwatch.simulation.node import EngineNode
from midwatch.simulation.tally import Tally

EDITS = {
    "edit-policy": "policy", "edit-rota": "rota", "override": "override", "turn-off": "turned off",
    "turn-on": "turned on", "maintenance": "maintenance",
}  # fmt: skip
MID_ESCALATION = frozenset(("policy", "rota", "turned off"))
EVENTS = {"resolve": "resolves", "large": "large payload", "prune": "log pruned"}
ODD = frozenset(("poison", "misunderstood", "refused", "truncated", "storm", "burst"))
ENTRIES = {"round": "another round", "snooze_ended": "snooze ended", "joined": "joined", "nobody": "nobody to page"}
PASSED_ON = frozenset(("delivery_failed", "delivery_overdue", "unreachable"))
OF_THE_WORLD = frozenset(("kill", "pause", "break"))  # counted when they come about


def happening(tally: Tally, kind: str, facts: Mapping[str, Any], *, is_paging: bool) -> None:
    """`is_paging`: some escalation was under way then."""
    if kind in EDITS:
        tally.add("edits", EDITS[kind])
        if is_paging and EDITS[kind] in MID_ESCALATION:
            tally.add("edits", f"{EDITS[kind]} mid-escalation")
    elif kind == "clock":
        tally.add("clock", "set forward" if facts["seconds"] > 0 else "set back")
    elif kind == "fire":
        tally.add("events", "group" if facts.get("count") else "fires")
    elif kind in EVENTS or kind in ODD:
        tally.add("events", EVENTS.get(kind, kind))
    elif kind not in OF_THE_WORLD:
        tally.add("acts", kind)


def death(tally: Tally, node: Node, engines: Sequence[EngineNode]) -> None:
    is_engine = any(one.node is node for one in engines)
    tally.add("nodes", "engine dies" if is_engine else "web worker dies")
    if is_engine and not any(one.node.is_alive for one in engines):
        tally.add("nodes", "every engine is down")


def stop(tally: Tally, node: Node) -> None:
    tally.add("nodes", "engine is stopped" if node.name.startswith("node-") else "web worker is stopped")


def course(view: View) -> None:
    """At the end: what the timelines tell, and the nights in which a zone of the rotas changed its clocks."""
    tally = view.record.tally
    for entry in (one for entries in view.timeline.values() for one in entries):
        kind = entry["kind"]
        if kind in ENTRIES:
            tally.add("course", ENTRIES[kind])
        elif kind in PASSED_ON:
            tally.add("course", "passed on")
        elif kind == "unacknowledged" and entry["user_id"] is None:
            tally.add("course", "acknowledgement timed out")
        if "sent again" in entry["text"]:
            tally.add("course", "sent twice and marked")
    repeated = sum(max(0, alert["count"] - 1) for alert in view.alerts.values())
    tally.add("events", "fires again", repeated)
    tally.add("course", "bundle", Delivery.objects.filter(kind="bundle").count())
    tally.add("course", "after an answer, if unresolved", _after_an_answer(view))
    for zone in {rota.zone for rota in view.world.rotas}:
        before, after = (at.astimezone(ZoneInfo(zone)).utcoffset() for at in (view.world.starts_at, view.now))
        if before is not None and after is not None and before != after:
            tally.add("clock", "night of a jump" if after > before else "night of a doubled hour")


def _after_an_answer(view: View) -> int:
    """Steps announced although somebody had it."""
    count = 0
    for entries in view.timeline.values():
        has_it = False
        for entry in entries:
            if entry["kind"] in {"acknowledged", "unacknowledged", "resolved", "snooze_ended"}:
                has_it = entry["kind"] == "acknowledged"
            elif entry["kind"] == "paged" and has_it:
                count += 1
    return count
