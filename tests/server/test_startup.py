"""Before serving: the database is made, or copied and brought up to date; the configuration is applied."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import installation


def run(env: dict[str, str], code: str) -> subprocess.CompletedProcess[str]:
    """`code` after `prepare` is imported, as a process of its own."""
    head = "import django; django.setup()\nfrom midwatch import startup\nfrom pathlib import Path\n"
    return subprocess.run([sys.executable, "-c", head + code], env=env, capture_output=True, text=True, check=False)


def forget_a_migration(data_dir: Path) -> None:
    import sqlite3

    with sqlite3.connect(data_dir / "midwatch.sqlite3") as main:
        main.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
        main.execute("DROP TABLE django_session")


def test_a_new_database_needs_no_backup_and_an_old_one_keeps_three(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    env = installation.environment(data_dir)
    done = run(env, "print(startup.prepare(None)); print(startup.prepare(None).setup_code); print(startup.upgrade())")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    assert not (data_dir / "backups").exists()
    assert (data_dir / "admin-token").exists()
    for _ in range(5):
        forget_a_migration(data_dir)
        done = run(env, "print(startup.pending_migrations()); startup.prepare(None)")
        assert done.returncode == 0, done.stderr
        assert done.stdout == "['sessions.0001_initial']\n"
    kept = sorted((data_dir / "backups").iterdir())
    assert len(kept) == 3
    with tarfile.open(kept[-1]) as archive:
        assert "midwatch.sqlite3" in archive.getnames()


def test_no_migration_without_a_backup(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    env = installation.environment(data_dir)
    assert run(env, "startup.prepare(None)").returncode == 0
    forget_a_migration(data_dir)
    (data_dir / "backups").mkdir()
    (data_dir / "backups").rmdir()
    (data_dir / "backups").symlink_to("/proc/nowhere")
    done = run(env, "startup.prepare(None)")
    assert done.returncode == 1
    assert "no migration without a backup" in done.stderr
    assert run(env, "print(startup.pending_migrations())").stdout == "['sessions.0001_initial']\n"


def test_everything_is_for_its_owner_alone(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    assert run(installation.environment(data_dir), "startup.prepare(None)").returncode == 0
    assert data_dir.stat().st_mode & 0o777 == 0o700


def test_configuration_that_is_not_there(tmp_path: Path) -> None:
    done = run(installation.environment(tmp_path / "data"), "startup.prepare(Path('/nowhere/at/all'))")
    assert done.returncode == 1
    assert "--config /nowhere/at/all: there is no such directory" in done.stderr
