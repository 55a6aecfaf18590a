"""Messages about shifts: "you are on call until ...", and warnings about hours that nobody covers."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from midwatch.core import clock
from midwatch.core.zones import zone
from midwatch.learn.insights.queries import shift_report
from midwatch.people.models import MemberRole, Membership, User
from midwatch.respond.alerts.models import OPEN, Alert
from midwatch.respond.escalation.models import Notify, PolicyStep
from midwatch.respond.escalation.queries import OnCallNow, steps_of
from midwatch.respond.notify.actions import Told, tell_many
from midwatch.respond.notify.models import Delivery, DeliveryKind
from midwatch.respond.oncall.notices import GapWarning, ShiftNotice, due_shift_notices, gap_warnings
from midwatch.respond.oncall.queries import shifts_of_schedule
from midwatch.settings import settings

NAMES_SHOWN_MAX = 3
SHIFT_LOOK = timedelta(days=35)  # how far back the last shift is looked for


def send_shift_notices() -> int:
    """24 h before and at the start of a shift, or as the person chose."""
    due = list(due_shift_notices(clock.now()))
    known = set(
        Delivery.objects.filter(idempotency_key__in=[_key(n) for n in due]).values_list("idempotency_key", flat=True)
    )
    fresh = [notice for notice in due if _key(notice) not in known]
    if not fresh:
        return 0
    with transaction.atomic():
        return tell_many(
            Told(
                n.user, _key(n), DeliveryKind.HANDOFF, _shift_words(n), context={"url": f"{settings().base_url}/oncall"}
            )
            for n in fresh
        )


def _key(notice: ShiftNotice) -> str:
    return f"shift/{notice.key}"[:200]


def _shift_words(notice: ShiftNotice) -> str:
    """ "You are on call for payments until Mon 09:00 CET; 2 open alerts; level 2 is Bo."."""
    local = zone(notice.user.time_zone)
    begins = notice.starts_at > clock.now()
    start = f"from {notice.starts_at.astimezone(local):%a %H:%M %Z} " if begins else ""
    until = f"until {notice.ends_at.astimezone(local):%a %H:%M %Z}" if notice.ends_at else "until further notice"
    team = notice.schedule.team_id
    count = len(Alert.objects.filter(team_id=team, status__in=OPEN, is_test=False).values_list("pk", flat=True)[:100])
    alerts = f"{count} open alert{'' if count == 1 else 's'}"
    verb = "will be" if begins else "are"
    after = _who_comes_after(notice)
    words = f"You {verb} on call for {notice.schedule.name} {start}{until}; {alerts}{f'; {after}' if after else ''}."
    return words if begins else words + _last_shift(notice)


def _last_shift(notice: ShiftNotice) -> str:
    """ " Last shift: 3 calls (1 at night), 2 alerts nobody acted on."; "" of a quiet one. Its report is a page."""
    now = clock.now()
    past = [row for row in shifts_of_schedule(notice.schedule, now - SHIFT_LOOK, now) if row.end <= now]
    newest = max(past, key=lambda row: row.end, default=None)
    if newest is None:
        return ""
    found = shift_report(notice.schedule, newest.start, newest.end)
    if not found.woken and not found.untouched:
        return ""
    calls = f"{len(found.woken)} call{'' if len(found.woken) == 1 else 's'}"
    night = f" ({found.nights} at night)" if found.nights else ""
    return f" Last shift: {calls}{night}, {len(found.untouched)} nobody acted on."


def _who_comes_after(notice: ShiftNotice) -> str:
    """ "level 2 is Bo": whom the policy that pages this schedule calls when this person does not answer."""
    paging = PolicyStep.objects.filter(targets__schedule=notice.schedule, targets__notify=Notify.CURRENT)
    mine = paging.order_by("policy_id", "position").first()
    if mine is None:
        return ""
    following = [step for step in steps_of(mine.policy) if step.position > mine.position]
    if not following:
        return ""
    people = OnCallNow(max(notice.starts_at, clock.now())).of_step(following[0])
    names = [str(person) for person in people if person != notice.user]
    shown = ", ".join(names[:NAMES_SHOWN_MAX]) + (" and others" if len(names) > NAMES_SHOWN_MAX else "")
    return f"{following[0].name} is {shown or 'nobody'}"


def _moment(at: datetime | None, person: User) -> str:
    return f"{at.astimezone(zone(person.time_zone)):%a %d %b %H:%M %Z}" if at is not None else "further notice"


def send_gap_warnings() -> int:
    """To the team, 7 days and 1 day before hours that nobody covers."""
    due = list(gap_warnings(clock.now()))
    sent = 0
    for warning in due:
        sent += _warn(warning)
    return sent


def _warn(warning: GapWarning) -> int:
    members = Membership.objects.filter(team=warning.team, user__is_active=True).select_related("user")
    people = [m.user for m in members if m.role != MemberRole.OBSERVER]
    keys = {person.pk: f"gap/{warning.key}/{person.pk}"[:200] for person in people}
    known = set(
        Delivery.objects.filter(idempotency_key__in=list(keys.values())).values_list("idempotency_key", flat=True)
    )
    fresh = [person for person in people if keys[person.pk] not in known]
    if not fresh:
        return 0
    with transaction.atomic():
        return tell_many(
            Told(
                person,
                keys[person.pk],
                DeliveryKind.HANDOFF,
                f"Nobody is on call for {warning.schedule.name} from "
                f"{_moment(warning.starts_at, person)} to {_moment(warning.ends_at, person)}.",
                context={"url": f"{settings().base_url}/oncall"},
            )
            for person in fresh
        )
