"""Is this process well? `/readyz` for balancers, `/metrics` for Prometheus. `/healthz` is the lane's, before Django.

`/readyz` is about taking traffic: an engine that stands still is named in the body and never turns it into 503, or
events would be lost at the door.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from midwatch.core import clock
from midwatch.engine import canary, canary_metrics, hold
from midwatch.engine.models import Node
from midwatch.intake import metrics as intake_metrics
from midwatch.intake import state
from midwatch.intake.log import LogError, event_log
from midwatch.settings import settings

ENGINE_METRICS = "engine-metrics.prom"
STALLED_AFTER = timedelta(seconds=10)
METRICS_AGE_SECONDS_MAX = 30.0
_SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{)?(.*)$", re.DOTALL)

_migrations_lock = threading.Lock()
_are_migrations_applied = False


def healthz(request: HttpRequest) -> HttpResponse:
    """For a Django that runs without the lane, as in tests."""
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


def readyz(request: HttpRequest) -> HttpResponse:
    """200 when this process may be sent traffic, else 503; the body says what is wrong, and how the engine is."""
    problems: list[str] = []
    engine = "unknown"
    held: dict[str, object] | None = None
    flown: dict[str, object] | None = None
    try:
        if not _migrations_are_applied():
            problems.append("migrations are pending: run `midwatch upgrade`")
        else:
            engine, has_ticked = _engine()
            if state.is_supervised and not has_ticked:
                problems.append("the engine has not ticked yet")
            held = _hold()
            flown = _canary()
    except Error:
        problems.append("the database cannot be reached")
    if state.problem():
        problems.append(state.problem())
    body = {
        "ready": not problems,
        "problems": problems,
        "engine": engine,
        "canary": flown,
        **({"hold": held} if held else {}),
    }
    response = JsonResponse(body, status=503 if problems else 200)
    response["Cache-Control"] = "no-store"
    return response


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text format; under `serve` with the engine's metrics, which it leaves in the data directory."""
    try:
        intake_metrics.backlog.set(event_log().backlog())
        _canary()
    except (Error, LogError):
        intake_metrics.backlog.set(float("nan"))
    text = generate_latest().decode()
    engine = _engine_metrics(settings().data_dir / ENGINE_METRICS) if state.is_supervised else ""
    if engine:
        text = join({"web": text, "engine": engine})
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)


def _migrations_are_applied() -> bool:
    """Asked until it is true; then it stays so, since a release runs on the schema of its successor too."""
    global _are_migrations_applied  # noqa: PLW0603 - one answer a process
    with _migrations_lock:
        if not _are_migrations_applied:
            executor = MigrationExecutor(connection)
            _are_migrations_applied = not executor.migration_plan(executor.loader.graph.leaf_nodes())
        else:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        return _are_migrations_applied


def _engine() -> tuple[str, bool]:
    """(how the engine is, in words; has any engine ever ticked)."""
    last = Node.objects.exclude(ticked_at=None).order_by("-ticked_at").first()
    if last is None or last.ticked_at is None:
        return "has not ticked yet", False
    still = clock.now() - last.ticked_at
    if last.stopped_at is not None and last.stopped_at >= last.ticked_at:
        return f"stopped {_seconds(still)} s ago", True
    return (f"standing still for {_seconds(still)} s" if still > STALLED_AFTER else "ticking"), True


def _hold() -> dict[str, object] | None:
    """Nobody is paged, and what would be; events are taken all the same, so traffic may come."""
    found = hold.summary() if hold.gate() is not None else None
    if found is None or found.held is None:  # released in this moment
        return None
    return {
        "since": found.held.since.isoformat(),
        "reason": found.held.reason,
        "is_dropped": found.held.is_dropped,
        "alerts_count": found.alerts_count,
        "messages_count": found.messages_count,
    }


def _canary() -> dict[str, object]:
    """Whether the last synthetic event came through the whole of Midwatch. `age_seconds`: since it was sent."""
    found = canary.last()
    age, took = found.age_seconds, found.took_seconds
    state_word = "off" if settings().canary == "off" else "none yet"
    if found.ended is not None:
        state_word = "lost" if found.problem else "arrived"
    if found.arrived is not None:
        canary_metrics.ARRIVED_AT.set(found.arrived.sent_at.timestamp())
    return {
        "state": state_word,
        "age_seconds": round(age, 1) if age is not None else None,
        "took_seconds": round(took, 3) if took is not None else None,
        "problem": found.problem,
    }


def _seconds(length: timedelta) -> int:
    return int(length.total_seconds())


def _engine_metrics(path: Path) -> str:
    """ "" when there are none, or they are old: the engine is not there to speak for itself."""
    try:
        if clock.machine_now().timestamp() - path.stat().st_mtime > METRICS_AGE_SECONDS_MAX:
            return ""
        return path.read_text("utf-8")
    except OSError:
        return ""


def join(texts: Mapping[str, str]) -> str:
    """One exposition of several processes'. A family that two of them have gets the label `process`."""
    families: dict[str, dict[str, list[str]]] = {}
    heads: dict[str, list[str]] = {}
    for process, text in texts.items():
        for name, line in _lines(text):
            if line.startswith("#"):
                head = heads.setdefault(name, [])
                if not any(line.split(" ", 3)[1:3] == other.split(" ", 3)[1:3] for other in head):
                    head.append(line)
            else:
                families.setdefault(name, {}).setdefault(process, []).append(line)
    joined: list[str] = []
    for name in dict.fromkeys((*heads, *families)):  # a family may have no sample yet
        samples = families.get(name, {})
        joined += heads.get(name, [])
        for process, lines in samples.items():
            joined += [_labelled(line, process) for line in lines] if len(samples) > 1 else lines
    return "\n".join(joined) + "\n"


def _lines(text: str) -> list[tuple[str, str]]:
    """(family, line) of each line. A sample belongs to the family whose head came last."""
    found: list[tuple[str, str]] = []
    family = ""
    for line in text.splitlines():
        if line.startswith(("# HELP ", "# TYPE ")):
            family = line.split(" ", 3)[2]
            found.append((family, line))
        elif line and not line.startswith("#"):
            found.append((family or line, line))
    return found


def _labelled(line: str, process: str) -> str:
    match = _SAMPLE.match(line)
    if match is None:
        return line
    name, has_labels, rest = match.groups()
    return f'{name}{{process="{process}",{rest}' if has_labels else f'{name}{{process="{process}"}}{rest}'
