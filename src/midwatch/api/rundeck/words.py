"""Our rows in Rundeck's shapes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from django.urls import reverse

from midwatch.api.rundeck.door import Asked, Json
from midwatch.people.models import Team
from midwatch.prepare.runbooks.models import Execution, ExecutionState, KnownAs, Runbook
from midwatch.settings import settings

PRODUCT = "rundeck"
SERVER = str(uuid5(NAMESPACE_URL, "midwatch:server"))
LOCAL = "localhost"
AVERAGED_MAX = 2_000
# What Rundeck's clients know; at any other word they wait until their time is up.
STATUS: Mapping[str, str] = {
    ExecutionState.RUNNING: "running",
    ExecutionState.WAITING: "running",
    ExecutionState.OK: "succeeded",
    ExecutionState.FAILED: "failed",
    ExecutionState.UNKNOWN: "failed",
    ExecutionState.CANCELLED: "aborted",
}
TYPES: Mapping[str, str] = {"schedule": "scheduled", "person": "user", "api": "user", "chat": "user"}


def minted(name: str) -> str:
    """The uuid of a runbook that came from no Rundeck: the same on every node, as long as its name is."""
    return str(uuid5(NAMESPACE_URL, f"midwatch:runbook/{name}"))


class Known:
    """What several runbooks are called in Rundeck: their uuid, their group, how long they take. Three queries for all."""

    def __init__(self, runbooks: Iterable[Runbook]) -> None:
        ids = [one.pk for one in runbooks]
        rows = KnownAs.objects.filter(product=PRODUCT, runbook__in=ids).values_list("runbook_id", "key", "group")
        self._keys = {runbook: (key, group) for runbook, key, group in rows}
        self._averages = _averages(ids)

    def uuid(self, runbook: Runbook) -> str:
        return self._keys.get(runbook.pk, ("", ""))[0] or minted(runbook.name)

    def group(self, runbook: Runbook) -> str:
        return self._keys.get(runbook.pk, ("", ""))[1]

    def average_ms(self, runbook: Runbook) -> int:
        return self._averages.get(runbook.pk, 0)


def _averages(ids: Sequence[int]) -> dict[int, int]:
    """Of those that ended well, the newest of all of them together."""
    rows = Execution.objects.filter(runbook__in=ids, state=ExecutionState.OK).order_by("-number")
    found: dict[int, list[float]] = defaultdict(list)
    for runbook, began, ended in rows.values_list("runbook_id", "created_at", "ended_at")[:AVERAGED_MAX]:
        if ended is not None:
            found[runbook].append((ended - began).total_seconds())
    return {runbook: round(1000 * sum(seconds) / len(seconds)) for runbook, seconds in found.items()}


def moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def dated(at: datetime) -> Json:
    return {"unixtime": int(at.timestamp() * 1000), "date": moment(at)}


def page(runbook: Runbook) -> str:
    return f"{settings().base_url}/runbooks/{runbook.name}"


def page_of(one: Execution) -> str:
    return settings().base_url + reverse("runbooks:execution", args=[one.number])


def project(asked: Asked, team: Team) -> Json:
    return {
        "url": f"{asked.root}/project/{team.name}",
        "name": team.name,
        "label": team.display_name,
        "description": f"Runbooks of {team}",
        "created": moment(team.created_at),
    }


def job(asked: Asked, runbook: Runbook, known: Known) -> Json:
    """As lists have it."""
    uuid = known.uuid(runbook)
    return {
        "id": uuid,
        "name": runbook.name,
        "group": known.group(runbook) or None,
        "project": runbook.team.name,
        "description": runbook.title,
        "href": f"{asked.root}/job/{uuid}",
        "permalink": page(runbook),
        "scheduled": False,
        "scheduleEnabled": True,
        "enabled": runbook.is_active,
        "averageDuration": known.average_ms(runbook),
    }


def argstring(options: Mapping[str, Any]) -> str:
    """-option value: of a secret its mask."""
    return " ".join(
        f"-{name} {'****' if isinstance(value, dict) else _quoted(str(value))}" for name, value in options.items()
    )


def _quoted(value: str) -> str:
    return value if value and not any(mark in value for mark in " \"'") else '"' + value.replace('"', '""') + '"'


def execution(asked: Asked, one: Execution, known: Known) -> Json:
    runbook = one.runbook
    uuid = known.uuid(runbook)
    options = {name: "****" if isinstance(value, dict) else str(value) for name, value in one.options.items()}
    found: Json = {
        "id": one.number,
        "href": f"{asked.root}/execution/{one.number}",
        "permalink": page_of(one),
        "status": STATUS[one.state],
        "project": runbook.team.name,
        "executionType": TYPES.get(one.trigger, one.trigger),
        "user": one.started_by.name if one.started_by is not None else one.who,
        "date-started": dated(one.created_at),
        "job": {
            "id": uuid,
            "averageDuration": known.average_ms(runbook),
            "name": runbook.name,
            "group": known.group(runbook),
            "project": runbook.team.name,
            "description": runbook.title,
            "options": options,
            "href": f"{asked.root}/job/{uuid}",
            "permalink": page(runbook),
        },
        "description": runbook.title,
        "argstring": argstring(one.options) or None,
        "serverUUID": SERVER,
    }
    if one.state in {ExecutionState.WAITING, ExecutionState.UNKNOWN}:
        found["customStatus"] = one.state  # a person is wanted; nobody can say how far it came
    if one.ended_at is not None:
        found["date-ended"] = dated(one.ended_at)
        found |= nodes(one)
    return found


def nodes(one: Execution) -> Json:
    """Where it went well and where not: targets, or the machine itself."""
    good: list[str] = []
    bad: list[str] = []
    for step in one.steps.all():
        if step.state not in {"ok", "failed", "unknown"}:
            continue
        states = step.targets or {LOCAL: step.state}
        good += [target for target, state in states.items() if state == "ok"]
        bad += [target for target, state in states.items() if state in {"failed", "unknown"}]
    failed = sorted(set(bad))
    return {"successfulNodes": sorted(set(good) - set(failed)), **({"failedNodes": failed} if failed else {})}


def executions(asked: Asked, found: Sequence[Execution], *, total: int, offset: int, most: int) -> Json:
    """A page of them."""
    known = Known({one.runbook_id: one.runbook for one in found}.values())
    return {
        "paging": {"count": len(found), "total": total, "offset": offset, "max": most},
        "executions": [execution(asked, one, known) for one in found],
    }
