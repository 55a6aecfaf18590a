"""The two parts of Midwatch as processes: web (with the lane) and engine.

Under `serve` they are children of the supervisor, started as `python -m midwatch.parts PART JSON`. A pipe from the
parent tells a child when the database is prepared, and by its end that the parent is dead: then the child ends too.
What needs Django is imported by name, after Django was set up.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from midwatch.settings import settings
from midwatch.supervisor import GO, Orders

log = logging.getLogger("midwatch")

DJANGO_SETTINGS = "midwatch.django_settings"
ENGINE_METRICS = "engine-metrics.prom"
METRICS_EVERY_SECONDS = 1.0
ORPHAN_SECONDS = 3.0  # for a tidy end after the parent died; nothing is lost by an untidy one


class Life:
    """Watches the pipe from the parent."""

    def __init__(self, descriptor: int) -> None:
        self.is_prepared = threading.Event()
        self._descriptor = descriptor
        threading.Thread(target=self._watch, name="life", daemon=True).start()

    def _watch(self) -> None:
        while os.read(self._descriptor, 1) == GO:
            self.is_prepared.set()
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(ORPHAN_SECONDS)
        os._exit(1)


def _start_django() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", DJANGO_SETTINGS)
    importlib.import_module("midwatch.core.logs").configure()
    importlib.import_module("django").setup()


def _leave(code: int) -> int:
    """The exit code; ends the process itself when a thread would keep it from ending."""
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread() and not thread.daemon]
    if others:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


# --- web ---


def web(host: str, port: int, config: Path | None) -> int:
    """The web part alone, until SIGTERM."""
    _start_django()
    prepared = importlib.import_module("midwatch.startup").prepare(config)
    if prepared.setup_code:
        print(f"Set-up code: {prepared.setup_code}", flush=True)  # noqa: T201 - for whoever starts it, and no log
    server = importlib.import_module("midwatch.server")
    return _leave(int(server.run(server.Address(host=host, port=port))))


def web_child(orders: Orders) -> int:
    """The web part under `serve`: prepares, says so, serves, says so."""
    Life(orders.life)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C reaches the parent too, which ends us in order
    _start_django()
    if not orders.is_prepared:
        config = Path(orders.config) if orders.config else None
        prepared = importlib.import_module("midwatch.startup").prepare(config)
        _tell(orders.status, {"prepared": True, "setup_code": prepared.setup_code, "problem": prepared.problem})
    server = importlib.import_module("midwatch.server")
    state: Any = importlib.import_module("midwatch.intake.state")
    state.is_supervised = True
    listening = socket.socket(fileno=orders.listen)
    return _leave(int(server.run(server.Address(sockets=[listening]), lambda: _tell(orders.status, {"ready": True}))))


def _tell(descriptor: int, what: dict[str, Any]) -> None:
    try:
        os.write(descriptor, json.dumps(what).encode() + b"\n")
    except OSError:
        log.warning("the supervisor does not listen any more")


# --- engine ---


def engine(health_port: int | None) -> int:
    """The engine part alone, until SIGTERM."""
    stop = _stop_on_signals()
    _start_django()
    if health_port is not None:
        importlib.import_module("midwatch.health_port").serve_health(health_port)
    return _run_engine(stop)


def engine_child(orders: Orders) -> int:
    """The engine under `serve`: imports while the web part prepares, then runs."""
    life = Life(orders.life)
    stop = _stop_on_signals()
    _start_django()
    importlib.import_module("midwatch.engine.run")
    while not life.is_prepared.wait(0.2):
        if stop.is_set():
            return 0
    writer = threading.Thread(target=_write_metrics, args=(settings().data_dir / ENGINE_METRICS, stop), daemon=True)
    writer.start()
    return _run_engine(stop)


def _run_engine(stop: threading.Event) -> int:
    startup = importlib.import_module("midwatch.startup")
    error = importlib.import_module("django.db").Error
    is_told = False
    while not stop.is_set():
        try:
            pending = startup.pending_migrations()
        except error:
            pending = ["(the database cannot be reached)"]
        if not pending:
            break
        if not is_told:
            log.warning(
                "the engine waits for the database: %d migrations are pending (`midwatch upgrade`)", len(pending)
            )
        is_told = True
        stop.wait(1.0)
    if not stop.is_set():
        startup.adopt_hold()  # an engine may run alone on the embedded database
        importlib.import_module("midwatch.engine.run").main(stop)
    return _leave(0)


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def end(number: int, frame: object) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    return stop


def _write_metrics(path: Path, stop: threading.Event) -> None:
    """The web part's /metrics adds them to its own: one address for all of `serve`."""
    generate = importlib.import_module("prometheus_client").generate_latest
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    while not stop.is_set():
        try:
            temporary.write_bytes(generate())
            temporary.replace(path)
        except OSError as error:
            log.warning("the engine's metrics cannot be written: %s", error.strerror)
        stop.wait(METRICS_EVERY_SECONDS)
    path.unlink(missing_ok=True)


def main(argv: list[str]) -> int:
    """A child of the supervisor."""
    orders = Orders(**json.loads(argv[1]))
    return web_child(orders) if argv[0] == "web" else engine_child(orders)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
