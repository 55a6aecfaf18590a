"""Foreign programs: what they see, what they reach, and that they end, with everything that they started."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from midwatch.core import confine, programs, running
from midwatch.core.integration import Limits, RunnerConfig
from midwatch.core.programs import Ended

is_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
has_walls = pytest.mark.skipif(confine.landlock_version() == 0, reason="this kernel has no Landlock")


class Started:
    """One program, and what it said."""

    def __init__(self, config: RunnerConfig | None = None, **variables: str) -> None:
        self.config = config or RunnerConfig()
        self.variables = variables
        self.said = {"stdout": "", "stderr": ""}
        self.pieces: list[int] = []
        self.is_cancelled = False
        self.has_spoken = threading.Event()

    def write(self, text: str, stream: str) -> None:
        self.said[stream] += text
        self.pieces.append(len(text))
        self.has_spoken.set()

    def run(self, *argv: str, seconds: float = 30, stdin: bytes = b"", cwd: str = "") -> Ended:
        workdir = running.fresh_directory()
        try:
            return programs.run(
                argv,
                write=self.write,
                is_cancelled=lambda: self.is_cancelled,
                workdir=workdir,
                variables=self.variables,
                timeout_seconds=seconds,
                config=self.config,
                stdin=stdin,
                cwd=cwd,
            )
        finally:
            running.remove_directory(workdir)
            assert not Path(workdir).exists()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Something like a data directory, as private as it is."""
    directory = tmp_path / "data"
    directory.mkdir(mode=0o700)
    (directory / "secret-key").write_text("kept-from-programs")
    return directory


def test_output_exit_code_and_input() -> None:
    started = Started(OPTION_A="it's; $(touch /tmp/no) `x`\nsecond")
    ended = started.run("sh", "-c", 'printf "%s|" "$OPTION_A"; cat; echo wrong >&2; exit 3', stdin=b"given\n")
    assert ended == Ended("ended", 3)
    assert started.said == {"stdout": "it's; $(touch /tmp/no) `x`\nsecond|given\n", "stderr": "wrong\n"}


def test_the_environment_is_made_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDWATCH_SECRET_KEY", "never-seen")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "never-seen")
    started = Started(OPTION_A="1")
    started.run("env")
    names = {line.partition("=")[0] for line in started.said["stdout"].splitlines()}
    assert names == {"PATH", "HOME", "TMPDIR", "USER", "LOGNAME", "SHELL", "LANG", "TERM", "OPTION_A", "STEP_MARK"}


READING = 'cat "$DATA/secret-key"; ls "$DATA"; cd "$DATA"; tr "\\0" "\\n" < "/proc/$ENGINE/environ"; true'


