"""Addresses of a page's parts: as visitors reach them, or as files of an export that lie side by side."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from midwatch.respond.statuspage.models import Page
from midwatch.settings import settings


@dataclass(frozen=True, slots=True)
class Links:
    """`root`: what a part's name is put behind. `query`: the token of a page by link. `is_export`: parts are files, and
    nothing can be asked of a server."""

    root: str
    query: str = ""
    is_export: bool = False

    def part(self, name: str) -> str:
        return f"{self.root}/{name}{self.query}"

    @property
    def home(self) -> str:
        return f"{self.root}/index.html" if self.is_export else f"{self.root or '/'}{self.query}"

    @property
    def renewing(self) -> str:
        """Asked for by the reader: a page that moves by itself loses the place of who listens to it or reads slowly."""
        return f"{self.home}{'&' if self.query else '?'}renew=1"

    @property
    def history(self) -> str:
        return self.part("history.html" if self.is_export else "history")

    @property
    def look(self) -> str:
        return self.part("look.css")

    @property
    def atom(self) -> str:
        return self.part("history.atom")

    @property
    def rss(self) -> str:
        return self.part("history.rss")

    @property
    def subscribe(self) -> str:
        return self.part("subscribe")

    def notice(self, wire_id: str) -> str:
        return self.part(f"incidents/{wire_id}.html" if self.is_export else f"incidents/{wire_id}")


def public_url(page: Page) -> str:
    """Where visitors find it, for mails, feeds and the wire."""
    return page.url or f"{settings().public_url}/status/{page.name}"


def links_for(page: Page, host: str, token: str = "") -> Links:
    """Of a visitor who came by this host: below the page's own address, or below ours."""
    query = f"?token={quote(token)}" if token else ""
    own = urlsplit(page.url)
    if page.url and own.netloc.lower() == host.lower():
        return Links(own.path.rstrip("/"), query)
    return Links(f"/status/{page.name}", query)
