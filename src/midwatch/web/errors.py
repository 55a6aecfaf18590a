"""Pages for what went wrong: each says what happened and what to do next."""

from __future__ import annotations

import sys

from django.db import InterfaceError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

# Gone, closed in the middle of a request, or read-only since another server was promoted.
DATABASE_IS_AWAY = (OperationalError, InterfaceError, InternalError)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF_FAILURE_VIEW. `reason` is Django's own sentence; it names headers, never secrets."""
    return render(request, "errors/csrf.html", {"reason": reason}, status=403)


def wrong_host(host: str, expected: str) -> HttpResponse:
    """The name in the address bar is not one of ours. No request context: the host is not to be believed."""
    return HttpResponse(render_to_string("errors/host.html", {"host": host[:200], "expected": expected}), status=400)


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500. A database that is away, restarting or just promoted is no fault: 503, come again.

    No request context: it would ask the database who is logged in.
    """
    if isinstance(sys.exc_info()[1], DATABASE_IS_AWAY):
        response = HttpResponse(render_to_string("errors/database.html"), status=503)
        response["Retry-After"] = "5"
        response["Cache-Control"] = "no-store"
        return response
    return HttpResponse(render_to_string("500.html"), status=500)
