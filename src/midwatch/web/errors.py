"""Pages for what went wrong: each says what happened and what to do next."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF_FAILURE_VIEW. `reason` is Django's own sentence; it names headers, never secrets."""
    return render(request, "errors/csrf.html", {"reason": reason}, status=403)


def wrong_host(host: str, expected: str) -> HttpResponse:
    """The name in the address bar is not one of ours. No request context: the host is not to be believed."""
    return HttpResponse(render_to_string("errors/host.html", {"host": host[:200], "expected": expected}), status=400)