@has_walls
def test_the_data_directory_is_out_of_reach_whoever_it_runs_as(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDWATCH_TEST_SECRET", "kept-from-programs")
    own = "root" if os.geteuid() == 0 else ""
    for user in {own, ""}:
        config = RunnerConfig(local_user=user, hidden=(str(data),))
        # A process with that environment, as the engine's is since its start.
        engine = subprocess.Popen(["sleep", "60"], env={"MIDWATCH_TEST_SECRET": "kept-from-programs"})
        try:
            started = Started(config, DATA=str(data), ENGINE=str(engine.pid))
            assert started.run("sh", "-c", READING).why == "ended"
            assert started.run("sh", "-c", f"cat /proc/{engine.pid}/cwd/../../{data}/secret-key").exit_code != 0
        finally:
            engine.kill()
            engine.wait()
        assert "kept-from-programs" not in str(started.said), user
        assert "secret-key" not in started.said["stdout"]
        assert started.said["stdout"].strip() == ""


@has_walls
def test_walls_leave_the_rest_as_it_is(data: Path) -> None:
    own = "root" if os.geteuid() == 0 else ""
    (data.parent / "beside").mkdir()
    started = Started(RunnerConfig(local_user=own, hidden=(str(data),)), DIR=str(data.parent / "beside"))
    ended = started.run(
        "sh", "-c", 'mkdir a b; echo x > a/f; mv a/f b/; cat b/f; echo y > "$DIR/f"; cat "$DIR/f" /etc/hostname'
    )
    assert ended.exit_code == 0, started.said
    assert started.said["stdout"].startswith("x\ny\n")


@is_root
def test_root_becomes_nobody() -> None:
    started = Started()
    started.run("sh", "-c", "id -un; id -Gn; stat -c %U:%a .; umask; ls -A")
    assert started.said["stdout"].split() == ["nobody", "nogroup", "nobody:700", "0077"]


@is_root
def test_a_data_directory_that_others_can_read_needs_walls(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_has_landlock", lambda: False)
    config = RunnerConfig(hidden=(str(data),))
    assert programs.missing(config) == ""
    data.chmod(0o755)
    assert "chmod go=" in programs.missing(config)
    assert "Landlock" in programs.missing(replace(config, local_user="root"))


def test_a_user_that_is_none() -> None:
    assert "no such user" in programs.missing(RunnerConfig(local_user="nobody-of-this-name"))


def test_the_end_of_time_ends_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "GRACE_SECONDS", 0.2)
    started = Started(MARKED="1")
    script = "trap '' TERM; setsid sleep 3201 & sleep 3202 & (sleep 3203 &) ; echo up; wait"
    ended = started.run("sh", "-c", script, seconds=0.3)
    assert ended.why == "timed out"
    assert "time-out" in ended.sentence
    assert not sleepers("3201", "3202", "3203")


def test_a_cancel_asks_first() -> None:
    started = Started()

    def cancel() -> None:
        started.has_spoken.wait(30)
        started.is_cancelled = True

    thread = threading.Thread(target=cancel)
    thread.start()
    ended = started.run("bash", "-c", "trap 'echo cleaned; exit 4' TERM; echo up; sleep 3204 & wait")
    thread.join()
    assert ended == Ended("cancelled", 4)
    assert started.said["stdout"] == "up\ncleaned\n"
    assert not sleepers("3204")


def test_what_a_step_leaves_behind_ends_with_it() -> None:
    started = Started()
    assert started.run("sh", "-c", "sleep 3205 & setsid -f sleep 3206; echo done").exit_code == 0
    assert started.said["stdout"] == "done\n"
    assert not sleepers("3205", "3206")


def sleepers(*lengths: str) -> list[str]:
    """A killed one may still be seen dying."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if line[:1] == ["sleep"] and line[1:2] and line[1] in lengths:
            found.append(process)
    return [str(process) for process in psutil.wait_procs(found, timeout=10)[1]]


def test_limits_hold() -> None:
    limits = Limits(cpu_seconds=1, memory_mib=64, file_mib=1, open_files=40)
    started = Started(RunnerConfig(limits=limits))
    assert "PROCESSOR" in started.run("sh", "-c", "while :; do :; done").sentence.upper()
    assert started.run("sh", "-c", "head -c 3000000 /dev/zero > big").exit_code != 0
    assert started.run("python3", "-c", "x = bytearray(300_000_000)").exit_code == 1
    assert "MemoryError" in started.said["stderr"]
    started.run("sh", "-c", "ulimit -n; ulimit -c")
    assert started.said["stdout"].split() == ["40", "0"]


def test_long_output_comes_in_bounded_pieces() -> None:
    started = Started()
    ended = started.run("sh", "-c", "head -c 5000000 /dev/zero | tr '\\0' x; echo; printf '\\303\\251\\377\\0end'")
    assert ended.exit_code == 0
    text = started.said["stdout"]
    assert len(text) == 5_000_001 + len("é\ufffd\ufffdend")
    assert text.endswith("é\ufffd\ufffdend")
    assert max(started.pieces) <= 2 * programs.PIECE_BYTES


def test_what_cannot_be_started_says_so() -> None:
    started = Started()
    assert started.run("no-such-program").exit_code == confine.ARGUMENTS_FAILED
    assert "no-such-program cannot be started" in started.said["stderr"]
    assert started.run("sh", "-c", "true", cwd="/no/such/directory").exit_code == confine.ARGUMENTS_FAILED
    assert "No such file or directory" in started.said["stderr"]


def test_what_a_killed_process_left_is_swept_away() -> None:
    making = "import sys; from midwatch.core import running; sys.stdout.write(running.fresh_directory())"
    done = subprocess.run([sys.executable, "-c", making], capture_output=True, text=True, check=True)
    left, own = Path(done.stdout), Path(running.fresh_directory())
    programs.put(str(left), "variables.yml", "a secret", RunnerConfig())
    assert running.sweep_directories() >= 1
    assert not left.exists()
    assert own.exists(), "its maker is alive"
    running.remove_directory(str(own))


def test_directories_of_steps_cannot_be_listed_by_their_neighbours() -> None:
    path = running.fresh_directory()
    try:
        assert Path(path).stat().st_mode & 0o777 == 0o700
        assert Path(path).parent.stat().st_mode & 0o777 == 0o711
        config = RunnerConfig()
        programs.put(path, "deep/er/file", "text", config)
        assert (Path(path) / "deep/er/file").stat().st_mode & 0o777 == 0o600
    finally:
        running.remove_directory(path)
    assert not Path(path).exists()
