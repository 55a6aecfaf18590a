"""What `midwatch restore` says and does about the hold. Imported when Django is set up."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from midwatch.api.shapes.hold import hold_values
from midwatch.cli.ground import shown_time
from midwatch.cli.output import show, table
from midwatch.cli.people import acting
from midwatch.engine import hold
from midwatch.intake.log import event_log
from midwatch.startup import adopt_hold, pending_migrations

HOW_ON = "Nothing is paged until `midwatch restore --release`; a drill ends with `midwatch restore --drop`."


def show_hold(args: Namespace) -> int:
    """What would be paged. Exit code 0 whether or not anything is on hold."""
    adopt_hold()
    show(args, _data(), _lines())
    return 0


def after_restore(args: Namespace) -> int:
    """Straight after the files or tables were put back."""
    pending = pending_migrations()
    if pending:
        lines = [
            f"Paging is on hold. {len(pending)} migrations are pending: `midwatch restore --list` works after them."
        ]
        show(args, {**args.restored.data, "hold": None, "pending_migrations": pending}, [*args.restored.lines, *lines])
        return 0
    adopt_hold()
    show(args, {**args.restored.data, "hold": _data()}, [*args.restored.lines, *_lines()])
    return 0


def release(args: Namespace) -> int:
    by, _ = acting(args)
    adopt_hold()
    count = hold.release(by)
    show(args, {"released": True, "alerts": count}, [f"Released: what is due goes out now, about {count} alerts."])
    return 0


def drop(args: Namespace) -> int:
    by, _ = acting(args)
    adopt_hold()
    hold.drop(by)
    lines = [
        "Dropped: this was a drill. What is here stays to be looked at, takes events, and never pages anybody.",
        "Stop it and delete its data directory (or database) when you are done.",
    ]
    show(args, {"dropped": True}, lines)
    return 0


def begin(args: Namespace) -> int:
    by, _ = acting(args)
    hold.begin(by, args.reason)
    show(args, _data(), _lines())
    return 0


def _data() -> dict[str, Any]:
    return {**hold_values(hold.summary(is_listed=True)), "unread_events": event_log().backlog()}


def _lines() -> list[str]:
    found = hold.summary(is_listed=True)
    unread = event_log().backlog()
    if found.held is None:
        return ["Paging is not on hold."]
    state = "of a drill: it never pages" if found.held.is_dropped else f"since {shown_time(found.held.since)}"
    lines = [f"Paging is on hold {state} ({found.held.reason}). {found.sentence}"]
    rows = [
        (
            one.alert,
            one.alert.priority,
            shown_time(one.alert.created_at),
            one.alert.title[:50],
            one.what,
            ", ".join(one.people),
        )
        for one in found.waiting
    ]
    if rows:
        lines += ["", *table(rows, ("ALERT", "PRIORITY", "SINCE", "TITLE", "WOULD PAGE", "WHOM")), ""]
    if found.alerts_count > len(rows):
        lines.append(f"and {found.alerts_count - len(rows)} more alerts")
    if unread:
        lines.append(f"{unread} events of the log were not read yet: they become alerts when the engine runs.")
    lines.append("What is over already: `midwatch resolve N...` before the release, and it pages nobody.")
    return [*lines, HOW_ON] if not found.held.is_dropped else lines
