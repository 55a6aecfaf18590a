"""Demo: `midwatch demo`, a lived-in week on throw-away data, with phones that ring in the terminal.

Comes after every room, whose actions it calls to live that week; comes before nothing. Nothing of it leaves this
machine: every contact method points at `phones.py`, which listens on loopback and only says what it got.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from argparse import Namespace
from pathlib import Path

from midwatch import supervisor
from midwatch.demo.phones import Phones
from midwatch.settings import PREFIX

ADMINISTRATOR = "ana"
KEPT_SETTINGS = frozenset({"LOG_LEVEL"})  # nothing else of the environment: a real relay or account must not be used
_say_lock = threading.Lock()


def run(args: Namespace) -> int:
    """`midwatch demo`: make the data, say how to log in, serve until ended, leave nothing behind. Takes host, port."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # until `serve` has its own
    password = secrets.token_urlsafe(9)
    directory = Path(tempfile.mkdtemp(prefix="midwatch-demo-"))
    try:
        with Phones(say) as phones:
            os.environ.update(environment(directory, phones, args.host, args.port))
            say("Living a week of alerts (a few seconds) ...")
            landing = build(password)
            if landing is None:
                return 1
            say(
                f"\nThe demo's log-in, at http://{_shown_host(args.host)}:{args.port}\n"
                f"  name      {ADMINISTRATOR}\n  password  {password}\n\n"
                f"What Ana's phone shows, without a log-in: {landing}\n\n"
                "Nothing leaves this machine: the phones of the demo ring here, below.\n"
                "The data is thrown away when you stop it (Ctrl-C).\n"
            )
            return supervisor.serve(Namespace(host=args.host, port=args.port, data=None, config=None))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def environment(directory: Path, phones: Phones, host: str, port: int) -> dict[str, str]:
    """The demo's settings; whatever else is set for Midwatch is taken out of the environment first."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        if name.removeprefix(PREFIX) not in KEPT_SETTINGS:
            del os.environ[name]
    return {
        "MIDWATCH_DATA_DIR": str(directory),
        "MIDWATCH_BASE_URL": f"http://{_shown_host(host)}:{port}",
        "MIDWATCH_EMAIL_URL": f"smtp://127.0.0.1:{phones.smtp_port}",
        "MIDWATCH_EMAIL_FROM": "Midwatch <midwatch@shop.example>",
        "MIDWATCH_TWILIO_ACCOUNT_SID": "ACdemo",
        "MIDWATCH_TWILIO_AUTH_TOKEN": secrets.token_hex(16),
        "MIDWATCH_TWILIO_FROM": "+15005550006",  # Twilio's own number for tests
        "MIDWATCH_TWILIO_BASE_URL": phones.url,
        "MIDWATCH_OUTBOUND_ALLOW": "127.0.0.1",
    }


def build(password: str) -> str | None:
    """The link to the page that calls Ana now; None when it failed, which it has said itself.

    In a process of its own: this one becomes the supervisor, which stays small without Django.
    """
    told = json.dumps({"password": password, "phones": os.environ["MIDWATCH_TWILIO_BASE_URL"]})
    command = [sys.executable, "-m", "midwatch.demo.build"]
    made = subprocess.run(command, input=told, text=True, check=False, stdout=subprocess.PIPE)
    return made.stdout.strip() if made.returncode == 0 else None


def say(text: str) -> None:
    with _say_lock:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def _shown_host(host: str) -> str:
    return "127.0.0.1" if host in {"0.0.0.0", "::", ""} else f"[{host}]" if ":" in host else host  # noqa: S104
