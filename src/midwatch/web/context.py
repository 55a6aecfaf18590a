"""What every page knows: where one can go, who is looking, in which theme, in which time zone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from midwatch.core import clock
from midwatch.engine import hold
from midwatch.lifecycle import NAVIGATION, Place
from midwatch.people.models import User
from midwatch.web.queries import calls_count
from midwatch.web.theme import theme_of


@dataclass(frozen=True, slots=True)
class Entry:
    title: str
    url: str
    icon: str
    is_on_phone: bool
    is_current: bool


class PageContext:
    """`page` in every template. Answers are worked out when a template asks, so that a partial costs nothing."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def me(self) -> User | None:
        user = getattr(self._request, "user", None)
        return user if isinstance(user, User) and user.is_authenticated else None

    @cached_property
    def navigation(self) -> list[Entry]:
        """The places of the loop; marked is the one that holds this page: the longest address its path begins with."""
        path = self._request.path
        found = [(place, reverse(place.url_name)) for place in NAVIGATION]
        inside = [url for _, url in found if path == url or (url != "/" and path.startswith(url.rstrip("/") + "/"))]
        word = path.split("/")[1] if "/" in path else ""
        inside = inside or [url for place, url in found if word in place.also]
        current = max(inside, key=len, default="")
        return [self._entry(place, url, is_current=url == current) for place, url in found]

    @staticmethod
    def _entry(place: Place, url: str, *, is_current: bool) -> Entry:
        return Entry(gettext(place.title), url, place.icon, place.is_on_phone, is_current)

    @cached_property
    def open_pages_count(self) -> int:
        """Alerts that call me and that nobody has answered."""
        if self.me is None:
            return 0
        return calls_count(self.me)

    @property
    def hold(self) -> hold.Held | None:
        """Nobody is paged: to be seen on every page."""
        return hold.gate()

    @property
    def theme(self) -> str:
        return theme_of(self._request)

    @property
    def has_shortcuts(self) -> bool:
        return self.me is None or self.me.has_shortcuts

    @property
    def zone_name(self) -> str:
        return timezone.get_current_timezone_name()

    @property
    def rendered_at(self) -> str:
        """For the freshness mark: when the server said all this."""
        return clock.now().isoformat(timespec="seconds")


def page(request: HttpRequest) -> dict[str, PageContext]:
    """The context processor."""
    return {"page": PageContext(request)}
