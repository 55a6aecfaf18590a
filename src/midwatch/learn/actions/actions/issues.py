"""An action item as an issue of a team's own tracker: made once, then open and closed together, whoever closes it.

The link is a row and an errand: the engine makes the issue, looks at it every few minutes, and carries over what changed on
one side. What changed on both sides is taken as agreed. A failure is shown on the item and tried again.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction

from midwatch.core import audit, clock, errands, tracking
from midwatch.core.actor import Actor
from midwatch.core.integration import ChannelConfig
from midwatch.core.tracking import Issue, IssueWish, Tracker, TrackerError
from midwatch.learn.actions.actions.items import finish_item, record_entry, reopen_item
from midwatch.learn.actions.models import ActionItem, ItemIssue, ItemState
from midwatch.settings import channel_values, settings

LOOK_EVERY = timedelta(minutes=5)
LOOK_CLOSED_EVERY = timedelta(hours=1)
CLOSED_FOR = timedelta(days=30)  # so long a closed one is looked at: somebody may open it again
AGAIN_AFTER = timedelta(hours=6)  # after the errand's own tries were used up
CLOSED = (ItemState.DONE, ItemState.DROPPED)
TIMEOUT_SECONDS = 10.0
ISSUES = errands.due(lambda: ItemIssue.objects.select_related("item__owner", "item__incident"))


def tracker_config(tracker: Tracker) -> ChannelConfig:
    return ChannelConfig(values=channel_values(tuple(tracker.SETTINGS)), timeout_seconds=TIMEOUT_SECONDS)


def available_trackers() -> list[Tracker]:
    """Those that are set up."""
    return [one for one in tracking.trackers().values() if not one.missing_settings(tracker_config(one))]


def wish_issue(item: ActionItem, provider: str, place: str, by: Actor) -> ItemIssue:
    """Make one there; or, where one failed, try again. Raises ValueError with a sentence."""
    tracker = tracking.trackers().get(provider)
    if tracker is None:
        raise ValueError(f"there is no tracker {provider!r}")
    if problem := tracker.missing_settings(tracker_config(tracker)):
        raise ValueError(problem)
    if item.is_private:
        raise ValueError("it belongs to a private incident: its words stay here")
    now = clock.now()
    with transaction.atomic():
        known = ItemIssue.objects.filter(item=item, provider=provider).first()
        if known is not None and known.external.get("begun") and known.url:
            ItemIssue.objects.filter(pk=known.pk).update(due_at=now, attempts=0)
            return known
        if item.state != ItemState.OPEN:
            raise ValueError("only an open item becomes an issue: give it an owner and a date")
        row, is_new = ItemIssue.objects.update_or_create(
            item=item,
            provider=provider,
            defaults={"place": tracker.place_of(place), "due_at": now, "attempts": 0, "problem": ""},
            create_defaults={
                "place": tracker.place_of(place),
                "due_at": now,
                "created_by": str(by)[:200],
                "created_at": now,
            },
        )
        if is_new:
            record_entry(item, by, f"wanted as an issue in {tracker.TITLE}: {row.place}")
        audit.record(by, "wish issue of", "action item", str(item), {"tracker": provider, "place": row.place})
    return row


def claim_issues(limit: int) -> list[ItemIssue]:
    return errands.claim(ISSUES, limit)


def tend_issue(row: ItemIssue) -> None:
    """Make the issue, or bring both sides together."""
    tracker = tracking.trackers().get(row.provider)
    if tracker is None:
        errands.postpone(row, f"there is no tracker {row.provider!r} any more", is_permanent=True)
        return
    config = tracker_config(tracker)
    if problem := tracker.missing_settings(config):
        errands.postpone(row, problem, is_permanent=True)
        return
    try:
        issue = _kept(row, tracker, config) if row.url else _made(row, tracker, config)
    except TrackerError as error:
        is_over = errands.postpone(
            row, str(error), is_permanent=error.permanent, pause_seconds_min=error.retry_after_seconds
        )
        with transaction.atomic():
            if is_over and not error.permanent:
                ItemIssue.objects.filter(pk=row.pk, due_at=None).update(due_at=clock.now() + AGAIN_AFTER, attempts=0)
            if is_over and not row.problem:
                record_entry(row.item, _by(tracker), f"{row.place}: {error}")
        return
    _write(row, issue, tracker)


def _by(tracker: Tracker) -> Actor:
    return Actor(tracker.TITLE, "source")


def _made(row: ItemIssue, tracker: Tracker, config: ChannelConfig) -> Issue:
    may_exist = bool(row.external.get("begun"))
    if not may_exist:  # written first: after a crash the next try looks whether it is there
        with transaction.atomic():
            ItemIssue.objects.filter(pk=row.pk, claimed_until=row.claimed_until).update(external={"begun": True})
    return tracker.create(wish_of(row, may_exist=may_exist), config)


def wish_of(row: ItemIssue, *, may_exist: bool = False) -> IssueWish:
    item = row.item
    url = f"{settings().base_url}/actions/{item.number}"
    facts = [f"Owner: {item.owner}", f"Due: {item.due_on}", f"Kind: {item.type}, priority {item.priority}"]
    body = "\n\n".join(filter(None, [item.description, "\n".join(facts), f"{item} in Midwatch: {url}"]))
    return IssueWish(row.place, f"{item}: {item.title}", body, f"midwatch-{url}", may_exist)


def _kept(row: ItemIssue, tracker: Tracker, config: ChannelConfig) -> Issue:
    """Ours is closed, theirs is not, or the other way round: whichever side moved since they agreed has it its way."""
    issue = tracker.look(row.external, config)
    item = ActionItem.objects.get(pk=row.item_id)
    is_closed = item.state in CLOSED
    if is_closed == issue.is_closed:
        return issue
    if is_closed != row.is_closed:  # ours moved
        return tracker.set_closed(row.external, is_closed, config, is_dropped=item.state == ItemState.DROPPED)
    by = _by(tracker)
    if issue.is_closed and item.state == ItemState.OPEN:
        finish_item(item, by, f"closed in {tracker.TITLE}: {issue.title}")
    elif not issue.is_closed and item.state in CLOSED:
        reopen_item(item, by, f"opened again in {tracker.TITLE}: {issue.title}")
    return issue


def _write(row: ItemIssue, issue: Issue, tracker: Tracker) -> None:
    now = clock.now()
    with transaction.atomic():
        is_written = errands.finish(
            row,
            external={**issue.external, "begun": True},
            url=issue.url[:1_000],
            title=issue.title[:200],
            is_closed=issue.is_closed,
            looked_at=now,
        )
        if is_written and not row.url:
            record_entry(row.item, _by(tracker), f"is {issue.title} there")
        item = ActionItem.objects.only("done_at").get(pk=row.item_id)
        every = LOOK_CLOSED_EVERY if issue.is_closed else LOOK_EVERY
        if not issue.is_closed or item.done_at is None or now - item.done_at < CLOSED_FOR:
            ItemIssue.objects.filter(pk=row.pk, due_at=None).update(due_at=now + every)
