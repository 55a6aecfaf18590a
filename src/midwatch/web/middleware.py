"""Around every page: security headers, whose address this is, and in whose time zone times are shown."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import cache
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port
from django.utils import timezone

from midwatch.core.render import is_partial
from midwatch.core.zones import is_zone, zone
from midwatch.people.models import User
from midwatch.settings import settings
from midwatch.web.errors import wrong_host

Answer = Callable[[HttpRequest], HttpResponse]

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "manifest-src 'self'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
# What phones and providers open may come by any name that leads here: a proxy that lets only these through, a tunnel.
ANY_HOST = ("/p/", "/hooks/", "/ical/", "/status/", "/healthz", "/readyz", "/metrics", django_settings.STATIC_URL)

NOBODYS = ("/status/",)  # the same bytes for everybody, in the page's own zone: asking who looks would vary them


class SecurityHeaders:
    """A view that needs other words sets its own header; what it set is left alone."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if request.is_secure():
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        return response


@cache
def _trusted_networks() -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(text, strict=False) for text in settings().trusted_proxies)


@cache
def _own_hosts() -> frozenset[str]:
    ours = (urlsplit(url).hostname or "" for url in (settings().base_url, settings().public_url))
    return frozenset({*ours, "localhost", "testserver"})


def _is_trusted(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in _trusted_networks())


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


class Hosts:
    """Believes X-Forwarded-* of MIDWATCH_TRUSTED_PROXIES alone, and answers only to our own names.

    A foreign name that leads here is how a page in the same browser reaches us behind our user's back (DNS rebinding);
    that needs a name, so a bare IP address is fine.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        self._believe_proxy(request)
        host, _ = split_domain_port(request.get_host())
        if host in _own_hosts() or _is_address(host) or request.path.startswith(ANY_HOST):
            return self.get_response(request)
        return wrong_host(host, settings().base_url)

    @staticmethod
    def _believe_proxy(request: HttpRequest) -> None:
        meta = request.META
        if not _is_trusted(meta.get("REMOTE_ADDR", "")):
            return
        # The nearest address that is not one of our proxies: what stands before it was written by the client itself.
        chain = [part.strip() for part in meta.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
        client = next((address for address in reversed(chain) if not _is_trusted(address)), None)
        if client is not None and _is_address(client):
            meta["REMOTE_ADDR"] = client
        if meta.get("HTTP_X_FORWARDED_HOST"):
            meta["HTTP_HOST"] = meta["HTTP_X_FORWARDED_HOST"].split(",")[-1].strip()
        if meta.get("HTTP_X_FORWARDED_PROTO", "").split(",")[-1].strip() == "https":
            meta["wsgi.url_scheme"] = "https"


class Viewer:
    """Times are shown in the viewer's zone. And when a session has ended, htmx goes to the log-in page instead of
    putting it into the middle of a list."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(NOBODYS):
            return self.get_response(request)
        user = request.user
        if isinstance(user, User) and is_zone(user.time_zone):
            timezone.activate(zone(user.time_zone))
        else:
            timezone.deactivate()
        response = self.get_response(request)
        timezone.deactivate()
        if (
            is_partial(request)
            and response.status_code == 302
            and response.headers["Location"].startswith(django_settings.LOGIN_URL)
        ):
            moved = HttpResponse(status=204)
            moved["HX-Redirect"] = django_settings.LOGIN_URL
            return moved
        return response
