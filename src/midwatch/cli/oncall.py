"""Verbs about who is on call: now, later, instead, and what a policy would do."""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime, timedelta

from midwatch.api import shapes, views
from midwatch.api.moments import moment
from midwatch.catalog.models import Service
from midwatch.cli.ground import shown_time
from midwatch.cli.output import VerbError, show, table
from midwatch.cli.people import acting, person
from midwatch.core import clock
from midwatch.core.durations import parse as length_of
from midwatch.people.models import Team, User
from midwatch.respond.escalation.models import EscalationPolicy
from midwatch.respond.escalation.queries import dry_run as dry_run_of
from midwatch.respond.oncall import actions
from midwatch.respond.oncall.models import Schedule
from midwatch.respond.oncall.queries import shifts_of_schedule, who_is_on_call

SHIFTS_DEFAULT = timedelta(days=14)
SHIFTS_RANGE_MAX = timedelta(days=400)


def who(args: Namespace) -> int:
    team = None
    if args.team:
        team = Team.objects.filter(name=args.team).first()
        if team is None:
            raise VerbError(f"there is no team {args.team!r}")
    at = moment(args.at) if args.at else clock.now()
    found = [views.on_call_out(row) for row in who_is_on_call(team=team, at=at)]
    rows = [
        (
            row.schedule,
            _names(row.users) or ("quiet hours, by plan" if row.quiet_until else "nobody"),
            shown_time(row.until),
            _names(row.next_users),
        )
        for row in found
    ]
    lines = table(rows, ("SCHEDULE", "ON CALL", "UNTIL", "THEN")) if rows else ["There is no schedule."]
    show(args, [row.model_dump(mode="json") for row in found], lines)
    return 0


def _names(users: list[shapes.PersonRef]) -> str:
    return ", ".join(user.display_name for user in users)


def _schedule(name: str) -> Schedule:
    found = Schedule.objects.select_related("team").prefetch_related("layers").filter(name=name).first()
    if found is None:
        raise VerbError(f"there is no schedule {name!r}: `midwatch schedule list` shows them")
    return found


def list_schedules(args: Namespace) -> int:
    found = Schedule.objects.select_related("team").prefetch_related("layers").order_by("name")
    shown = [shapes.ScheduleOut.of(schedule) for schedule in found]
    rows = [(one.name, one.team, one.time_zone, ", ".join(one.layers)) for one in shown]
    show(args, [one.model_dump(mode="json") for one in shown], table(rows, ("SCHEDULE", "TEAM", "TIME ZONE", "LAYERS")))
    return 0


def shifts(args: Namespace) -> int:
    start = moment(args.start) if args.start else clock.now()
    end = moment(args.end) if args.end else start + SHIFTS_DEFAULT
    if not timedelta(0) < end - start <= SHIFTS_RANGE_MAX:
        raise VerbError(f"--to must lie after --from, at most {SHIFTS_RANGE_MAX.days} days later")
    found = [views.shift_out(row) for row in shifts_of_schedule(_schedule(args.name), start, end)]
    rows = [
        (
            shown_time(one.start),
            shown_time(one.end),
            one.user.display_name,
            "override" if one.is_override else one.layer,
        )
        for one in found
    ]
    lines = table(rows, ("FROM", "TO", "WHO", "LAYER")) if rows else ["Nobody is on call in that time."]
    show(args, [one.model_dump(mode="json") for one in found], lines)
    return 0


def override(args: Namespace) -> int:
    by, _ = acting(args)
    schedule = _schedule(args.schedule)
    start, end = _range(args)
    replaces: User | None = person(args.replaces) if args.replaces else None
    made = actions.create_override(
        schedule,
        by,
        kind="replace",
        user=person(args.user),
        replaces=replaces,
        starts_at=start,
        ends_at=end,
        reason=args.reason,
    )
    shown = shapes.OverrideOut.of(made)
    line = f"{made.user} covers {schedule.name} from {shown_time(start)} to {shown_time(end)}."
    show(args, shown.model_dump(mode="json"), [line])
    return 0


def _range(args: Namespace) -> tuple[datetime, datetime]:
    start = moment(args.start) if args.start else clock.now()
    if bool(args.end) == bool(args.length):
        raise VerbError("say until when: either --for 4h or --to 2026-01-05T09:00+01:00")
    end = moment(args.end) if args.end else start + length_of(args.length)
    if end <= start:
        raise VerbError("the end must lie after the start")
    return start, end


def dry_run(args: Namespace) -> int:
    policy = EscalationPolicy.objects.filter(name=args.policy).first()
    if policy is None:
        raise VerbError(f"there is no escalation policy {args.policy!r}")
    service = Service.objects.filter(name=args.service).first() if args.service else None
    if args.service and service is None:
        raise VerbError(f"there is no service {args.service!r}")
    start = moment(args.at) if args.at else clock.now()
    found = views.dry_run_out(dry_run_of(policy, urgency=views.urgency_of(args.priority, service, start), at=start))
    lines = [f"{shown_time(line.at)}  {line.step}: {line.text}" for line in found.lines]
    lines += ["", *found.problems] if found.problems else ["", "All reachable."]
    show(args, found.model_dump(mode="json"), lines)
    return 0
