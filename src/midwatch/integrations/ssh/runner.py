"""The script of a step, on every target, some at a time. The library is asyncssh, an extra: `pip install 'midwatch[ssh]'`."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from midwatch.core.integration import Outcome, Output, Preview, RunnerConfig, Task
from midwatch.core.running import (
    Captures,
    Patience,
    extra,
    flag_of,
    number_of,
    problems_of_captures,
    text_of,
    unknown_attributes,
)
from midwatch.integrations.ssh import script
from midwatch.integrations.ssh.session import Login, Sent, Target, TargetEnd, do

EXECUTOR = "ssh"
TITLE = "SSH"
ATTRIBUTES: Mapping[str, str] = {
    "user": "whom to log in as; a target may say it too, admin@db1",
    "port": "22 unless it says otherwise; a target may say it too, db1:2222",
    "key": "the name of the secret that holds the private key; SSH_KEY by default",
    "passphrase": "the name of the secret that opens the key; SSH_PASSPHRASE by default",
    "password": "the name of the secret that holds a password; SSH_PASSWORD by default",
    "known_hosts": "host keys, as lines of OpenSSH's known_hosts; MIDWATCH_SSH_KNOWN_HOSTS names more of them",
    "at_once": "how many targets are worked on at the same time, 1 to 50; 5 by default",
    "stop_on_failure": "true: after a target failed, no further one is begun",
    "cwd": "the directory there to run in; by default the login's own",
    "interpreter": "the program there that reads the script: bash, python3.12, perl; by default what the fence's language says",
    "dry_run": "a script to run there in a dry run instead; without it only the syntax of sh and bash is checked",
    "connect_seconds": "how long a log-in may take, 1 to 120; 15 by default",
    "captures": 'values to take from the output: {"NAME": "the words before the value"}',
}
TARGET = re.compile(
    r"(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9_.@$-]{0,62})@)?"
    r"(?:\[(?P<six>[0-9A-Fa-f:.]{2,45})\]|(?P<host>[A-Za-z0-9][A-Za-z0-9._-]{0,252}))(?::(?P<port>\d{1,5}))?"
)
USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@$-]{0,62}")


def missing(config: RunnerConfig) -> str:
    if extra("asyncssh") is None:
        return "asyncssh is not installed: pip install 'midwatch[ssh]' into Midwatch's environment"
    return ""


def problems(task: Task) -> Sequence[str]:
    found = unknown_attributes(task.settings, ATTRIBUTES) + problems_of_captures(task.settings)
    problem = script.problem(_language(task), task.body)
    if problem:
        found.append(problem)
    if not task.targets:
        found.append("targets: name at least one machine, db1.example.com")
    try:
        for name in task.targets:
            _target(name, task)
        _at_once(task)
        _connect_seconds(task)
    except ValueError as error:
        found.append(str(error))
    if not _credential(task, "key") and not _credential(task, "password"):
        found.append("give a secret SSH_KEY with the private key (or SSH_PASSWORD), or name another with `key`")
    return found


def preview(task: Task, config: RunnerConfig) -> Preview:
    lines = []
    for name in task.targets:
        try:
            target = _target(name, task)
            lines.append(f"by SSH as {target.user} on {target.host} port {target.port}")
        except ValueError as error:
            lines.append(str(error))
    lines += [f"{name}={value}" for name, value in sorted(task.variables.items())]
    lines += [f"{name}=(secret)" for name in sorted(_given(task)) if name not in task.variables]
    lines += task.body.splitlines()
    return Preview(
        lines, "none", "a script cannot be simulated: a dry run logs in, checks its syntax, and runs nothing"
    )


def run(task: Task, out: Output, config: RunnerConfig) -> Outcome:
    try:
        login = _login(task, config)
    except ValueError as error:
        return Outcome("failed", f"not begun: {error}")
    return asyncio.run(_run(task, login, out))


async def _run(task: Task, login: Login, out: Output) -> Outcome:
    targets = [_target(name, task) for name in task.targets]
    patience = Patience(task.timeout_seconds, out.is_cancelled)
    captures = Captures(task.settings)
    mark = secrets.token_hex(8)
    language, instead = _language(task), text_of(task.settings, "dry_run")
    is_check = task.is_dry_run and not instead
    command = script.checking(language) if is_check else script.command(language, mark)
    body = instead if task.is_dry_run and instead else task.body
    given = script.sent(language, body, _given(task), "" if is_check else text_of(task.settings, "cwd"))
    ends: dict[str, TargetEnd] = {}
    turn = asyncio.Semaphore(_at_once(task))
    stops = flag_of(task.settings, "stop_on_failure")

    async def one(target: Target) -> None:
        def write(text: str, stream: str) -> None:
            if stream == "stdout":
                captures.feed(text)
            out.write(text, stream=stream, target=target.name)

        async with turn:
            has_failed = any(end.state != "ok" for end in ends.values())
            if patience.why_over() or (stops and has_failed):
                ends[target.name] = TargetEnd("", "never begun")
                return
            end = ends[target.name] = await do(target, login, Sent(command, given, mark), write, patience)
            out.write(f"{target.name}: {end.sentence}\n", stream="midwatch", target=target.name)

    await asyncio.gather(*(one(target) for target in targets))
    return _outcome(task, ends, captures, patience)


def _outcome(task: Task, ends: Mapping[str, TargetEnd], captures: Captures, patience: Patience) -> Outcome:
    by_state = {
        state: [name for name, end in ends.items() if end.state == state] for state in ("ok", "failed", "unknown", "")
    }
    codes = {end.exit_code for end in ends.values()}
    if len(ends) == 1:
        sentence = next(iter(ends.values())).sentence
    else:
        words = {"ok": "ok", "failed": "failed", "unknown": "unknown", "": "never begun"}
        parts = []
        for state, names in by_state.items():
            if names:
                shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
                parts.append(f"{len(names)} {words[state]}" + ("" if state == "ok" else f" ({shown})"))
        sentence = f"{len(ends)} targets: {', '.join(parts)}"
        if patience.why_over():
            sentence += "; cancelled" if patience.why_over() == "cancelled" else "; the time-out passed"
    has_form = bool(text_of(task.settings, "dry_run"))
    if task.is_dry_run and not has_form:
        sentence = f"logged in, nothing was run: {sentence}"
    return Outcome(
        "unknown" if by_state["unknown"] else "ok" if len(by_state["ok"]) == len(ends) else "failed",
        sentence,
        codes.pop() if len(codes) == 1 else None,
        captures.values(),
        (int(has_form), 1) if task.is_dry_run else None,
        {name: end.state for name, end in ends.items()},
    )


def _target(name: str, task: Task) -> Target:
    """Raises `ValueError` with a sentence."""
    found = TARGET.fullmatch(name.strip())
    if found is None:
        raise ValueError(f"target {name[:80]!r}: write a host's name, admin@db1.example.com:2222 or [2001:db8::1]:22")
    user = found["user"] or text_of(task.settings, "user")
    if not USER.fullmatch(user):
        raise ValueError(
            f"target {name[:80]!r}: say whom to log in as, by the attribute `user` or as admin@{found['host'] or 'host'}"
        )
    port = int(found["port"] or number_of(task.settings, "port", 22, 1, 65_535))
    if not 0 < port < 65_536:
        raise ValueError(f"target {name[:80]!r}: a port is 1 to 65535")
    return Target(name, user, found["six"] or found["host"], port)


def _language(task: Task) -> str:
    """Which of the ways to pass a script is meant: an interpreter's own name, or the fence's language."""
    return text_of(task.settings, "interpreter") or task.language


def _at_once(task: Task) -> int:
    return number_of(task.settings, "at_once", 5, 1, 50)


def _connect_seconds(task: Task) -> int:
    return number_of(task.settings, "connect_seconds", 15, 1, 120)


def _name_of(task: Task, what: str) -> str:
    return text_of(task.settings, what) or f"SSH_{what.upper()}"


def _credential(task: Task, what: str) -> str:
    return task.secrets.get(_name_of(task, what), "")


def _given(task: Task) -> dict[str, str]:
    """What the script gets: all but what opens the door."""
    doors = {_name_of(task, what) for what in ("key", "passphrase", "password")}
    return {**task.variables, **{name: value for name, value in task.secrets.items() if name not in doors}}


def _login(task: Task, config: RunnerConfig) -> Login:
    """Raises `ValueError` with a sentence."""
    asyncssh = extra("asyncssh")
    keys: tuple[Any, ...] = ()
    if _credential(task, "key"):
        try:
            keys = (
                asyncssh.import_private_key(
                    _credential(task, "key").strip() + "\n", _credential(task, "passphrase") or None
                ),
            )
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
            raise ValueError(
                f"the secret {_name_of(task, 'key')} is no private key that can be read here (or its passphrase is wrong): "
                "give one as ssh-keygen writes it"
            ) from None
    known = text_of(task.settings, "known_hosts")
    path = config.values.get("SSH_KNOWN_HOSTS", "")
    if path:
        try:
            known += "\n" + Path(path).read_text("utf-8")
        except OSError as error:
            raise ValueError(f"MIDWATCH_SSH_KNOWN_HOSTS={path!r}: cannot be read ({error.strerror})") from None
    if not known.strip():
        raise ValueError(
            "no host key is known: give the attribute `known_hosts` (what ssh-keyscan prints, compared with the machine's "
            "own), or MIDWATCH_SSH_KNOWN_HOSTS"
        )
    try:
        known_hosts = asyncssh.import_known_hosts(known)
    except ValueError:
        raise ValueError(
            "known_hosts cannot be read: give lines as OpenSSH writes them, `db1 ssh-ed25519 AAAA...`"
        ) from None
    return Login(keys, _credential(task, "password"), _by_name(known_hosts), _connect_seconds(task), task.is_trusted)


def _by_name(known_hosts: Any) -> Any:
    """A machine is who it is by the name that was written; that its address is known under another name is not enough."""
    return lambda host, _, port: known_hosts.match(host, "", port)
