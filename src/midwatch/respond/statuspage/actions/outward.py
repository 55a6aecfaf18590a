"""What is said here is said at a page elsewhere too, by a vendor's API: a row with the update, done by a leased errand."""

from __future__ import annotations

from functools import cache

from django.db import transaction

from midwatch.core import clock, errands, integration, wake
from midwatch.core.integration import ChannelConfig, PublishedUpdate, PublishError
from midwatch.respond.statuspage.models import Notice, NoticeUpdate, OutwardNotice, Page
from midwatch.settings import channel_values

TIMEOUT_SECONDS = 10.0
DUE = errands.due(lambda: OutwardNotice.objects.select_related("notice"))


def check_outward(given: str) -> str:
    """ "" or "PROVIDER:PAGE". Raises `ValueError` with a sentence."""
    text = given.strip()
    provider, _, page = text.partition(":")
    if not text:
        return ""
    if provider not in integration.publishers() or not page or not page.isascii() or not page.isalnum():
        known = ", ".join(f"{name}:PAGE_ID" for name in integration.publishers())
        raise ValueError(f"published also at: give {known}, or leave it empty")
    return text


def wish(notice: Notice) -> None:
    """In the transaction of an update: it is to be said elsewhere as well."""
    outward = Page.objects.values_list("outward", flat=True).get(pk=notice.page_id)
    if not outward:
        return
    row, _ = OutwardNotice.objects.get_or_create(notice=notice, defaults={"target": outward})
    OutwardNotice.objects.filter(pk=row.pk).update(due_at=clock.now(), attempts=0)
    transaction.on_commit(wake.wake)


def claim(limit: int) -> list[OutwardNotice]:
    return errands.claim(DUE, limit)


def publish(row: OutwardNotice) -> None:
    """Every update that was not said yet, in order. What fails is tried again, and the notice's page says so."""
    provider, _, page = row.target.partition(":")
    publisher = integration.publishers().get(provider)
    if publisher is None:
        errands.postpone(row, f"there is no folder for {provider}", is_permanent=True)
        return
    updates = NoticeUpdate.objects.filter(notice=row.notice, pk__gt=row.last_update_id or 0).order_by("pk")
    for update in updates:
        try:
            external_id = publisher.publish(page, _said(row, update), _config(provider))
        except PublishError as error:
            errands.postpone(row, str(error), is_permanent=error.permanent)
            return
        row.external_id, row.last_update_id = external_id, update.pk
        with transaction.atomic():
            mine = OutwardNotice.objects.filter(pk=row.pk, claimed_until=row.claimed_until)
            if not mine.update(external_id=external_id, last_update_id=update.pk):
                return  # somebody else has it
    errands.finish(row)


def _said(row: OutwardNotice, update: NoticeUpdate) -> PublishedUpdate:
    notice = row.notice
    return PublishedUpdate(
        name=notice.name,
        status=str(update.status),
        body=update.body,
        impact=notice.impact if notice.impact in {"none", "minor", "major", "critical"} else None,
        components={one["name"]: one["new_status"] for one in update.affected or ()},
        is_told=update.is_delivered,
        scheduled_for=notice.scheduled_for,
        scheduled_until=notice.scheduled_until,
        external_id=row.external_id,
    )


@cache
def _config(provider: str) -> ChannelConfig:
    publisher = integration.publishers()[provider]
    return ChannelConfig(values=channel_values(tuple(publisher.SETTINGS)), timeout_seconds=TIMEOUT_SECONDS)
