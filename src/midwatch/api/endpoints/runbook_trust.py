"""Runbooks: may they be trusted, what starts them by themselves, and what holds them back."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from django.db import transaction
from django.http import HttpRequest
from ninja import Query, Router, Schema, Status
from pydantic import Field

from midwatch.api.authentication import acting, caller_of
from midwatch.api.endpoints import finding
from midwatch.api.inputs import Body, Name, Text
from midwatch.api.moments import Moment
from midwatch.api.problems import ProblemError, allowed, invalid, not_found
from midwatch.core import clock
from midwatch.people.models import Team
from midwatch.people.queries import may_edit_team
from midwatch.prepare.runbooks.actions import probing, promoting, rails, triggers
from midwatch.prepare.runbooks.models import Brake, Freeze, Promotion, Runbook, Trigger
from midwatch.prepare.runbooks.queries import evidence, trusting, visible_to
from midwatch.prepare.runbooks.queries import rails as asking
from midwatch.respond.incidents.actions import timeline
from midwatch.respond.incidents.models import Incident
from midwatch.respond.incidents.permits import leads

router = Router()
ACTS = {"x-acts": True}


class Reason(Body):
    reason: Annotated[Text, Field(max_length=500)]


class Stop(Reason):
    cancel_running: bool = False


class NewFreeze(Reason):
    """Of a `team`, of a `service`, or of everything."""

    title: Annotated[str, Field(max_length=200)] = ""
    starts_at: Moment | None = None
    ends_at: Moment
    team: Name | None = None
    service: Name | None = None


class Override(Reason):
    incident: Annotated[int, Field(ge=1, lt=2**63)]


class Automatic(Reason):
    is_allowed: bool


class Decision(Reason):
    accept: bool


class ProposalOut(Schema):
    id: int
    step: str
    direction: str
    to_kind: str
    why: str


class NewTrigger(Body):
    """`kind`: alert, schedule or webhook. Lengths in seconds."""

    name: Name
    kind: Annotated[str, Field(max_length=8)]
    options: dict[str, str] = {}
    run_as: Annotated[str, Field(max_length=8)] = "real"
    service: Name | None = None
    labels: dict[str, str] = {}
    title_has: Annotated[str, Field(max_length=200)] = ""
    priorities: list[str] = []
    hold_page_seconds: Annotated[int, Field(ge=0, le=300)] = 0
    every_seconds: Annotated[int, Field(ge=60, le=31_622_400)] | None = None
    cron: Annotated[str, Field(max_length=100)] = ""
    time_zone: Annotated[str, Field(max_length=63)] = "UTC"


class ExerciseOut(Schema):
    """One line of the calendar, the most urgent first."""

    runbook: str
    title: str
    team: str
    service: str | None
    due_on: date
    risk: float
    why: str
    evidence: str
    freshness: str


class TrustOut(Schema):
    evidence: str
    share: float | None
    at_least: float | None
    median_seconds: float | None
    p95_seconds: float | None
    real: int
    dry_runs: int
    drills: int
    deviations: int
    proven_at: Moment | None
    proven_by: str
    freshness: str
    reasons: list[str]
    waits: str
    proposals: list[ProposalOut]


class BrakeOut(Schema):
    is_stopped: bool
    sentence: str


class FreezeOut(Schema):
    id: int
    title: str
    reason: str
    team: str | None
    service: str | None
    starts_at: Moment
    ends_at: Moment
    who: str


class TriggerOut(Schema):
    """`token`: of a webhook, shown once, when it is made."""

    name: str
    kind: str
    is_active: bool
    service: str | None
    hold_page_seconds: int
    due_at: Moment | None
    missed: int
    last_at: Moment | None
    last_execution: int | None
    problem: str
    token: str = ""


def _team(request: HttpRequest, team: Team, what: str) -> None:
    if not may_edit_team(caller_of(request), team):
        raise ProblemError("forbidden", f"only members of {team} may {what}")


def _administrator(request: HttpRequest, what: str) -> None:
    if not caller_of(request).is_administrator:
        raise ProblemError("forbidden", f"only administrators may {what}")


def _runbook(request: HttpRequest, name: str) -> Runbook:
    return finding.by_name(visible_to(caller_of(request)), "runbook", name)


@router.get("/runbooks/calendar", response=list[ExerciseOut], summary="What to exercise next")
def runbook_calendar(request: HttpRequest, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> Any:
    caller_of(request)
    return [
        ExerciseOut(
            runbook=one.runbook.name,
            title=str(one.runbook),
            team=one.runbook.team.name,
            service=one.runbook.service.name if one.runbook.service else None,
            due_on=one.due_on,
            risk=one.risk,
            why=one.why,
            evidence=one.proof.sentence,
            freshness=one.freshness.state,
        )
        for one in trusting.calendar(limit=limit)
    ]


@router.get("/runbooks/stopped", response=BrakeOut, summary='Is everything stopped, by "stop everything"?')
def runbooks_stopped(request: HttpRequest) -> Any:
    caller_of(request)
    on = asking.brake()
    return BrakeOut(is_stopped=on is not None, sentence=asking.brake_words(on) if on else "")


@router.post("/runbooks/stop", response={201: BrakeOut}, openapi_extra=ACTS, summary="Stop everything")
def stop_runbooks(request: HttpRequest, wanted: Stop) -> Any:
    """Any member may: nothing starts by itself and nothing queued begins, until an administrator releases it."""
    by = acting(request)
    made: Brake = allowed(lambda: rails.stop_everything(by, wanted.reason, cancels_running=wanted.cancel_running))
    return Status(201, BrakeOut(is_stopped=True, sentence=asking.brake_words(made)))


@router.post("/runbooks/release", response=BrakeOut, openapi_extra=ACTS, summary="Let go on what was stopped")
def release_runbooks(request: HttpRequest, wanted: Reason) -> Any:
    by = acting(request)
    _administrator(request, "release what was stopped")
    allowed(lambda: rails.release_everything(by, wanted.reason))
    return BrakeOut(is_stopped=False, sentence="")


def _freeze(found: Freeze) -> FreezeOut:
    return FreezeOut(
        id=found.pk,
        title=found.title,
        reason=found.reason,
        team=found.team.name if found.team else None,
        service=found.service.name if found.service else None,
        starts_at=found.starts_at,
        ends_at=found.ends_at,
        who=found.who,
    )


@router.get("/runbooks/freezes", response=list[FreezeOut], summary="Freezes of now and later")
def list_freezes(request: HttpRequest) -> Any:
    caller_of(request)
    return [_freeze(one) for one in asking.freezes()]


@router.post(
    "/runbooks/freezes", response={201: FreezeOut}, openapi_extra=ACTS, summary="Nothing starts in this window"
)
def add_freeze(request: HttpRequest, wanted: NewFreeze) -> Any:
    """Of everything: administrators; of a team or a service: its members."""
    by = acting(request)
    team = finding.team_named("body.team", wanted.team) if wanted.team else None
    service = finding.service_named("body.service", wanted.service) if wanted.service else None
    owner = team or (service.team if service is not None else None)
    if owner is None:
        _administrator(request, "freeze everything")
    else:
        _team(request, owner, "freeze its runbooks")
    if team is not None and service is not None:
        raise invalid("body.service", "give a team or a service, not both")
    starts_at = wanted.starts_at or clock.now()
    fields = rails.FreezeFields(wanted.title, wanted.reason, starts_at, wanted.ends_at, team, service)
    return Status(201, _freeze(allowed(lambda: rails.add_freeze(fields, by))))


@router.post("/runbooks/freezes/{int:id}/end", response=FreezeOut, openapi_extra=ACTS, summary="End a freeze now")
def end_freeze(request: HttpRequest, id: int, wanted: Reason) -> Any:
    by = acting(request)
    found = Freeze.objects.select_related("team", "service__team").filter(pk=min(id, finding.NUMBER_MAX)).first()
    if found is None:
        raise not_found("freeze", id)
    owner = found.team or (found.service.team if found.service else None)
    if owner is None:
        _administrator(request, "end a freeze of everything")
    else:
        _team(request, owner, "end its freeze")
    allowed(lambda: rails.end_freeze(found, by, wanted.reason))
    found.ends_at = min(found.ends_at, clock.now())
    return _freeze(found)


@router.post("/runbooks/freezes/{int:id}/override", response={201: FreezeOut}, openapi_extra=ACTS, summary="As the IC")
def override_freeze(request: HttpRequest, id: int, wanted: Override) -> Any:
    """Whoever leads the incident lets runbooks run for it in spite of the freeze; it stands on the incident's timeline."""
    by = acting(request)
    if not leads(caller_of(request), wanted.incident):
        raise ProblemError("forbidden", "only whoever leads the incident may override a freeze for it")
    found = Freeze.objects.select_related("team", "service").filter(pk=min(id, finding.NUMBER_MAX)).first()
    if found is None:
        raise not_found("freeze", id)
    with transaction.atomic():
        allowed(lambda: rails.override_freeze(found, wanted.incident, by, wanted.reason))
        incident = Incident.objects.get(number=wanted.incident)
        timeline.note(incident, "execution", f"{by} overrode the freeze \u201c{found}\u201d: {wanted.reason}", by)
    return Status(201, _freeze(found))


