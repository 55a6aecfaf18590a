"""Numbers of notification, for `/metrics`."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

DELIVERIES = Counter("midwatch_deliveries", "Messages by channel and outcome.", ["channel", "outcome"])
SEND_SECONDS = Histogram("midwatch_send_seconds", "Time a provider took to take a message.", ["channel"])
PAGE_LATENCY = Histogram(
    "midwatch_page_latency_seconds",
    "From when a page was due to when a provider took it.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
