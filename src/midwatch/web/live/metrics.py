"""What the open pages' streams export."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

STREAMS = Gauge("midwatch_live_streams", "Open pages that this web process keeps live.")
REFUSED = Counter("midwatch_live_refused", "Streams that were not opened; those pages poll.", ["reason"])
ENDED = Counter("midwatch_live_ended", "Streams that ended.", ["reason"])
MESSAGES = Counter("midwatch_live_messages", "Messages that something changed, to all streams.")
CLAIMS = Gauge("midwatch_runner_claims_waiting", "Runners that this web process keeps waiting for work.")
