"""Fixtures of the browser tests, and the skin's small site, which is served without a database: nobody is logged in."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import override_settings
from harness import launch
from playwright.sync_api import Browser, sync_playwright
from serving import serving


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium a file; every test opens contexts of its own. While it runs, Playwright's loop runs in this thread."""
    # Playwright keeps an event loop in this thread for as long as it runs, and Django would refuse the database there.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def skin() -> Iterator[None]:
    templates = copy.deepcopy(settings.TEMPLATES)
    templates[0]["DIRS"] = [str(Path(__file__).parent / "templates")]
    with override_settings(ROOT_URLCONF="skin_urls", TEMPLATES=templates):
        yield


@pytest.fixture(scope="module")
def skin_url(skin: None) -> Iterator[str]:
    with serving() as url:
        yield url


@pytest.fixture
def url(transactional_db: None) -> Iterator[str]:
    """The whole site, on the test's own database."""
    with serving() as address:
        yield address
