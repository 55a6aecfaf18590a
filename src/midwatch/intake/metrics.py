"""What the lane exports. Counted a batch at a time, so that an event costs nothing here."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

received = Counter("midwatch_events_received", "Events accepted and committed to the event log.")
pings = Counter("midwatch_pings_received", "Heartbeat pings accepted and committed to the event log.")
refused = Counter("midwatch_intake_refused", "Requests of the lane that were not accepted.", ["status"])
batch_size = Histogram(
    "midwatch_intake_batch_events", "Events in one commit.", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500)
)
commit_seconds = Histogram(
    "midwatch_intake_commit_seconds",
    "Time of one commit to the event log.",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5),
)
queued = Gauge("midwatch_intake_queued", "Events waiting in memory for their commit.")
backlog = Gauge("midwatch_intake_backlog", "Events in the log that are not alerts yet.")
