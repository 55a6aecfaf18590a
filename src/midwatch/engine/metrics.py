"""Numbers of the engine, for `/metrics`."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

EVENTS = Counter(
    "midwatch_events_processed", "Events of the log that became alerts, were counted or are visible refusals."
)
QUARANTINED = Counter("midwatch_events_quarantined", "Events that could not be processed even alone.")
PROBLEMS = Counter("midwatch_source_problems", "What sources sent and could not be taken, wholly or in part.")
ORPHANS = Counter("midwatch_events_of_deleted_sources", "Events whose source was deleted before they were read.")
REPLAYS = Counter("midwatch_event_log_replays", "Times the event log was another one and was read from its start.")
LATENESS = Gauge("midwatch_due_lateness_seconds", "How late the latest thing that is due is.", ["work"])
JOB_SECONDS = Histogram("midwatch_job_seconds", "Time of one run of an engine job.", ["job"])
JOB_FAILURES = Gauge("midwatch_job_failures", "Failures of each guarded job since the start.", ["job"])
TICKS = Counter("midwatch_ticks", "Runs of the engine's list of jobs.")
REACTIONS_QUARANTINED = Gauge("midwatch_reactions_quarantined", "Reactions that kept failing and were put aside.")
NODES = Gauge("midwatch_nodes_ticking", "Engine nodes that ticked in the last ten seconds.")
DISK_FREE = Gauge("midwatch_disk_free_bytes", "Free bytes where the data directory is.")
DELIVERIES_WAITING = Gauge("midwatch_deliveries_waiting", "Messages that have not been handed over yet.", ["channel"])
CLOCK_SKEW = Gauge("midwatch_clock_skew_seconds", "This machine's clock against the database's.")
HOLD_SECONDS = Gauge("midwatch_paging_hold_seconds", "For how long paging has been on hold; 0: it is not.")
CLOCK_STEPS = Counter("midwatch_clock_steps", "Steps of the clock that an engine saw.", ["direction"])
FORGOTTEN = Counter("midwatch_retention_rows", "Rows that were old and are gone.")
RUNNERS = Gauge("midwatch_runners", "Runners on other machines, by state.", ["state"])
STRANDED = Gauge("midwatch_steps_stranded", "Steps that wait for a runner, and none that is alive takes them.")
STEPS = Gauge(
    "midwatch_runbook_steps", "Steps of runbooks that are due and queued, running, or wait for somebody.", ["state"]
)
