"""One installation for each run (and each worker): a data directory of its own, on SQLite or, with
MIDWATCH_TEST_DATABASE=postgresql, on a PostgreSQL server that the suite starts.

The environment is set before Django reads it, so this file names no setting of Django's but the module.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS))

IS_POSTGRESQL = os.environ.get("MIDWATCH_TEST_DATABASE", "") == "postgresql"
DATA_DIR = Path(tempfile.mkdtemp(prefix="midwatch-test-"))

for name in [name for name in os.environ if name.startswith("MIDWATCH_") and name != "MIDWATCH_TEST_DATABASE"]:
    del os.environ[name]
os.environ["MIDWATCH_DATA_DIR"] = str(DATA_DIR)
os.environ["MIDWATCH_BASE_URL"] = "http://midwatch.example"
os.environ["MIDWATCH_SECRET_KEY"] = "tests-" + "k" * 40
os.environ["MIDWATCH_EMAIL_URL"] = "smtp://127.0.0.1:9"
os.environ["MIDWATCH_EMAIL_FROM"] = "midwatch@midwatch.example"
os.environ["MIDWATCH_TWILIO_ACCOUNT_SID"] = "AC0123456789"
os.environ["MIDWATCH_TWILIO_AUTH_TOKEN"] = "twilio-token-of-the-tests"
os.environ["MIDWATCH_TWILIO_FROM"] = "+15005550006"
os.environ["MIDWATCH_TWILIO_BASE_URL"] = "http://twilio.example"

if IS_POSTGRESQL:
    import postgres

    os.environ["MIDWATCH_DATABASE_URL"] = postgres.shared().create_database(f"tests_{secrets.token_hex(4)}")
os.environ["DJANGO_SETTINGS_MODULE"] = "midwatch.django_settings"

import django  # noqa: E402 - it reads the environment above

django.setup()  # conftest files of folders import models before pytest-django gets to it

import emptying  # noqa: E402 - it needs Django

emptying.instead_of_flush()
# Workers inherit the environment, and must not read settings before their own data directory is set above.
del os.environ["DJANGO_SETTINGS_MODULE"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL only what says so runs again: stories, and what is marked."""
    if not IS_POSTGRESQL:
        return
    kept = [item for item in items if "stories" in item.path.parts or item.get_closest_marker("postgresql")]
    dropped = [item for item in items if item not in kept]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: object) -> None:
    """The installation's own database, migrated: no test_ copy, so that lanes and processes see what tests see."""
    from midwatch.core.migrating import migrate

    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        migrate()


@pytest.fixture(autouse=True)
def _clock_runs_again() -> Iterator[None]:
    from midwatch.core import clock

    yield
    clock.thaw()
