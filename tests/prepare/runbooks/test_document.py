"""The document: front matter, fences as Runme writes them, and errors that say all at once what to write."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midwatch.prepare.runbooks import document, front
from midwatch.prepare.runbooks.document import Document, DocumentError, Prose, Step

EXECUTORS = {"local": (), "ssh": ("user",), "http": ("url",), "runbook": ("runbook",)}
WHOLE = """---
title: Restart the checkout
service: checkout
alerts:
  - labels: {alertname: CheckoutDown, instance: "~web-[0-9]+"}
options:
  - {name: host, label: instance, pattern: "[a-z0-9.-]+", required: true}
  - {name: env, values: [prod, no], default: no}
---
# Restart

Look first.

```text {"name": "look", "kind": "manual", "asks": "What did you see?"}
Open the dashboard.
```

## Drain it

```sh {"kind": "copy"}
drain ${option.host}
```

Agree on it:

```text {"name": "agree", "kind": "approve", "needs": 2, "who": "team:payments, ic", "timeout": "1h"}
```

```sh { name=restart interactive=false kind=run executor=ssh targets=${option.host} }
systemctl restart checkout
```

```sh {"verifies": "restart"}
systemctl is-active checkout
```

```sh {"name": "undo", "kind": "run", "when": "option.env == 'prod'", "retry": {"attempts": 3, "delay": "5s"}}
echo $OPTION_HOST
```

```python
# a sample for readers
```
"""


def read(text: str) -> Document:
    return document.parse(text, executors=EXECUTORS)


def problems(text: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        read(text)
    return str(caught.value).split("\n")


def test_a_document_is_prose_and_steps_in_order() -> None:
    found = read(WHOLE)
    assert [block.name if isinstance(block, Step) else "-" for block in found.blocks] == [
        "-", "look", "-", "drain-it", "-", "agree", "restart", "undo", "-",
    ]  # fmt: skip
    look, drain, agree, restart, undo = found.steps
    assert (look.kind, look.asks, look.title, look.line) == ("manual", "What did you see?", "Restart", 14)
    assert (drain.title, drain.is_named) == ("Drain it", False)
    assert agree.title == "Agree on it"
    assert agree.needs == document.Needs(2, ("team:payments", "ic"))
    assert (agree.approves, agree.timeout) == (("restart", "undo"), timedelta(hours=1))
    assert (restart.executor, restart.targets) == ("ssh", ("${option.host}",))
    assert restart.verify == document.Form("ssh", "sh", "systemctl is-active checkout\n", {})
    assert undo.retry == document.Retry(3, timedelta(seconds=5))
    assert isinstance(found.blocks[-1], Prose)
    assert "# a sample" in found.blocks[-1].text


def test_front_matter_is_read_as_it_is_written() -> None:
    about = read(WHOLE).front
    assert about.option("env") is not None
    assert about.option("env").values == ("prod", "no")  # type: ignore[union-attr]
    assert about.alerts[0].as_json() == {"labels": {"alertname": "CheckoutDown", "instance": "~web-[0-9]+"}}
    assert document.parse(front.written(read(WHOLE).spec) + read(WHOLE).text).spec == read(WHOLE).spec


def test_all_that_is_wrong_is_said_at_once_with_its_line() -> None:
    broken = (
        WHOLE.replace("required: true", "requird: true")
        .replace('"asks"', '"ask"')
        .replace('"verifies": "restart"', '"verifies": "restat"')
        .replace('"timeout": "1h"', '"timeout": "60"')
    )
    assert problems(broken) == [
        "line 7: options[0].requird: no such field, did you mean required?",
        "line 14: step look: ask: no such attribute, did you mean asks?",
        "line 26: step agree: timeout: not a duration (60), write 60m or 60s",
        "line 33: step: verifies: no such step (restat), did you mean restart?",
    ]


@pytest.mark.parametrize(
    ("fence", "wrong"),
    [
        (
            'sh {"name": "a", "kind": "run"}\nrm ${option.host}',
            "step a: ${option.host} in a program, write $OPTION_HOST",
        ),
        ('sh {"name": "a"}\nrm ${option.hots}', "step a: ${option.hots}: no such option, did you mean host?"),
        ('sh {"name": "a", "when": "option.hots"}', "step a: when: there is no option 'hots', name one of host"),
        ('sh {"name": "a", "when": "step.b"}', "step a: when: there is no step 'b' before this one"),
        (
            'sh {"name": "a", "kind": "auto", "interactive": "true"}\nls',
            "a step of kind auto has no terminal, write kind copy",
        ),
        ('sh {"name": "a", "kind": "run"}', "step a: an empty step, write the command between the back-ticks"),
        ('perl {"name": "a", "kind": "run"}\n1', "executor: missing for perl, write one, such as local, ssh or http"),
        ('sh {"name": "a", "idempotent": "check"}', "check without a verify command"),
        ('sh {"name": "a", "enabled": false}', "skipReason: missing, write why the step is turned off"),
        ('sh {"name": "a", "onFailure": "a"}', "onFailure: no later step (a), name a later step"),
        ('sh {"name": "a", "executor": "shh"}\nls', "no such executor (shh), did you mean ssh?"),
        ('sh {"name": "a", "name": "b"}', "name stands twice in the attributes: keep one of them"),
        ('sh {"name": "a"', "attributes that are not JSON"),
        ("sh {name: a}", 'attributes whose names have no quotes: write them as JSON, such as {"name": "restart"}'),
        ('sh {"name": "a b"}', "not a name of a step (a b), write letters"),
    ],
)
def test_an_error_says_what_to_write(fence: str, wrong: str) -> None:
    said = problems(f"---\noptions: [{{name: host}}]\n---\n```{fence}\n```\n")
    assert len(said) == 1
    assert wrong in said[0]
    assert said[0].startswith("line 4: ")


def test_runmes_documents_are_read_as_they_are() -> None:
    text = (
        "---\nrunme: {id: 01J, version: v3}\nshell: bash\n---\n"
        '```sh {"id":"01HY0","excludeFromRunAll":"true","category":"db","promptEnv":"no"}\nls\n```\n'
        "```ts {1,3-5}\nx\n```\n```js {linenos=table}\ny\n```\n"
    )
    found = read(text)
    (step,) = found.steps
    assert (step.kind, step.is_enabled, step.labels) == ("copy", False, ("db",))
    assert step.settings == {"interpreter": "bash"}


@given(st.text(max_size=200))
@settings(max_examples=100)
def test_any_text_is_a_document_or_an_error_with_lines(text: str) -> None:
    for written in (text, f"---\n{text}\n---\n", f'```sh {{"name": {text}\n```', f"```sh {text}\n{text}\n```"):
        lines = _lines_of_errors(written)
        assert all(line > 0 for line in lines)


def _lines_of_errors(text: str) -> list[int]:
    try:
        document.parse(text)
    except DocumentError as error:
        return [problem.line for problem in error.problems]
    return []
