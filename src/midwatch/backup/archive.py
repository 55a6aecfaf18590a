"""One .tar.gz with the main database, the event log, the data directory's secrets, and a manifest that names them all.

The main database is copied first, the log after it: the offset in the main copy then never lies beyond the log copy, so
after a restore every event is read that did not become alerts before. Each copy is one read transaction of SQLite's
backup interface; writers go on meanwhile.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import pysqlite3.dbapi2 as sqlite

from midwatch import __version__
from midwatch.core import clock
from midwatch.core.sqlite_library import library_version, refuse_unsafe

FORMAT = 1
MANIFEST = "manifest.json"
MAIN = "midwatch.sqlite3"
LOG = "events.sqlite3"
SECRETS = ("secret-key", "admin-token")
MEMBERS = (MAIN, LOG, *SECRETS)
MANIFEST_BYTES_MAX = 100_000
BUSY_SECONDS = 30.0
POSTGRESQL_DUMP = b"PGDMP"
COUNTED = {
    "people": "people_user WHERE name NOT IN ('admin-token', 'midwatch-canary')",
    "services": "catalog_service",
    "sources": "alerts_source",
    "alerts": "alerts_alert WHERE is_test = 0",
    "open_alerts": "alerts_alert WHERE is_test = 0 AND status <> 'resolved'",
}


class BackupError(Exception):
    """The archive cannot be written or used. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Member:
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`epoch`: the event log's identity. `offset`: how far the main copy had read it; `last_event`: how far it went."""

    created_at: str
    version: str
    sqlite: str
    epoch: str
    offset: int
    last_event: int
    counts: dict[str, int]
    files: dict[str, Member] = field(default_factory=dict)
    format: int = FORMAT


def write(data_dir: Path, file: Path, *, is_replacing: bool = False) -> Manifest:
    """Write the archive, complete or not at all, mode 600. Raises `BackupError`."""
    refuse_unsafe(library_version())
    if not (data_dir / MAIN).is_file():
        raise BackupError(f"there is no database in {data_dir}: name the data directory with --data")
    if file.exists() and not is_replacing:
        raise BackupError(f"{file} exists: name another file, or replace it with --force")
    try:
        with tempfile.TemporaryDirectory(prefix=".midwatch-backup-", dir=file.absolute().parent) as work:
            copies = _copies(data_dir, Path(work))
            manifest = _manifest(copies)
            finished = Path(work) / "archive"
            _pack(manifest, copies, finished)
            os.replace(finished, file)
        sync(file.absolute().parent)
    except OSError as error:
        raise BackupError(f"{file} cannot be written: {error.strerror or error}") from error
    except sqlite.Error as error:
        raise BackupError(f"the database cannot be copied: {error}; `midwatch doctor` looks at it") from error
    return manifest


def _copies(data_dir: Path, work: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for name in (MAIN, LOG):  # in this order: see above
        if (data_dir / name).is_file():
            copy_database(data_dir / name, work / name)
            found[name] = work / name
    for name in SECRETS:
        if (data_dir / name).is_file():
            found[name] = data_dir / name
    return found


def copy_database(source: Path, target: Path) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.close(descriptor)
    with opened_database(source, mode="ro") as reading, opened_database(target, mode="rw") as writing:
        reading.backup(writing)  # all pages in one step: one read transaction
        writing.execute("PRAGMA journal_mode=DELETE")  # one file, nothing beside it
        problem = quick_check(writing)
    if problem:
        raise BackupError(f"{source.name} is damaged ({problem}): keep this directory as it is and restore a backup")


def quick_check(connection: Any) -> str:
    """ "" when the database is whole, else what is wrong first."""
    said = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    return "" if said == "ok" else said


@contextmanager
def opened_database(path: Path, *, mode: str) -> Iterator[Any]:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    with closing(sqlite.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)) as made:
        yield made


