"""The quick way of migrating makes the same tables, indexes, triggers and constraints as Django's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import postgres

MAKE = """
import sys
import django
django.setup()
from django.core.management import call_command
from django.db import connection
from midwatch.core.migrating import migrate
if sys.argv[1] == "quick":
    migrate()
else:
    call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
ASKED = {
    "sqlite": ["SELECT type, name, tbl_name, sql FROM sqlite_master"],
    "postgresql": [
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE connamespace = 'public'::regnamespace",
        "SELECT table_name, column_name, data_type, is_nullable, column_default, identity_generation "
        "FROM information_schema.columns WHERE table_schema = 'public'",
    ],
}
with connection.cursor() as cursor:
    for question in [*ASKED[connection.vendor], "SELECT app, name FROM django_migrations"]:
        cursor.execute(question)
        for row in sorted(map(repr, cursor.fetchall())):
            print(row)
"""


def made(way: str, directory: Path, **more: str) -> list[str]:
    directory.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MIDWATCH_")}
    own = {
        "DJANGO_SETTINGS_MODULE": "midwatch.django_settings",
        "MIDWATCH_DATA_DIR": str(directory),
        "MIDWATCH_SECRET_KEY": "k" * 50,
    }
    ran = subprocess.run(
        [sys.executable, "-c", MAKE, way], capture_output=True, text=True, env={**kept, **own, **more}, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


@pytest.mark.slow
def test_the_same_on_sqlite(tmp_path: Path) -> None:
    quick = made("quick", tmp_path / "quick")
    assert len(quick) > 400
    assert quick == made("django's", tmp_path / "whole")


@pytest.mark.slow
def test_the_same_on_postgresql(tmp_path: Path) -> None:
    found = [
        made(way, tmp_path / way, MIDWATCH_DATABASE_URL=postgres.shared().create_database(f"migrating_{way}"))
        for way in ("quick", "whole")
    ]
    assert len(found[0]) > 400
    assert found[0] == found[1]
