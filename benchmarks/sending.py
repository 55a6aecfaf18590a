"""What a message costs on the wire: a webhook's POST through the one door out, on kept connections and on new ones.

    python benchmarks/sending.py [--seconds 3] [--json] [--quick | --full]

The receiver is a process of its own on loopback that keeps connections open; a certificate of its own for TLS. As many threads
send as a channel has senders. Both ways take turns within one run, so their ratio means more than their rates. CPU is the
sender's alone.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from measuring import rig
from measuring.figures import Figure, parser, report

from midwatch.core import net

SENDERS = 4  # MIDWATCH_CHANNEL_THREADS
ROUNDS = 3
BODY = json.dumps({"delivery": "d" * 40, "kind": "page", "to": "ana", "alert": {"title": "t" * 200}, "text": "x" * 400})
RECEIVER = """
import asyncio, ssl, sys
ANSWER = b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n"
async def talk(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\\r\\n")[0])
            await reader.readexactly(length)
            writer.write(ANSWER)
            if b"connection: close" in head.lower():
                break
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()
async def main():
    context = None
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
    server = await asyncio.start_server(talk, "127.0.0.1", int(sys.argv[1]), ssl=context, backlog=256)
    await server.serve_forever()
asyncio.run(main())
"""


def send(url: str, seconds: float, *, keeps: bool) -> tuple[float, float]:
    """(messages a second, CPU milliseconds each)"""
    counts = [0] * SENDERS
    until = time.perf_counter() + seconds

    def work(place: int) -> None:
        while time.perf_counter() < until:
            answer = net.http("POST", url, body=BODY.encode(), is_trusted=True, keeps_connection=keeps)
            assert answer.is_ok, answer.status
            counts[place] += 1

    threads = [threading.Thread(target=work, args=(place,)) for place in range(SENDERS)]
    started, cpu = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, spent = time.perf_counter() - started, time.process_time() - cpu
    return sum(counts) / took, spent / sum(counts) * 1000


def certificate(directory: Path) -> tuple[str, str]:
    key, made = str(directory / "key.pem"), str(directory / "cert.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=hook.example", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", made],
        check=True, capture_output=True,
    )  # fmt: skip
    return made, key


def measure(kind: str, files: tuple[str, ...], seconds: float) -> list[Figure]:
    port = rig.free_port()
    process = subprocess.Popen([sys.executable, "-c", RECEIVER, str(port), *files])
    try:
        rig.wait_for_port(port)
        url = f"{'https' if files else 'http'}://127.0.0.1:{port}/hook"
        for keeps in (False, True):
            send(url, 0.3, keeps=keeps)
        found = [(send(url, seconds, keeps=False), send(url, seconds, keeps=True)) for _ in range(ROUNDS)]
    finally:
        process.terminate()
        process.wait(10)
    rates = statistics.median(kept[0] / new[0] for new, kept in found)
    costs = statistics.median(kept[1] / new[1] for new, kept in found)
    return [
        Figure(f"{kind}, new connections: messages", statistics.median(new[0] for new, _ in found), "messages/s"),
        Figure(f"{kind}, kept connections: messages", statistics.median(kept[0] for _, kept in found), "messages/s"),
        Figure(f"{kind}: rate, kept to new", rates, "ratio"),
        Figure(f"{kind}, new connections: CPU a message", statistics.median(new[1] for new, _ in found), "ms"),
        Figure(f"{kind}, kept connections: CPU a message", statistics.median(kept[1] for _, kept in found), "ms"),
        Figure(f"{kind}: CPU a message, kept to new", costs, "ratio", "<= 1"),
    ]


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--seconds", type=float)
    given = arguments.parse_args()
    seconds = given.seconds or (0.3 if given.quick else 10.0 if given.full else 3.0)
    with ExitStack() as stack:
        files = certificate(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="midwatch-bench-"))))
        os.environ["SSL_CERT_FILE"] = files[0]
        figures = [*measure("http", (), seconds), *measure("https", files, seconds)]
    report("sending", figures, as_json=given.json)


if __name__ == "__main__":
    main()
