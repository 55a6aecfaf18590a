from __future__ import annotations

import copy
import json
import random
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shown import expected, samples, shown

from midwatch.core import integration as limits
from midwatch.core.integration import Accept, Event, Refuse, Refused, Rejected, sources

SAMPLES = [(type_, path) for type_ in sources() for path in samples(type_)]
UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**40, max_value=10**45),
    st.floats(),
    st.text(max_size=30),
    st.sampled_from(["firing", "resolved", "trigger", "\x00", "\ud800", "critical",
                     "2026-11-22T02:00:00Z", "http://[x", "x" * 5000]),
)  # fmt: skip
FIELDS = st.sampled_from(
    ["alerts", "status", "labels", "annotations", "fingerprint", "title", "key", "links", "href", "text", "payload",
     "severity", "summary", "source", "event_action", "routing_key", "dedup_key", "_minted", "custom_details", "values",
     "groupKey", "priority", "truncatedAlerts", "images", "description", "startsAt"]
)  # fmt: skip
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(FIELDS, st.text(max_size=8)), inner, max_size=6)
    ),
    max_leaves=25,
)


def parsed(type_: str, payload: Any) -> list[Event | Refused]:
    """What every parser owes: a list of storable things, or Rejected with words."""
    try:
        found = sources()[type_].parse(payload)
    except Rejected as error:
        found = [Refused(str(error))]
    for item in found:
        if isinstance(item, Refused):
            assert 0 < len(item.reason) <= limits.REASON_MAX
            assert not UNSTORABLE.search(item.reason)
        else:
            check_event(item)
    return found


def check_event(event: Event) -> None:
    assert event.status in {"firing", "acknowledged", "resolved"}
    assert 0 < len(event.key) <= limits.KEY_MAX
    assert 0 < len(event.title) <= limits.TITLE_MAX
    assert "\n" not in event.title
    assert len(event.description) <= limits.DESCRIPTION_MAX
    assert len(event.group_key) <= limits.KEY_MAX
    assert len(event.labels) <= limits.LABELS_MAX
    assert len(event.links) <= limits.LINKS_MAX
    assert isinstance(event.truncated, int)
    assert 0 <= event.truncated < 2**31
    assert event.starts_at is None or event.starts_at.utcoffset() is not None
    texts = [event.key, event.title, event.priority_word, event.description, event.group_key]
    for name, value in event.labels.items():
        assert 0 < len(name) <= limits.LABEL_NAME_MAX
        assert len(value) <= limits.LABEL_VALUE_MAX
        texts += [name, value]
    for link in event.links:
        assert link.href.startswith(("http://", "https://"))
        assert len(link.href) <= limits.LINK_HREF_MAX
        assert len(link.text) <= limits.LINK_TEXT_MAX
        texts += [link.href, link.text]
    for text in texts:
        assert not UNSTORABLE.search(text), repr(text)


@pytest.mark.parametrize(("type_", "path"), SAMPLES, ids=lambda value: getattr(value, "name", value))
def test_samples_mean_what_is_written_beside_them(type_: str, path: Any) -> None:
    payload = json.loads(path.read_text())
    before = copy.deepcopy(payload)
    assert shown(sources()[type_], payload) == json.loads(expected(path).read_text())
    assert payload == before, "a parser does not change its payload"
    parsed(type_, payload)


@pytest.mark.parametrize("type_", sources())
def test_a_source_is_whole(type_: str) -> None:
    source = sources()[type_]
    assert re.fullmatch(r"[a-z][a-z0-9-]{1,29}", source.TYPE)
    assert source.TITLE
    assert 64 * 1024 <= source.BODY_MAX <= 64 * 1024 * 1024
    names = [path.stem for path in samples(type_)]
    assert len(names) >= 4
    assert "hostile" in names
    example = json.loads(source.EXAMPLE)  # type: ignore[attr-defined]
    assert any(isinstance(item, Event) for item in parsed(type_, example))


@pytest.mark.parametrize("type_", sources())
@given(payload=JSON)
@settings(max_examples=150, deadline=None)
def test_no_json_breaks_a_parser(type_: str, payload: Any) -> None:
    parsed(type_, payload)


@pytest.mark.parametrize(("type_", "path"), SAMPLES, ids=lambda value: getattr(value, "name", value))
@given(seed=st.integers(0, 2**32), junk=JSON)
@settings(max_examples=60, deadline=None)
def test_no_sample_with_something_else_inside_breaks_a_parser(type_: str, path: Any, seed: int, junk: Any) -> None:
    payload = json.loads(path.read_text())
    chooser = random.Random(seed)
    place: Any = payload
    while True:  # walk to some place and put junk there
        if not isinstance(place, dict | list) or not place:
            break
        step = chooser.choice(list(place) if isinstance(place, dict) else list(range(len(place))))
        if not isinstance(place[step], dict | list) or chooser.random() < 0.3:
            place[step] = junk
            break
        place = place[step]
    parsed(type_, payload)


@pytest.mark.parametrize("type_", sources())
@pytest.mark.parametrize("shape", ["list", "object"])
def test_depth_does_not_break_a_parser(type_: str, shape: str) -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep] if shape == "list" else {"a": deep}
    example = json.loads(sources()[type_].EXAMPLE)  # type: ignore[attr-defined]
    parsed(type_, deep)
    for name in example:
        parsed(type_, {**example, name: deep})
    for holder, name in (("payload", "custom_details"), ("payload", "source"), ("labels", "x")):
        if isinstance(example.get(holder), dict):
            parsed(type_, {**example, holder: {**example[holder], name: deep}})
    for alert in example.get("alerts", []):
        for name in ("labels", "annotations", "values"):
            parsed(type_, {**example, "alerts": [{**alert, name: {"summary": deep, "x": deep}}]})
    while deep:  # taken apart gently: a recursive destructor is another program's problem
        deep = deep[0] if isinstance(deep, list) else deep["a"]


@pytest.mark.parametrize("type_", sources())
def test_long_and_many_is_cut_dropped_and_counted(type_: str) -> None:
    example = json.loads(sources()[type_].EXAMPLE)  # type: ignore[attr-defined]
    many = {f"label{number:04d}": "x" * 3000 for number in range(300)}
    long = "y" * 100_000
    if "alerts" in example:
        example["alerts"][0]["labels"] |= many
        example["alerts"][0]["annotations"] |= {"summary": long, "description": long}
    elif "payload" in example:
        example["payload"] |= {"summary": long, "custom_details": many}
    else:
        example |= {"labels": example["labels"] | many, "title": long, "description": long}
    (event,) = parsed(type_, example)
    assert isinstance(event, Event)
    assert len(event.title) == limits.TITLE_MAX
    if "payload" not in example:
        assert len(event.labels) == limits.LABELS_MAX
        assert event.labels_dropped > 190
    if "alerts" in example:
        assert event.priority_word == "critical", "labels that routes hang on are kept first"


@pytest.mark.parametrize("type_", [name for name, source in sources().items() if hasattr(source, "reply")])
@given(body=st.one_of(st.binary(max_size=200), JSON.map(lambda value: json.dumps(value).encode())))
@settings(max_examples=150, deadline=None)
def test_no_body_breaks_a_reply(type_: str, body: bytes) -> None:
    answer = sources()[type_].reply(body)  # type: ignore[attr-defined]
    assert isinstance(answer, Accept | Refuse)
    json.loads(answer.body)
    assert answer.status in (range(200, 300) if isinstance(answer, Accept) else range(400, 500))
