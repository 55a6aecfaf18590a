"""What subscribers are sent: an e-mail, or Statuspage's webhook body. Made from rows, sent elsewhere."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from midwatch.core import clock, markdown, zones
from midwatch.core.text import clean
from midwatch.respond.statuspage import queries, secrets, wire
from midwatch.respond.statuspage.links import public_url
from midwatch.respond.statuspage.models import Notice, NoticeUpdate, Page, Subscriber, SubscriberMessage
from midwatch.respond.statuspage.standing import WORDS
from midwatch.settings import settings

UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Text:
    subject: str
    lines: list[str]  # of the plain text
    html: str


def leave_url(subscriber: Subscriber) -> str:
    return f"{public_url(subscriber.page)}/unsubscribe/{secrets.token(subscriber, secrets.LEAVE)}"


def confirm_url(subscriber: Subscriber) -> str:
    return f"{public_url(subscriber.page)}/confirm/{secrets.token(subscriber, secrets.CONFIRM)}"


def mail(message: SubscriberMessage) -> EmailMessage:
    """The same message gives the same Message-ID; those of one notice are one thread; one click unsubscribes (RFC 8058)."""
    subscriber = message.subscriber
    page = subscriber.page
    text = _text(message)
    name, spec = parseaddr(settings().email_from)
    user, _, domain = spec.rpartition("@")
    host = domain if domain.isascii() and domain else "localhost"
    made = EmailMessage(policy=SMTP.clone(max_line_length=998))
    made["Subject"] = clean(text.subject, 300, is_one_line=True)
    made["From"] = Address(clean(page.title or name, 100, is_one_line=True), user, domain)
    made["To"] = Address(addr_spec=subscriber.address)
    made["Date"] = format_datetime(clock.now())
    made["Message-ID"] = f"<{_digest(message.idempotency_key)}@{host}>"
    about = message.update.notice if message.update is not None else message.notice
    if about is not None:
        root = f"<{_digest(f'notice/{about.wire_id}')}@{host}>"
        made["In-Reply-To"] = made["References"] = root
    made["Auto-Submitted"] = "auto-generated"
    made["X-Auto-Response-Suppress"] = "All"
    made["Precedence"] = "bulk"
    lines, html = [*text.lines], text.html
    if message.kind != "confirm":
        leave = leave_url(subscriber)
        made["List-Unsubscribe"] = f"<{leave}>"
        made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        made["List-Id"] = f"{clean(page.title, 60, is_one_line=True)!a} <status-{page.wire_id}.{host}>"
        lines += ["", f"Unsubscribe: {leave}"]
        html += f'<p style="color:#555;font-size:13px"><a href="{escape(leave)}">Unsubscribe</a></p>'
    made.set_content("\n".join(lines) + "\n", cte="quoted-printable")
    whole = f'<!doctype html>\n<html lang="en"><body style="font:15px/1.5 sans-serif">\n{html}\n</body></html>\n'
    made.add_alternative(whole, subtype="html", cte="quoted-printable")
    return made


def webhook(message: SubscriberMessage) -> bytes:
    """Statuspage's shapes: `meta`, `page`, and an incident, or a component with its change."""
    subscriber = message.subscriber
    page = subscriber.page
    words = wire.Wire(page)
    notices = queries.open_notices(page)
    found = words.standing(notices)
    body: dict[str, Any] = {
        "meta": {
            "unsubscribe": leave_url(subscriber),
            "documentation": "https://support.atlassian.com/statuspage/docs/enable-webhook-notifications/",
            "generated_at": wire.moment(clock.now(), UTC),
        },
        "page": {
            "id": page.wire_id,
            "status_indicator": found["indicator"],
            "status_description": found["description"],
        },
    }
    if message.kind == "confirm":
        body["meta"]["confirm"] = confirm_url(subscriber)
    elif message.change is not None:
        change = message.change
        body["component_update"] = {
            "id": f"{change.pk:012x}",
            "created_at": wire.moment(change.at, UTC),
            "old_status": change.old_status,
            "new_status": change.new_status,
            "component_type": "Component",
            "component_id": change.component.wire_id,
        }
        body["component"] = words.component(change.component)
    else:
        notice = message.update.notice if message.update is not None else message.notice
        assert notice is not None, "a message is about a notice or a component"
        body["incident"] = incident(words, notice)
    return json.dumps(body, ensure_ascii=False).encode()


