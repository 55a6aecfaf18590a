"""A team's alert channel: which messages there should be, and bringing each to how things stand.

Nothing on the way of a page knows of it. A job looks once a second at what is new, and an errand of its own talks to the
provider, so that a failing one delays nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import Exists, F, Max, OuterRef, Q

from midwatch.core import audit, clock, errands, feeds
from midwatch.core.actor import Actor
from midwatch.core.feeds import ACKNOWLEDGE, RESOLVE, FeedPost
from midwatch.core.guard import guarded
from midwatch.core.integration import ChatError
from midwatch.core.statements import Select
from midwatch.people.models import Team
from midwatch.respond.alerts.models import OPEN, Alert, AlertStatus, TimelineEntry
from midwatch.respond.escalation.models import Escalation, EscalationState, TeamChannel, TeamPost
from midwatch.respond.notify.models import Page, PageState
from midwatch.respond.notify.queries import feed_config
from midwatch.respond.oncall.notices import ShiftChange, shift_changes
from midwatch.settings import settings

LOOKED_AT = 200  # new alerts of a team in one turn
POSTS_A_MINUTE = 10  # in one channel; what comes beyond is one message that counts
STORM = timedelta(minutes=10)  # so long the same message counts on
JOINED_MAX = 200  # waiting for their turn behind the alert that pages
CHANGED_MAX = 100
NAMES_MAX = 6

CHANNELS = Select(lambda: TeamChannel.objects.select_related("team").order_by("pk"))
_NEW = Select(
    lambda team, after: Alert.objects.filter(team=team, number__gt=after, is_test=False).order_by("number")[:LOOKED_AT]
)
_QUIET = TeamPost.objects.filter(due_at=None).exclude(alert=None)
_LATER = TimelineEntry.objects.filter(alert=OuterRef("alert"), id__gt=OuterRef("shown_entry"))
_IS_LATER = Exists(_LATER) | ~Q(alert__status=F("shown_status"))
_CHANGED = Select(
    lambda channel: _QUIET.filter(_IS_LATER, channel=channel, is_open=True, is_joined=False).values_list(
        "pk", flat=True
    )[:CHANGED_MAX]
)
_LEADS_NOW = Exists(Escalation.objects.filter(alert=OuterRef("alert"), leader=None))
_NOT_JOINED_ANY_MORE = Select(
    lambda channel: _QUIET.filter(
        _LEADS_NOW | Q(alert__status=AlertStatus.RESOLVED), channel=channel, is_open=True, is_joined=True
    ).values_list("pk", "alert__status")[:CHANGED_MAX]
)
_OPEN_AGAIN = Select(
    lambda channel, team: _QUIET.filter(
        channel=channel, is_open=False, alert__team=team, alert__status__in=OPEN
    ).values_list("pk", flat=True)[:CHANGED_MAX]
)
POSTS = errands.due(lambda: TeamPost.objects.select_related("channel__team", "alert__service", "alert__source"))


def choose_channel(
    team: Team, provider: str, place: str, by: Actor, *, shows_shifts: bool = True
) -> TeamChannel | None:
    """Where the team reads along from now on; "" ends it. Raises ValueError with a sentence."""
    feed = feeds.feeds().get(provider)
    if feed is None:
        raise ValueError(f"there is no provider {provider!r}")
    place = feed.place_of(place) if place.strip() else ""
    with transaction.atomic():
        row = TeamChannel.objects.filter(team=team, provider=provider).first()
        if row is not None and row.place == place:
            TeamChannel.objects.filter(pk=row.pk).update(shows_shifts=shows_shifts, problem="", failing_since=None)
        elif row is not None:
            row.delete()  # with its messages' rows: they stay in Slack as they were shown last
        detail = {"provider": provider, "place": place, "shifts": shows_shifts}
        audit.record(by, "chose the alert channel of", "team", team.name, detail)
        if not place or (row is not None and row.place == place):
            return row if place else None
        newest = Alert.objects.filter(team=team).aggregate(at=Max("number"))["at"] or 0
        return TeamChannel.objects.create(
            team=team, provider=provider, place=place, shows_shifts=shows_shifts, last_number=newest,
            created_by=str(by)[:200], created_at=clock.now(),
        )  # fmt: skip


def watch_channels() -> int:
    """What is new in each team: a row for each message that is to be posted or edited."""
    return sum(guarded("team channel", partial(_watch, channel), otherwise=0) for channel in CHANNELS())


def _watch(channel: TeamChannel) -> int:
    fresh = _NEW(channel.team_id, channel.last_number)
    changed = [*_CHANGED(channel.pk), *_OPEN_AGAIN(channel.pk, channel.team_id)]
    not_joined = _NOT_JOINED_ANY_MORE(channel.pk)
    if not (fresh or changed or not_joined):
        return 0
    now = clock.now()
    with transaction.atomic():
        mine = TeamChannel.objects.filter(pk=channel.pk, last_number=channel.last_number)
        if fresh and mine.update(last_number=fresh[-1].number):
            _wish(channel, fresh, now)
        TeamPost.objects.filter(pk__in=changed, due_at=None).update(due_at=now, attempts=0, is_open=True)
        over = [pk for pk, status in not_joined if status == AlertStatus.RESOLVED]
        TeamPost.objects.filter(pk__in=over).update(is_open=False)  # the other's message counted it, and that is all
        leading = [pk for pk, status in not_joined if status != AlertStatus.RESOLVED]
        TeamPost.objects.filter(pk__in=leading, due_at=None).update(due_at=now, attempts=0, is_joined=False)
    return len(fresh) + len(changed) + len(not_joined)


def _wish(channel: TeamChannel, fresh: Sequence[Alert], now: datetime) -> None:
    """One message an alert; those that page with another are counted in its message, a storm's in one of its own."""
    led: dict[int, int] = dict(
        Escalation.objects.filter(alert__in=fresh).exclude(leader=None).values_list("alert_id", "leader__alert_id")
    )
    rows = TeamPost.objects.filter(channel=channel)
    recent = rows.filter(created_at__gt=now - timedelta(minutes=1), is_joined=False).exclude(alert=None).count()
    waiting = rows.filter(is_joined=True, is_open=True)[:JOINED_MAX].count() if led else 0
    free = max(0, POSTS_A_MINUTE - recent)
    own = [alert for alert in fresh if alert.pk not in led]
    joined = [alert for alert in fresh if alert.pk in led][: max(0, JOINED_MAX - waiting)]
    made = [
        TeamPost(
            channel=channel,
            key=f"alert/{alert.number}",
            alert=alert,
            is_joined=is_joined,
            created_at=now,
            due_at=None if is_joined else now,
        )
        for is_joined, alerts in ((False, own[:free]), (True, joined))
        for alert in alerts
    ]
    TeamPost.objects.bulk_create(made, ignore_conflicts=True)
    rows.filter(alert__in=set(led.values()), due_at=None).update(due_at=now)
    if own[free:]:
        _count_storm(channel, own[free:], now)


