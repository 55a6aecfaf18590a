"""A small installation for tests and benchmarks that start real processes: migrated, with a few sources.

`prepare` runs this file as a program of its own, so that settings and database are the installation's and not the suite's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

GENERIC_KEY = "0123456789abcdef0123456789abcdef"
PAGERDUTY_KEY = "fedcba9876543210fedcba9876543210"
ALERTMANAGER_KEY = "00112233445566778899aabbccddeeff"
SOURCES = ((GENERIC_KEY, "generic"), (PAGERDUTY_KEY, "pagerduty"), (ALERTMANAGER_KEY, "alertmanager"))


def environment(data_dir: Path, database_url: str = "") -> dict[str, str]:
    """For every process of the installation."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MIDWATCH_")}
    made = {
        "MIDWATCH_DATA_DIR": str(data_dir),
        "DJANGO_SETTINGS_MODULE": "midwatch.django_settings",
        "PYTHONUNBUFFERED": "1",
    }
    source = str(Path(__file__).resolve().parent.parent / "src")
    made["PYTHONPATH"] = os.pathsep.join([source, kept.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    if database_url:
        made |= {"MIDWATCH_DATABASE_URL": database_url, "MIDWATCH_SECRET_KEY": "x" * 40}
    return {**kept, **made}


def prepare(env: Mapping[str, str], sources: Sequence[tuple[str, str]] = SOURCES) -> None:
    """Migrate, and make a team, a service and the sources (key, type)."""
    done = subprocess.run(
        [sys.executable, __file__, json.dumps(list(sources))],
        env=dict(env),
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the installation could not be made:\n{done.stderr[-3000:]}")


def main() -> None:
    import django

    django.setup()
    from django.db import transaction

    from midwatch.catalog.models import Service
    from midwatch.core import clock
    from midwatch.core.migrating import migrate
    from midwatch.people.models import Team
    from midwatch.respond.alerts.models import Source

    migrate()
    now = clock.now()
    with transaction.atomic():
        team = Team.objects.create(name="payments", display_name="Payments", created_at=now)
        service = Service.objects.create(name="checkout", display_name="Checkout", team=team, created_at=now)
        for number, (key, kind) in enumerate(json.loads(sys.argv[1])):
            Source.objects.create(name=f"{kind}-{number}", type=kind, key=key, service=service, created_at=now)


if __name__ == "__main__":
    main()
