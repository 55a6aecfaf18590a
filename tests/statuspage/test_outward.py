"""What is said here is said at Statuspage too: against a page of our own, which speaks the same API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.test import Client
from status_shop import BY, Shop

from midwatch import settings as midwatch_settings
from midwatch.core import clock, net
from midwatch.core.net import HttpAnswer, HttpRequest, SmtpRequest
from midwatch.people import actions as people
from midwatch.respond.statuspage import actions, queries
from midwatch.respond.statuspage.actions import ComponentFields, NewNotice, NewUpdate, PageFields, outward
from midwatch.respond.statuspage.models import OutwardNotice, Page


class Elsewhere:
    """Requests that leave come in again at our own management API. `status`: what it answers instead, 0 for nothing."""

    def __init__(self) -> None:
        self.status = 0
        self.asked: list[str] = []

    def http(self, request: HttpRequest) -> HttpAnswer:
        parts = urlsplit(request.url)
        self.asked.append(f"{request.method} {parts.path.rpartition('/')[2]}")
        if self.status:
            return HttpAnswer(self.status, {}, json.dumps({"message": "not now"}).encode())
        answer = Client().generic(
            request.method, parts.path, request.body, content_type="application/json",
            headers={"Authorization": request.headers["Authorization"]},
        )  # fmt: skip
        return HttpAnswer(answer.status_code, {}, answer.content)

    def smtp(self, request: SmtpRequest) -> None:
        raise AssertionError("nobody subscribed")


@pytest.fixture
def elsewhere(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Elsewhere]:
    made = Elsewhere()
    monkeypatch.setenv("MIDWATCH_STATUSPAGE_API_KEY", people.create_token(shop.world.ana, "elsewhere", BY))
    monkeypatch.setenv("MIDWATCH_STATUSPAGE_BASE_URL", "http://status.example/statuspage")
    midwatch_settings.settings.cache_clear()
    outward._config.cache_clear()
    with net.installed(made):
        yield made
    monkeypatch.undo()
    midwatch_settings.settings.cache_clear()
    outward._config.cache_clear()


def twin(shop: Shop) -> Page:
    """The page there: a component of the same name."""
    page = actions.create_page("twin", PageFields(shop.world.team, "Twin"), BY)
    actions.add_component(page, ComponentFields("Search"), BY)
    actions.change_page(
        shop.page, PageFields(shop.world.team, "Example Shop", outward=f"statuspage:{page.wire_id}"), BY
    )
    return page


def run() -> None:
    for row in outward.claim(10):
        outward.publish(row)


def test_every_update_arrives_there_in_order(shop: Shop, elsewhere: Elsewhere) -> None:
    there = twin(shop)
    notice = actions.open_notice(
        shop.page, NewNotice("Slow", "One.", components={shop.search: "partial_outage", shop.checkout: None}), BY
    )
    run()
    (copy,) = queries.open_notices(there)
    assert (copy.name, copy.status, copy.impact) == ("Slow", "investigating", "major")
    assert [one.status for one in copy.components.all()] == ["partial_outage"], "those of the same name"
    actions.post_update(notice, NewUpdate("identified", "Two."), BY)
    actions.post_update(notice, NewUpdate("resolved", "Three."), BY)
    run()
    copy.refresh_from_db()
    assert copy.status == "resolved"
    assert list(copy.updates.order_by("pk").values_list("body", flat=True)) == ["One.", "Two.", "Three."]
    run()
    assert copy.updates.count() == 3, "said once"


def test_a_page_elsewhere_that_is_away_is_tried_again_and_the_notice_says_so(shop: Shop, elsewhere: Elsewhere) -> None:
    there = twin(shop)
    elsewhere.status = 420
    notice = actions.open_notice(shop.page, NewNotice("Slow"), BY)
    run()
    assert "Statuspage answered 420: not now" in OutwardNotice.objects.get().problem
    client = Client()
    client.force_login(shop.world.vi)
    assert "Not said at statuspage:" in client.get(f"/status-pages/shop/notices/{notice.wire_id}").content.decode()
    elsewhere.status = 0
    clock.forward(outward.errands.LEASE)
    run()
    assert [one.name for one in queries.open_notices(there)] == ["Slow"]
    assert OutwardNotice.objects.get().problem == ""


def test_what_is_refused_is_not_tried_again(shop: Shop, elsewhere: Elsewhere) -> None:
    twin(shop)
    elsewhere.status = 401
    actions.open_notice(shop.page, NewNotice("Slow"), BY)
    run()
    clock.forward(outward.errands.LEASE * 60)
    run()
    assert len(elsewhere.asked) == 1


def test_without_a_key_it_says_so(shop: Shop, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    twin(shop)
    monkeypatch.delenv("MIDWATCH_STATUSPAGE_API_KEY")
    outward._config.cache_clear()
    actions.open_notice(shop.page, NewNotice("Slow"), BY)
    run()
    assert "MIDWATCH_STATUSPAGE_API_KEY is not set" in OutwardNotice.objects.get().problem


@pytest.mark.parametrize("given", ["elsewhere:abc", "statuspage:", "statuspage:../../x", "abc"])
def test_targets_that_mean_nothing(shop: Shop, given: str) -> None:
    with pytest.raises(ValueError, match="statuspage:PAGE_ID"):
        actions.change_page(shop.page, PageFields(shop.world.team, "Shop", outward=given), BY)
