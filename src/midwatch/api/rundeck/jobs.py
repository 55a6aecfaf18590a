"""Jobs, which are runbooks: lists, one, its definition, and running it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from django.db.models import ProtectedError
from django.http import HttpResponse

from midwatch.api.rundeck import definitions, executions, words
from midwatch.api.rundeck.door import Asked, Json, Refused, answered, no_such, texted
from midwatch.api.rundeck.projects import runbooks_of
from midwatch.core.foreign import as_yaml
from midwatch.core.text import whole_number
from midwatch.prepare.runbooks import actions, permits
from midwatch.prepare.runbooks import options as typed
from midwatch.prepare.runbooks.actions.turning import turn_runbook
from midwatch.prepare.runbooks.document import Option
from midwatch.prepare.runbooks.models import Execution, KnownAs, Runbook, TriggeredBy
from midwatch.prepare.runbooks.queries import visible_to

ARGUMENTS_MAX = 100_000


def job_of(asked: Asked, name: str) -> Runbook:
    """By the uuid that a Rundeck gave it, by ours, or by its name. Raises `Refused`."""
    rows = visible_to(asked.user).filter(url="")
    known = KnownAs.objects.filter(product=words.PRODUCT, key=name[:100]).values_list("runbook_id", flat=True).first()
    by_name = rows.filter(pk=known) if known is not None else rows.filter(name=name[:63])
    found = by_name.first() or _minted(asked, name)
    if found is None:
        raise no_such("Job ID", name)
    return found


def _minted(asked: Asked, uuid: str) -> Runbook | None:
    rows = visible_to(asked.user).filter(url="")
    name = next((one for one in rows.values_list("name", flat=True) if words.minted(one) == uuid), None)
    return rows.filter(name=name).first() if name else None


def index(asked: Asked) -> HttpResponse:
    found = runbooks_of(asked, asked.ids[0])
    known = words.Known(found)
    part, exact = asked.text("jobFilter").lower(), asked.text("jobExactFilter")
    group, group_exact = asked.text("groupPath").strip("/"), asked.text("groupPathExact").strip("/")
    ids = {one.strip() for one in asked.text("idlist", most=100_000).split(",") if one.strip()}
    kept = []
    for one in found:
        its_group = known.group(one)
        if part and part not in one.name.lower():
            continue
        if exact and exact != one.name:
            continue
        if group and group != "*" and not f"{its_group}/".startswith(f"{group}/"):
            continue
        if group_exact and its_group != ("" if group_exact == "-" else group_exact):
            continue
        if ids and known.uuid(one) not in ids and one.name not in ids:
            continue
        kept.append(words.job(asked, one, known))
    offset = asked.whole("offset", 0, 2**31)
    most = asked.whole("max", len(kept), 10_000) or len(kept)
    return answered(kept[offset : offset + most])


def info(asked: Asked) -> HttpResponse:
    runbook = job_of(asked, asked.ids[0])
    found = words.job(asked, runbook, words.Known([runbook]))
    if asked.wants("xml"):
        kept = {key: value for key, value in found.items() if value is not None}
        kept["project"] = runbook.team.name
        return texted(definitions.as_element("job", kept), "application/xml")
    return answered(found)


def meta(asked: Asked) -> HttpResponse:
    runbook = job_of(asked, asked.ids[0])
    return answered([{"name": "schedule", "data": {}}, {"name": "name", "data": {"name": runbook.name}}])


def show(asked: Asked) -> HttpResponse:
    return _defined(asked, [job_of(asked, asked.ids[0])])


def export(asked: Asked) -> HttpResponse:
    found = runbooks_of(asked, asked.ids[0])
    known = words.Known(found)
    ids = {one.strip() for one in asked.text("idlist", most=100_000).split(",") if one.strip()}
    group, part = asked.text("groupPath").strip("/"), asked.text("jobFilter").lower()
    return _defined(
        asked,
        [
            one
            for one in found
            if (not ids or known.uuid(one) in ids or one.name in ids)
            and (not group or group == "*" or f"{known.group(one)}/".startswith(f"{group}/"))
            and part in one.name.lower()
        ],
    )


def _defined(asked: Asked, found: list[Runbook]) -> HttpResponse:
    known = words.Known(found)
    made = [definitions.definition(one, known) for one in found]
    if asked.wants("yaml"):
        return texted(as_yaml(made), "application/yaml")
    if asked.wants("xml"):
        return texted(definitions.as_xml(made), "application/xml")
    return answered(made)


def workflow(asked: Asked) -> HttpResponse:
    steps = definitions.document_of(job_of(asked, asked.ids[0])).steps
    return answered({"workflow": [{"description": step.title, "type": step.executor or step.kind} for step in steps]})


def runs(asked: Asked) -> HttpResponse:
    return executions.of_job(asked, job_of(asked, asked.ids[0]))


def run(asked: Asked) -> HttpResponse:
    """{"options": {...}} or {"argString": "-name value"}; whether it may be started says who the token belongs to."""
    runbook = job_of(asked, asked.ids[0])
    _may_start(asked, runbook)
    if asked.text("runAtTime"):
        raise Refused(400, "runAtTime is not taken: start it by a schedule, or leave this out")
    if asked.text("asUser", most=100) not in {"", asked.user.name}:
        raise Refused(403, "asUser: a token acts as its own person", "unauthorized")
    wanted = _options(asked, definitions.document_of(runbook).front.options)
    return answered(words.execution(asked, *_started(asked, runbook, wanted, _targets(asked, runbook))))


def again(asked: Asked) -> HttpResponse:
    """The same options once more."""
    runbook = job_of(asked, asked.ids[0])
    _may_start(asked, runbook)
    earlier = executions.execution_of(asked, asked.ids[1])
    if earlier.runbook_id != runbook.pk:
        raise no_such("Execution ID", asked.ids[1])
    wanted = {**typed.from_stored(earlier.options), **_options(asked, definitions.document_of(runbook).front.options)}
    return answered(words.execution(asked, *_started(asked, runbook, wanted, ())))


def abort(asked: Asked) -> HttpResponse:
    """A GET, as Rundeck has it. An execution that has ended is answered as it is."""
    one = executions.execution_of(asked, asked.ids[0])
    if not permits.may_carry_out(asked.user, one):
        raise Refused(403, permits.why_not(permits.Act.CARRY_OUT), "unauthorized")
    status, reason = "pending", ""
    if one.is_ended:
        status, reason = "failed", f"the execution has ended: {words.STATUS[one.state]}"
    else:
        actions.cancel(one, asked.by, "aborted by Rundeck's API")
        one.refresh_from_db()
        status = "aborted" if one.is_ended else "pending"
    about: Json = {"status": status, **({"reason": reason} if reason else {})}
    href = f"{asked.root}/execution/{one.number}"
    shown = {"id": str(one.number), "status": words.STATUS[one.state], "href": href,
             "permalink": words.page_of(one)}  # fmt: skip
    return answered({"abort": about, "execution": shown})


def turn(asked: Asked) -> HttpResponse:
    """`execution/enable` and `execution/disable`; schedules are triggers of their own here."""
    runbook = job_of(asked, asked.ids[0])
    asked.only_team(runbook.team)
    turn_runbook(runbook, asked.by, is_active=asked.words[-1] == "enable")
    return answered({"success": True})


def delete(asked: Asked) -> HttpResponse:
    runbook = job_of(asked, asked.ids[0])
    asked.only_team(runbook.team)
    try:
        actions.delete_runbook(runbook, asked.by)
    except ProtectedError as error:
        raise Refused(409, f"{runbook.name} was carried out, and that is evidence: turn it off instead") from error
    return HttpResponse(status=204)


def _may_start(asked: Asked, runbook: Runbook) -> None:
    if not permits.may(asked.user, runbook, permits.Act.START):
        raise Refused(403, permits.why_not(permits.Act.START), "unauthorized")


def _started(
    asked: Asked, runbook: Runbook, wanted: Mapping[str, object], targets: tuple[str, ...]
) -> tuple[Execution, words.Known]:
    try:
        made = actions.start(runbook, wanted, asked.by, trigger=TriggeredBy.API, only_targets=targets)
    except typed.OptionsError as error:
        raise Refused(400, f"Job options were not valid: {error}", "api.error.job.options-invalid") from error
    except ValueError as error:
        raise Refused(409, str(error), "api.error.execution.conflict") from error
    return made, words.Known([runbook])


def _options(asked: Asked, known: tuple[Option, ...]) -> dict[str, object]:
    """By the names they have here, or had there: what an environment variable cannot tell apart is one option."""
    given: dict[str, Any] = {}
    arguments = asked.text("argString", most=ARGUMENTS_MAX)
    if arguments:
        try:
            parts = shlex.split(arguments)
        except ValueError as error:
            raise Refused(400, "argString: a quote is not closed") from error
        if len(parts) % 2 or not all(part.startswith("-") for part in parts[::2]):
            raise Refused(400, "argString is pairs: -name value")
        given |= {name.lstrip("-"): value for name, value in zip(parts[::2], parts[1::2], strict=True)}
    said = asked.given.get("options")
    given |= said if isinstance(said, dict) else {}
    for source in (asked.query.items(), asked.given.items()):
        given |= {name.removeprefix("option."): value for name, value in source if name.startswith("option.")}
    by_variable = {option.variable: option.name for option in known}
    return {by_variable.get(typed.variable_of(str(name)), str(name)): value for name, value in given.items()}


def _targets(asked: Asked, runbook: Runbook) -> tuple[str, ...]:
    """`filter`: names of targets that the runbook has. Nothing else is guessed at."""
    text = asked.text("filter", most=5_000)
    if not text or text in {"*", ".*"}:
        return ()
    text = text.removeprefix("name:").removeprefix("nodename:").strip()
    wanted = tuple(part.strip() for part in text.split(",") if part.strip())
    known = {target for step in definitions.document_of(runbook).steps for target in step.targets}
    missing = [one for one in wanted if one not in known]
    if missing:
        raise Refused(
            400, f"filter: {', '.join(missing)[:200]} is no target of this runbook: give names of its targets"
        )
    return wanted


def forecast(asked: Asked) -> HttpResponse:
    runbook = job_of(asked, asked.ids[0])
    most = whole_number(asked.text("max")) or 1
    return answered({**words.job(asked, runbook, words.Known([runbook])), "futureScheduledExecutions": [], "max": most})
