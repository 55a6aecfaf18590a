"""Runbooks as documents: a kind of its own, or Markdown files as they are; trusted when they come from a directory."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from midwatch.core.actor import Actor
from midwatch.core.written.problems import ConfigurationError
from midwatch.gitops.actions import apply, apply_text, plan, plan_text
from midwatch.gitops.exporting import export, export_texts
from midwatch.people.managed import FromCodeError
from midwatch.prepare.runbooks.actions.written import save_text
from midwatch.prepare.runbooks.models import Revision, Runbook

pytestmark = pytest.mark.django_db
BY = Actor("Test", "web")
GROUND = """
apiVersion: midwatch.dev/v1
kind: Team
metadata: {name: payments}
spec: {}
---
apiVersion: midwatch.dev/v1
kind: Service
metadata: {name: checkout}
spec: {team: payments}
---
"""
KIND = """
apiVersion: midwatch.dev/v1
kind: Runbook
metadata: {name: restart}
spec:
  title: Restart the checkout
  service: checkout
  alerts: [{labels: {alertname: CheckoutDown}}]
  options: [{name: host, label: instance}]
  body: |
    Look first.

    ```sh {"name": "restart", "kind": "run", "executor": "local"}
    systemctl restart checkout "$OPTION_HOST"
    ```
"""
LINK = """
apiVersion: midwatch.dev/v1
kind: Runbook
metadata: {name: wiki}
spec: {team: payments, url: "https://wiki.example.com/checkout", isPublic: true, alerts: [{service: checkout}]}
"""
FILE = """---
# kept as it is
title:   Drain a node
service: checkout
options:
  - {name: node, required: true}
---
Away with it.

```sh {"name": "drain", "kind": "copy"}
kubectl drain ${option.node}
```
"""


def test_a_runbook_is_laid_down_with_its_columns_and_exported_as_it_came() -> None:
    apply_text(GROUND + KIND + "---" + LINK)
    runbook = Runbook.objects.select_related("team", "service", "current").get(name="restart")
    assert (runbook.title, runbook.team.name, str(runbook.service)) == ("Restart the checkout", "payments", "checkout")
    assert runbook.matchers == [{"labels": {"alertname": "CheckoutDown"}}]
    assert not runbook.is_trusted, "a text is not a directory"
    assert runbook.current is not None
    assert "title: Restart the checkout" in runbook.current.body
    assert not plan_text(GROUND + KIND + "---" + LINK).changes
    text = export_texts()["runbooks.yaml"]
    restart, wiki = yaml.safe_load_all(text)
    assert restart["spec"]["body"].startswith("Look first.\n\n```sh {")
    assert wiki["spec"] == {
        "title": "wiki", "team": "payments", "url": "https://wiki.example.com/checkout", "isPublic": True,
        "alerts": [{"service": "checkout"}],
    }  # fmt: skip
    assert not plan_text(GROUND + text).changes


def test_markdown_files_are_taken_as_they_are_and_are_trusted(tmp_path: Path) -> None:
    (tmp_path / "ground.yaml").write_text(GROUND)
    (tmp_path / "README.md").write_text("# No front matter, no runbook\n")
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "drain.md").write_text(FILE)
    apply(tmp_path)
    runbook = Runbook.objects.select_related("current").get()
    assert (runbook.name, runbook.code_file, runbook.is_trusted) == ("drain", "runbooks/drain.md:1", True)
    assert runbook.current is not None
    assert runbook.current.body == FILE
    assert not plan(tmp_path).changes
    (tmp_path / "runbooks" / "drain.md").write_text(FILE.replace("Away", "Now away"))
    assert list(plan(tmp_path).changes[0].fields) == ["body"]
    apply(tmp_path)
    assert Revision.objects.count() == 2
    with pytest.raises(FromCodeError, match=r"runbooks/drain\.md:1"):
        save_text(FILE, BY, name="drain")
    written = export(tmp_path / "../out")
    assert [path.name for path in written] == ["teams.yaml", "services.yaml", "runbooks.yaml"]
    assert not [change for change in plan(tmp_path / "../out").changes if change.kind == "Runbook"]
    (tmp_path / "runbooks" / "drain.md").unlink()
    assert [str(change.action) for change in apply(tmp_path, prune=True).changes] == ["delete"]
    assert not Runbook.objects.exists()


def test_what_was_written_in_the_web_becomes_trusted_when_code_says_the_same(tmp_path: Path) -> None:
    apply_text(GROUND)
    save_text(FILE, BY, name="drain")
    assert not Runbook.objects.get().is_trusted
    (tmp_path / "drain.md").write_text(FILE)
    assert [list(change.fields) for change in plan(tmp_path).changes] == [["isTrusted"]]
    apply(tmp_path)
    assert Runbook.objects.get().is_trusted


def test_every_problem_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GROUND + KIND.replace('"executor": "local"', '"executor": "locall"'))
    (tmp_path / "b.md").write_text(
        FILE.replace("service: checkout", "service: chekout").replace("${option.node}", "${option.nod}")
    )
    (tmp_path / "c.md").write_text("---\ntitel: x\n---\nText.\n")
    with pytest.raises(ConfigurationError) as caught:
        apply(tmp_path)
    said = [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems]
    assert sorted(said) == [
        "a.yaml:24: Runbook/restart: body: step restart: executor: no such executor (locall), did you mean local?",
        "b.md:10: Runbook/b: body: step drain: ${option.nod}: no such option, did you mean node?",
        "b.md:4: Runbook/b: service: no Service has this name (chekout), did you mean checkout?",
        "c.md:2: Runbook/c: titel: no such field, did you mean title?",
    ]
