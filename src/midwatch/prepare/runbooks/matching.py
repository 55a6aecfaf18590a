"""Which runbooks answer an alert. Pure: matchers and the alert's words in, a yes and how exactly out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from midwatch.core import patterns

REGEX_MARK: Final = "~"
MATCHERS_MAX: Final = 50


def exactness(matchers: Sequence[Mapping[str, Any]], *, service: str, labels: Mapping[str, str], title: str) -> int:
    """How many words of the best matcher the alert answers to; 0: none of the matchers fits.

    A matcher is `{"service"?, "labels"?: {name: value or "~regex"}, "title"?: text or "~regex"}`; all of it must fit. One
    that says nothing fits nothing. Written by people, kept as JSON: what is no matcher fits nothing either.
    """
    maps = [matcher for matcher in matchers[:MATCHERS_MAX] if isinstance(matcher, Mapping)]
    return max((_fit(matcher, service, labels, title) for matcher in maps), default=0)


def _fit(matcher: Mapping[str, Any], service: str, labels: Mapping[str, str], title: str) -> int:
    wanted = matcher.get("labels") or {}
    score = 0
    if matcher.get("service"):
        if matcher["service"] != service:
            return 0
        score += 1
    if matcher.get("title"):
        if not is_title(str(matcher["title"]), title):
            return 0
        score += 2
    for name, value in wanted.items() if isinstance(wanted, Mapping) else ():
        if name not in labels or not is_value(str(value), str(labels[name])):
            return 0
        score += 2
    return score


def is_value(wanted: str, value: str) -> bool:
    """A label's value: the same text, or a regular expression of all of it."""
    if wanted.startswith(REGEX_MARK):
        return patterns.is_match(wanted[1:], value)
    return wanted == value


def is_title(wanted: str, title: str) -> bool:
    """A regular expression is looked for anywhere in the title; a text is the whole title."""
    if wanted.startswith(REGEX_MARK):
        return patterns.is_found(wanted[1:], title)
    return wanted == title
