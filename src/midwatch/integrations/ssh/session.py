"""One target: connect, check who it is, run, pass on, end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from midwatch.core import net
from midwatch.core.running import LOOK_SECONDS, Patience, TextStream, extra
from midwatch.core.text import clean
from midwatch.integrations.ssh import script

GRACE_SECONDS = 5.0
PIECE_BYTES = 32_768
WORDS_MAX = 300
FIRST_LINE_MAX = 64


@dataclass(frozen=True, slots=True)
class Login:
    """`keys`: private keys as asyncssh has them. `known_hosts`: likewise."""

    keys: tuple[Any, ...]
    password: str
    known_hosts: Any
    connect_seconds: float
    is_trusted: bool


@dataclass(frozen=True, slots=True)
class Target:
    name: str  # as it was written
    user: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Sent:
    """`mark`: after it the other side says its process group, in its first line."""

    command: str
    given: bytes
    mark: str


@dataclass(frozen=True, slots=True)
class TargetEnd:
    state: Literal["ok", "failed", "unknown", ""]
    sentence: str
    exit_code: int | None = None


class NotIn(Exception):  # noqa: N818 - says what happened
    """Nothing was run there."""


async def do(
    target: Target,
    login: Login,
    sent: Sent,
    write: Callable[[str, str], None],
    patience: Patience,
) -> TargetEnd:
    asyncssh = extra("asyncssh")
    try:
        connection = await _connected(target, login, patience)
    except NotIn as problem:
        return TargetEnd("failed", f"not begun: {problem}")
    try:
        async with connection:
            process = await connection.create_process(sent.command, encoding=None, stderr=asyncssh.PIPE)
            return await _followed(_There(connection, process, sent.mark), sent.given, write, patience)
    except (asyncssh.Error, OSError) as error:
        return TargetEnd("unknown", f"the connection was lost while it ran: {_words(error)}")


async def _connected(target: Target, login: Login, patience: Patience) -> Any:
    """Raises `NotIn`."""
    asyncssh = extra("asyncssh")
    seconds = patience.left(login.connect_seconds)
    loop = asyncio.get_running_loop()
    try:
        sock = await loop.run_in_executor(
            None, lambda: net.tcp(target.host, target.port, is_trusted=login.is_trusted, timeout_seconds=seconds)
        )
    except net.NetError as error:
        raise NotIn(str(error)) from None
    # Nothing of the account that Midwatch runs as: no agent, no ~/.ssh, no configuration.
    options = {
        "username": target.user,
        "client_keys": list(login.keys) or None,
        "password": login.password or None,
        "known_hosts": login.known_hosts,
        "agent_path": None,
        "config": None,
        "client_host_keysign": False,
        "gss_auth": False,
        "gss_kex": False,
        "login_timeout": seconds,
        "keepalive_interval": 10,
        "keepalive_count_max": 3,
    }
    try:
        return await asyncio.wait_for(asyncssh.connect(target.host, target.port, sock=sock, **options), seconds + 1)
    except asyncssh.HostKeyNotVerifiable:
        reason = (
            "its host key is not the known one: somebody may stand in between, or the machine is new; compare the key, and "
            "put it into known_hosts"
        )
        raise NotIn(reason) from None
    except asyncssh.PermissionDenied:
        raise NotIn(f"it does not let {target.user} in with this key or password") from None
    except TimeoutError:
        raise NotIn(f"no log-in within {seconds:g} s") from None
    except (asyncssh.Error, OSError, ValueError) as error:
        sock.close()
        raise NotIn(_words(error)) from None


class _There:
    """A process on the other side, and how to end it."""

    def __init__(self, connection: Any, process: Any, mark: str) -> None:
        self.process = process
        self._connection = connection
        self._mark = mark.encode()
        self._first = b""
        self._is_begun = False
        self._group = 0

    def taken(self, data: bytes) -> bytes:
        """What of its standard output is the script's: our own first line is taken out."""
        if self._is_begun:
            return data
        self._first += data
        line, end, rest = self._first.partition(b"\n")
        if not end and len(line) < FIRST_LINE_MAX and self._mark.startswith(line[: len(self._mark)]):
            return b""
        self._is_begun = True
        words = line.split()
        if end and words[:1] == [self._mark] and len(words) == 2 and words[1].isdigit():
            self._group = int(words[1])
            return rest
        return self._first

    async def signal(self, name: str) -> None:
        """By the protocol's own request, which OpenSSH refuses for root, and by a `kill` of its group."""
        self.process.send_signal(name)
        if self._group > 1:
            killing = self._connection.run(script.ending(self._group, name), check=False)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(killing, GRACE_SECONDS)


async def _followed(there: _There, given: bytes, write: Callable[[str, str], None], patience: Patience) -> TargetEnd:
    process = there.process
    process.stdin.write(given)
    process.stdin.write_eof()
    streams = {name: TextStream(_to(write, name)) for name in ("stdout", "stderr")}
    readers = [
        asyncio.create_task(_read(process.stdout, streams["stdout"], there.taken)),
        asyncio.create_task(_read(process.stderr, streams["stderr"], bytes)),
    ]
    closed = asyncio.create_task(process.wait_closed())
    try:
        # Its end is its exit code: what it left in the background may hold the channel open for ever.
        while not closed.done() and process.exit_status is None:
            await asyncio.wait({closed}, timeout=LOOK_SECONDS)
            for stream in streams.values():
                stream.hurry()
            if not closed.done() and (why := patience.why_over()):
                return await _ended_early(there, closed, why)
        await asyncio.wait(readers, timeout=GRACE_SECONDS)
    finally:
        for task in (*readers, closed):
            task.cancel()
        await asyncio.gather(*readers, closed, return_exceptions=True)
        for stream in streams.values():
            stream.take(b"", is_last=True)
    if process.exit_status is None:
        return TargetEnd("unknown", "the connection ended, and no exit code came")
    if process.exit_signal is not None:
        return TargetEnd("failed", f"ended there by signal {clean(process.exit_signal[0], 20)}")
    code = int(process.exit_status)
    return TargetEnd("ok" if code == 0 else "failed", f"exit code {code}", code)


async def _ended_early(there: _There, closed: asyncio.Task[None], why: str) -> TargetEnd:
    """Signals the process and its group; says so when that cannot be known to have worked."""
    process = there.process
    words = "cancelled" if why == "cancelled" else "the time-out passed"
    for name in ("TERM", "KILL"):
        await there.signal(name)
        await asyncio.wait({closed}, timeout=GRACE_SECONDS)
        if process.exit_signal is not None or process.exit_status is not None:
            return TargetEnd("failed", f"{words}; its process was ended there")
        if closed.done():
            break
    return TargetEnd("unknown", f"{words}; the server did not say that the process ended, it may still run there")


async def _read(pipe: Any, stream: TextStream, taken: Callable[[bytes], bytes]) -> None:
    while data := await pipe.read(PIECE_BYTES):
        if own := taken(data):
            stream.take(own)


def _to(write: Callable[[str, str], None], name: str) -> Callable[[str], None]:
    return lambda text: write(text, name)


def _words(error: BaseException) -> str:
    said = getattr(error, "reason", "") or getattr(error, "strerror", "") or str(error) or type(error).__name__
    return clean(said, WORDS_MAX, is_one_line=True)
