"""A real OpenSSH server on loopback: its own host key, its own configuration, the account that the tests run as."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAM = "/usr/sbin/sshd"


@dataclass(frozen=True)
class Server:
    port: int
    user: str
    key: str
    other_key: str
    known_hosts: str
    log: Path

    @property
    def target(self) -> str:
        return f"{self.user}@127.0.0.1:{self.port}"


def keygen(path: Path, passphrase: str = "") -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f", path], check=True)
    return path.read_text()


@contextmanager
def running(directory: Path, *lines: str, authorized: str = "") -> Iterator[Server]:
    """`lines`: more for sshd_config. `authorized`: options before the key in authorized_keys."""
    directory.mkdir(parents=True, exist_ok=True)
    keygen(directory / "host")
    key, other = keygen(directory / "key"), keygen(directory / "other")
    public = (directory / "key.pub").read_text()
    (directory / "authorized_keys").write_text(f"{authorized} {public}".lstrip())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # it locks its unprivileged half up in there
    config = directory / "sshd_config"
    given = [
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {directory / 'host'}",
        f"AuthorizedKeysFile {directory / 'authorized_keys'}",
        "PidFile none",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "PermitRootLogin prohibit-password",
        "MaxStartups 100",
        "LogLevel VERBOSE",
        *lines,
    ]
    config.write_text("\n".join(given) + "\n")
    log = directory / "log"
    with log.open("w") as file:
        process = subprocess.Popen([PROGRAM, "-D", "-e", "-f", str(config)], stderr=file, stdin=subprocess.DEVNULL)
    try:
        wait_until_it_listens(log, process)
        host = (directory / "host.pub").read_text().split()
        known = f"[127.0.0.1]:{port} {host[0]} {host[1]}\n"
        yield Server(port, getpass.getuser(), key, other, known, log)
    finally:
        process.terminate()
        process.wait(10)


def wait_until_it_listens(log: Path, process: subprocess.Popen[bytes]) -> None:
    while "Server listening" not in log.read_text():
        try:
            code = process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"sshd ended with {code}: {log.read_text()}")