def _manifest(copies: dict[str, Path]) -> Manifest:
    with opened_database(copies[MAIN], mode="ro") as main:
        counts = {name: int(_one(main, f"SELECT count(*) FROM {table}", 0)) for name, table in COUNTED.items()}  # noqa: S608
        offset = int(_one(main, "SELECT offset FROM intake_offset", 0))
        read_epoch = str(_one(main, "SELECT epoch FROM intake_offset", ""))
    epoch, last = "", 0
    if LOG in copies:
        with opened_database(copies[LOG], mode="ro") as log:
            epoch = str(_one(log, "SELECT uuid FROM epoch", ""))
            last = int(_one(log, "SELECT seq FROM sqlite_sequence WHERE name = 'event'", 0))
            counts["events"] = int(_one(log, "SELECT count(*) FROM event", 0))
    if read_epoch == epoch and offset > last:
        raise BackupError(f"the database has read events up to {offset}, the log ends at {last}: try again")
    return Manifest(
        created_at=clock.now().isoformat(timespec="seconds"),
        version=__version__,
        sqlite=".".join(map(str, library_version())),
        epoch=epoch,
        offset=offset,
        last_event=last,
        counts=counts,
        files={name: Member(path.stat().st_size, digest_of(path)) for name, path in copies.items()},
    )


def _one(connection: Any, query: str, otherwise: Any) -> Any:
    """The first column of the first row; `otherwise` when there is none, or no such table (a database of another age)."""
    try:
        row = connection.execute(query).fetchone()
    except sqlite.OperationalError:
        return otherwise
    return otherwise if row is None or row[0] is None else row[0]


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pack(manifest: Manifest, copies: dict[str, Path], target: Path) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as raw:
        with tarfile.open(fileobj=raw, mode="w:gz", compresslevel=4, format=tarfile.PAX_FORMAT) as archive:
            text = json.dumps(asdict(manifest), indent=2).encode()
            _add(archive, MANIFEST, io.BytesIO(text), len(text))
            for name, path in copies.items():
                with path.open("rb") as file:
                    _add(archive, name, file, manifest.files[name].size)
        raw.flush()
        os.fsync(raw.fileno())


def _add(archive: tarfile.TarFile, name: str, content: IO[bytes], size: int) -> None:
    about = tarfile.TarInfo(name)
    about.size, about.mode, about.mtime = size, 0o600, int(clock.now().timestamp())
    archive.addfile(about, content)


def sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(file: Path) -> Manifest:
    """The manifest of an archive. Raises `BackupError`."""
    with opened(file) as archive:
        return manifest_of(archive, file)


def _begins_with(file: Path, magic: bytes) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as raw:
        return raw.read(len(magic)) == magic


@contextmanager
def opened(file: Path) -> Iterator[tarfile.TarFile]:
    if _begins_with(file, POSTGRESQL_DUMP):
        raise BackupError(
            f"{file} is a backup of PostgreSQL: set MIDWATCH_DATABASE_URL to the database it is to be restored into"
        )
    try:
        with tarfile.open(file, mode="r:gz") as archive:
            yield archive
    except FileNotFoundError as error:
        raise BackupError(f"there is no file {file}") from error
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BackupError(f"{file} cannot be read as a backup, it is damaged or something else: {error}") from error


def manifest_of(archive: tarfile.TarFile, file: Path) -> Manifest:
    wrong = BackupError(f"{file} is no backup of Midwatch: its first entry is not {MANIFEST}")
    about = archive.next()
    content = archive.extractfile(about) if about is not None and about.name == MANIFEST else None
    if about is None or content is None or about.size > MANIFEST_BYTES_MAX:
        raise wrong
    try:
        given = json.loads(content.read())
        found = {**given, "files": {name: Member(**values) for name, values in given["files"].items()}}
        manifest = Manifest(**found)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BackupError(
            f"{file}: its {MANIFEST} cannot be understood ({error}); was it made by a newer Midwatch?"
        ) from error
    if manifest.format != FORMAT:
        raise BackupError(f"{file} has format {manifest.format}, this Midwatch ({__version__}) reads {FORMAT}")
    if MAIN not in manifest.files or not set(manifest.files) <= set(MEMBERS):
        raise BackupError(f"{file}: its {MANIFEST} lists unexpected files")
    return manifest
