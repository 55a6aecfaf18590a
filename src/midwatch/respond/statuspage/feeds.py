"""What happened, as Atom and RSS: a notice is an entry, and its updates are the entry's text, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape

from django.utils.feedgenerator import Atom1Feed, Rss201rev2Feed
from django.utils.xmlutils import SimplerXMLGenerator

from midwatch.core import markdown, zones
from midwatch.core.text import clean
from midwatch.respond.statuspage import queries
from midwatch.respond.statuspage.links import public_url
from midwatch.respond.statuspage.models import Notice, Page
from midwatch.respond.statuspage.standing import WORDS

ENTRIES_MAX = 25


class _Atom(Atom1Feed):
    """Entries with both moments, and content that is HTML."""

    def add_item_elements(self, handler: SimplerXMLGenerator, item: dict[str, object]) -> None:
        super().add_item_elements(handler, item)
        handler.addQuickElement("content", str(item["content"]), {"type": "html"})


def atom(page: Page) -> bytes:
    return _written(page, is_atom=True)


def rss(page: Page) -> bytes:
    return _written(page, is_atom=False)


def _written(page: Page, *, is_atom: bool) -> bytes:
    url = public_url(page)
    notices = _recent(page)
    kind = _Atom if is_atom else Rss201rev2Feed
    feed = kind(
        title=f"{page.title}: history",
        link=url,
        description=f"What happened to {page.title}",
        language="en",
        feed_url=f"{url}/history.{'atom' if is_atom else 'rss'}",
        author_name=page.title,
        feed_guid=f"tag:{_domain(url)},2005:/status/{page.wire_id}",
    )
    for notice in notices:
        text = entry_html(notice, page)
        feed.add_item(
            title=clean(notice.name, 255, is_one_line=True),
            link=f"{url}/incidents/{notice.wire_id}",
            description="" if is_atom else text,
            content=text,
            pubdate=notice.started_at,
            updateddate=notice.updated_at,
            unique_id=f"tag:{_domain(url)},2005:Incident/{notice.wire_id}",
            unique_id_is_permalink=False,
        )
    feed.latest_post_date = lambda: max((one.updated_at for one in notices), default=page.created_at)  # type: ignore[method-assign]
    return feed.writeString("utf-8").encode()


def _recent(page: Page) -> Sequence[Notice]:
    return list(queries.notices_of(page).order_by("-started_at", "-pk")[:ENTRIES_MAX])


def entry_html(notice: Notice, page: Page) -> str:
    zone = zones.zone(page.time_zone)
    parts = []
    if notice.scheduled_for is not None and notice.scheduled_until is not None:
        start, end = (at.astimezone(zone) for at in (notice.scheduled_for, notice.scheduled_until))
        parts.append(f"<p><strong>Scheduled for {_time(start)} - {_time(end)}</strong></p>")
    if notice.postmortem_body:
        parts.append(f"<p><strong>Post-mortem</strong></p>{markdown.render(notice.postmortem_body)}")
    for update in notice.updates.all():
        at = update.display_at.astimezone(zone)
        words = escape(WORDS[update.status])
        parts.append(f"<p><small>{_time(at)}</small><br><strong>{words}</strong></p>{markdown.render(update.body)}")
    return "".join(parts)


def _time(at: datetime) -> str:
    return escape(at.strftime("%b %-d, %H:%M %Z"))


def _domain(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].partition(":")[0]
