"""Secrets on the command line: values by standard input or from a file, and none on the way out."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from api_world import World
from cli_run import Run
from midwatch.core.models import AuditEntry
from midwatch.prepare.runbooks.actions.secrets import Reader, values_of
from midwatch.prepare.runbooks.models import Secret

VALUE = "hunter22-the-value"
READER = Reader("a test")


def test_a_secret_is_set_listed_rotated_and_removed(world: World, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "value"
    file.write_text(VALUE + "\n")
    said = [run("secret", "set", "db", "--team", world.team.name, "--value-file", str(file))]
    assert values_of(["db"], world.team, READER) == {"db": VALUE}
    said += [run("secret", "list"), run("secret", "list", "--json")]
    assert [(one["name"], one["team"], one["version"], one["problem"]) for one in said[-1].json] == [
        ("db", world.team.name, 1, None)
    ]
    said += [run("secret", "rotate"), run("secret", "remove", "db", "--team", world.team.name)]
    assert [one.code for one in said] == [0] * 5
    assert not any(VALUE in one.out + one.err for one in said)
    assert run("secret", "remove", "db").code == 1
    assert not Secret.objects.exists()
    assert {entry.verb for entry in AuditEntry.objects.filter(object_kind="secret")} == {"create", "read", "delete"}


def test_standard_input_keeps_the_lines_of_a_key(world: World, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "-----BEGIN-----\nabcdef\n-----END-----\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(key.encode())))
    assert run("secret", "set", "key").code == 0
    assert values_of(["key"], None, READER) == {"key": key}
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    empty = run("secret", "set", "key")
    assert (empty.code, "no value came" in empty.err) == (1, True)


def test_references_are_looked_up_and_what_cannot_be_read_is_listed(world: World, run: Run) -> None:
    assert run("secret", "set", "env", "--env", "MIDWATCH_REF_NOT_THERE").code == 0
    assert "MIDWATCH_REF_NOT_THERE is not set" in run("secret", "list").out
    refused = run("secret", "set", "file", "--config-file", "key")
    assert (refused.code, "--config DIR" in refused.err) == (1, True)
    short = run("secret", "set", "short", "--env", "PATH")
    assert (short.code, "begin with MIDWATCH_REF_" in short.err) == (1, True)