def _count_storm(channel: TeamChannel, alerts: Sequence[Alert], now: datetime) -> None:
    rows = TeamPost.objects.filter(channel=channel, alert=None, count__gt=0, created_at__gt=now - STORM)
    running = rows.order_by("-id").first()
    if running is None:
        TeamPost.objects.create(
            channel=channel, key=f"storm/{alerts[0].number}", count=len(alerts), created_at=now, due_at=now
        )
        return
    TeamPost.objects.filter(pk=running.pk).update(count=running.count + len(alerts), due_at=now, attempts=0)


def watch_shifts() -> int:
    """Who begins a shift now, said in their team's channel."""
    channels = [one for one in CHANNELS() if one.shows_shifts]
    if not channels:
        return 0
    now = clock.now()
    changes = shift_changes(now, [one.team_id for one in channels])
    wanted = [
        (channel, change)
        for channel in channels
        for change in changes
        if change.schedule.team_id == channel.team_id and change.starts_at >= channel.created_at
    ]
    known = set(
        TeamPost.objects.filter(channel__in=channels, key__in=[change.key for _, change in wanted]).values_list(
            "channel_id", "key"
        )
    )
    fresh = [(channel, change) for channel, change in wanted if (channel.pk, change.key) not in known]
    if fresh:
        with transaction.atomic():
            TeamPost.objects.bulk_create(
                [
                    TeamPost(
                        channel=channel,
                        key=change.key,
                        text=_shift_words(change),
                        is_open=False,
                        created_at=now,
                        due_at=now,
                    )
                    for channel, change in fresh
                ],
                ignore_conflicts=True,
            )
    return len(fresh)


def _shift_words(change: ShiftChange) -> str:
    until = f" until {change.ends_at:%a %d %b %H:%M} UTC" if change.ends_at else ""
    return f"On call for {change.schedule.name} now: {_names(change.people)}{until}"[:500]


def _names(people: Iterable[object]) -> str:
    names = list(dict.fromkeys(str(person) for person in people))
    return ", ".join(names[:NAMES_MAX]) + (f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else "")


# -- the errand


