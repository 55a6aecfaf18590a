"""Archives of other tools: what is in the file is here once, and a hostile line stops nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from api_world import World
from cli_run import Run
from fakes.github_statuses import history
from midwatch.cli import github_statuses
from midwatch.cli.github_statuses import RefusedError, Skipped
from midwatch.core import clock
from midwatch.core.models import OutboxEvent
from midwatch.learn.insights.queries import Scope, report
from midwatch.learn.postmortems.models import Postmortem
from midwatch.respond.incidents.models import Entry, ImportedIncident, Incident, Promise, RoleHolding, Update
from midwatch.respond.notify.models import Delivery

GOOD: dict[str, Any] = {
    "id": "77",
    "title": "Incident with Pages",
    "impact": "major",
    "started_at": "2025-03-01T10:00:00Z",
    "resolved_at": "2025-03-01T11:00:00Z",
    "updates": [
        {"at": "2025-03-01T10:05:00Z", "status": "Investigating", "message": "We look."},
        {"at": "2025-03-01T10:40:00Z", "status": "Monitoring", "message": "Better."},
        {"at": "2025-03-01T10:50:00Z", "status": "Update", "message": "Still better."},
        {"at": "2025-03-01T11:00:00Z", "status": "Resolved", "message": "Over."},
    ],
    "components": ["Pages", "Checkout"],
}


def written(path: Path, *lines: object) -> str:
    path.write_bytes(
        b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    )
    return str(path)


def test_an_archive_is_incidents_of_the_past_once(world: World, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "incidents.jsonl"
    lines = list(history(60, days=1_000))
    path.write_text("".join(f"{line}\n" for line in lines))
    planned = sum(json.loads(line)["impact"] == "maintenance" for line in lines)
    said = run("import", "github-statuses", str(path), "--json")
    assert (said.code, said.json["imported"], said.json["skipped"]) == (0, 60 - planned, {"maintenance": planned})
    assert Incident.objects.filter(is_backfilled=True, phase="closed").count() == 60 - planned
    again = run("import", "github-statuses", str(path))
    assert again.out.splitlines()[0] == f"0 imported, {60 - planned} were here already."
    assert ImportedIncident.objects.count() == Incident.objects.count() == 60 - planned
    assert not Promise.objects.exists()
    assert not Delivery.objects.exists()
    assert not Postmortem.objects.exists()


def test_what_was_said_stands_where_it_was_said(world: World, run: Run, tmp_path: Path) -> None:
    assert run("import", "github-statuses", written(tmp_path / "f", GOOD), "--as", "bo").code == 0
    incident = Incident.objects.get()
    began = datetime(2025, 3, 1, 10, tzinfo=UTC)
    assert (incident.severity, incident.service, incident.lesson) == ("SEV2", world.service, "none")
    assert (incident.started_at, incident.mitigated_at) == (began, began + timedelta(minutes=40))
    assert incident.resolved_at == incident.closed_at == began + timedelta(hours=1)
    assert [(one.stage, one.published_at) for one in Update.objects.all()][1:3] == [
        ("monitoring", began + timedelta(minutes=40)),
        ("monitoring", began + timedelta(minutes=50)),
    ]
    held = RoleHolding.objects.get()
    assert (held.user, held.assumed_at, held.ended_at) == (world.bo, began, incident.closed_at)
    assert Entry.objects.filter(kind="update", happened_at=began + timedelta(minutes=5)).exists()
    assert set(OutboxEvent.objects.values_list("name", flat=True)) >= {"incident.declared"}
    now = clock.now()
    found = report(Scope(service=world.service), began - timedelta(days=7), began + timedelta(days=7), now)
    shown = {figure.definition.key: figure.shown for figure in found.figures}
    assert (shown["incidents"], shown["time_to_resolve"], shown["time_to_public_notice"]) == ("1", "1 h", "5 min")
    assert sum(next(one.values for one in found.series if one.title == "Incidents")) == 1


HOSTILE = [
    (b"{", "no JSON"),
    (b"[1]", "no JSON object"),
    (b"\xff\xfe", "no UTF-8 text"),
    (b"[" * 200_000, "nested too deeply|no JSON"),
    (b'{"id": ' + b"9" * 20_000 + b"}", "no JSON|'id' is no text"),
    ({**GOOD, "id": 5}, "'id' is no text"),
    ({**GOOD, "id": "x" * 101}, "'id' is no text"),
    ({**GOOD, "id": "a\x00b"}, "'id' is no text"),
    ({**GOOD, "title": "\x00"}, "'title' is empty"),
    ({**GOOD, "impact": ["major"]}, "'impact' is"),
    ({**GOOD, "impact": "huge"}, "'impact' is 'huge'"),
    ({**GOOD, "started_at": "yesterday"}, "no moment"),
    ({**GOOD, "resolved_at": "2025-02-01T00:00:00Z"}, "resolved before it began"),
    ({**GOOD, "updates": [{}] * 501}, "'updates' is no list"),
    ({**GOOD, "updates": ["x"]}, "no object"),
    ({**GOOD, "updates": [{"at": "2025-03-01T10:05:00Z", "status": "Fine", "message": ""}]}, "'status' is 'fine'"),
    ({**GOOD, "components": "Pages"}, "'components' is no list"),
    (b'{"id": "1", "pad": "' + b"x" * 1_100_000 + b'"}', "longer than"),
]


@pytest.mark.parametrize(("line", "why"), HOSTILE)
def test_a_hostile_line_is_refused_by_its_number(line: Any, why: str) -> None:
    raw = line if isinstance(line, bytes) else json.dumps(line).encode()
    found = list(github_statuses.lines(BytesIO(b"\n" + raw + b"\n" + json.dumps(GOOD).encode())))
    assert [one.number for one in found] == [2, 3]
    refused, good = found[0].found, found[1].found
    assert isinstance(refused, RefusedError)
    assert any(part in str(refused) for part in why.split("|"))
    assert isinstance(good, tuple)


def test_the_good_lines_go_in_beside_the_refused(world: World, run: Run, tmp_path: Path) -> None:
    odd = {**GOOD, "id": "78", "title": "\ud800 <script>\u202e", "url": "javascript:alert(1)"}
    later = {**GOOD, "id": "79", "resolved_at": None}
    ahead = {**GOOD, "id": "80", "resolved_at": "2199-01-01T00:00:00Z"}
    file = written(tmp_path / "f", GOOD, b"{", odd, GOOD, later, ahead, *([b"["] * 25))
    said = run("import", "github-statuses", file)
    assert said.code == 1
    assert said.out.splitlines()[:3] == [
        "2 imported, 1 were here already.",
        "1 skipped: not resolved.",
        "Line 2 refused: no JSON: Expecting property name enclosed in double quotes: line 2 column 1 (char 2).",
    ]
    assert "Line 6 refused: resolved lies in the future" in said.out
    assert said.out.splitlines()[-1] == "And 7 more lines were refused."
    assert Incident.objects.filter(title="\ufffd <script>").exists()
    assert run("import", "github-statuses", str(tmp_path / "none")).code == 1
    assert "there is no service 'gone'" in run("import", "github-statuses", file, "--service", "gone").err


def test_the_generator_makes_the_same_for_the_same_seed() -> None:
    assert list(history(20, seed=3)) == list(history(20, seed=3)) != list(history(20, seed=4))
    read = [github_statuses.read(line.encode()) for line in history(300)]
    assert not [one for one in read if isinstance(one, RefusedError)]
    assert 10 < len([one for one in read if isinstance(one, Skipped)]) < 60
