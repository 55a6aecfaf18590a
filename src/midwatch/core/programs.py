"""The one way to start a foreign program.

Comes before every executor that needs one (local, Ansible); comes after the settings, which say what is permitted.

A program is a list of arguments, never a line for a shell. It gets a process group of its own, which is ended as a
whole: asked first, killed after a few seconds, together with what slipped out of the group. It sees an environment that
was made for it, never ours; works in a private directory; runs as another user where we can become one; and cannot reach
the data directory, by that user or by Landlock (`core.confine`). Where neither holds, it is not started at all.
Its output is passed on as it comes, in bounded pieces; whoever takes it slowly slows the program down.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from midwatch.core import clock, confine
from midwatch.core.integration.runners import Limits, RunnerConfig
from midwatch.core.running import PIECE_BYTES, TextStream
from midwatch.settings import PREFIX, settings

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_USER = "nobody"  # for Midwatch that runs as root and was not told another
GRACE_SECONDS = 5.0
DRAIN_SECONDS = 2.0
LOOK_SECONDS = 0.2
MARK = "STEP_MARK"  # by which what left the process group is found again

Write = Callable[[str, str], None]  # text, stream


@dataclass(frozen=True, slots=True)
class Ended:
    """`exit_code`: None after a signal. `why`: by itself, or because we ended it."""

    why: Literal["ended", "cancelled", "timed out"]
    exit_code: int | None
    signal: int | None = None

    @property
    def sentence(self) -> str:
        match self.why:
            case "cancelled":
                return "cancelled; its processes were ended"
            case "timed out":
                return "the time-out passed; its processes were ended"
        if self.exit_code == 0:
            return "exit code 0"
        if self.exit_code is not None:
            return f"exit code {self.exit_code}"
        return _OF_SIGNAL.get(self.signal or 0, f"ended by signal {self.signal}")


_OF_SIGNAL = {
    int(signal.SIGXCPU): "ended: it used more processor time than MIDWATCH_LOCAL_CPU_SECONDS",
    int(signal.SIGXFSZ): "ended: it wrote a file larger than MIDWATCH_LOCAL_FILE_MIB",
    int(signal.SIGKILL): "ended by signal 9: somebody killed it, or the machine ran out of memory",
}


def runner_config() -> RunnerConfig:
    """What this installation permits: from its settings."""
    now = settings()
    twins = [
        value for name, value in os.environ.items() if name.startswith(PREFIX) and name.endswith("_FILE") and value
    ]
    return RunnerConfig(
        values={"ANSIBLE_RUNNER": now.ansible_runner, "SSH_KNOWN_HOSTS": now.ssh_known_hosts},
        programs=now.local_programs,
        local_user=now.local_user,
        hidden=(str(now.data_dir), *twins),
        limits=Limits(
            cpu_seconds=now.local_cpu_seconds,
            memory_mib=now.local_memory_mib,
            file_mib=now.local_file_mib,
            open_files=now.local_open_files,
            processes=now.local_processes,
        ),
    )


@dataclass(frozen=True, slots=True)
class _Who:
    name: str
    uid: int
    gid: int
    is_other: bool  # than Midwatch's own


def _who(config: RunnerConfig) -> _Who:
    """Raises `ValueError` with a sentence."""
    own = os.geteuid()
    name = config.local_user or (DEFAULT_USER if own == 0 else "")
    if not name:
        return _Who(_name_of(own), own, os.getegid(), is_other=False)
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise ValueError(
            f"MIDWATCH_LOCAL_USER={name!r}: this machine has no such user; make it, or name another"
        ) from None
    if own not in {found.pw_uid, 0}:
        raise ValueError(
            f"MIDWATCH_LOCAL_USER={name!r}: only root can start programs as another user, and Midwatch is not root; "
            "leave it out, or start Midwatch as root"
        )
    return _Who(name, found.pw_uid, found.pw_gid, is_other=found.pw_uid != own)


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


@cache
def _has_landlock() -> bool:
    return confine.landlock_version() > 0


def _is_shut(path: str, uid: int) -> bool:
    """Its mode alone keeps this user out."""
    try:
        found = os.stat(path)
    except OSError:
        return True  # there is none, or we cannot come near it either
    return uid not in {found.st_uid, 0} and not found.st_mode & 0o077


def missing(config: RunnerConfig) -> str:
    """ "" when programs can be started here so that they do not reach what is Midwatch's."""
    if not sys.platform.startswith("linux"):
        return "programs are started on Linux only"
    try:
        who = _who(config)
    except ValueError as error:
        return str(error)
    if _has_landlock() or all(_is_shut(path, who.uid) for path in config.hidden):
        return ""
    if not who.is_other:
        return (
            f"programs would run as {who.name}, who can read Midwatch's data directory, and this kernel has no Landlock to "
            "prevent it: start Midwatch as root and give MIDWATCH_LOCAL_USER, or use Linux 5.13 or newer"
        )
    open_ones = [path for path in config.hidden if not _is_shut(path, who.uid)]
    return f"{who.name} could read {open_ones[0]}: take its rights for group and others away (chmod go= {open_ones[0]})"


