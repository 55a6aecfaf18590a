"""Post-mortems: read, written section by section, waived. Review and publication are for people, in the web."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router

from midwatch.api import inputs, shapes
from midwatch.api.authentication import acting, caller_of
from midwatch.api.endpoints.finding import NUMBER_MAX
from midwatch.api.inputs import Cursor, Limit
from midwatch.api.pages import LIMIT_DEFAULT, cursor_of, last_number, page
from midwatch.api.problems import ProblemError, allowed, invalid, not_found
from midwatch.learn.postmortems import actions
from midwatch.learn.postmortems.models import Postmortem, State
from midwatch.learn.postmortems.queries import get_postmortem, may_waive, visible_to

router = Router()
ACTS = {"x-acts": True}


@router.get("/postmortems", response=inputs.list_of(shapes.PostmortemOut), summary="Post-mortems, the newest first")
def list_postmortems(
    request: HttpRequest,
    state: Annotated[str, Query(max_length=12, description="one of the states; left out: all")] = "",
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = "",
) -> Any:
    found = visible_to(caller_of(request))
    if state:
        if state not in State.values:
            raise invalid("query.state", f"give one of {', '.join(State.values)}")
        found = found.filter(state=state)
    last = last_number("postmortems", cursor)
    if last is not None:
        found = found.filter(incident__number__lt=last)
    rows = list(found.order_by("-incident__number")[: limit + 1])
    return page(rows, limit, shapes.PostmortemOut.of, lambda row: cursor_of("postmortems", row.number))


@router.get("/postmortems/{int:number}", response=shapes.PostmortemDetailOut, summary="One, whole")
def get_postmortem_of(request: HttpRequest, number: int) -> Any:
    return shapes.PostmortemDetailOut.of(_found(request, number))


@router.post(
    "/postmortems/{int:number}/sections/{key}",
    response=shapes.SavedOut,
    openapi_extra=ACTS,
    summary="Write a section; nothing is overwritten that was not read",
)
def write_section(request: HttpRequest, number: int, key: str, wanted: inputs.SectionText) -> Any:
    by, found = acting(request), _found(request, number)
    saved = allowed(lambda: actions.save_section(found, key[:40], wanted.text, wanted.revision, by))
    return shapes.SavedOut(revision=saved.revision, text=saved.text, conflict=saved.conflict is not None)


@router.post(
    "/postmortems/{int:number}/waive",
    response=shapes.PostmortemOut,
    openapi_extra=ACTS,
    summary="None is written, and why",
)
def waive_postmortem(request: HttpRequest, number: int, wanted: inputs.Waiver) -> Any:
    by, found = acting(request), _found(request, number)
    if not may_waive(caller_of(request), found):
        raise ProblemError("forbidden", "the IC, the team's managers and administrators waive a post-mortem")
    allowed(lambda: actions.waive(found, by, wanted.why))
    return shapes.PostmortemOut.of(_found(request, number))


def _found(request: HttpRequest, number: int) -> Postmortem:
    found = get_postmortem(caller_of(request), number) if 0 < number <= NUMBER_MAX else None
    if found is None:
        raise not_found("post-mortem", number)
    return found
