"""The API's documentation as a page: Swagger UI as Ninja carries it, from our own address and under a strict policy.

Comes after the description (`/api/v1/openapi.json`); before nothing.
"""

from __future__ import annotations

import gzip
import re
from functools import cache
from importlib import resources

from django.http import Http404, HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from midwatch import __version__

# Swagger UI writes style attributes; nothing else here is looser than on the other pages.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
_MAP = re.compile(rb"\n(?://|/\*)# sourceMappingURL=[^\n]*\s*\Z")
TYPES = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}
ASSETS = {
    "swagger-ui-bundle.js": ("ninja", "static/ninja/swagger-ui-bundle.js"),
    "swagger-ui.css": ("ninja", "static/ninja/swagger-ui.css"),
    "start.js": ("midwatch.api.docs", "start.js"),
    "page.css": ("midwatch.api.docs", "page.css"),
}


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    answer = render(request, "api/docs.html", {"version": __version__, "csrf": get_token(request)})
    answer["Content-Security-Policy"] = POLICY
    answer["Cache-Control"] = "no-store"
    return answer


@require_safe
def asset(request: HttpRequest, name: str) -> HttpResponse:
    if name not in ASSETS:
        raise Http404("there is no such file; the documentation is at /api/docs")
    is_zipped = "gzip" in request.headers.get("Accept-Encoding", "")
    answer = HttpResponse(_zipped(name) if is_zipped else _plain(name), content_type=TYPES[name.rpartition(".")[2]])
    if is_zipped:
        answer["Content-Encoding"] = "gzip"
    patch_vary_headers(answer, ["Accept-Encoding"])
    answer["Cache-Control"] = "public, max-age=86400"
    return answer


def _plain(name: str) -> bytes:
    package, path = ASSETS[name]
    text = resources.files(package).joinpath(path).read_bytes()
    return _MAP.sub(b"", text) if name.startswith("swagger") else text  # the maps are not served


@cache
def _zipped(name: str) -> bytes:
    return gzip.compress(_plain(name), compresslevel=6, mtime=0)
