"""What the engine does over the network for incidents: updates to stakeholders, chat channels, metric series.

Claimed with a lease, done outside any transaction, the outcome written after. A failure is a line of the timeline and is
tried again; it never stops the incident.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from django.db import transaction

from midwatch.core import clock, errands, integration, markdown, net
from midwatch.core.integration import ChatError, ChatRoom, ChatWish, DeliveryError, Message
from midwatch.respond.incidents.actions.evidence import digest
from midwatch.respond.incidents.actions.timeline import note
from midwatch.respond.incidents.models import (
    Audience,
    Channel,
    ChannelState,
    Evidence,
    Incident,
    RoleHolding,
    Stakeholder,
    UpdateDelivery,
)
from midwatch.respond.incidents.queries.holders import participants_of
from midwatch.respond.incidents.queries.links import room_url
from midwatch.respond.incidents.queries.room import promises_of
from midwatch.respond.notify.queries import channel_config, chat_config

SERIES_BYTES_MAX = 1_000_000
DELIVERIES = errands.due(lambda: UpdateDelivery.objects.select_related("update__incident", "stakeholder"))
CHANNELS = errands.due(lambda: Channel.objects.select_related("incident__service"))
EVIDENCE = errands.due(lambda: Evidence.objects.select_related("incident"))


def claim_deliveries(limit: int) -> list[UpdateDelivery]:
    return errands.claim(DELIVERIES, limit)


def deliver(row: UpdateDelivery) -> None:
    """One update to one stakeholder."""
    stakeholder, incident = row.stakeholder, row.update.incident
    channel = integration.channels()[stakeholder.kind]
    try:
        channel.send(stakeholder.kind, message_of(row), channel_config(stakeholder.kind))
    except DeliveryError as error:
        is_over = errands.postpone(row, str(error), is_permanent=error.permanent, state="failed")
        if is_over:
            with transaction.atomic():
                Stakeholder.objects.filter(pk=stakeholder.pk, failing_since=None).update(failing_since=clock.now())
                shown = stakeholder.name or stakeholder.kind
                note(incident, "delivery", f"the update did not reach {shown}: {error}", update=row.update_id)
        return
    with transaction.atomic():
        errands.finish(row, state="handed over", handed_over_at=clock.now())
        Stakeholder.objects.filter(pk=stakeholder.pk).exclude(failing_since=None).update(failing_since=None)


def message_of(row: UpdateDelivery) -> Message:
    """The words for the stakeholder's own audience."""
    update, incident = row.update, row.update.incident
    is_external = row.stakeholder.audience == Audience.EXTERNAL
    text = markdown.plain(update.external_text if is_external else update.internal_text or update.external_text)
    drill = "DRILL: " if incident.is_drill else ""
    title = update.title or incident.title
    subject = (
        f"{drill}{title}: {update.stage}" if is_external else f"{drill}[{incident.severity}] {title}: {update.stage}"
    )
    lines = [f"{title}: {update.stage}", "", *text.splitlines()]
    if update.next_at:
        lines += ["", f"Next update by {update.next_at:%Y-%m-%d %H:%M} UTC."]
    if not is_external:
        lines += ["", room_url(incident)]
    return Message(
        delivery=f"incident-update/{row.pk}",
        kind="update",
        to=row.stakeholder.name or "stakeholder",
        address=row.stakeholder.address,
        subject=subject,
        text="\n".join(lines),
        short=subject,
        spoken=subject,
        sent_at=clock.now(),
        lines=lines,
        thread=f"incident/{incident.number}",
        urgency="low",
        secret=row.stakeholder.secret,
    )


def claim_channels(limit: int) -> list[Channel]:
    return errands.claim(CHANNELS, limit)


