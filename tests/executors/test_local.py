from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

import pytest

from executor_world import SECRET, Does
from midwatch.core.integration import RunnerConfig
from midwatch.settings import settings

INJECTIONS = [
    "; echo injected",
    "$(echo injected)",
    "`echo injected`",
    "' ; echo injected '",
    '"\necho injected\n"',
    "-rf",
    "\\",
]


def test_a_script_by_its_interpreter(does: Does) -> None:
    outcome, heard = does(
        "local", "import os; print('py', os.environ['OPTION_A'])", language="python", variables={"OPTION_A": "1"}
    )
    assert (outcome.state, outcome.exit_code, heard.text("stdout")) == ("ok", 0, "py 1\n")
    outcome, heard = does("local", "[[ a == a* ]] && echo bash", language="bash")
    assert heard.text("stdout") == "bash\n"
    outcome, heard = does("local", "false", language="sh")
    assert (outcome.state, outcome.sentence) == ("failed", "exit code 1")


@pytest.mark.parametrize("given", INJECTIONS)
def test_a_variable_is_a_value_whatever_it_holds(does: Does, given: str) -> None:
    outcome, heard = does("local", 'printf "%s" "$OPTION_A"', variables={"OPTION_A": given})
    assert (outcome.state, heard.text("stdout")) == ("ok", given)


def test_secrets_are_given_and_masked(does: Does) -> None:
    script = 'test "$TOKEN" = "s3cret of the step" && echo right; echo "it is $TOKEN" >&2; echo "token: $TOKEN"; exit 7'
    outcome, heard = does("local", script, secrets={"TOKEN": SECRET}, settings={"captures": {"TOKEN": "token:"}})
    assert heard.text("stdout") == "right\ntoken: ••••••\n"
    assert heard.text("stderr") == "it is ••••••\n"
    assert (outcome.exit_code, outcome.values) == (7, {"TOKEN": "••••••"})


def test_values_are_captured(does: Does) -> None:
    script = "echo 'version: 1'; echo ' version: 2 of it'; printf 'id=77'"
    outcome, _ = does("local", script, settings={"captures": {"VERSION": "version:", "ID": "id=", "NONE": "none"}})
    assert outcome.values == {"VERSION": "2 of it", "ID": "77"}


def test_who_may(does: Does) -> None:
    outcome, heard = does("local", "echo hi", is_trusted=False)
    assert outcome.state == "failed"
    assert "MIDWATCH_LOCAL_PROGRAMS does not name sh" in outcome.sentence
    assert heard.text() == ""
    for named in ("sh", "/usr/bin/sh"):
        outcome, _ = does("local", "echo hi", is_trusted=False, config=RunnerConfig(programs=(named,)))
        assert outcome.state == "ok"
    named = RunnerConfig(programs=("/usr/bin/printf",))
    argv = {"program": "/usr/bin/printf", "arguments": ["%s|", "a b", "$(id)", "; id"]}
    outcome, heard = does("local", settings=argv, language="text", is_trusted=False, config=named)
    assert heard.text("stdout") == "a b|$(id)|; id|"
    for attributes in ({"program": "/tmp/printf"}, {"interpreter": "./printf"}, {"interpreter": "bash"}):
        outcome, _ = does("local", "x", settings=attributes, is_trusted=False, config=named)
        assert "does not name" in outcome.sentence
    # A dry run does not open a door that the step itself has not.
    dry = {**argv, "dry_run": "echo by a shell"}
    outcome, heard = does("local", settings=dry, is_trusted=False, is_dry_run=True, config=named)
    assert "does not name" in outcome.sentence
    assert heard.text() == ""


def test_dry_runs_are_honest(does: Does) -> None:
    outcome, heard = does("local", "echo never said\nif", is_dry_run=True)
    assert (outcome.state, outcome.coverage) == ("failed", (0, 1))
    outcome, heard = does("local", "echo never said", is_dry_run=True)
    assert (outcome.state, outcome.coverage, heard.text()) == ("ok", (0, 1), "")
    assert "only the syntax" in outcome.sentence
    outcome, heard = does("local", "print('never said')", language="python", is_dry_run=True)
    assert (outcome.coverage, outcome.sentence) == ((0, 1), "nothing was run: this step cannot be simulated")
    outcome, heard = does("local", "rm x", settings={"dry_run": "echo instead"}, is_dry_run=True)
    assert (outcome.coverage, heard.text()) == ((1, 1), "instead\n")


def test_time_out_and_cancel(does: Does) -> None:
    outcome, _ = does("local", "sleep 3301", seconds=0.3)
    assert (outcome.state, outcome.exit_code) == ("failed", None)
    assert "time-out" in outcome.sentence
    outcome, _ = does("local", "echo up; sleep 3302", cancel_at="up")
    assert "cancelled" in outcome.sentence


def test_another_directory(does: Does) -> None:
    _, heard = does("local", "pwd", settings={"cwd": "/usr/share"})
    assert heard.text() == "/usr/share\n"


def test_no_secret_is_left_in_any_file(does: Does) -> None:
    """Also not of a script that writes it about, locks its files up, and is ended in the middle."""
    script = 'mkdir -p a/b; echo "$TOKEN" > a/b/c; echo "$TOKEN" > d; chmod 000 a/b/c a/b a d; echo up; sleep 3303'
    secret = f"{SECRET} {os.getpid()}"
    outcome, _ = does("local", script, secrets={"TOKEN": secret}, cancel_at="up")
    assert "cancelled" in outcome.sentence
    assert not found_below(Path(tempfile.gettempdir()) / f"midwatch-steps-{os.geteuid()}", secret.encode())
    assert not found_below(settings().data_dir, secret.encode())


def found_below(directory: Path, wanted: bytes) -> list[Path]:
    found = []
    for path in directory.rglob("*"):
        with contextlib.suppress(OSError):  # another test's, which is going
            if path.is_file() and wanted in path.read_bytes():
                found.append(path)
    return found
