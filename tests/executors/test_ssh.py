"""Against OpenSSH's own server on loopback."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from executor_world import SECRET, Does, Heard
from fakes import sshd
from midwatch.core.integration import Outcome, RunnerConfig, Task, runners
from midwatch.integrations.ssh import script, session

INJECTIONS = [
    "; echo injected",
    "$(echo injected)",
    "`echo injected`",
    "'; echo injected; '",
    '"\necho injected\n"',
    "é\\n",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sshd.Server]:
    with sshd.running(tmp_path_factory.mktemp("sshd")) as running:
        yield running


def there(does: Does, server: sshd.Server, body: str, **given: Any) -> tuple[Outcome, Heard]:
    settings = {"known_hosts": server.known_hosts, **given.pop("settings", {})}
    secrets = {"SSH_KEY": server.key, **given.pop("secrets", {})}
    return does("ssh", body, targets=given.pop("targets", [server.target]), settings=settings, secrets=secrets, **given)


def test_a_script_on_the_other_side(does: Does, server: sshd.Server) -> None:
    script = "echo out; echo err >&2; echo 'version: 7'; cat; exit 3"
    outcome, heard = there(does, server, script, settings={"captures": {"V": "version:"}})
    assert (outcome.state, outcome.exit_code, outcome.values) == ("failed", 3, {"V": "7"})
    assert heard.text("stdout") == "out\nversion: 7\n"
    assert heard.text("stderr") == "err\n"
    assert outcome.targets == {server.target: "failed"}


@pytest.mark.parametrize("language", ["sh", "bash", "python", "perl"])
def test_values_are_values_in_every_language(does: Does, server: sshd.Server, language: str) -> None:
    body = {
        "python": "import os; print('|'.join(os.environ[f'OPTION_{n}'] for n in range(6)), end='')",
        "perl": "print join '|', map { $ENV{\"OPTION_$_\"} } 0..5",
    }.get(
        language, 'printf "%s|%s|%s|%s|%s|%s" "$OPTION_0" "$OPTION_1" "$OPTION_2" "$OPTION_3" "$OPTION_4" "$OPTION_5"'
    )
    variables = {f"OPTION_{n}": given for n, given in enumerate(INJECTIONS)}
    outcome, heard = there(does, server, body, language=language, variables=variables)
    assert (outcome.state, heard.text("stdout")) == ("ok", "|".join(INJECTIONS))


def test_secrets_are_in_no_command_line_and_doors_are_not_given(does: Does, server: sshd.Server) -> None:
    body = """test "$TOKEN" = 's3cret of the step' && echo right; echo "[$SSH_KEY]"; tr '\\0' ' ' < /proc/$PPID/cmdline