def unreachable(program: str, config: RunnerConfig) -> str:
    """ "" when the program's user can come to it and to its interpreter, else a sentence."""
    who = _who(config)
    if not who.is_other:
        return ""
    groups = set(os.getgrouplist(who.name, who.gid))
    for path in (program, *_interpreters(program)):
        real = Path(os.path.realpath(path))
        for one in (*reversed(real.parents), real):
            found = one.stat()
            mode = found.st_mode >> (6 if found.st_uid == who.uid else 3 if found.st_gid in groups else 0)
            if not mode & 0o1:
                return f"the user {who.name} cannot come to {path}: {one} keeps it out; install it elsewhere, or name another user"
    return ""


def _interpreters(program: str) -> list[str]:
    with open(program, "rb") as file:
        first = file.readline(500)
    words = first[2:].decode("utf-8", "replace").split() if first.startswith(b"#!") else []
    return [word for word in words[:1] if os.path.exists(word)]


def put(workdir: str, name: str, content: str | bytes, config: RunnerConfig, *, mode: int = 0o600) -> Path:
    """A file in a step's directory, for the program's user alone. `name` may have directories before it."""
    who = _who(config)
    path = Path(workdir) / name
    made = [parent for parent in reversed(path.parents) if not parent.exists()]
    for parent in made:
        parent.mkdir(mode=0o700)
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        if who.is_other:
            os.fchown(file.fileno(), who.uid, who.gid)
    if who.is_other:
        for directory in (Path(workdir), *made):
            os.chown(directory, who.uid, who.gid)
    return path


def environment(workdir: str, variables: Mapping[str, str], config: RunnerConfig) -> dict[str, str]:
    """All that a program sees: nothing of ours."""
    name = _who(config).name
    return {
        "PATH": PATH,
        "HOME": workdir,
        "TMPDIR": workdir,
        "USER": name,
        "LOGNAME": name,
        "SHELL": "/bin/sh",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        **variables,
    }


def _facts(config: RunnerConfig, who: _Who, cwd: str) -> list[str]:
    limits = asdict(config.limits)
    if not who.is_other:  # its processes are counted together with ours
        limits["processes"] = 0 if who.uid == 0 else config.limits.processes + _tasks_of(who.uid)
    needs_hiding = not all(_is_shut(path, who.uid) for path in config.hidden)
    hidden = [path for path in config.hidden if os.path.exists(path)] if needs_hiding else []
    groups = os.getgrouplist(who.name, who.gid) if who.is_other else []
    change = (who.uid if who.is_other else None, who.gid, groups)
    return confine.arguments(limits, change, hidden, cwd, has_walls=_has_landlock())


def _tasks_of(uid: int) -> int:
    count = 0
    for entry in os.scandir("/proc"):
        try:
            if entry.name.isdigit() and entry.stat().st_uid == uid:
                count += len(os.listdir(f"/proc/{entry.name}/task"))
        except OSError:
            continue
    return count


