"""The weekly digest: on Monday morning the managers of a team hear how the week was, by e-mail where they have one.

What was sent is known by the message's own key, so a restart sends none twice, and a digest that came due while nothing ran
is still sent on that Monday.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta

from django.db import transaction

from midwatch.core import clock
from midwatch.core.zones import zone
from midwatch.engine import hold
from midwatch.learn.actions.models import ActionItem, ItemState
from midwatch.learn.actions.queries import overdue
from midwatch.learn.insights.queries import Report, Scope, report
from midwatch.people.models import ContactMethod, MemberRole, Membership, Team, User
from midwatch.respond.notify.actions import Told, tell_many
from midwatch.respond.notify.models import Delivery, DeliveryKind
from midwatch.settings import settings

MONDAY = 0
AT, UNTIL = time(8), time(20)  # in the manager's zone
WEEK = timedelta(days=7)
OVERDUE_SHOWN = 10
KEYS = (
    "alerts", "noise", "alerts_per_shift", "pages_at_night", "incidents", "time_to_acknowledge", "time_to_resolve",
    "promises_kept", "postmortems_in_time", "items_overdue",
)  # fmt: skip


def send_due() -> int:
    """How many digests were written."""
    now = clock.now()
    if hold.gate() is not None:
        return 0
    due: dict[Team, list[tuple[User, str]]] = {}
    managers = Membership.objects.select_related("team", "user").filter(role=MemberRole.MANAGER, user__is_active=True)
    for membership in managers.order_by("team_id", "position", "id"):
        key = _key(membership.team, membership.user, now)
        if key:
            due.setdefault(membership.team, []).append((membership.user, key))
    known = set(
        Delivery.objects.filter(idempotency_key__in=[key for some in due.values() for _, key in some]).values_list(
            "idempotency_key", flat=True
        )
    )
    return sum(_send(team, [(user, key) for user, key in some if key not in known], now) for team, some in due.items())


def _key(team: Team, user: User, now: datetime) -> str:
    """Of this week's digest; "" when it is not the time for it where the manager lives."""
    local = now.astimezone(zone(user.time_zone))
    if local.weekday() != MONDAY or not AT <= local.time() < UNTIL:
        return ""
    year, week, _ = local.isocalendar()
    return f"digest/{team.pk}/{year}-{week:02}/{user.pk}"


def _send(team: Team, managers: list[tuple[User, str]], now: datetime) -> int:
    if not managers:
        return 0
    words = words_of(report(Scope(team=team), now - WEEK, now, now), team, now)
    mails = dict(
        ContactMethod.objects.filter(user__in=[user for user, _ in managers], type="email", disabled_at=None)
        .exclude(confirmed_at=None)
        .order_by("-position")
        .values_list("user", "name")
    )
    with transaction.atomic():
        return tell_many(
            Told(user, key, DeliveryKind.UPDATE, words, preference=mails.get(user.pk, "")) for user, key in managers
        )


def words_of(found: Report, team: Team, now: datetime) -> str:
    """Plain lines: the figures, then what is overdue by name of its owner, who is asked for it and not ranked."""
    lines = [f"The week of {team}, until {now:%d %b %Y}", ""]
    for key in KEYS:
        figure = found.of(key)
        trend = f" ({figure.trend})" if figure.trend in {"better", "worse"} else ""
        lines.append(f"{figure.definition.title}: {figure.shown}{trend}")
    late = overdue(ActionItem.objects.select_related("owner", "incident").filter(team=team), now.date())
    rows = list(late.filter(state=ItemState.OPEN).order_by("due_on")[:OVERDUE_SHOWN])
    if rows:
        lines += ["", "Overdue:"]
        lines += [
            f"{item} {'(private)' if item.is_private else item.title} ({item.owner}, {item.due_on})" for item in rows
        ]
    return "\n".join([*lines, "", f"{settings().base_url}/insights?days=7&team={team.name}"])
