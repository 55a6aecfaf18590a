"""Can the channels send, and do messages go out?"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from django.db.models import Count

from midwatch.core import clock, integration
from midwatch.core.contribute import Check
from midwatch.people.models import ContactMethod
from midwatch.respond.notify.models import Delivery, DeliveryState
from midwatch.respond.notify.queries import channel_config
from midwatch.settings import settings

LATE = timedelta(minutes=1)
LATELY = timedelta(hours=24)


def channels_are_set_up() -> list[Check]:
    question = "Can every kind of contact method that people use be sent to?"
    counts = ContactMethod.objects.filter(user__is_active=True, disabled_at=None).exclude(type=integration.NULL_CHANNEL)
    used = {row["type"]: row["count"] for row in counts.order_by().values("type").annotate(count=Count("pk"))}
    known = integration.channels()
    checks = []
    for type_, count in sorted(used.items()):
        channel = known.get(type_)
        if channel is None:
            text = f"{count} contact methods are of a kind that no channel serves"
            checks.append(Check(f"channels.{type_}", question, "failed", text, "remove them, or give another kind"))
            continue
        missing = channel.missing_settings(type_, channel_config(type_))
        if missing:
            text = f"{count} contact methods cannot be used: {missing}"
            checks.append(Check(f"channels.{type_}", question, "failed", text, "set it, and start Midwatch again"))
        else:
            checks.append(Check(f"channels.{type_}", question, "ok", f"{count} contact methods, settings complete"))
    if not used:
        text, remedy = "nobody has a contact method", "every person adds one in their profile, with a test page"
        checks.append(Check("channels", question, "warning", text, remedy))
    if used.get("voice") and not can_be_called_back():
        text = "calls cannot be answered with keys: the provider cannot reach this address"
        remedy = "set MIDWATCH_PUBLIC_URL to an address that providers reach (only /p/ and /hooks/ are needed)"
        checks.append(Check("channels.callbacks", question, "warning", text, remedy))
    return checks


def can_be_called_back() -> bool:
    """Providers come from the internet: an address was set, and it is not this machine's own."""
    return settings().has_public_url and urlsplit(settings().public_url).hostname not in {
        "localhost",
        "127.0.0.1",
        "::1",
    }


def methods_work() -> Check:
    question = "Do people's contact methods work?"
    failing = ContactMethod.objects.filter(user__is_active=True, disabled_at=None).exclude(failing_since=None)
    rows = list(failing.select_related("user").order_by("failing_since")[:11])
    if rows:
        named = ", ".join(f"{row.user.name}/{row.name}" for row in rows[:10])
        text = f"failing: {named}{' and more' if len(rows) > 10 else ''}; the first: {rows[0].problem or 'refused'}"
        return Check("channels.failing", question, "warning", text, "correct the address; a test page confirms it")
    return Check("channels.failing", question, "ok", "none is known to fail")


def messages_go_out() -> Check:
    question = "Do messages go out in time?"
    now = clock.now()
    waiting = Delivery.objects.filter(state__in=[DeliveryState.WAITING, DeliveryState.SENDING], due_at__lt=now - LATE)
    oldest = waiting.order_by("due_at").values_list("channel", "due_at").first()
    if oldest is not None:
        late = int((now - oldest[1]).total_seconds())
        text = f"a message by {oldest[0]} is {late} s late"
        return Check(
            "deliveries.late", question, "failed", text, "is an engine running? its log says what it waits for"
        )
    failed = Delivery.objects.filter(state=DeliveryState.FAILED, created_at__gte=now - LATELY).count()
    if failed:
        text = f"{failed} messages of the last day failed for good (the next method was tried)"
        return Check("deliveries.failed", question, "warning", text, "the alerts' pages show each receipt")
    return Check("deliveries", question, "ok", "nothing is late, nothing failed in a day")


CHECKS = (channels_are_set_up, methods_work, messages_go_out)
