"""Whatever is written, applied, exported and read again is the same; and nothing that is written makes the reader fall."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import yaml
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from midwatch.core import zones
from midwatch.core.written.documents import as_plain, read_text
from midwatch.core.written.problems import ConfigurationError, Problem
from midwatch.core.written.values import duration_text, seconds_of
from midwatch.gitops.actions import apply_text, plan_text
from midwatch.gitops.current import read_state
from midwatch.gitops.exporting import export_text

pytestmark = pytest.mark.django_db
OPTIONS = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

USERS = ["ana", "bo", "no", "on-1", "y"]
TEAMS = ["payments", "null-team", "007"]
SCHEDULES = ["primary", "1e3"]
SERVICES = ["shop", "true", "db"]
WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Co", "Cn", "Zl", "Zp")), min_size=1, max_size=40
).filter(lambda text: text.strip() != "")
SECONDS = st.integers(0, 86_400)
CLOCK = st.builds(lambda hour, minute: f"{hour:02}:{minute:02}", st.integers(0, 23), st.integers(0, 59))
ZONES = st.sampled_from(zones.all_zones())
DAYS = st.lists(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), unique=True, min_size=1)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), strategy)


def spans() -> st.SearchStrategy[str]:
    return st.tuples(CLOCK, CLOCK).filter(lambda ends: ends[0] != ends[1]).map("-".join)


def durations(low: int = 0, high: int = 86_400) -> st.SearchStrategy[str]:
    return st.integers(low, high).map(st_duration)


def st_duration(seconds: int) -> str:
    """Not always the normal form: 90m, 60s, 1h30m."""
    if seconds % 5400 == 0 and seconds:
        return f"{seconds // 5400 * 90}m"
    return f"{seconds}s" if seconds % 7 else duration_text(seconds)


@st.composite
def users(draw: st.DrawFn, number: int) -> dict[str, Any]:
    methods = [
        {"name": "mail", "type": "email", "address": f"u{number}@example.com"},
        {"name": "phone", "type": "sms", "address": f"+42060100000{number}"},
        {"name": "hook", "type": "webhook", "address": f"http://127.0.0.1:9/u{number}", "secret": draw(WORDS).strip()},
        {
            "name": "push",
            "type": "ntfy",
            "address": f"https://ntfy.example.com/u{number}",
            "tokenFrom": {"env": "MIDWATCH_REF_A"},
        },
    ]
    contacts = draw(optional(st.lists(st.sampled_from(methods), unique_by=lambda one: one["name"])))
    names = [contact["name"] for contact in contacts or ()]
    rule = (
        st.fixed_dictionaries({"after": durations(), "contact": st.sampled_from(names), "between": optional(spans())})
        if names
        else None
    )
    rules = st.lists(rule, max_size=4) if rule is not None else st.just([])
    return {
        "displayName": draw(WORDS),
        "email": draw(st.sampled_from(["", f"u{number}@example.com"])),
        "timeZone": draw(ZONES),
        "isActive": draw(st.booleans()),
        "role": draw(st.sampled_from([None, "administrator", "member", "viewer"])),
        "contactMethods": contacts,
        "notificationRules": draw(
            optional(st.fixed_dictionaries({"high": rules, "low": rules, "repeatAfter": durations()}))
        ),
        "notifyOn": draw(optional(st.fixed_dictionaries({"shiftStart": st.lists(durations(0, 604_800), max_size=3)}))),
    }


TEAM_SPECS = st.fixed_dictionaries(
    {
        "displayName": WORDS,
        "members": st.lists(
            st.fixed_dictionaries(
                {
                    "user": st.sampled_from(USERS),
                    "role": st.sampled_from(["manager", "responder", "observer"]),
                    "isPaged": st.booleans(),
                }
            ),
            unique_by=lambda one: one["user"],
        ),
        "escalationPolicy": optional(st.just("standard")),
        "mode": st.sampled_from(["live", "shadow"]),
    }
)
TURNS = st.one_of(st.sampled_from([*USERS, "nobody"]), st.lists(st.sampled_from(USERS), unique=True))
RESTRICTIONS = st.one_of(
    st.fixed_dictionaries({"from": CLOCK, "to": CLOCK}, optional={"days": DAYS}),
    st.fixed_dictionaries(
        {
            "from": st.tuples(st.sampled_from(["mon", "FRI"]), CLOCK).map(" ".join),
            "to": st.tuples(st.sampled_from(["sun", "Tue"]), CLOCK).map(" ".join),
        }
    ),
)
LAYERS = st.fixed_dictionaries(
    {
        "name": WORDS.map(lambda text: " ".join(text.split())),
        "start": st.datetimes(min_value=zones.datetime(2020, 1, 1), max_value=zones.datetime(2030, 1, 1)).map(
            lambda at: at.isoformat(timespec="minutes")
        ),
        "end": st.sampled_from([None, "2035-01-01T00:00"]),
        "every": st.sampled_from(["1h", "24h", "1d", "7d", "1w", "2w"]),
        "participants": st.lists(TURNS, max_size=5),
        "restrictions": st.lists(RESTRICTIONS, max_size=3),
    }
)
SCHEDULE_SPECS = st.fixed_dictionaries(
    {
        "team": st.sampled_from(TEAMS),
        "timeZone": ZONES,
        "combine": st.sampled_from(["cover", "all"]),
        "layers": st.lists(LAYERS, max_size=3, unique_by=lambda layer: layer["name"]),
    }
)
TARGETS = st.one_of(
    st.fixed_dictionaries(
        {"schedule": st.sampled_from(SCHEDULES)}, optional={"notify": st.sampled_from(["current", "next", "previous"])}
    ),
    st.fixed_dictionaries({"team": st.sampled_from(TEAMS)}, optional={"notify": st.sampled_from(["all", "managers"])}),
    st.fixed_dictionaries({"user": st.sampled_from(USERS)}),
)


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    delays = sorted(draw(st.lists(SECONDS, min_size=1, max_size=4)))
    return {
        "team": draw(st.sampled_from(TEAMS)),
        "repeat": draw(st.integers(0, 20)),
        "repeatAfter": draw(durations(1)),
        "ackTimeout": draw(optional(durations(0, 604_800))),
        "steps": [
            {
                "name": draw(optional(WORDS)),
                "targets": draw(st.lists(TARGETS, min_size=1, max_size=3)),
                "after": st_duration(delay),
                "if": draw(st.sampled_from(["unacknowledged", "unresolved"])),
            }
            for delay in delays
        ],
    }


SERVICE_SPECS = st.fixed_dictionaries(
    {
        "displayName": WORDS,
        "description": st.sampled_from(["", "one line", "two\nlines", "  indented\n\n- list: x\n"]),
        "team": st.sampled_from(TEAMS),
        "escalationPolicy": optional(st.just("standard")),
        "tier": st.integers(0, 9),
        "urgency": st.sampled_from(["by-priority", "high", "low"]),
        "supportHours": optional(
            st.fixed_dictionaries(
                {
                    "timeZone": ZONES,
                    "days": DAYS,
                    "from": st.just("09:00"),
                    "to": CLOCK.filter(lambda at: at != "09:00"),
                }
            )
        ),
        "pageAfter": durations(),
        "autoResolveAfter": optional(durations(1)),
        "links": st.lists(
            st.fixed_dictionaries({"url": st.just("https://example.com/?a=b#c: d")}, optional={"title": WORDS}).map(
                lambda link: {**link, "url": link["url"].replace(" ", "")}
            ),
            max_size=2,
        ),
    }
)
SOURCE_SPECS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["alertmanager", "generic", "grafana", "pagerduty"]),
        "service": st.sampled_from(SERVICES),
        "serviceLabel": st.sampled_from([None, "service"]),
        "priorityLabel": st.sampled_from([None, "severity"]),
        "priorities": st.dictionaries(st.sampled_from(["page", "null", "yes", "1.0"]), st.sampled_from(["P1", "P5"])),
        "groupBy": st.lists(st.sampled_from(["groupKey", "job", "no"]), max_size=2),
        "resolveAfter": optional(durations(1)),
        "expectEvery": optional(durations(1)),
        "isActive": st.booleans(),
        "key": optional(st.sampled_from(["0" * 32, "1234567890" * 3 + "12", "true" * 8])),
    }
)


@st.composite
def configurations(draw: st.DrawFn) -> list[dict[str, Any]]:
    found = [document("User", name, draw(users(number))) for number, name in enumerate(USERS)]
    found += [document("Team", name, draw(TEAM_SPECS)) for name in TEAMS]
    found += [document("Schedule", name, draw(SCHEDULE_SPECS)) for name in SCHEDULES]
    found += [document("EscalationPolicy", "standard", draw(policies()))]
    for number, name in enumerate(SERVICES):
        spec = draw(SERVICE_SPECS)
        spec["dependsOn"] = draw(st.lists(st.sampled_from(SERVICES[:number]), unique=True)) if number else []
        found.append(document("Service", name, spec))
    found.append(document("Source", "web", draw(SOURCE_SPECS)))
    return list(draw(st.permutations(found)))


YAML_TEXT = st.text(st.characters(exclude_characters="\x85\u2028\u2029"), max_size=12)  # YAML folds these line ends


def document(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    given_fields = {key: value for key, value in spec.items() if value is not None}
    return {"apiVersion": "midwatch.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": given_fields}


@OPTIONS
@given(configurations())
def test_applied_twice_and_exported_it_is_the_same(documents: list[dict[str, Any]]) -> None:
    text = yaml.safe_dump_all(documents, allow_unicode=True)
    with rolled_back():
        first = apply_text(text)
        assert len(first.changes) == len(documents)
        state = {key: current.spec for key, current in read_state().items()}
        assert apply_text(text).changes == []
        exported = export_text(with_contacts=True)
        assert plan_text(exported).changes == []
        assert plan_text(export_text()).changes == []
        apply_text(exported)
        assert {key: current.spec for key, current in read_state().items()} == state
        assert export_text(with_contacts=True) == exported


@contextmanager
def rolled_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def problems_of(text: str) -> Sequence[Problem]:
    try:
        plan_text(text)
    except ConfigurationError as error:
        return error.problems
    return ()


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        YAML_TEXT | st.none(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(YAML_TEXT, inner, max_size=4),
        max_leaves=20,
    )
)
def test_texts_are_read_as_they_were(value: Any) -> None:
    text = yaml.safe_dump(value, allow_unicode=True, default_style='"' if isinstance(value, str) else None)
    found = read_text(text)
    if found.problems:
        assert any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or ord(char) > 0xD7FF for char in text)
    elif found.documents:
        assert as_plain(found.documents[0].root) == value


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"%@`#,? \n\t<~.0"), max_size=60))
def test_no_text_makes_the_reader_fall(text: str) -> None:
    read_text(text)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(configurations(), st.data())
def test_a_spoilt_configuration_is_refused_in_words_or_taken(
    documents: list[dict[str, Any]], data: st.DataObject
) -> None:
    """Replace one value somewhere by something else: never another exception than a list of problems."""
    spoil(documents, data)
    text = yaml.safe_dump_all(documents, allow_unicode=True)
    with rolled_back():
        assert all(problem.line > 0 and problem.text for problem in problems_of(text))


def spoil(value: Any, data: st.DataObject) -> None:
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        if isinstance(value[key], dict | list) and value[key] and data.draw(st.integers(0, 4)):
            value = value[key]
            continue
        value[key] = data.draw(
            st.sampled_from(
                [
                    None,
                    "",
                    "x",
                    "-1",
                    "99999999999999999999",
                    [],
                    {},
                    ["ana", "ana"],
                    {"x": "y"},
                    "****",
                    "nobody",
                    [[[]]],
                ]
            )
        )
        return


@given(st.integers(0, 10**7))
def test_durations_are_the_same_seconds(seconds: int) -> None:
    assert seconds_of(duration_text(seconds)) == seconds
