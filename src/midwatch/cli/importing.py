"""The verb that reads archives of incidents: a file of another tool's becomes incidents of the past here."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from django.db import transaction

from midwatch.catalog.models import Service
from midwatch.cli import github_statuses
from midwatch.cli.github_statuses import Line, RefusedError, Skipped
from midwatch.cli.output import VerbError, show
from midwatch.cli.people import acting
from midwatch.core.actor import Actor
from midwatch.people.models import User
from midwatch.respond.incidents import actions
from midwatch.respond.incidents.actions import Past

AT_ONCE = 25  # incidents of one transaction: short enough for an engine beside it
REFUSALS_SHOWN = 20


@dataclass
class Outcome:
    imported: int = 0
    known: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    first_refusals: list[dict[str, object]] = field(default_factory=list)

    def refuse(self, number: int, why: str) -> None:
        self.refused += 1
        if len(self.first_refusals) < REFUSALS_SHOWN:
            self.first_refusals.append({"line": number, "why": why})


@dataclass(frozen=True, slots=True)
class Archive:
    """Where its incidents go, and who stands there as who led them and wrote them down."""

    commander: User
    by: Actor
    services: dict[str, Service]  # by lower-case name
    service: Service | None

    def service_of(self, components: Sequence[str]) -> Service | None:
        """The one that was named, else the first component that is a service here."""
        return self.service or next(
            (found for name in components if (found := self.services.get(name.lower())) is not None), None
        )


def github_statuses_file(args: Namespace) -> int:
    """Exit code 1 when a line was refused; the others are in."""
    by, user = acting(args)
    if user is None:
        raise VerbError("there is no administrator yet: say who acts with --as USER")
    archive = Archive(user, by, _services(), _service(args.service))
    outcome = Outcome()
    path = Path(args.file)
    try:
        with path.open("rb") as file:
            for batch in _batches(github_statuses.lines(file)):
                _take(batch, archive, outcome)
    except OSError as error:
        raise VerbError(f"{path} cannot be read ({error.strerror}): give a file of one JSON object a line") from error
    show(args, _data(outcome), _lines(outcome))
    return 1 if outcome.refused else 0


def _services() -> dict[str, Service]:
    found: dict[str, Service] = {}
    for service in Service.objects.select_related("team").order_by("-pk"):
        found[service.display_name.lower()] = service
        found[service.name.lower()] = service
    return found


def _service(name: str) -> Service | None:
    found = Service.objects.select_related("team").filter(name=name).first() if name else None
    if name and found is None:
        raise VerbError(f"there is no service {name!r}")
    return found


def _batches(lines: Iterator[Line]) -> Iterator[list[Line]]:
    batch: list[Line] = []
    for line in lines:
        batch.append(line)
        if len(batch) >= AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _take(batch: Sequence[Line], archive: Archive, outcome: Outcome) -> None:
    with transaction.atomic():
        keys = [line.found[0].key for line in batch if isinstance(line.found, tuple)]
        known = actions.known_keys(keys)
        for line in batch:
            match line.found:
                case RefusedError() as refused:
                    outcome.refuse(line.number, str(refused))
                case Skipped(why=why):
                    outcome.skipped[why] += 1
                case (past, components) if past.key not in known:
                    known.add(past.key)
                    _import(line.number, past, components, archive, outcome)
                case _:
                    outcome.known += 1


def _import(number: int, past: Past, components: Sequence[str], archive: Archive, outcome: Outcome) -> None:
    placed = replace(past, service=archive.service_of(components))
    try:
        with transaction.atomic():
            is_new = actions.import_incident(placed, archive.commander, archive.by) is not None
    except ValueError as error:
        outcome.refuse(number, str(error))
        return
    outcome.imported += is_new
    outcome.known += not is_new


def _data(outcome: Outcome) -> dict[str, object]:
    return {
        "imported": outcome.imported,
        "known": outcome.known,
        "skipped": dict(outcome.skipped),
        "refused": outcome.refused,
        "refusals": outcome.first_refusals,
    }


def _lines(outcome: Outcome) -> list[str]:
    found = [f"{outcome.imported} imported, {outcome.known} were here already."]
    found += [f"{count} skipped: {why}." for why, count in sorted(outcome.skipped.items())]
    found += [f"Line {one['line']} refused: {one['why']}." for one in outcome.first_refusals]
    if outcome.refused > len(outcome.first_refusals):
        found.append(f"And {outcome.refused - len(outcome.first_refusals)} more lines were refused.")
    return found