@router.post(
    "/runbooks/{slug:name}/automatic", response=dict[str, bool], openapi_extra=ACTS, summary="May it run alone?"
)
def allow_automatic(request: HttpRequest, name: str, wanted: Automatic) -> Any:
    """Whether its `auto` steps run without a person, where its text does not come from configuration as code."""
    by = acting(request)
    runbook = _runbook(request, name)
    _team(request, runbook.team, "let its runbooks run by themselves")
    decide = rails.allow_automatic if wanted.is_allowed else rails.forbid_automatic
    allowed(lambda: decide(runbook, by, wanted.reason))
    return {"is_allowed": asking.may_run_by_itself(runbook)}


@router.post(
    "/runbooks/proposals/{int:id}", response=dict[str, str], openapi_extra=ACTS, summary="Decide on a step's rung"
)
def decide_proposal(request: HttpRequest, id: int, wanted: Decision) -> Any:
    by = acting(request)
    found = Promotion.objects.select_related("runbook__team").filter(pk=min(id, finding.NUMBER_MAX)).first()
    if found is None:
        raise not_found("proposal", id)
    _team(request, found.runbook.team, "decide about its steps")
    made = allowed(lambda: promoting.decide(found, by, accept=wanted.accept, reason=wanted.reason))
    is_left = wanted.accept and made.runbook.is_from_code
    return {"state": made.state, "next": promoting.word_for_code(made) if is_left else ""}


