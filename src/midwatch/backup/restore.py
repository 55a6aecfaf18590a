"""Putting an archive back: everything is unpacked and checked beside its place before anything is touched there."""

from __future__ import annotations

import fcntl
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from midwatch.backup.archive import (
    LOG,
    MAIN,
    MEMBERS,
    BackupError,
    Manifest,
    digest_of,
    manifest_of,
    opened,
    opened_database,
    quick_check,
    sync,
)
from midwatch.core import clock, restore_mark

BESIDE = ("-wal", "-shm", "-journal")
LOCKS = ("serve.lock", "write.lock")


def restore(file: Path, data_dir: Path, *, is_forced: bool = False) -> tuple[Manifest, Path | None]:
    """Returns the manifest, and where what was there before lies now, if anything was. Raises `BackupError`."""
    present = [name for name in (MAIN, LOG) if (data_dir / name).exists()]
    if present and not is_forced:
        raise BackupError(
            f"{data_dir} holds {present[0]} already: name an empty directory with --data, or put it aside with --force"
        )
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with held(data_dir), tempfile.TemporaryDirectory(prefix=".restore-", dir=data_dir) as work:
            manifest = _unpacked(file, Path(work))
            restore_mark.write(data_dir, backup_at=manifest.created_at)
            aside = _put_aside(data_dir)
            for name in manifest.files:
                os.replace(Path(work) / name, data_dir / name)
            sync(data_dir)
    except OSError as error:
        raise BackupError(f"{data_dir}: {error.strerror or error}") from error
    return manifest, aside


@contextmanager
def held(data_dir: Path) -> Iterator[None]:
    """Nobody else may use the directory meanwhile. The kernel frees these locks when a process dies."""
    with ExitStack() as stack:
        for name in LOCKS:
            descriptor = os.open(data_dir / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            stack.callback(os.close, descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BackupError(f"Midwatch is running on {data_dir}: stop it first") from error
        yield


def _unpacked(file: Path, work: Path) -> Manifest:
    with opened(file) as archive:
        manifest = manifest_of(archive, file)
        for about in archive:
            if about.name == "manifest.json":
                continue
            _unpack(archive, about, manifest, work)
    for name, member in manifest.files.items():
        path = work / name
        if not path.is_file():
            raise BackupError(f"{file} is not whole: {name} is missing")
        if path.stat().st_size != member.size or digest_of(path) != member.sha256:
            raise BackupError(f"{file} is damaged: {name} differs from what was backed up; take another backup")
    for name in (MAIN, LOG):
        if name in manifest.files:
            _check(work / name)
    return manifest


def _unpack(archive: tarfile.TarFile, about: tarfile.TarInfo, manifest: Manifest, work: Path) -> None:
    """Only files that the manifest names, and no more bytes of them than it says."""
    member = manifest.files.get(about.name)
    content = archive.extractfile(about) if about.isreg() else None
    if member is None or content is None or about.size != member.size or about.name not in MEMBERS:
        raise BackupError(
            f"the archive holds {about.name[:60]!r}, which its manifest does not: it is no backup of ours"
        )
    descriptor = os.open(work / about.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as target:
        shutil.copyfileobj(content, target, 1024 * 1024)
        target.flush()
        os.fsync(target.fileno())


def _check(path: Path) -> None:
    with opened_database(path, mode="ro") as database:
        problem = quick_check(database)
    if problem:
        raise BackupError(f"{path.name} in the archive is damaged: {problem}; take another backup")


def _put_aside(data_dir: Path) -> Path | None:
    names = [name + end for name in MEMBERS for end in ("", *BESIDE)]
    present = [data_dir / name for name in names if (data_dir / name).exists()]
    if not present:
        return None
    aside = data_dir / f"before-restore-{clock.now():%Y%m%dT%H%M%SZ}"
    aside.mkdir(mode=0o700)
    for path in present:
        os.replace(path, aside / path.name)
    return aside
