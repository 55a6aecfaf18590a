"""The skin without a browser: headers, hosts, theme, parts, sizes."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.test import Client, RequestFactory
from django.utils import timezone

from midwatch.core import clock
from midwatch.core.zones import zone
from midwatch.web import assets, middleware
from midwatch.web.templatetags import ui

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.usefixtures("skin")
NOW = datetime(2026, 3, 3, 1, 18, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _still() -> Iterator[None]:
    clock.freeze(NOW)
    yield
    clock.thaw()


def test_every_answer_carries_the_policy() -> None:
    for path in ("/", "/nothing", "/refused", "/static/favicon.svg"):
        answer = Client().get(path)
        assert answer["Content-Security-Policy"].startswith(
            "default-src 'none'; script-src 'self'; style-src 'self'"
        ), path
        assert answer["X-Content-Type-Options"] == "nosniff"


def test_no_template_holds_what_the_policy_forbids() -> None:
    forbidden = re.compile(
        r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:|hx-on|hx-vals=['\"]js:|https?://"
    )
    served = set((ROOT / "src/midwatch").rglob("templates/**/*.html")) - set(
        (ROOT / "src/midwatch/prepare/runbooks/templates").rglob("offline*.html")  # files without a server beside them
    )
    for template in sorted(served):
        text = re.sub(r"{%.*?%}|{{.*?}}|xmlns=\"[^\"]*\"", "", template.read_text("utf-8"))
        found = [line.strip() for line in text.splitlines() if forbidden.search(line) and "placeholder" not in line]
        assert not found, f"{template.relative_to(ROOT)}: {found}"


def test_a_foreign_name_is_refused_with_the_way_out_and_an_address_is_not() -> None:
    assert Client().get("/", headers={"host": "127.0.0.1:8123"}).status_code == 200
    assert Client().get("/", headers={"host": "[::1]:8123"}).status_code == 200
    answer = Client().get("/", headers={"host": "evil.example"})
    assert answer.status_code == 400
    assert "MIDWATCH_BASE_URL" in answer.content.decode()
    assert Client().get("/p/token", headers={"host": "evil.example"}).status_code == 200


def test_forwarded_headers_are_believed_from_trusted_proxies_only(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, object] = {}

    def view(request: HttpRequest) -> HttpResponse:
        seen.update(address=request.META["REMOTE_ADDR"], host=request.get_host(), scheme=request.scheme)
        return HttpResponse()

    headers = {
        "HTTP_X_FORWARDED_FOR": "203.0.113.9, 10.0.0.2",
        "HTTP_X_FORWARDED_HOST": "localhost",
        "HTTP_X_FORWARDED_PROTO": "https",
        "REMOTE_ADDR": "10.0.0.1",
    }
    middleware.Hosts(view)(RequestFactory().get("/", **headers))
    assert seen == {"address": "10.0.0.1", "host": "testserver", "scheme": "http"}
    monkeypatch.setattr(middleware, "_trusted_networks", lambda: (ip_network("10.0.0.0/8"),))
    middleware.Hosts(view)(RequestFactory().get("/", **headers))
    assert seen == {"address": "203.0.113.9", "host": "localhost", "scheme": "https"}


def test_theme_is_kept_and_goes_back_only_to_our_own_pages() -> None:
    client = Client()
    assert 'data-bs-theme="auto"' in client.get("/").content.decode()
    answer = client.post("/theme", {"theme": "dark", "next": "/alerts"})
    assert (answer.status_code, answer["Location"]) == (302, "/alerts")
    assert 'data-bs-theme="dark"' in client.get("/").content.decode()
    for hostile in ("https://evil.example/", "//evil.example", "javascript:alert(1)"):
        assert client.post("/theme", {"theme": "purple", "next": hostile})["Location"] == "/"
    assert 'data-bs-theme="auto"' in client.get("/").content.decode()


def test_a_poll_gets_304_until_something_happens() -> None:
    client = Client(headers={"HX-Request": "true", "HX-Request-Type": "partial"})
    first = client.get("/")
    assert first.status_code == 200
    assert "<html" not in first.content.decode()
    clock.freeze(NOW + timedelta(seconds=2))
    known = {"HX-PTag": first["HX-PTag"]}
    assert client.get("/", headers=known).status_code == 304
    assert client.get("/?said=something", headers=known).status_code == 200
    assert "<html" in Client().get("/").content.decode()


def test_an_ended_session_sends_htmx_to_the_log_in_page() -> None:
    request = RequestFactory().get("/alerts", headers={"HX-Request-Type": "partial"})
    request.user = AnonymousUser()
    answer = middleware.Viewer(lambda _: HttpResponseRedirect("/login?next=/alerts"))(request)
    assert (answer.status_code, answer["HX-Redirect"]) == (204, "/login")


def test_errors_help() -> None:
    client = Client(raise_request_exception=False)
    assert "no such page" in client.get("/nothing").content.decode()
    assert "Pages still go out" in client.get("/broken").content.decode()
    strict = Client(enforce_csrf_checks=True)
    answer = strict.post("/theme", {"theme": "dark"})
    assert answer.status_code == 403
    assert "Nothing was changed" in answer.content.decode()


def test_times_are_told_in_the_viewers_zone() -> None:
    with timezone.override(zone("Europe/Prague")):
        text = ui.when(NOW - timedelta(minutes=4, seconds=10), "both")
    assert '<time datetime="2026-03-03T01:14:00Z" title="Tue 3 Mar 2026 02:14:00 CET">02:14 CET</time>' in text
    assert "4 min ago" in text
    with timezone.override(zone("Asia/Tokyo")):
        assert "Mon 2 Mar 10:18 JST" in ui.when(NOW - timedelta(days=1), "absolute")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (12, "12 s ago"),
        (250, "4 min ago"),
        (7_800, "2 h 10 min ago"),
        (40_000, "11 h ago"),
        (300_000, "3 d ago"),
    ],
)
def test_relative_times(seconds: int, text: str) -> None:
    assert ui.relative(NOW - timedelta(seconds=seconds), NOW) == text


def test_countdowns() -> None:
    texts = [ui.countdown_text(NOW + timedelta(seconds=left), NOW) for left in (247, 3_847, 0, -5)]
    assert texts == ["4:07", "1:04:07", "now", "now"]


def test_hostile_words_are_shown_as_they_are() -> None:
    hostile = '"><script>alert(1)</script>'
    shown = [ui.person({}, hostile), ui.badge(hostile), ui.status_badge(hostile), ui.icon("bell", hostile)]
    assert not any("<script" in text for text in shown)
    assert "Careful &lt;b&gt;now" in Client().get("/?messages").content.decode()


def test_a_field_ties_its_help_and_errors_to_its_control() -> None:
    page = Client().get("/?bad").content.decode()
    control = re.search(r'<input[^>]*name="username"[^>]*>', page)
    assert control is not None
    described = re.search(r'aria-describedby="([^"]*)"', control.group(0))
    assert described is not None
    for name in described.group(1).split():
        assert f'id="{name}"' in page, name
    assert 'aria-invalid="true"' in control.group(0)


def gzipped(name: str) -> int:
    return len(gzip.compress((assets.DIRECTORY / assets.manifest()[name]).read_bytes(), 9))


def test_first_load_is_light() -> None:
    assert gzipped("app.css") + gzipped("app.js") <= 90 * 1024
    assert (
        sum((assets.DIRECTORY / assets.manifest()[name]).stat().st_size for name in ("landing.css", "landing.js"))
        <= 12 * 1024
    )


def test_built_names_may_be_kept_for_ever() -> None:
    answer = Client().get(assets.address("app.css"))
    assert "immutable" in answer["Cache-Control"]
    assert "immutable" not in Client().get("/static/favicon.svg")["Cache-Control"]


def test_every_icon_named_in_a_template_is_built() -> None:
    known = set(
        re.findall(r'<symbol id="([^"]+)"', (assets.DIRECTORY / assets.manifest()["icons.svg"]).read_text("utf-8"))
    )
    for template in (ROOT / "src/midwatch").rglob("templates/**/*.html"):
        for name in re.findall(
            r"(?:drawn_)?icon \"([a-z0-9-]+)\"|icon_name=\"([a-z0-9-]+)\"", template.read_text("utf-8")
        ):
            assert (name[0] or name[1]) in known, f"{template}: {name}"
    for look in (*ui.LOOKS.values(), *ui.PRIORITIES.values()):
        assert look.icon in known


def test_the_lock_names_no_host_and_our_scripts_stay_small() -> None:
    lock = json.loads((ROOT / "frontend/package-lock.json").read_text("utf-8"))
    assert "://" not in json.dumps(lock)
    assert all("integrity" in package for name, package in lock["packages"].items() if name)
    assert sum(len(path.read_text("utf-8").splitlines()) for path in (ROOT / "frontend/js").glob("*.js")) <= 1_200