def incident(words: wire.Wire, notice: Notice) -> dict[str, Any]:
    """A notice as subscribers' webhooks and the management API have it."""

    def at(moment: Any) -> str | None:
        return wire.moment(moment, words.zone)

    found = words.notice(notice)
    return {
        **found,
        "impact_override": notice.impact_override,
        "backfilled": notice.is_backfilled,
        "metadata": notice.metadata,
        "scheduled_for": at(notice.scheduled_for),
        "scheduled_until": at(notice.scheduled_until),
        "scheduled_remind_prior": notice.reminds_before,
        "scheduled_reminded_at": at(notice.reminded_at),
        "scheduled_auto_in_progress": notice.is_maintenance and notice.starts_by_itself,
        "scheduled_auto_completed": notice.is_maintenance and notice.ends_by_itself,
        "auto_transition_to_maintenance_state": notice.is_maintenance and notice.sets_maintenance,
        "auto_transition_to_operational_state": notice.is_maintenance and notice.sets_operational,
        "auto_transition_deliver_notifications_at_start": notice.is_maintenance and notice.tells_at_start,
        "auto_transition_deliver_notifications_at_end": notice.is_maintenance and notice.tells_at_end,
        "postmortem_body": notice.postmortem_body,  # subscribers read no draft
        "postmortem_body_last_updated_at": at(notice.postmortem_body_at),
        "postmortem_ignored": False,
        "postmortem_notified_subscribers": notice.postmortem_published_at is not None and notice.postmortem_is_told,
        "postmortem_notified_twitter": False,
        "postmortem_published_at": at(notice.postmortem_published_at),
    }


def _text(message: SubscriberMessage) -> Text:
    page = message.subscriber.page
    match message.kind:
        case "confirm":
            return _confirmation(message.subscriber)
        case "update":
            assert message.update is not None, "an update's message has its update"
            return _update(page, message.update)
        case "reminder":
            assert message.notice is not None, "a reminder has its notice"
            return _about(page, message.notice, f"Reminder: {message.notice.name}", "It begins within the hour.")
        case "postmortem":
            assert message.notice is not None, "a post-mortem has its notice"
            return _about(
                page, message.notice, f"Post-mortem: {message.notice.name}", message.notice.postmortem_body or ""
            )
        case _:
            raise ValueError(f"there are no words for {message.kind!r}")


def _confirmation(subscriber: Subscriber) -> Text:
    page, url = subscriber.page, confirm_url(subscriber)
    first = f"Somebody, probably you, asked for updates from {page.title} to this address."
    second = "Open this address to get them. If it was not you, do nothing: nothing more will come."
    html = (
        f"<p>{escape(first)}</p><p>{escape(second)}</p>"
        f'<p><a href="{escape(url)}"><strong>Yes, send me updates</strong></a></p>'
    )
    return Text(f"Confirm updates from {page.title}", [first, "", second, "", url], html)


def _update(page: Page, update: NoticeUpdate) -> Text:
    notice = update.notice
    subject = f"[{page.title}] {WORDS[update.status]}: {notice.name}"
    lines = [f"{notice.name}: {WORDS[update.status]}", "", markdown.plain(update.body)]
    html = (
        f"<p><strong>{escape(notice.name)}: {escape(WORDS[update.status])}</strong></p>{markdown.render(update.body)}"
    )
    planned = _planned(page, notice)
    if planned:
        lines.insert(1, planned)
        html = f"<p>{escape(planned)}</p>{html}"
    for one in update.affected or ():
        said = f"{one['name']}: {WORDS[one['new_status']]}"
        lines.append(f"- {said}")
        html += f"<p>{escape(said)}</p>"
    return _with_link(page, notice, subject, lines, html)


def _about(page: Page, notice: Notice, title: str, body: str) -> Text:
    planned = _planned(page, notice)
    lines = [title, *([planned] if planned else []), "", markdown.plain(body)]
    html = f"<p><strong>{escape(title)}</strong></p><p>{escape(planned)}</p>{markdown.render(body)}"
    return _with_link(page, notice, f"[{page.title}] {title}", lines, html)


def _with_link(page: Page, notice: Notice, subject: str, lines: list[str], html: str) -> Text:
    url = f"{public_url(page)}/incidents/{notice.wire_id}"
    return Text(subject, [*lines, "", url], f'{html}<p><a href="{escape(url)}">{escape(url)}</a></p>')


def _planned(page: Page, notice: Notice) -> str:
    if notice.scheduled_for is None or notice.scheduled_until is None:
        return ""
    zone = zones.zone(page.time_zone)
    start, end = (
        at.astimezone(zone).strftime("%-d %b %Y, %H:%M %Z") for at in (notice.scheduled_for, notice.scheduled_until)
    )
    return f"{start} to {end}"


def _digest(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()[:32]
