"""How long `midwatch serve` takes until it is ready, how much memory all of it holds, and how fast it ends.

    python benchmarks/startup.py [--runs 5] [--json]

"Ready" is the first 200 of /readyz: pages, events and one tick of the engine. The first run makes the database.
"""

from __future__ import annotations

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
from measuring.figures import Figure, parser, report

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


def run(data_dir: Path, name: str) -> tuple[float, float, float, float]:
    """(ready after, ended in, resident MB, MB with shared pages counted once)"""
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
    ended_in = time.perf_counter() - ending
    resident, proportional = (sum(pair[place] for pair in memory.values()) for place in (0, 1))
    parts = ", ".join(f"{part} {resident:.0f}" for part, (resident, _) in sorted(memory.items()))
    print(
        f"{name:<12} takes events after {takes_events:5.2f} s, ready after {is_ready:5.2f} s, ended in "
        f"{ended_in:4.2f} s; resident MB: {parts}, together {resident:.0f} (shared pages counted once: {proportional:.0f})"
    )
    return is_ready, ended_in, resident, proportional


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--runs", type=int, default=4)
    given = arguments.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="midwatch-bench-"))
    try:
        runs = [
            run(directory / "data", "first start" if number == 0 else "next start")
            for number in range(2 if given.quick else given.runs)
        ]
    finally:
        shutil.rmtree(directory)
    later = sorted(runs[1:])[len(runs[1:]) // 2]
    report(
        "startup",
        [
            Figure("`serve` until ready, empty directory", runs[0][0], "s", "<= 3"),
            Figure("`serve` until ready, again (median)", later[0], "s", "<= 3"),
            Figure("SIGTERM until all ended", max(one[1] for one in runs), "s", "<= 15"),
            Figure("Resident memory of all processes after the start", runs[-1][2], "MB", "<= 200"),
            Figure("The same with shared pages counted once", runs[-1][3], "MB"),
        ],
        as_json=given.json,
    )


if __name__ == "__main__":
    main()
