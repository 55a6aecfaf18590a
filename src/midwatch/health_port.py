"""/healthz, /readyz and /metrics of an engine that runs alone; beside a web part, that one's addresses serve."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from midwatch.engine import watch

TEXT = "text/plain; charset=utf-8"


class Handler(BaseHTTPRequestHandler):
    timeout = 10

    def do_GET(self) -> None:
        match self.path:
            case "/healthz":
                self._answer(200, b"ok\n", TEXT)
            case "/readyz":
                problem = watch.problem()
                self._answer(503 if problem else 200, f"{problem or 'ticking'}\n".encode(), TEXT)
            case "/metrics":
                self._answer(200, generate_latest(), CONTENT_TYPE_LATEST)
            case _:
                self._answer(404, b"/healthz, /readyz or /metrics\n", TEXT)

    def _answer(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: paths stay out of logs."""


def serve_health(port: int) -> ThreadingHTTPServer:
    """On every address, for probes and Prometheus come from other machines."""
    try:
        server = ThreadingHTTPServer(("", port), Handler)
    except OSError as error:
        raise SystemExit(f"--health-port {port}: {error.strerror}: give a free port") from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
