"""Light, dark, or as the device says: a cookie that the server reads, so that no page flashes in the wrong one."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

COOKIE = "midwatch_theme"
THEMES = ("auto", "light", "dark")
_YEAR_SECONDS = 365 * 24 * 3600


def theme_of(request: HttpRequest) -> str:
    chosen = request.COOKIES.get(COOKIE, "auto")
    return chosen if chosen in THEMES else "auto"


@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """`theme`: one of THEMES. Goes back to `next`, a path of ours."""
    back = request.POST.get("next", "/")
    if not (back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None)):
        back = "/"
    answer = HttpResponseRedirect(back)
    chosen = request.POST.get("theme", "auto")
    answer.set_cookie(
        COOKIE,
        chosen if chosen in THEMES else "auto",
        max_age=_YEAR_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return answer
