"""The real program under a benchmark: who is logged in, which processes there are, and what memory and CPU they hold."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from measuring import rig

SESSION = """
import django, sys
django.setup()
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.db import transaction
from midwatch.core import clock
from midwatch.people.models import User
with transaction.atomic():
    user, _ = User.objects.get_or_create(name=sys.argv[1], defaults={"display_name": sys.argv[1].capitalize(),
        "role": "administrator", "created_at": clock.now(), "password": "!"})
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
print(settings.SESSION_COOKIE_NAME + "=" + session.session_key)
"""


def session_cookie(environment: Mapping[str, str], name: str = "bench") -> str:
    """Somebody logged in, made beside the server so that no password hash is measured."""
    done = subprocess.run(
        [sys.executable, "-c", SESSION, name], env=dict(environment), check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@dataclass(frozen=True)
class Usage:
    """MB, seconds."""

    resident: float
    proportional: float  # shared pages counted once
    cpu: float


def processes(group: int) -> dict[str, int]:
    """The program's parts by name: supervisor, web, engine."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(place.name)) != group:
                continue
            words = (place / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        name = words[words.index(b"midwatch.parts") + 1].decode() if b"midwatch.parts" in words else "supervisor"
        found[name] = int(place.name)
    return found


def usage(pid: int) -> Usage:
    """Raises OSError when it is gone."""
    place = Path(f"/proc/{pid}")
    lines = dict(line.split(":", 1) for line in (place / "smaps_rollup").read_text().splitlines()[1:])
    return Usage(int(lines["Rss"].split()[0]) / 1024, int(lines["Pss"].split()[0]) / 1024, rig.cpu_seconds(pid))
