"""What the samples cannot say: pairs of events, and PagerDuty's own answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from shown import FOLDER

from midwatch.core.integration import KEY_MAX, Accept, Event, Refuse, Rejected
from midwatch.core.payload import fingerprint, moment
from midwatch.integrations.alertmanager import source as alertmanager
from midwatch.integrations.generic import source as generic
from midwatch.integrations.grafana import source as grafana
from midwatch.integrations.pagerduty import source as pagerduty

KEY = "0123456789abcdef0123456789abcdef"
TRIGGER = {
    "routing_key": KEY,
    "event_action": "trigger",
    "payload": {"summary": "Disk full", "source": "db3", "severity": "critical"},
}


def only(found: list[Any]) -> Event:
    (event,) = found
    assert isinstance(event, Event)
    return event


def test_prometheus_own_fingerprint() -> None:
    """Vectors of prometheus/common, model/signature_test.go."""
    assert int(fingerprint({}), 16) == 14695981039346656037
    assert int(fingerprint({"name": "garland, briggs", "fear": "love is not enough"}), 16) == 5799056148416392346


@pytest.mark.parametrize("source", [alertmanager, grafana])
def test_resolved_closes_what_firing_opened_whatever_else_changed(source: Any) -> None:
    labels = {"alertname": "DiskFull", "instance": "db3"}
    firing = {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": "97%"},
        "startsAt": "2026-11-22T02:00:00Z",
    }
    resolved = {"status": "resolved", "labels": dict(reversed(labels.items())), "annotations": {"summary": "12%"}}
    one = only(source.parse({"version": "4", "groupKey": "a", "alerts": [firing]}))
    other = only(source.parse({"version": "4", "groupKey": "b", "alerts": [resolved]}))
    assert (one.key, one.status, other.key, other.status) == (other.key, "firing", one.key, "resolved")
    with_fingerprint = {**resolved, "fingerprint": fingerprint(labels)}
    assert only(source.parse({"alerts": [with_fingerprint]})).key == one.key


def test_one_bad_alert_does_not_stop_the_others() -> None:
    good = {"status": "firing", "labels": {"alertname": "A"}}
    found = alertmanager.parse({"alerts": [good, None, {**good, "labels": {"alertname": "B"}}]})
    assert [type(item).__name__ for item in found] == ["Event", "Refused", "Event"]


def test_truncated_stands_once_and_is_seen_without_alerts() -> None:
    good = {"status": "firing", "labels": {"alertname": "A"}}
    found = alertmanager.parse({"alerts": [None, good, good], "truncatedAlerts": 7})
    assert [item.truncated for item in found if isinstance(item, Event)] == [7, 0]
    (refused,) = alertmanager.parse({"alerts": [], "truncatedAlerts": 7})
    assert "max_alerts" in refused.reason  # type: ignore[union-attr]


def test_the_key_of_a_generic_event_defaults_to_its_title_for_resolved_too() -> None:
    long = "x" * 5000
    for title in ("Disk full", "Disk\x00 full", long, long + "y"):
        firing, resolved = (
            only(generic.parse({"title": title, "status": status})) for status in ("firing", "resolved")
        )
        assert firing.key == resolved.key
        assert len(firing.key) <= KEY_MAX
    assert len({only(generic.parse({"title": title})).key for title in ("a", "a\x00", long, long + "y")}) == 4


@pytest.mark.parametrize(
    ("field", "value"),
    [("title", 5), ("key", 5), ("status", []), ("status", "bad"), ("priority", 1), ("description", {}), ("labels", "x"),
     ("labels.a", {"a": {}}), ("links", {}), ("links[0]", ["x"]), ("links[0].href", [{"text": "x"}]),
     ("links[0].text", [{"href": "http://x", "text": 5}])],
)  # fmt: skip
def test_wrong_types_name_their_field(field: str, value: object) -> None:
    name = field.partition(".")[0].partition("[")[0]
    (refused,) = generic.parse({"title": "Disk full", name: value})
    assert refused.reason.startswith(f"{field}: ")  # type: ignore[union-attr]


@pytest.mark.parametrize("payload", [None, [], "x", 5, True])
def test_what_is_no_object_is_rejected(payload: object) -> None:
    for source in (alertmanager, generic, grafana, pagerduty):
        with pytest.raises(Rejected, match="object"):
            source.parse(payload)


def test_moments() -> None:
    assert str(moment("2026-11-22T02:10:15.781266876+02:00")) == "2026-11-22 00:10:15.781266+00:00"
    for nothing in ("0001-01-01T00:00:00Z", "2026-11-22T02:10:15", "soon", "", 5, None, "9999-12-31T23:59:59-14:00"):
        assert moment(nothing) is None


# --- PagerDuty's own words


def reply(message: object) -> tuple[int, Any]:
    answer = pagerduty.reply(message if isinstance(message, bytes) else json.dumps(message).encode())
    return answer.status, json.loads(answer.body)


def test_pagerduty_accepts_with_the_key_it_was_given_or_makes_one() -> None:
    status, body = reply({**TRIGGER, "dedup_key": "db3/disk"})
    assert (status, body) == (202, {"status": "success", "message": "Event processed", "dedup_key": "db3/disk"})
    answer = pagerduty.reply(json.dumps(TRIGGER).encode())
    assert isinstance(answer, Accept)
    made = answer.minted["dedup_key"]
    assert json.loads(answer.body)["dedup_key"] == made
    assert len(made) == 32
    assert only(pagerduty.parse({**TRIGGER, "_minted": dict(answer.minted)})).key == made
    assert list(json.loads(answer.body)) == ["status", "message", "dedup_key"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"routing_key": "short"}, "Length of 'routing_key' is incorrect (should be 32 characters)"),
        ({"routing_key": None}, "'routing_key' is missing or blank"),
        ({"event_action": None}, "'event_action' is missing or blank"),
        (
            {"event_action": "open"},
            "'event_action' is invalid (must be one of the following: 'trigger', 'acknowledge' or 'resolve')",
        ),
        ({"event_action": "resolve"}, "'dedup_key' is missing or blank"),
        ({"payload": None}, "'payload' is missing or blank"),
        ({"payload": {"source": "s", "severity": "info"}}, "'payload.summary' is missing or blank"),
        ({"payload": {"summary": "s", "severity": "info"}}, "'payload.source' is missing or blank"),
        (
            {"payload": {"summary": "s", "source": "s", "severity": "Critical"}},
            "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')",
        ),
    ],
)
def test_pagerduty_refuses_in_its_words(change: dict[str, object], error: str) -> None:
    status, body = reply({**TRIGGER, **change})
    assert status == 400
    assert body == {"status": "invalid event", "message": "Event object is invalid", "errors": [error]}
    if "routing_key" not in change:  # the lane has read the key; what is stored was accepted
        assert pagerduty.parse({**TRIGGER, **change})[0] == pagerduty.Refused(error)


@pytest.mark.parametrize("body", [b"", b"nope", b"[]", b'"x"', b"\xff\xfe", b"[" * 100_000])
def test_pagerduty_does_not_recognise_what_is_no_object(body: bytes) -> None:
    status, answer = reply(body)
    assert (status, answer["status"]) == (400, "Unrecognized object")


def test_pagerduty_change_events() -> None:
    message = {
        "routing_key": KEY,
        "payload": {"summary": "Deployed 1.2", "source": "ci", "timestamp": "2026-11-22T02:00:00Z"},
    }
    answer = pagerduty.reply_change(json.dumps(message).encode())
    assert (answer.status, json.loads(answer.body)) == (202, {"status": "success", "message": "Change event processed"})
    assert isinstance(pagerduty.reply_change(b'{"routing_key": "x"}'), Refuse)


def test_samples_live_where_the_kit_looks() -> None:
    assert (FOLDER / "generic" / "samples" / "smallest.json").exists()