def run(
    argv: Sequence[str],
    *,
    write: Write,
    is_cancelled: Callable[[], bool],
    workdir: str,
    variables: Mapping[str, str],
    timeout_seconds: float,
    config: RunnerConfig,
    stdin: bytes = b"",
    cwd: str = "",
) -> Ended:
    """Start it, pass its output on, end it. `write(text, stream)`, stream stdout or stderr. `cwd`: another directory than
    the step's own, entered as the program's user.

    Raises `ValueError` where programs cannot be started here; `missing` says so beforehand.
    """
    problem = missing(config)
    if problem:
        raise ValueError(problem)
    who = _who(config)
    if who.is_other:
        os.chown(workdir, who.uid, who.gid)
    mark = secrets.token_hex(16)
    given = _in_memory(stdin) if stdin else None
    started = subprocess.Popen(
        [sys.executable, "-I", "-S", confine.__file__, *_facts(config, who, cwd), *argv],
        stdin=subprocess.DEVNULL if given is None else given,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=workdir,
        env={**environment(workdir, variables, config), MARK: mark},
        start_new_session=True,
        bufsize=0,
    )
    if given is not None:
        os.close(given)
    watch = _Watch(started, write, is_cancelled, clock.monotonic() + timeout_seconds)
    try:
        why = watch.until_it_ends()
    finally:
        _end_group(started.pid, signal.SIGKILL)  # what a step starts ends with it
        _end_strays(mark, who.uid)
        code = started.wait()
        watch.drain()
    return Ended(why, code if code >= 0 else None, -code if code < 0 else None)


def _in_memory(data: bytes) -> int:
    descriptor = os.memfd_create("stdin")  # never a file: secrets may stand in it
    while data:
        data = data[os.write(descriptor, data) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


class _Watch:
    def __init__(
        self, process: subprocess.Popen[bytes], write: Write, is_cancelled: Callable[[], bool], ends_at: float
    ) -> None:
        self._process = process
        self._is_cancelled = is_cancelled
        self._ends_at = ends_at
        self._selector = selectors.DefaultSelector()
        assert process.stdout is not None
        assert process.stderr is not None
        self._pipes = {
            process.stdout: TextStream(lambda text: write(text, "stdout")),
            process.stderr: TextStream(lambda text: write(text, "stderr")),
        }
        for pipe, stream in self._pipes.items():
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, selectors.EVENT_READ, stream)
        self._end = os.pidfd_open(process.pid)
        self._selector.register(self._end, selectors.EVENT_READ)

    def until_it_ends(self) -> Literal["ended", "cancelled", "timed out"]:
        why: Literal["ended", "cancelled", "timed out"] = "ended"
        kill_at: float | None = None
        while not self._read(LOOK_SECONDS):
            now = clock.monotonic()
            if kill_at is None:
                if self._is_cancelled():
                    why = "cancelled"
                elif now >= self._ends_at:
                    why = "timed out"
                else:
                    continue
                _end_group(self._process.pid, signal.SIGTERM)
                kill_at = now + GRACE_SECONDS
            elif now >= kill_at:
                _end_group(self._process.pid, signal.SIGKILL)
        return why

    def _read(self, seconds: float) -> bool:
        """Has the program ended? Reads what there is meanwhile."""
        has_ended = False
        for key, _ in self._selector.select(seconds):
            if key.data is None:
                has_ended = True
            else:
                self._take(key.fileobj, key.data)
        for stream in self._pipes.values():
            stream.hurry()
        return has_ended

    def _take(self, pipe: object, stream: TextStream) -> None:
        data = os.read(pipe.fileno(), PIECE_BYTES)  # type: ignore[attr-defined]
        if data:
            stream.take(data)
        else:
            self._selector.unregister(pipe)  # type: ignore[arg-type]

    def drain(self) -> None:
        """What is still in the pipes; somebody who keeps one open is not waited for."""
        self._selector.unregister(self._end)
        os.close(self._end)
        until = clock.monotonic() + DRAIN_SECONDS
        while self._selector.get_map() and clock.monotonic() < until:
            self._read(LOOK_SECONDS)
        for pipe, stream in self._pipes.items():
            stream.take(b"", is_last=True)
            pipe.close()
        self._selector.close()


def _end_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left in it
        os.killpg(group, number)


def _end_strays(mark: str, uid: int) -> None:
    """What left the process group (setsid, a daemon): known by the environment that it was born with."""
    wanted = f"{MARK}={mark}".encode()
    for _ in range(3):  # one that forks while we look is found at the next look
        found = 0
        for entry in os.scandir("/proc"):
            try:
                if not entry.name.isdigit() or entry.stat().st_uid != uid:
                    continue
                if wanted in Path(f"/proc/{entry.name}/environ").read_bytes().split(b"\0"):
                    os.kill(int(entry.name), signal.SIGKILL)
                    found += 1
            except OSError:
                continue
        if not found:
            return
