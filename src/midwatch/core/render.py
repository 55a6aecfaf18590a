"""One view, two shapes: the whole page for a browser, only its moving part for htmx."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import get_language

from midwatch import __version__
from midwatch.core import clock

# What differs each time although nothing happened: the CSRF token's mask, and texts such as "4 min ago", which the
# browser keeps up to date by itself.
_RESTLESS = re.compile(r'name="csrfmiddlewaretoken" value="[^"]*"|<rel-time.*?</rel-time>', re.DOTALL)


def is_partial(request: HttpRequest) -> bool:
    """Did htmx ask for a part of a page? A boosted link and a restored history ask for whole ones."""
    return request.headers.get("HX-Request-Type") == "partial" and "HX-History-Restore-Request" not in request.headers


def partial_name(template: str) -> str:
    """`alerts/list.html` has its moving part in `alerts/_list.html`."""
    folder, slash, name = template.rpartition("/")
    return f"{folder}{slash}_{name}"


def page_or_partial(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    *,
    partial: str | None = None,
    status: int = 200,
    shows: object = None,
) -> HttpResponse:
    """The page, or its part for htmx.

    A part carries a tag of its content (`HX-PTag`); a poll that sends the same tag back gets an empty 304, so that
    nothing is swapped under the finger and no bytes travel. The page shows the part with `{% include %}`.

    `shows`: all values that the part is made of. Then the tag is theirs, and a poll that has seen them costs no rendering.
    """
    if not is_partial(request):
        answer = render(request, template, dict(context), status=status)
    else:
        name = partial or partial_name(template)
        text = ""
        if shows is None:
            text = render_to_string(name, dict(context), request)
            tag = _digest(_RESTLESS.sub("", text))
        else:
            tag = _digest(_said(request, shows))
        is_known = request.method == "GET" and status == 200 and request.headers.get("HX-PTag") == tag
        if is_known:
            answer = HttpResponse(status=304)
        else:
            answer = HttpResponse(text or render_to_string(name, dict(context), request), status=status)
        answer["HX-PTag"] = tag
    answer["Cache-Control"] = "no-store"
    answer["Vary"] = "HX-Request-Type, Cookie"
    return answer


def _said(request: HttpRequest, shows: object) -> str:
    """With what else a part depends on: the release, whose eyes, their language and zone, and the day (times of today are
    written without one)."""
    today = timezone.localdate(clock.now())
    around = (__version__, request.user.pk, get_language(), timezone.get_current_timezone_name(), today)
    return repr((around, shows))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]