ps ax -o args"""
    outcome, heard = there(does, server, body, secrets={"TOKEN": SECRET})
    assert outcome.state == "ok"
    assert heard.text("stdout").startswith("right\n[]\n")
    assert "••••••" not in heard.text("stdout"), "it stood in a command line"
    assert SECRET not in server.log.read_text()


def test_host_keys_are_checked(does: Does, server: sshd.Server, tmp_path: Path) -> None:
    wrong = server.known_hosts.split()
    sshd.keygen(tmp_path / "wrong")
    wrong[2] = (tmp_path / "wrong.pub").read_text().split()[1]
    outcome, heard = there(does, server, "echo never", settings={"known_hosts": " ".join(wrong)})
    assert outcome.state == "failed"
    assert "host key is not the known one" in outcome.sentence
    assert heard.text("stdout") == ""
    outcome, _ = there(does, server, "echo never", settings={"known_hosts": ""})
    assert "no host key is known" in outcome.sentence
    known = tmp_path / "known_hosts"
    known.write_text(server.known_hosts)
    config = RunnerConfig(values={"SSH_KNOWN_HOSTS": str(known)})
    assert there(does, server, "true", settings={"known_hosts": ""}, config=config)[0].state == "ok"


def test_who_is_not_let_in(does: Does, server: sshd.Server) -> None:
    outcome, _ = there(does, server, "echo never", secrets={"SSH_KEY": server.other_key})
    assert outcome.state == "failed"
    assert "does not let" in outcome.sentence
    outcome, _ = there(does, server, "echo never", secrets={"SSH_KEY": "no key at all"})
    assert "no private key" in outcome.sentence


def test_a_key_with_a_passphrase(does: Does, server: sshd.Server, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(server.key)
    path.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", path], check=True)
    secrets = {"SSH_KEY": path.read_text(), "SSH_PASSPHRASE": "open sesame"}
    assert there(does, server, "true", secrets=secrets)[0].state == "ok"
    outcome, _ = there(does, server, "true", secrets={**secrets, "SSH_PASSPHRASE": "wrong one"})
    assert "passphrase" in outcome.sentence


def test_where_it_may_go(does: Does, server: sshd.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, _ = there(does, server, "true", is_trusted=False)
    assert outcome.state == "failed"
    assert "MIDWATCH_OUTBOUND_ALLOW" in outcome.sentence


def test_several_targets_have_a_state_each(does: Does, server: sshd.Server) -> None:
    nobody = f"{server.user}@127.0.0.1:1"
    targets = [server.target, nobody, f"{server.user}@localhost:{server.port}"]
    outcome, heard = there(does, server, "echo here", targets=targets)
    assert outcome.state == "failed"
    assert outcome.targets == {targets[0]: "ok", nobody: "failed", targets[2]: "failed"}  # localhost's key is not known
    assert "2 failed" in outcome.sentence
    assert "connection refused" in heard.text("midwatch", nobody)
    assert heard.text("stdout", targets[0]) == "here\n"
    settings = {"stop_on_failure": "true", "at_once": 1}
    outcome, _ = there(does, server, "echo here", targets=[nobody, server.target], settings=settings)
    assert outcome.targets == {nobody: "failed", server.target: ""}


def test_no_more_at_once_than_said(does: Does, server: sshd.Server, tmp_path: Path) -> None:
    names = [server.target, f"{server.user}@[127.0.0.1]:{server.port}"]
    mark = shlex.quote(str(tmp_path / "busy"))
    body = f"mkdir {mark} || exit 9; sleep 0.1; rmdir {mark}"
    outcome, _ = there(does, server, body, targets=names, settings={"at_once": "1"})
    assert outcome.targets == dict.fromkeys(names, "ok")


def sleeping(length: str) -> bool:
    """A killed one may still be seen dying."""
    found = [
        process
        for process in psutil.process_iter(["cmdline"])
        if (process.info["cmdline"] or [])[:2] == ["sleep", length]
    ]
    return bool(psutil.wait_procs(found, timeout=10)[1])


def test_a_cancel_ends_the_process_there(does: Does, server: sshd.Server) -> None:
    outcome, heard = there(does, server, "echo up; sleep 3401; echo never", cancel_at="up")
    assert (outcome.state, outcome.sentence) == ("failed", "cancelled; its process was ended there")
    assert heard.text("stdout") == "up\n"
    assert not sleeping("3401")


def test_what_does_not_listen_is_killed_there(does: Does, server: sshd.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "GRACE_SECONDS", 2.0)
    outcome, _ = there(does, server, "trap '' TERM; echo up; sleep 3402 & wait; sleep 3402", cancel_at="up")
    assert (outcome.state, outcome.sentence) == ("failed", "cancelled; its process was ended there")
    assert not sleeping("3402")


def test_the_time_out_ends_it_too(does: Does, server: sshd.Server) -> None:
    outcome, _ = there(does, server, "sleep 3403", seconds=5)
    assert (outcome.state, outcome.sentence) == ("failed", "the time-out passed; its process was ended there")
    assert not sleeping("3403")


def test_where_signals_are_not_taken_it_is_unknown(does: Does, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "GRACE_SECONDS", 0.3)
    stop = tmp_path / "stop"
    forced = f'command="echo up; until test -e {stop}; do sleep 0.1; done"'
    with sshd.running(tmp_path / "sshd", authorized=forced) as server:
        outcome, _ = there(does, server, "anything", cancel_at="up")
        stop.touch()
    assert outcome.state == "unknown"
    assert "may still run there" in outcome.sentence
    assert outcome.targets == {server.target: "unknown"}


def test_a_lost_connection_is_unknown(does: Does, tmp_path: Path) -> None:
    with sshd.running(tmp_path / "sshd") as server:
        body = "echo up; kill -9 $PPID; sleep 1"
        outcome, _ = there(does, server, body)
    assert outcome.state == "unknown", outcome
    assert "lost" in outcome.sentence or "no exit code" in outcome.sentence


def test_what_stays_in_the_background_does_not_hold_the_step(
    does: Does, server: sshd.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "GRACE_SECONDS", 0.3)
    outcome, heard = there(does, server, "sleep 30 & echo $!")
    assert outcome.state == "ok"
    psutil.Process(int(heard.text("stdout"))).kill()


def test_a_dry_run_logs_in_and_reads(does: Does, server: sshd.Server) -> None:
    outcome, heard = there(does, server, "echo never", is_dry_run=True)
    assert (outcome.state, outcome.coverage, heard.text("stdout")) == ("ok", (0, 1), "")
    assert "nothing was run" in outcome.sentence
    assert there(does, server, "if", is_dry_run=True)[0].state == "failed"
    outcome, heard = there(does, server, "print('never')", language="python", is_dry_run=True)
    assert (outcome.state, heard.text("stdout")) == ("ok", "")


def test_directory_interpreter_and_a_dry_run_of_its_own(does: Does, server: sshd.Server) -> None:
    settings = {"cwd": "/usr/share", "interpreter": "/usr/bin/python3"}
    _, heard = there(does, server, "import os; print(os.getcwd())", settings=settings)
    assert heard.text("stdout") == "/usr/share\n"
    outcome, _ = there(does, server, "echo never", settings={"cwd": "/no'; echo never"})
    assert outcome.state == "failed"
    outcome, heard = there(does, server, "echo never", settings={"dry_run": "echo instead"}, is_dry_run=True)
    assert (outcome.coverage, heard.text("stdout")) == ((1, 1), "instead\n")
    for interpreter in ("bash -c id;", "../bash", "vi", "-x"):
        outcome, _ = there(does, server, "echo never", settings={"interpreter": interpreter})
        assert "is not known here" in outcome.sentence


def test_nothing_of_our_account_is_used(
    does: Does, server: sshd.Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").write_text(server.key)
    (tmp_path / ".ssh" / "known_hosts").write_text(server.known_hosts)
    outcome, _ = there(does, server, "true", secrets={"SSH_KEY": server.other_key})
    assert "does not let" in outcome.sentence


def test_long_output_and_leftovers(
    does: Does, server: sshd.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome, heard = there(does, server, "head -c 3000000 /dev/zero | tr '\\0' 'x'; echo", secrets={"TOKEN": SECRET})
    assert (outcome.state, len(heard.text("stdout"))) == ("ok", 3_000_001)


def test_targets_that_are_options_are_refused() -> None:
    runner = runners()["ssh"]
    for target in ("-oProxyCommand=x", "a b", "a;b", "$(id)", "a\nb", "u@", "", "a:99999", "@a"):
        task = Task("1/a/1", "sh", "true", settings={"user": "u"}, targets=[target], secrets={"SSH_KEY": "some key"})
        assert runner.problems(task), target


def test_every_value_is_one_word() -> None:
    for value in INJECTIONS:
        sent = script.sent("sh", 'printf "%s" "$A"', {"A": value})
        done = subprocess.run(["sh", "-c", 'eval "$(cat)"'], input=sent, capture_output=True, check=True)
        assert done.stdout.decode() == value
