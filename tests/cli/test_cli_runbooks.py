"""Runbooks on the command line: a folder comes in, one is carried out, all are written for the night without a server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api_world import World
from cli_run import Run
from midwatch.core import net
from midwatch.core.actor import Actor
from midwatch.prepare.runbooks import actions, choices, folder
from midwatch.prepare.runbooks.models import Runbook
from midwatch.prepare.runbooks.options import Option

DRAIN = """---
sidebar_position: 3
title: Drain a node
tags:
  - ops
  - night
options: [{name: node, required: true}]
---
# Drain

```text {"name": "look", "kind": "manual"}
Look <b>first</b>.
```

```sh {"name": "drain", "kind": "copy"}
kubectl drain ${option.node}
```
"""


@pytest.fixture
def folder_of(tmp_path: Path) -> Path:
    (tmp_path / "ops" / "drain").mkdir(parents=True)
    (tmp_path / "ops" / "drain" / "README.md").write_text(DRAIN)
    (tmp_path / "notes.md").write_text("# Notes\n\nJust text.\n")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "a.md").write_text("x")
    return tmp_path


def test_a_folder_comes_in_once_and_what_was_changed_here_stays(world: World, run: Run, folder_of: Path) -> None:
    looked = run("import", "runbooks", str(folder_of), "--team", "payments")
    assert looked.code == 0
    assert "left out of its front matter: sidebar_position, tags" in looked.out
    assert not Runbook.objects.exists()
    did = run("import", "runbooks", str(folder_of), "--team", "payments", "--apply", "--json")
    assert [(one["name"], one["done"], one["steps"]) for one in did.json] == [
        ("notes", "created", 0),
        ("drain", "created", 2),
    ]
    runbook = Runbook.objects.select_related("current").get(name="drain")
    assert (runbook.title, runbook.team.name, runbook.is_trusted) == ("Drain a node", "payments", True)
    again = run("import", "runbooks", str(folder_of), "--team", "payments", "--apply", "--json")
    assert [one["done"] for one in again.json] == ["unchanged", "unchanged"]
    actions.revise(runbook, "# Mine\n", Actor("Ana", "web"))
    (folder_of / "broken.md").write_text('```sh {"name": "a", "kind": "rum"}\nls\n```\n')
    refused = run("import", "runbooks", str(folder_of), "--team", "payments", "--apply")
    assert refused.code == 1
    assert "was changed here" in refused.out
    assert "line 1: step a: kind: not one of the words for this (rum), did you mean run?" in refused.out


def test_one_is_carried_out(world: World, run: Run, folder_of: Path) -> None:
    run("import", "runbooks", str(folder_of), "--team", "payments", "--apply")
    assert "node: missing" in run("runbook", "start", "drain").err
    started = run("runbook", "start", "drain", "-o", "node=web 1")
    assert "look waits" in started.out
    number = re.search(r"Execution (\d+)", started.out)
    assert number is not None
    said = run("runbook", "answer", number[1], "look", "done", "--seen", "fine")
    assert "kubectl drain 'web 1'" in said.out
    ended = run("runbook", "answer", number[1], "drain", "done", "--json")
    assert ended.json["state"] == "ok"
    assert "has ended" in run("runbook", "cancel", number[1], "--reason", "enough").err
    assert [one["name"] for one in run("runbook", "list", "--json").json] == ["drain", "notes"]
    assert "${option.node}" in run("runbook", "show", "drain").out
    assert "no runbook" in run("runbook", "show", "gone").err


def test_all_are_read_without_a_server(world: World, run: Run, folder_of: Path, tmp_path: Path) -> None:
    run("import", "runbooks", str(folder_of), "--team", "payments", "--apply")
    out = tmp_path / "offline"
    assert run("export", "--offline", str(out)).code == 0
    assert sorted(path.name for path in out.glob("*.html")) == [
        "index.html",
        "runbook-drain.html",
        "runbook-notes.html",
    ]
    page = (out / "runbook-drain.html").read_text()
    assert "kubectl drain ${option.node}" in page
    assert "Look &lt;b&gt;first&lt;/b&gt;." in page
    everything = "".join(path.read_text() for path in out.glob("*.html"))
    assert "<script" not in everything
    assert not re.findall(r'(?:src|href)="(?!index\.html|runbook-|https?://)', everything)
    Runbook.objects.filter(name="notes").update(is_active=False)
    run("export", "--offline", str(out))
    assert not (out / "runbook-notes.html").exists()
    assert run("export", "--offline").code == 1


def test_choices_come_by_the_guarded_door_alone() -> None:
    option = Option("host", "enum", values_url="http://127.0.0.1:9/hosts")
    with pytest.raises(choices.ChoicesError, match="could not be read"):
        choices.listed([option], is_trusted=False)
    for body, status, found in (
        (b'["a", "b\\nc", 3, true, null]', 200, ("a", "3")),
        (b'{"a": 1}', 200, None),
        (b"[", 200, None),
        (b"[]", 500, None),
        (b'["' + b"x" * 300_000 + b'"]', 200, None),
    ):
        with net.installed(_Answering(net.HttpAnswer(status, {}, body))):
            texts, problems = choices.listed_or_none([option], is_trusted=True)
        assert texts == ({} if found is None else {"host": found})
        assert bool(problems) is (found is None)


class _Answering:
    def __init__(self, answer: net.HttpAnswer) -> None:
        self._answer = answer

    def http(self, request: net.HttpRequest) -> net.HttpAnswer:
        return self._answer

    def smtp(self, request: net.SmtpRequest) -> None:
        raise AssertionError("no mail is sent here")


def test_front_matter_of_others_is_left_out() -> None:
    assert folder.cleaned("---\na: 1\nb:\n  - x\n---\nText\n") == folder.Cleaned("Text\n", ("a", "b"))
    assert folder.cleaned("---\n: [\n---\nText\n").dropped == ()
    assert folder.name_of("ops/Drain Node/index.md") == "drain-node"
