"""Backup and restore: consistent while others write, whole or not at all, and nothing believed that an archive says."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2 as sqlite
import pytest

import installation
from cli_run import Run
from midwatch import backup
from midwatch.backup import postgresql
from midwatch.backup.archive import LOG, MAIN
from midwatch.core import clock
from midwatch.intake.records import microseconds
from midwatch.intake.sqlite_log import SqliteStore

NOW = datetime(2026, 1, 14, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a migrated database, some events, and the secrets."""
    data = tmp_path_factory.mktemp("backup") / "data"
    data.mkdir()
    installation.prepare(installation.environment(data))
    append(data, 5)
    (data / "admin-token").write_text("the-token-of-the-administrator\n")
    (data / "admin-token").chmod(0o600)
    return data


@pytest.fixture
def data(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "data"))


@pytest.fixture(autouse=True)
def _frozen() -> Iterator[None]:
    clock.freeze(NOW)
    yield
    clock.thaw()


def append(data: Path, count: int) -> None:
    store = SqliteStore(data / LOG, data / MAIN)
    rows = [(f"{index:032x}", 1, "event", microseconds(NOW), "application/json", "", b"{}") for index in range(count)]
    store.write(rows)
    store.close()


def rows(path: Path, query: str) -> Any:
    connection = sqlite.connect(path)
    try:
        return connection.execute(query).fetchone()[0]
    finally:
        connection.close()


