"""Every accepted event is an alert, a counted duplicate, or a visible refusal; none is anywhere else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from midwatch.respond.alerts.models import SourceProblem
from midwatch.simulation.checks.view import View

KINDS = {"quarantined": "quarantined", "not-understood": "parser", "refused": "refused", "truncated": "truncated"}
OWN = "midwatch/"


def every_event_is_somewhere(view: View) -> Iterator[str]:
    """Looked at whenever the log is read to its end."""
    if view.backlog or not view.is_changed:
        return
    expected: Counter[tuple[str, str]] = Counter()
    last: dict[tuple[str, str], str] = {}
    for one in view.record.accepted:
        for key, status in one.items:
            expected[one.source, key] += status == "firing"
            last[one.source, key] = status
    found: Counter[tuple[str, str]] = Counter()
    is_open: dict[tuple[str, str], bool] = {}
    for alert in view.alerts.values():
        if alert["source_id"] is None or alert["dedup_key"].startswith(OWN):
            continue
        name = (view.sources[alert["source_id"]], alert["dedup_key"])
        found[name] += alert["count"]
        is_open[name] = alert["status"] != "resolved"
    for name in sorted(expected.keys() | found.keys()):
        if expected[name] != found[name]:
            yield f"{name[0]}/{name[1]}: {expected[name]} firing events were accepted, the alerts count {found[name]}"
        if last.get(name) == "resolved" and is_open.get(name):
            yield f"{name[0]}/{name[1]}: its source resolved it last, and its alert is open"


def every_refusal_is_visible(view: View) -> Iterator[str]:
    if view.backlog or not view.is_changed:
        return
    wanted = [one for one in view.record.accepted if one.fate != "alerts"]
    if not wanted:
        return
    shown = Counter(SourceProblem.objects.values_list("event_token", "kind"))
    for one in wanted:
        count = shown[one.token, KINDS[one.fate]]
        if count != 1:
            yield f"a {one.fate} event of {one.source} is shown {count} times on its source's page"


def numbers_are_given_once(view: View) -> Iterator[str]:
    numbers = sorted(alert["number"] for alert in view.alerts.values() if alert["number"] is not None)
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"alert numbers have a gap or a double: {numbers[-5:]} of {len(numbers)}"