def claim_posts(limit: int) -> list[TeamPost]:
    return errands.claim(POSTS, limit)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The alert as its message shows it, and up to which line of its timeline."""

    entry: int = 0
    status: str = ""
    is_open: bool = False


def show(row: TeamPost) -> None:
    """Post one message, or edit it."""
    channel = row.channel
    feed = feeds.feeds().get(channel.provider)
    if feed is None:
        errands.postpone(row, f"there is no provider {channel.provider!r} any more", is_permanent=True)
        return
    seen = _seen(row)
    post = post_of(row, may_exist=bool(row.external.get("begun")))
    if not row.external:  # written first, so that a crash after it makes the next try look whether it was posted
        with transaction.atomic():
            TeamPost.objects.filter(pk=row.pk, claimed_until=row.claimed_until).update(external={"begun": True})
    now_shown = {"shown_entry": seen.entry, "shown_status": seen.status}
    try:
        external = {**feed.show(post, feed_config(channel.provider)), "begun": True}
    except ChatError as error:
        with transaction.atomic():
            TeamPost.objects.filter(pk=row.pk).update(external={**error.external, "begun": True})
            errands.postpone(
                row, str(error), is_permanent=error.permanent, pause_seconds_min=error.retry_after_seconds, **now_shown
            )
            TeamChannel.objects.filter(pk=channel.pk, failing_since=None).update(failing_since=clock.now())
            TeamChannel.objects.filter(pk=channel.pk).update(problem=str(error)[:500])
        return
    errands.finish(row, external=external, is_open=seen.is_open, **now_shown)
    if channel.failing_since is not None or channel.problem:
        with transaction.atomic():
            TeamChannel.objects.filter(pk=channel.pk).update(problem="", failing_since=None)


def _seen(row: TeamPost) -> _Seen:
    """Read before the alert itself is: what comes between is shown again, never left out."""
    if row.alert is None:
        return _Seen(is_open=False)
    newest = TimelineEntry.objects.filter(alert=row.alert).aggregate(at=Max("id"))["at"] or 0
    status = Alert.objects.values_list("status", flat=True).get(pk=row.alert.pk)
    return _Seen(newest, status, status != AlertStatus.RESOLVED)


def post_of(row: TeamPost, *, may_exist: bool = False) -> FeedPost:
    """How the message reads now."""
    place, base, external = row.channel.place, settings().base_url, row.external
    if row.alert_id is None:
        if row.count:
            said = f"{row.count} more alert{'' if row.count == 1 else 's'} of {row.channel.team}"
            lines = [f"more than {POSTS_A_MINUTE} came within a minute; they page as always, and stand in the list"]
            url = f"{base}/alerts?team={row.channel.team.name}"
            return FeedPost(place, row.key, said, lines, url, tone="warn", external=external, may_exist=may_exist)
        return FeedPost(place, row.key, row.text, (), f"{base}/oncall", external=external, may_exist=may_exist)
    alert = Alert.objects.select_related("service", "acknowledged_by", "resolved_by", "source").get(pk=row.alert_id)
    service = f"{alert.service}: " if alert.service else ""
    acts = {AlertStatus.FIRING: (ACKNOWLEDGE, RESOLVE), AlertStatus.ACKNOWLEDGED: (RESOLVE,)}
    tones = {AlertStatus.FIRING: "danger", AlertStatus.ACKNOWLEDGED: "warn", AlertStatus.RESOLVED: "ok"}
    status = AlertStatus(alert.status)
    return FeedPost(
        place,
        row.key,
        f"[{alert.priority}] {alert} {service}{alert.title}",
        _lines(alert, status),
        f"{base}/alerts/{alert.number}",
        number=alert.number,
        acts=acts.get(status, ()),
        tone=tones[status],
        external=external,
        may_exist=may_exist,
    )


def _lines(alert: Alert, status: AlertStatus) -> list[str]:
    escalation = Escalation.objects.filter(alert=alert).first()
    lines: list[str] = []
    match status:
        case AlertStatus.FIRING:
            lines.append(_firing(alert, escalation))
        case AlertStatus.ACKNOWLEDGED:
            who = str(alert.acknowledged_by) if alert.acknowledged_by else "its source, no person"
            lines.append(f"Acknowledged by {who}{_at(alert.acknowledged_at)}")
            if alert.snoozed_until is not None:
                lines.append(f"Snoozed until {alert.snoozed_until:%H:%M} UTC")
        case AlertStatus.RESOLVED:
            who = str(alert.resolved_by or alert.source or "its source")
            lines.append(f"Resolved by {who}{_at(alert.resolved_at)}")
    if escalation is not None and status != AlertStatus.RESOLVED:
        joined = Escalation.objects.filter(leader=escalation).filter(~Q(alert__status=AlertStatus.RESOLVED)).count()
        if joined:
            lines.append(f"{joined} more page{'s' if joined == 1 else ''} with it")
    return lines


def _firing(alert: Alert, escalation: Escalation | None) -> str:
    calling = Page.objects.filter(alert=alert, state=PageState.RUNNING).select_related("user").order_by("id")
    names = _names(page.user for page in calling[:50])
    if escalation is not None and escalation.state == EscalationState.HELD:
        return "Firing; held by maintenance"
    if escalation is not None and escalation.state == EscalationState.EXHAUSTED:
        return f"Firing; nobody answered{f': {names}' if names else ''}"
    again = f", round {escalation.round}" if escalation is not None and escalation.round > 1 else ""
    return f"Firing; paged: {names}{again}" if names else f"Firing{again}"


def _at(moment: datetime | None) -> str:
    return f" at {moment:%H:%M} UTC" if moment is not None else ""