def test_there_and_back_again(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "midwatch.tar.gz"
    manifest = backup.write(data, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert manifest.counts["sources"] == 3
    assert manifest.counts["events"] == 5
    assert manifest.last_event == 5
    assert manifest.version == "0.1.0"
    assert set(manifest.files) == {MAIN, LOG, "secret-key", "admin-token"}
    assert backup.read(file) == manifest
    target = tmp_path / "elsewhere"
    restored, aside = backup.restore(file, target)
    assert restored == manifest
    assert aside is None
    assert rows(target / MAIN, "SELECT count(*) FROM alerts_source") == 3
    assert rows(target / LOG, "SELECT count(*) FROM event") == 5
    assert rows(target / LOG, "SELECT uuid FROM epoch") == manifest.epoch
    assert (target / "secret-key").read_text() == (data / "secret-key").read_text()
    assert {stat.S_IMODE(path.stat().st_mode) for path in target.iterdir() if path.is_file()} == {0o600}
    assert not [path for path in target.iterdir() if path.name.startswith(".restore")]


def test_a_backup_is_taken_while_others_write(data: Path, tmp_path: Path) -> None:
    """The log in it never ends before what the main database in it has read."""
    stop = threading.Event()
    epoch = rows(data / LOG, "SELECT uuid FROM epoch")
    first = sqlite.connect(data / MAIN, isolation_level=None)
    first.execute("INSERT INTO intake_offset (id, epoch, offset) VALUES (1, ?, 5)", [epoch])
    first.close()

    def write() -> None:
        main = sqlite.connect(data / MAIN, isolation_level=None, timeout=30)
        store = SqliteStore(data / LOG, data / MAIN)
        number = 5
        while not stop.is_set():
            store.write([("f" * 32, 1, "event", 0, "", "", b"x" * 500)])
            number += 1
            main.execute("BEGIN IMMEDIATE")
            main.execute("UPDATE intake_offset SET offset = ? WHERE id = 1", [number])
            main.execute("COMMIT")
        store.close()
        main.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        manifests = [backup.write(data, tmp_path / f"{turn}.tar.gz") for turn in range(10)]
    finally:
        stop.set()
        writer.join()
    assert manifests[-1].offset > manifests[0].offset
    for turn, manifest in enumerate(manifests):
        assert manifest.offset <= manifest.last_event
        target = tmp_path / f"target-{turn}"
        backup.restore(tmp_path / f"{turn}.tar.gz", target)
        assert rows(target / MAIN, "SELECT offset FROM intake_offset") == manifest.offset
        assert rows(target / LOG, "SELECT max(id) FROM event") == manifest.last_event


def test_a_directory_that_holds_something_is_put_aside_only_by_force(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "midwatch.tar.gz"
    backup.write(data, file)
    append(data, 3)
    with pytest.raises(backup.BackupError, match="--force"):
        backup.restore(file, data)
    assert rows(data / LOG, "SELECT count(*) FROM event") == 8
    _, aside = backup.restore(file, data, is_forced=True)
    assert aside == data / "before-restore-20260114T120000Z"
    assert rows(data / LOG, "SELECT count(*) FROM event") == 5
    assert rows(aside / LOG, "SELECT count(*) FROM event") == 8


def test_not_under_a_running_midwatch(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "midwatch.tar.gz"
    backup.write(data, file)
    program = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print('held', flush=True); input()"
    command = [sys.executable, "-c", program, str(data / "serve.lock")]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(backup.BackupError, match="running"):
        backup.restore(file, data, is_forced=True)
    holder.communicate(b"\n")
    backup.restore(file, data, is_forced=True)


def repack(file: Path, target: Path, change: Any) -> Path:
    """The same archive, its entries changed by `change(name, content) -> content | None`."""
    with tarfile.open(file, "r:gz") as old, tarfile.open(target, "w:gz") as new:
        for about in old:
            content = old.extractfile(about)
            assert content is not None
            data = change(about.name, content.read())
            if data is not None:
                about.size = len(data)
                new.addfile(about, io.BytesIO(data))
    return target


def edited(text: bytes, **values: Any) -> bytes:
    return json.dumps({**json.loads(text), **values}).encode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda name, data: data[:-1] + b"!" if name == MAIN else data, "is damaged"),
        (lambda name, data: None if name == LOG else data, "not whole"),
        (lambda name, data: None if name == "manifest.json" else data, "no backup of Midwatch"),
        (lambda name, data: b"{" if name == "manifest.json" else data, "cannot be understood"),
        (lambda name, data: edited(data, format=99) if name == "manifest.json" else data, "format 99"),
        (lambda name, data: edited(data, surprise=1) if name == "manifest.json" else data, "newer Midwatch"),
        (lambda name, data: edited(data, files={}) if name == "manifest.json" else data, "unexpected files"),
        (
            lambda name, data: (
                edited(data, files={MAIN: {"size": 1, "sha256": ""}, "../x": {"size": 1, "sha256": ""}})
                if name == "manifest.json"
                else data
            ),
            "unexpected files",
        ),
        (lambda name, data: data + b"more" if name == "secret-key" else data, "no backup of ours"),
    ],
)
def test_archives_that_are_not_right(data: Path, tmp_path: Path, change: Any, said: str) -> None:
    file = tmp_path / "midwatch.tar.gz"
    backup.write(data, file)
    wrong = repack(file, tmp_path / "wrong.tar.gz", change)
    target = tmp_path / "elsewhere"
    with pytest.raises(backup.BackupError, match=said):
        backup.restore(wrong, target)
    assert [path.name for path in target.iterdir() if path.name not in {"serve.lock", "write.lock"}] == []


def test_an_archive_does_not_write_where_it_likes(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "midwatch.tar.gz"
    backup.write(data, file)
    wrong = tmp_path / "wrong.tar.gz"
    with tarfile.open(file, "r:gz") as old, tarfile.open(wrong, "w:gz") as new:
        for about in old:
            new.addfile(about, old.extractfile(about))
        link = tarfile.TarInfo("secret-key")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        new.addfile(link)
        escape = tarfile.TarInfo("../escaped")
        escape.size = 1
        new.addfile(escape, io.BytesIO(b"x"))
    with pytest.raises(backup.BackupError, match="no backup of ours"):
        backup.restore(wrong, tmp_path / "elsewhere")
    assert not (tmp_path / "escaped").exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", gzip.compress(b"no tar either", mtime=0), b"\x1f\x8b" + b"\0" * 50],
    ids=["empty", "text", "no tar", "broken"],
)
def test_files_that_are_no_archive(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(backup.BackupError, match=r"file"):
        backup.restore(file, tmp_path / "elsewhere")


def test_a_truncated_archive(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "midwatch.tar.gz"
    backup.write(data, file)
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(backup.BackupError):
        backup.restore(file, tmp_path / "elsewhere")


def test_a_damaged_database_is_not_backed_up_as_if_it_were_well(data: Path, tmp_path: Path) -> None:
    with (data / MAIN).open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096 * 4)
    with pytest.raises(backup.BackupError, match=r"damaged|copied"):
        backup.write(data, tmp_path / "midwatch.tar.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_nothing_is_replaced_by_accident(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "midwatch.tar.gz"
    file.write_text("precious")
    with pytest.raises(backup.BackupError, match="exists"):
        backup.write(data, file)
    assert file.read_text() == "precious"
    backup.write(data, file, is_replacing=True)
    assert backup.read(file).counts["events"] == 5


@pytest.mark.skipif(os.geteuid() != 0, reason="a full disk is made by mounting one")
def test_a_full_disk_leaves_nothing_half_done(data: Path, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(full)]
    mounted = subprocess.run(command, check=False, capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(backup.BackupError):
            backup.write(data, full / "midwatch.tar.gz")
        assert list(full.iterdir()) == []
    finally:
        subprocess.run(["umount", str(full)], check=True)


def test_the_verbs(data: Path, tmp_path: Path, run: Run) -> None:
    file = tmp_path / "midwatch.tar.gz"
    made = run("backup", str(file), "--data", str(data), "--json")
    assert made.code == 0, made.err
    assert made.json["counts"]["events"] == 5
    refused = run("backup", str(file), "--data", str(data))
    assert (refused.code, refused.out) == (1, "")
    assert "--force" in refused.err
    assert "secret key" in run("backup", str(file), "--data", str(data), "--force").out
    assert run("backup", str(tmp_path / "x"), "--data", str(tmp_path / "nothing")).code == 1
    assert run("backup", str(tmp_path / "no" / "such" / "x"), "--data", str(data)).code == 1
    target = tmp_path / "elsewhere"
    back = restored(str(file), "--data", str(target))
    assert back.returncode == 0, back.stderr
    assert str(target) in back.stdout
    assert "Paging is on hold" in back.stdout
    assert restored(str(file), "--data", str(target)).returncode == 1
    assert json.loads(restored(str(file), "--data", str(target), "--force", "--json").stdout)["hold"]["on_hold"]
    assert run("restore", str(tmp_path / "nothing"), "--data", str(target), "--force").code == 1
    assert run("restore", "--data", str(target)).code == 2
    assert run("restore", str(file), "--list", "--data", str(target)).code == 2


def restored(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A process of its own: it sets up Django on what it restored."""
    command = [sys.executable, "-m", "midwatch.cli", "restore", *arguments]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MIDWATCH_")}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=kept)


def test_on_postgresql_the_password_stays_out_of_the_command_line() -> None:
    found = postgresql.environment("postgresql://me:pass%20word@one,two:5433/midwatch?sslmode=require")
    assert found["PGPASSWORD"] == "pass word"
    assert found["PGHOST"] == "one,two"
    assert found["PGDATABASE"] == "midwatch"
    assert found["PGSSLMODE"] == "require"
    assert not any(name.startswith("MIDWATCH_") for name in found)


def test_on_postgresql_without_pg_dump_it_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(backup.BackupError, match="pg_dump --format=custom"):
        postgresql.dump("postgresql://me@localhost/midwatch", tmp_path / "dump")


def test_on_postgresql_a_dump_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "pg_dump"
    program.write_text("#!/bin/sh\necho 'cannot connect' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(backup.BackupError, match="cannot connect"):
        postgresql.dump("postgresql://me@localhost/midwatch", tmp_path / "dump")
    program.write_text('#!/bin/sh\nfor a; do case $a in --file=*) echo "$PGHOST" > "${a#--file=}";; esac; done\n')
    postgresql.dump("postgresql://me@localhost/midwatch", tmp_path / "dump")
    assert (tmp_path / "dump").read_text() == "localhost\n"
    assert stat.S_IMODE((tmp_path / "dump").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dump", "pg_dump"]
