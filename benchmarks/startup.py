"""How long `midwatch serve` takes until it is ready, how much memory all of it holds, and how fast it ends.

    python benchmarks/startup.py [--runs 5]

"Ready" is the first 200 of /readyz: pages, events and one tick of the engine. The first run makes the database.
"""

from __future__ import annotations

import argparse
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import installation

LIMIT_SECONDS = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def seconds_until(port: int, path: str, started: float) -> float:
    while not answers(port, path):
        if time.perf_counter() - started > LIMIT_SECONDS:
            raise SystemExit(f"{path} did not answer 200 within {LIMIT_SECONDS:g} s")
        time.sleep(0.01)
    return time.perf_counter() - started


def memory_mb(group: int) -> dict[str, tuple[float, float]]:
    """(resident, proportional) MB of each process of a group; proportional counts shared pages once."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(process.name)) != group:
                continue
            words = (process / "cmdline").read_bytes().split(b"\0")
            name = words[words.index(b"midwatch.parts") + 1].decode() if b"midwatch.parts" in words else "supervisor"
            lines = dict(line.split(":", 1) for line in (process / "smaps_rollup").read_text().splitlines()[1:])
            found[name] = (int(lines["Rss"].split()[0]) / 1024, int(lines["Pss"].split()[0]) / 1024)
        except OSError:
            continue
    return found


def run(data_dir: Path, name: str) -> None:
    port = free_port()
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "midwatch.cli", "serve", "--port", str(port), "--data", str(data_dir)],
        env=installation.environment(data_dir),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        takes_events = seconds_until(port, "/healthz", started)
        is_ready = seconds_until(port, "/readyz", started)
        time.sleep(2)
        memory = memory_mb(process.pid)
    finally:
        ending = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    parts = ", ".join(f"{part} {resident:.0f}" for part, (resident, _) in sorted(memory.items()))
    print(
        f"{name:<12} takes events after {takes_events:5.2f} s, ready after {is_ready:5.2f} s, ended in "
        f"{time.perf_counter() - ending:4.2f} s; resident MB: {parts}, together {sum(r for r, _ in memory.values()):.0f} "
        f"(shared pages counted once: {sum(p for _, p in memory.values()):.0f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="midwatch-bench-"))
    try:
        for number in range(given.runs):
            run(directory / "data", "first start" if number == 0 else "next start")
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
