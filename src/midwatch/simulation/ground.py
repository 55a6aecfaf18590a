"""The ground of runs: an environment of its own, and a fresh database for each run, copied from a migrated one.

`synchronous=OFF` is honest here: what dies in a run are processes, never the machine, so nothing that was written to a
file is lost. The statements and transactions are the real ones.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from pathlib import Path

import django

SECRET = "simulation-" + "s" * 40
PUBLIC = "http://midwatch.example"
FIXED = {
    "MIDWATCH_BASE_URL": PUBLIC,
    "MIDWATCH_SECRET_KEY": SECRET,
    "MIDWATCH_EMAIL_URL": "smtp://127.0.0.1:9",
    "MIDWATCH_EMAIL_FROM": "midwatch@midwatch.example",
    "MIDWATCH_TWILIO_ACCOUNT_SID": "AC0123456789",
    "MIDWATCH_TWILIO_AUTH_TOKEN": "twilio-token-of-the-simulation",
    "MIDWATCH_TWILIO_FROM": "+15005550006",
    "MIDWATCH_TWILIO_BASE_URL": "http://twilio.example",
    "DJANGO_SETTINGS_MODULE": "midwatch.django_settings",
}


def scratch() -> Path:
    """A directory in memory where there is one: a run writes a lot, and nothing of it is kept."""
    shared = Path("/dev/shm")  # noqa: S108 - the kernel's own memory file system
    parent = shared if shared.is_dir() and os.access(shared, os.W_OK) else Path(tempfile.gettempdir())
    return Path(tempfile.mkdtemp(prefix="midwatch-sim-", dir=parent))


def prepare(data_dir: Path) -> None:
    """Once a process, before anything of Django is imported: settings from here alone, whatever the shell has set."""
    database_url = os.environ.get("MIDWATCH_DATABASE_URL", "")
    for name in [name for name in os.environ if name.startswith("MIDWATCH_")]:
        del os.environ[name]
    os.environ.update(FIXED)
    os.environ["MIDWATCH_DATA_DIR"] = str(data_dir)
    if database_url:
        os.environ["MIDWATCH_DATABASE_URL"] = database_url
    django.setup()
    logging.getLogger().addHandler(logging.NullHandler())  # what fails is heard by the run, which looks at it
    logging.getLogger("midwatch").propagate = False


def forget(data_dir: Path) -> None:
    shutil.rmtree(data_dir, ignore_errors=True)
