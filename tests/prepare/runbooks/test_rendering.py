"""Values are filled in so that they never change the words of a command: asked of a real shell."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from midwatch.core import running
from midwatch.integrations.http import filling
from midwatch.prepare.runbooks import document, rendering
from midwatch.prepare.runbooks.document import DocumentError, Form, Step
from midwatch.prepare.runbooks.options import Option, OptionsError, filled, from_stored, read, stored
from midwatch.prepare.runbooks.rendering import Values, in_shell

HOSTILE = [
    "$(id)",
    "`id`",
    "; id",
    "' ; id #",
    '" ; id "',
    "a b",
    "$HOME",
    "*",
    "\\",
    "!!",
    "${IFS}",
    "&& id",
    "a'b\"c",
    "~",
]
one_line = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\x85"), max_size=30)


def words_of(command: str, variables: dict[str, str] | None = None) -> list[str]:
    """The words that a shell makes of the arguments of `show`."""
    script = f'show() {{ for word in "$@"; do printf \'%s\\0\' "$word"; done; }}\n{command}\n'
    done = subprocess.run(
        ["sh", "-c", script],
        env={"PATH": "/usr/bin:/bin", **(variables or {})},
        capture_output=True,
        check=True,
        timeout=10,
    )
    return done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]


def step_of(fence: str, options: str = "[{name: host}, {name: key, secret: prod-key}]") -> Step:
    return document.parse(f"---\noptions: {options}\n---\n```{fence}\n```\n").steps[0]


@given(one_line)
@example("".join(HOSTILE))
@settings(max_examples=25, deadline=None)
def test_a_value_stays_one_word_of_a_command_that_is_copied(value: str) -> None:
    command = "# it's a comment X\nshow X \"<X>\" '<X>' x=X".replace("X", "${option.host}")
    step = step_of(f'sh {{"name": "a", "kind": "copy"}}\n{command}')
    made = rendering.rendered(step, Values((Option("host"),), {"host": value}))
    assert words_of(made.body) == [value, f"<{value}>", f"<{value}>", f"x={value}"]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_command_to_copy_that_reads_variables_sets_them_above(value: str) -> None:
    step = step_of('sh {"name": "a", "kind": "copy"}\nshow "$OPTION_HOST" "${OPTION_HOST}"')
    assert words_of(rendering.rendered(step, Values((Option("host"),), {"host": value})).body) == [value, value]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_program_is_the_same_whatever_the_values_are(value: str) -> None:
    step = step_of('sh {"name": "a", "kind": "run"}\nshow "$OPTION_HOST"')
    made = rendering.rendered(step, Values((Option("host"),), {"host": value}, facts={"alert.number": "12"}))
    assert made.body == step.body
    assert made.variables == {"ALERT_NUMBER": "12", "OPTION_HOST": value}
    assert words_of(made.body, dict(made.variables)) == [value]


@pytest.mark.parametrize(
    "around", ["`echo ${option.host}`", "$(echo ${option.host})", "cat <<E\n${option.host}\nE", "${x:-${option.host}}"]
)
def test_where_a_shell_reads_by_other_rules_nothing_is_filled(around: str) -> None:
    with pytest.raises(rendering.RenderingError, match=r"write \$OPTION_HOST there"):
        in_shell(around, {"option.host": "a"})
    with pytest.raises(DocumentError, match=r"write \$OPTION_HOST there"):
        step_of(f'sh {{"name": "a"}}\n{around}')


@given(one_line)
@example('", "admin": true, "x": "')
@settings(max_examples=50)
def test_a_value_never_changes_the_shape_of_json_and_yaml(value: str) -> None:
    values = Values((Option("host"),), {"host": value})
    body = '{"host": "${option.host}", "list": ["a ${option.host}", 1]}'
    in_json = rendering.rendered(step_of(f'json {{"name": "a", "kind": "copy"}}\n{body}'), values)
    assert json.loads(in_json.body) == {"host": value, "list": [f"a {value}", 1]}
    text = "host: ${option.host}\nlist: ['a ${option.host}', 1, 'x${option.host}']\nreplicas: 3"
    in_yaml = rendering.rendered(step_of(f'yaml {{"name": "a", "kind": "copy"}}\n{text}'), values)
    found = yaml.safe_load(in_yaml.body)
    assert found["list"] == [f"a {value}", 1, f"x{value}"]
    assert str(found["host"]) == value or float(value) == found["host"]
    assert found["replicas"] == 3
    # What runs gets references; its executor fills them, and what it makes has the same shape.
    sent = rendering.rendered(step_of(f'json {{"name": "a", "kind": "run", "executor": "http"}}\n{body}'), values)
    assert sent.body.strip() == body.replace("option.host", "OPTION_HOST")
    made = filling.body(sent.body, "application/json", sent.variables)
    assert json.loads(made) == {"host": value, "list": [f"a {value}", 1]}
    created = rendering.rendered(
        step_of(f'yaml {{"name": "a", "kind": "run", "executor": "kubernetes"}}\n{text}'), values
    )
    found = running.filled_document(created.body, created.variables)
    assert found["list"] == [f"a {value}", 1, f"x{value}"]
    assert str(found["host"]) == value


def test_a_value_that_looks_like_a_reference_to_a_secret_is_no_reference() -> None:
    """It came from an alert's label: whoever sends alerts does not get the step's secrets sent somewhere."""
    fence = (
        'json {"name": "a", "kind": "run", "executor": "http", "url": "https://x/${option.host}", "secrets": ["TOKEN"]}'
    )
    made = rendering.rendered(
        step_of(f'{fence}\n{{"a": "${{option.host}}"}}'), Values((Option("host"),), {"host": "${TOKEN}"})
    )
    names = {**made.variables, "TOKEN": "the secret itself"}
    assert filling.body(made.body, "application/json", names).strip() == '{"a": "${TOKEN}"}'
    assert filling.url(made.settings["url"], names)[0] == "https://x/%24%7BTOKEN%7D"
    assert "OPTION_HOST='${TOKEN}'" in rendering.shown(made)


def test_addresses_are_encoded_and_targets_are_several() -> None:
    options = "[{name: host}, {name: hosts, multiple: true}, {name: base, type: url}]"
    attributes = {
        "url": "https://x/${option.host}?a=1",
        "targets": ["${option.hosts}", "db9"],
        "user": "${option.host}",
    }
    fence = "sh " + json.dumps({"name": "a", "kind": "run", "executor": "ssh", **attributes}) + "\ntrue"
    step = step_of(fence, options)
    about = document.parse(f"---\noptions: {options}\n---\n").front.options
    made = rendering.rendered(step, Values(about, {"host": "../a?b=c&d", "hosts": "db1,db2"}))
    assert made.settings == {"url": "https://x/..%2Fa%3Fb%3Dc%26d?a=1", "user": "../a?b=c&d"}
    assert made.targets == ("db1", "db2", "db9")
    assert rendering.rendered(step, Values(about, {"hosts": "db1,db2"}), only_targets=["db2"]).targets == ("db2",)


def test_the_digest_is_of_everything_that_is_done() -> None:
    step = step_of(
        'sh {"name": "a", "kind": "run", "executor": "ssh", "targets": "db1", "user": "x", "secrets": "SSH_KEY=prod"}\nls'
    )
    values = Values((Option("host"), Option("key", "secret")), {"host": "a", "key": "prod-key"})
    made = rendering.rendered(step, values)
    assert made.secrets == {"OPTION_KEY": "prod-key", "SSH_KEY": "prod"}
    assert "OPTION_KEY" not in made.variables
    assert "OPTION_KEY=(secret prod-key)" in rendering.shown(made)
    assert rendering.from_json(json.loads(json.dumps(made.as_json()))).digest == made.digest
    others = [
        rendering.rendered(step, replace(values, given={"host": "b", "key": "prod-key"})),
        rendering.rendered(step, replace(values, given={"host": "a", "key": "other"})),
        rendering.rendered(replace(step, body="ls -l"), values),
        rendering.rendered(replace(step, targets=("db2",)), values),
        rendering.rendered(replace(step, settings={"user": "root"}), values),
        rendering.rendered_form(step, Form("local", "sh", "ls\n", step.settings), values),
    ]
    assert len({made.digest, *(other.digest for other in others)}) == 7


def test_options_are_typed_and_all_problems_are_said() -> None:
    about = document.parse(
        "---\noptions:\n- {name: env, values: [prod, test], default: test}\n- {name: count, type: number, min: 1, max: 9}\n"
        "- {name: host, label: instance, pattern: '[a-z0-9.-]+', required: true}\n- {name: day, type: date}\n"
        "- {name: key, secret: prod-key}\n- {name: at, type: url}\n- {name: many, multiple: true}\n- {name: say}\n---\n"
    ).front.options
    assert read(about, {}, {"instance": "db1"}) == {"env": "test", "host": "db1", "key": "prod-key"}
    assert read(about, {"host": "a", "count": 3, "many": ["x", "y"]})["many"] == "x,y"
    wrong = {
        "env": "prodd",
        "count": "10",
        "day": "2026-02-30",
        "key": "other",
        "at": "javascript:1",
        "say": "-rf",
        "x": 1,
    }
    with pytest.raises(OptionsError) as caught:
        read(about, wrong, {"instance": "db1; rm"})
    assert [str(problem) for problem in caught.value.problems] == [
        "x: no such option, write one of at, count, day, env, host, key, many, say",
        "env: not one of the choices (prodd), did you mean prod?",
        "count: out of range (10), write a number from 1 to 9",
        "host: not of the form [a-z0-9.-]+ (db1; rm), write one that is, filled from the alert's label instance",
        "day: not a date (2026-02-30), write one such as 2026-01-05 or 2026-01-05T09:00",
        "key: not one of the choices, write one of prod-key",
        "at: not an address (javascript:1), write one that begins with https:// or http://",
        "say: begins with a dash (-rf): a program would take it for a flag, write it without",
    ]
    assert "other" not in str(caught.value)
    assert filled(about, {"instance": "db1; rm"}) == {"env": "test", "key": "prod-key"}
    kept = stored(about, {"key": "prod-key", "env": "test"})
    assert kept == {"key": {"secret": "prod-key"}, "env": "test"}
    assert from_stored(kept) == {"key": "prod-key", "env": "test"}


@given(
    st.one_of(st.text(max_size=60), st.integers(), st.lists(st.text(max_size=5), max_size=3), st.none(), st.binary()),
    st.text(max_size=40),
)
@settings(max_examples=100)
def test_whatever_is_given_is_taken_whole_or_refused(value: object, label: str) -> None:
    option = Option("a", label="l", is_multiple=isinstance(value, list))
    try:
        found = read([option], {"a": value}, {"l": label})
    except OptionsError:
        pass
    else:
        assert not any(ord(letter) < 32 or letter in "\x7f\u202e" for letter in found.get("a", ""))
