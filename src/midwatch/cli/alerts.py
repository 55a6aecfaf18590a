"""Verbs about alerts: page somebody, list, look, act."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from midwatch.api import commands, shapes
from midwatch.api.commands import KINDS
from midwatch.api.views import detail_of
from midwatch.cli.ground import shown_time
from midwatch.cli.output import VerbError, complain, show, table
from midwatch.cli.people import acting
from midwatch.core.durations import parse as length_of
from midwatch.respond.alerts.models import OPEN, Alert
from midwatch.respond.alerts.queries import PAGE_MAX, AlertFilter, alerts, get_alert
from midwatch.respond.escalation.actions import page_somebody


def page(args: Namespace) -> int:
    by, _ = acting(args)
    kind, target = target_of(args.target)
    alert = page_somebody(args.message, by, priority=args.priority, description=args.description, **{kind: target})
    found = alert_numbered(alert.number or 0)
    url = shapes.alert_values(found)["url"]
    show(args, shapes.AlertOut.of(found).model_dump(mode="json"), [f"{found} pages {kind} {target}: {url}"])
    return 0


def target_of(text: str) -> tuple[str, Any]:
    """`payments`, or `team:payments` when several things are called so."""
    try:
        return commands.target_of(text)
    except ValueError as error:
        raise VerbError(str(error)) from error


def alert_numbered(number: int) -> Alert:
    try:
        return get_alert(number)
    except Alert.DoesNotExist as error:
        raise VerbError(f"there is no alert #{number}: `midwatch alerts --status all` lists them") from error


def list_alerts(args: Namespace) -> int:
    for kind, name in (("team", args.team), ("service", args.service)):
        if name and KINDS[kind](name) is None:
            raise VerbError(f"there is no {kind} {name!r}")
    chosen = set(args.status or ["open"])
    statuses: set[str] = set() if "all" in chosen else chosen - {"open"}
    if "open" in chosen and "all" not in chosen:
        statuses |= set(OPEN)
    by = AlertFilter(
        status=tuple(sorted(statuses)),
        team=args.team,
        service=args.service,
        q=args.query.replace("\0", ""),
        priority=tuple(args.priority),
    )
    found = list(islice(_all(by, args.before), args.limit))
    rows = [
        (str(one), one.priority, one.status, shown_time(one.created_at), one.service or "", _who_has(one), one.title)
        for one in found
    ]
    data = [shapes.AlertOut.of(one).model_dump(mode="json") for one in found]
    heads = ("ALERT", "PRIORITY", "STATUS", "SINCE", "SERVICE", "WHO HAS IT", "TITLE")
    show(args, data, table(rows, heads) if rows else ["No such alert."])
    return 0


def _all(by: AlertFilter, before: int | None) -> Iterator[Alert]:
    while True:
        found = alerts(by, before_number=before, limit=PAGE_MAX)
        yield from found
        if len(found) < PAGE_MAX:
            return
        before = found[-1].number


def _who_has(alert: Alert) -> str:
    if alert.is_acknowledged_by_machine:
        return "source, no person"
    return str(alert.acknowledged_by or "")


def show_alert(args: Namespace) -> int:
    alert = alert_numbered(args.number)
    detail = detail_of(alert)
    lines = [
        f"{alert} {alert.priority} {alert.status}: {alert.title}",
        f"service {alert.service or '-'}, team {alert.team or '-'}, "
        f"since {shown_time(alert.created_at)}, seen {alert.count} times",
        *([f"who has it: {_who_has(alert)}"] if _who_has(alert) else []),
        *([f"snoozed until {shown_time(alert.snoozed_until)}"] if alert.snoozed_until else []),
        *(alert.description.splitlines()[:20]),
        *(f"{link.text or 'link'}: {link.href}" for link in detail.links),
        *_escalation_lines(detail.escalation),
        "",
        *(f"{shown_time(entry.at)}  {entry.text}" for entry in detail.timeline),
        "",
        *(
            f"{shown_time(one.created_at)}  {one.kind} to {one.user} by {one.method}: {one.receipt or one.state}"
            f"{f' ({one.receipt_detail})' if one.receipt_detail else ''}"
            for one in detail.deliveries
        ),
    ]
    show(args, detail.model_dump(mode="json"), lines)
    return 0


def _escalation_lines(found: shapes.ProgressOut | None) -> list[str]:
    if found is None:
        return []
    coming = f"next: {found.next_step or 'again'} at {shown_time(found.next_at)}" if found.next_at else found.why
    return [f"escalation {found.policy or 'by hand'}: {found.state}, round {found.round}; {coming or 'nothing is due'}"]


def _each(args: Namespace, make: Callable[[tuple[int, ...]], commands.AlertCommand]) -> int:
    """Every alert by itself: one that cannot be does not stop the others."""
    by, user = acting(args)
    data, lines, is_failed = [], [], False
    for number in dict.fromkeys(args.numbers):
        try:
            outcome = commands.perform(make((number,)), alert_numbered(number), by, user)
        except (VerbError, ValueError) as error:
            complain(f"#{number}: {error}")
            is_failed = True
            continue
        lines.append(outcome.sentence)
        shown = shapes.AlertOut.of(outcome.alert).model_dump(mode="json")
        data.append({**shown, "is_changed": outcome.is_changed, "sentence": outcome.sentence})
    show(args, data, lines)
    return 1 if is_failed else 0


def acknowledge(args: Namespace) -> int:
    return _each(args, commands.Acknowledge)


def unacknowledge(args: Namespace) -> int:
    return _each(args, commands.Unacknowledge)


def resolve(args: Namespace) -> int:
    return _each(args, commands.Resolve)


def escalate(args: Namespace) -> int:
    return _each(args, commands.Escalate)


def snooze(args: Namespace) -> int:
    length = length_of(args.length)
    return _each(args, lambda numbers: commands.Snooze(numbers, length))


def note(args: Namespace) -> int:
    args.numbers = [args.number]
    return _each(args, lambda numbers: commands.Note(numbers, args.text))


def assign(args: Namespace) -> int:
    args.numbers = [args.number]
    return _each(args, lambda numbers: commands.Assign(numbers, args.person))
