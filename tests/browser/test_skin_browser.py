"""The skin in Chromium: what it looks like is sound on four screens, and its few scripts do what they say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness import DESKTOP_LIGHT, PHONE_DARK, audit, looking
from playwright.sync_api import Browser, Page, expect

BACKGROUND = "() => getComputedStyle(document.querySelector('.card')).backgroundColor"
pytestmark = pytest.mark.browser


@pytest.mark.parametrize("path", ["/?messages", "/?bad", "/login?bad", "/p/token", "/nothing"])
def test_sound_on_every_screen(browser: Browser, skin_url: str, path: str) -> None:
    assert audit(browser, skin_url, path) == []


@pytest.fixture
def page(browser: Browser, skin_url: str) -> Iterator[Page]:
    with looking(browser, DESKTOP_LIGHT, skin_url) as sight:
        sight.page.goto("/")
        yield sight.page
        assert sight.faults() == []


def test_keys_move_select_and_press(page: Page) -> None:
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("[data-row].is-current")).to_contain_text("#1042")
    page.keyboard.press("x")
    expect(page.locator("[data-bulk-bar]")).to_contain_text("1 selected")
    page.keyboard.press("x")
    expect(page.locator("[data-bulk-bar]")).to_be_hidden()
    page.keyboard.press("?")
    expect(page.locator("#keys-help")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("[name=username]").fill("j?")
    expect(page.locator("#keys-help")).to_be_hidden()
    page.locator("[name=username]").blur()
    page.keyboard.press("g")
    page.keyboard.press("a")
    page.wait_for_url("**/alerts")


def test_select_all_and_a_range(page: Page) -> None:
    boxes = page.locator("input[data-select]")
    page.locator("input[data-select-all]").check()
    expect(page.locator("[data-bulk-count]")).to_have_text(str(boxes.count()))
    page.locator("input[data-select-all]").uncheck()
    boxes.nth(0).click()
    boxes.nth(2).click(modifiers=["Shift"])
    expect(page.locator("[data-bulk-count]")).to_have_text("3")


def test_a_poll_waits_while_rows_are_selected(page: Page) -> None:
    with page.expect_response(lambda answer: answer.request.headers.get("hx-request-type") == "partial"):
        pass
    page.locator("input[data-select]").first.check()
    page.wait_for_timeout(300)  # one that was under way
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(2_500)
    assert asked == []


def test_what_was_not_done_is_said_loudly(page: Page) -> None:
    page.locator("#refuse").click()
    expect(page.locator("#toasts")).to_contain_text("403")
    page.context.set_offline(True)
    page.locator("#refuse").click()
    expect(page.locator("#toasts")).to_contain_text("NOT SENT")
    expect(page.locator("live-status")).to_contain_text("offline")
    page.context.set_offline(False)
    expect(page.locator("live-status")).to_have_text("live")


def test_theme_follows_the_choice_without_scripts(browser: Browser, skin_url: str) -> None:
    backgrounds = []
    for theme in (None, "light", "dark"):
        with looking(browser, PHONE_DARK, skin_url, theme=theme, with_scripts=False) as sight:
            sight.page.goto("/")
            backgrounds.append(
                sight.page.evaluate("() => getComputedStyle(document.querySelector('.card')).backgroundColor")
            )
    auto, light, dark = backgrounds
    assert auto == dark != light


def test_a_landing_page_says_not_sent_and_sends_again(browser: Browser, skin_url: str) -> None:
    with looking(browser, PHONE_DARK, skin_url) as sight:
        page = sight.page
        page.goto("/p/token")
        page.context.set_offline(True)
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.locator("#unsent")).to_be_visible()
        page.context.set_offline(False)
        with page.expect_request(lambda request: request.method == "POST") as sent:
            page.locator("#unsent button").click()
        assert sent.value.post_data == "action=acknowledge"
        expect(page.locator("#unsent")).to_be_hidden()


def test_a_landing_page_is_at_most_30_kb(browser: Browser, skin_url: str) -> None:
    with looking(browser, PHONE_DARK, skin_url) as sight:
        sizes: list[int] = []
        sight.page.on("response", lambda answer: sizes.append(len(answer.body())))
        sight.page.goto("/p/token", wait_until="networkidle")
        assert 0 < sum(sizes) <= 30 * 1024