def tend(row: Channel) -> None:
    """Bring one provider's channel to what the incident is now."""
    chat = integration.chats().get(row.provider)
    if chat is None:
        errands.postpone(row, f"there is no provider {row.provider!r} any more", is_permanent=True)
        return
    try:
        room = chat.tend(wish_of(row), chat_config(row.provider))
    except ChatError as error:
        is_first = not row.problem
        state = {} if row.state == ChannelState.READY else {"state": ChannelState.FAILED}
        if error.external:
            Channel.objects.filter(pk=row.pk).update(external=dict(error.external))
        is_over = errands.postpone(
            row, str(error), is_permanent=error.permanent, pause_seconds_min=error.retry_after_seconds, **state
        )
        if is_first or is_over:
            with transaction.atomic():
                again = "given up" if is_over else "will be tried again"
                note(row.incident, "channel", f"{chat.TITLE}: {error} ({again})", provider=row.provider)
        return
    _ready(row, room, chat.TITLE)


def _ready(row: Channel, room: ChatRoom, title: str) -> None:
    with transaction.atomic():
        state = ChannelState.ARCHIVED if row.incident.closed_at else ChannelState.READY
        more = {} if room.is_complete else {"due_at": clock.now(), "state": row.state}
        is_written = errands.finish(
            row,
            **{
                "state": state,
                "url": room.url[:1_000],
                "title": room.title[:200],
                "external": dict(room.external),
                **more,
            },
        )
        for sentence in room.notes if is_written else ():
            note(row.incident, "channel", f"{title}: {sentence}", provider=row.provider)
        is_new = row.state != ChannelState.READY and state == ChannelState.READY
        if is_written and room.is_complete and is_new:
            note(row.incident, "channel", f"{title}: {room.title or room.url}", provider=row.provider, url=room.url)


def wish_of(row: Channel) -> ChatWish:
    incident = Incident.objects.select_related("service").get(pk=row.incident_id)
    held = RoleHolding.objects.filter(incident=incident, ended_at=None).select_related("user")
    roles: dict[str, list[str]] = {}
    for one in held:
        roles.setdefault(one.role, []).append(str(one.user))
    return ChatWish(
        number=incident.number,
        title=incident.title,
        severity=incident.severity,
        phase=incident.phase,
        service=str(incident.service or ""),
        url=room_url(incident),
        roles=roles,
        emails=tuple(user.email for user in participants_of(incident) if user.email),
        is_private=incident.is_private,
        is_drill=incident.is_drill,
        is_closed=incident.closed_at is not None,
        external=row.external,
        next_update_at=min((one.promised_at for one in promises_of(incident) if one.promised_at), default=None),
    )


def claim_evidence(limit: int) -> list[Evidence]:
    return errands.claim(EVIDENCE, limit)


def fetch(row: Evidence) -> None:
    """One range query of Prometheus, kept as it came."""
    wanted: dict[str, Any] = row.request or {}
    query = urlencode({name: wanted[name] for name in ("query", "start", "end", "step")})
    url = f"{str(wanted['url']).rstrip('/')}/api/v1/query_range?{query}"
    try:
        answer = net.http("GET", url, timeout_seconds=10.0, is_trusted=bool(wanted.get("is_trusted")))
        content = _series_of(answer)
    except (net.NetError, ValueError) as error:
        if errands.postpone(row, str(error)):
            with transaction.atomic():
                note(row.incident, "evidence", f"{row.title} could not be kept: {error}")
        return
    errands.finish(row, content=content, sha256=digest(content))


def _series_of(answer: net.HttpAnswer) -> Any:
    if not answer.is_ok:
        raise ValueError(f"Prometheus answered {answer.status}")
    if len(answer.body) > SERIES_BYTES_MAX:
        raise ValueError("the answer is larger than 1 MB: ask for fewer series")
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise ValueError("the answer is not JSON: is this Prometheus?") from None
    result = (
        found.get("data", {}).get("result") if isinstance(found, dict) and found.get("status") == "success" else None
    )
    if not isinstance(result, list):
        raise ValueError("the answer has no data.result: is this Prometheus?")
    return result