@router.get("/runbooks/{slug:name}/trust", response=TrustOut, summary="Is it proven, is it fresh, why does it wait?")
def runbook_trust(request: HttpRequest, name: str) -> Any:
    runbook = _runbook(request, name)
    proof, verdict = evidence(runbook), trusting.freshness_of(runbook)
    found = proof.evidence
    return TrustOut(
        evidence=proof.sentence,
        share=found.share,
        at_least=found.at_least,
        median_seconds=found.median_seconds,
        p95_seconds=found.p95_seconds,
        real=found.real,
        dry_runs=found.dry_runs,
        drills=found.drills,
        deviations=found.deviations,
        proven_at=found.proven_at,
        proven_by=found.proven_by,
        freshness=verdict.state,
        reasons=list(verdict.reasons),
        waits=asking.why_not_start(asking.Asked(runbook, "schedule")),
        proposals=[
            ProposalOut(id=one.pk, step=one.step, direction=one.direction, to_kind=one.to_kind, why=one.why)
            for one in trusting.open_proposals(runbook)
        ],
    )


@router.post("/runbooks/{slug:name}/check", response={202: dict[str, int]}, openapi_extra=ACTS, summary="Check it now")
def check_runbook(request: HttpRequest, name: str) -> Any:
    """Everything that it refers to is looked at as soon as a sender is free."""
    by = acting(request)
    runbook = _runbook(request, name)
    _team(request, runbook.team, "check its runbooks")
    return Status(202, {"references": probing.check_now(runbook, by)})


def _trigger(found: Trigger, token: str = "") -> TriggerOut:
    return TriggerOut(
        name=found.name,
        kind=found.kind,
        is_active=found.is_active,
        service=found.service.name if found.service else None,
        hold_page_seconds=found.hold_page_seconds,
        due_at=found.due_at,
        missed=found.missed,
        last_at=found.last_at,
        last_execution=found.last_execution,
        problem=found.problem,
        token=token,
    )


@router.get("/runbooks/{slug:name}/triggers", response=list[TriggerOut], summary="What starts it by itself")
def list_triggers(request: HttpRequest, name: str) -> Any:
    return [_trigger(one) for one in trusting.triggers(_runbook(request, name))]


@router.post("/runbooks/{slug:name}/triggers", response={201: TriggerOut}, openapi_extra=ACTS, summary="Make a trigger")
def add_trigger(request: HttpRequest, name: str, wanted: NewTrigger) -> Any:
    """Members of its team; one that answers alerts also of the team of their service, for it may hold a page."""
    by = acting(request)
    runbook = _runbook(request, name)
    _team(request, runbook.team, "say what starts its runbooks")
    service = finding.service_named("body.service", wanted.service) if wanted.service else None
    if service is not None:
        _team(request, service.team, "let alerts of its services start a runbook")
    fields = triggers.TriggerFields(
        runbook=runbook,
        service=service,
        **wanted.model_dump(exclude={"name", "service"}),
    )
    made, token = allowed(lambda: triggers.create_trigger(wanted.name, fields, by))
    return Status(201, _trigger(made, token))


@router.delete(
    "/runbooks/{slug:name}/triggers/{slug:trigger}", response={204: None}, openapi_extra=ACTS, summary="Remove it"
)
def remove_trigger(request: HttpRequest, name: str, trigger: str) -> Any:
    by = acting(request)
    runbook = _runbook(request, name)
    _team(request, runbook.team, "say what starts its runbooks")
    found = finding.by_name(Trigger.objects.filter(runbook=runbook), "trigger", trigger)
    triggers.delete_trigger(found, by)
    return Status(204, None)
