"""What stands between Midwatch and a foreign program: limits, walls, another user; then the program takes its place.

`core.programs` starts it as `python -I -S confine.py FACTS... PROGRAM ARGUMENTS...` (see `arguments`). It is a program of its
own because what must be done after a fork and before an exec cannot be done safely inside a process with threads. Only
the standard library, no Midwatch, and of it only what is cheap: `json`, `signal` and `stat` would cost 11 ms of the 15.

The walls are Landlock's (Linux 5.13): a process, and all that it starts, loses files and directories for good, whatever
its user may do otherwise; it can no longer look into processes outside its walls (their memory and environment), nor,
from Linux 6.12, send them signals. Landlock knows only what is permitted, so everything beside the hidden paths is: each
neighbour on the way down to them. What lies directly on that way cannot be listed, and nothing new can be made there.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # `signal` without its enumerations
import ctypes
import os
import resource
import sys

TYPE_CHECKING = False  # `typing` is not cheap either
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
VERSION_FLAG = 1
RULE_PATH_BENEATH = 1
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 24, 38
# SYS_MODULE, SYS_RAWIO, SYS_PTRACE, SYS_ADMIN, MKNOD, PERFMON (reads the memory of others since Linux 6.15), BPF
LOOKING_THROUGH_WALLS = (16, 17, 19, 21, 27, 38, 39)
OF_FILES = 1 << 0 | 1 << 1 | 1 << 2  # execute, write, read
EVERYTHING = (1 << 13) - 1
REFER, TRUNCATE = 1 << 13, 1 << 14
MAKE_BLOCK = 1 << 11
SCOPE_SIGNAL = 1 << 1
ARGUMENTS_FAILED = 127
KIND, DIRECTORY, LINK = 0o170000, 0o040000, 0o120000  # of a file's mode
LIMITS = ("cpu_seconds", "memory_mib", "file_mib", "open_files", "processes")


class PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


class Ruleset(ctypes.Structure):
    _fields_ = [("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


def landlock_version() -> int:
    """0 when this kernel has none."""
    libc = ctypes.CDLL(None, use_errno=True)
    return max(0, int(libc.syscall(CREATE_RULESET, None, 0, VERSION_FLAG)))


def neighbours(hidden: list[str]) -> list[str]:
    """Everything that may be reached, so that nothing of `hidden` can: whole directories, as near the root as it goes."""
    ways = {os.path.realpath(path) for path in hidden}
    found: list[str] = []

    def walk(directory: str) -> None:
        try:
            names = os.listdir(directory)
        except OSError:
            return
        for name in names:
            path = os.path.join(directory, name)
            if path in ways:
                continue
            if any(way.startswith(path + "/") for way in ways):
                walk(path)
            else:
                found.append(path)

    walk("/")
    return found


def build_walls(hidden: list[str], workdir: str) -> None:
    """Raises OSError where the kernel does not do it."""
    version = landlock_version()
    if version == 0:
        raise OSError("this kernel has no Landlock")
    libc = ctypes.CDLL(None, use_errno=True)
    handled = EVERYTHING if hidden else MAKE_BLOCK
    granted_files = OF_FILES
    if version >= 2:
        handled |= REFER
    if version >= 3 and hidden:
        handled |= TRUNCATE
        granted_files |= TRUNCATE
    attributes = Ruleset(handled, 0, SCOPE_SIGNAL)
    ruleset = libc.syscall(CREATE_RULESET, ctypes.byref(attributes), 24 if version >= 6 else 8, 0)
    if ruleset < 0:
        raise OSError(ctypes.get_errno(), "Landlock refused")
    granted = handled & ~MAKE_BLOCK if not hidden else handled
    for path in [*neighbours(hidden), workdir] if hidden else ["/"]:
        try:
            descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue  # gone meanwhile, or not to be seen by us either
        mode = os.fstat(descriptor).st_mode
        if mode & KIND != LINK:  # where a link leads is judged by where it leads
            rule = PathBeneath(granted if mode & KIND == DIRECTORY else granted & granted_files, descriptor)
            libc.syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, ctypes.byref(rule), 0)
        os.close(descriptor)
    if libc.syscall(RESTRICT_SELF, ruleset, 0) != 0:
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)  # who is no administrator must promise not to become one
        if libc.syscall(RESTRICT_SELF, ruleset, 0) != 0:
            raise OSError(ctypes.get_errno(), "Landlock refused")
    os.close(ruleset)


def lower(kind: int, value: int, then: int = 0) -> None:
    """`then`: so much more before it is killed instead of told."""
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value, then = min(value, hard), 0
    resource.setrlimit(kind, (value, value + then))


def limit(limits: dict[str, int]) -> None:
    mib = 1024 * 1024
    lower(resource.RLIMIT_CORE, 0)
    lower(resource.RLIMIT_CPU, limits["cpu_seconds"], 2)
    lower(resource.RLIMIT_DATA, limits["memory_mib"] * mib)  # not AS: what is only reserved costs nothing
    lower(resource.RLIMIT_FSIZE, limits["file_mib"] * mib)
    lower(resource.RLIMIT_NOFILE, limits["open_files"])
    if limits["processes"]:
        lower(resource.RLIMIT_NPROC, limits["processes"])


def drop_capabilities() -> None:
    """Root that runs as root keeps what a runbook needs of it, but not what looks through walls."""
    libc = ctypes.CDLL(None)
    for capability in LOOKING_THROUGH_WALLS:
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def execute(program: list[str]) -> None:
    """As execvp does; ours, since Python's own imports more when it searches, and the other user may not read that."""
    if "/" in program[0]:
        os.execv(program[0], program)  # noqa: S606 - no shell is the point
    problem = OSError(2, "there is no such program")
    for directory in os.environ["PATH"].split(":"):
        try:
            os.execv(f"{directory}/{program[0]}", program)  # noqa: S606
        except FileNotFoundError:
            continue
        except OSError as error:
            problem = error
    raise problem


def arguments(
    limits: Mapping[str, int],
    who: tuple[int | None, int, Sequence[int]],
    hidden: Sequence[str],
    cwd: str,
    *,
    has_walls: bool,
) -> list[str]:
    """What stands before the program. `who`: (user, group, further groups) to become, user None to stay who we are."""
    uid, gid, groups = who
    numbers = ",".join(str(limits[name]) for name in LIMITS)
    change = "" if uid is None else ",".join(map(str, (uid, gid, *groups)))
    return [numbers, change, "walls" if has_walls else "", cwd, str(len(hidden)), *hidden]


def main() -> None:
    numbers, change, walls, cwd, count = sys.argv[1:6]
    hidden, program = sys.argv[6 : 6 + int(count)], sys.argv[6 + int(count) :]
    os.umask(0o077)
    for number in (_signal.SIGPIPE, _signal.SIGXFSZ):  # Python ignores them, and what is ignored is inherited
        _signal.signal(number, _signal.SIG_DFL)
    try:
        if walls:
            build_walls(hidden, os.getcwd())
        limit(dict(zip(LIMITS, map(int, numbers.split(",")), strict=True)))
        if change:
            uid, gid, *groups = map(int, change.split(","))
            os.setgroups(groups)
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
        elif os.geteuid() == 0:
            drop_capabilities()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, _signal.SIGKILL, 0, 0, 0)  # a step does not outlive its engine
        if cwd:
            os.chdir(cwd)
        execute(program)
    except OSError as error:
        os.write(2, f"midwatch: {program[0]} cannot be started: {error.strerror or error}\n".encode())
    os._exit(ARGUMENTS_FAILED)


if __name__ == "__main__":
    main()
