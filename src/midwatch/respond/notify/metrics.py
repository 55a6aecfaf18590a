"""Numbers of notification, for `/metrics`."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Histogram

OUTCOMES = ("handed over", "again", "failed")

DELIVERIES = Counter("midwatch_deliveries", "Messages by channel and outcome.", ["channel", "outcome"])
SEND_SECONDS = Histogram("midwatch_send_seconds", "Time a provider took to take a message.", ["channel"])
PAGE_LATENCY = Histogram(
    "midwatch_page_latency_seconds",
    "From when a page was due to when a provider took it.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)


def expect(channels: Iterable[str]) -> None:
    """Each outcome of each channel counts from 0: a rule on a counter misses the first one of a series that appears."""
    for channel in channels:
        for outcome in OUTCOMES:
            DELIVERIES.labels(channel, outcome)
