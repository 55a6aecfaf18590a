"""Which runbooks answer an alert, and expressions that cannot run away."""

from __future__ import annotations

import pytest

from midwatch.core import patterns
from midwatch.prepare.runbooks.matching import exactness

ALERT = {"service": "checkout", "labels": {"alertname": "DiskFull", "instance": "db-3"}, "title": "DiskFull on db-3"}


@pytest.mark.parametrize(
    ("matcher", "fits"),
    [
        ({}, False),
        ({"service": "checkout"}, True),
        ({"service": "other", "labels": {"alertname": "DiskFull"}}, False),
        ({"labels": {"alertname": "DiskFull"}}, True),
        ({"labels": {"alertname": "~Disk.*", "instance": "~db-[0-9]"}}, True),
        ({"labels": {"alertname": "~Disk"}}, False),
        ({"labels": {"other": "~.*"}}, False),
        ({"title": "~on db"}, True),
        ({"title": "on db"}, False),
        ({"title": "~(a+)+$"}, False),
        ({"labels": "x"}, False),
        ("x", False),
    ],
)
def test_all_of_a_matcher_must_fit(matcher: object, fits: bool) -> None:
    assert (exactness([matcher], **ALERT) > 0) is fits  # type: ignore[list-item, arg-type]


def test_the_more_it_says_the_more_exact_it_is() -> None:
    named = {"labels": {"alertname": "DiskFull"}}
    assert (
        exactness([{"service": "checkout"}], **ALERT)
        < exactness([named], **ALERT)
        < exactness([named | {"service": "checkout"}], **ALERT)
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "pattern", [r"(a+)+$", r"(a|a)*$", r".*.*.*.*x", r"(a?){50}x", r"(a)\1", r"(?=a)b", "a{1000}", "(", "a" * 301]
)
def test_what_could_take_for_ever_is_no_expression(pattern: str) -> None:
    with pytest.raises(ValueError, match=": "):
        patterns.check(pattern)
    assert not patterns.is_match(pattern, "a" * 60)


@pytest.mark.parametrize(
    "pattern",
    [r"[a-z0-9.-]+", r"db-\d+", r"(?:foo|bar)+", r"[0-9]{1,3}(\.[0-9]{1,3}){3}", r".*disk.*", "(eu|us)-[a-z]+"],
)
def test_what_people_write_is_taken(pattern: str) -> None:
    assert patterns.check(pattern).pattern == pattern
