"""Numbers of the canary, the dead-man ping and the peers, for `/metrics`."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

STAGES = ("intake", "events", "escalation", "channel")
OUTCOMES = ("taken", "not taken")

SENT = Counter("midwatch_canaries_sent", "Canaries that this process sent on their way.")
FAILED = Counter(
    "midwatch_canaries_failed", "Canaries that did not arrive within 30 s, by where they were lost.", ["stage"]
)
SECONDS = Gauge("midwatch_canary_seconds", "How long the last canary took from the lane's door to the null channel.")
ARRIVED_AT = Gauge(
    "midwatch_canary_arrived_timestamp_seconds", "When the last canary that arrived was sent; 0: none yet."
)
PINGS = Counter("midwatch_watchdog_pings", "Requests to the dead-man monitor.", ["outcome"])
PEER_UP = Gauge("midwatch_peer_up", "Whether another installation that this one watches is well.", ["peer"])

for stage in STAGES:
    FAILED.labels(stage)
for outcome in OUTCOMES:
    PINGS.labels(outcome)
