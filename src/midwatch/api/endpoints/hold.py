"""The restore hold: what would be paged; release and drop, for administrators."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from midwatch.api import inputs, shapes
from midwatch.api.authentication import acting, caller_of
from midwatch.api.problems import ProblemError, allowed
from midwatch.core.actor import Actor
from midwatch.engine import hold

router = Router()
ACTS = {"x-acts": True}


@router.get("/hold", response=shapes.HoldOut, summary="Is paging on hold, and what would be paged")
def get_hold(request: HttpRequest) -> Any:
    return shapes.HoldOut.of(hold.summary(is_listed=True))


@router.post("/hold/release", response=shapes.HoldOut, openapi_extra=ACTS, summary="End the hold: page what is due")
def release_hold(request: HttpRequest, wanted: inputs.Nothing | None = None) -> Any:
    by = _administrator(request)
    allowed(lambda: hold.release(by))
    return shapes.HoldOut.of(hold.summary())


@router.post("/hold/drop", response=shapes.HoldOut, openapi_extra=ACTS, summary="The restore was a drill: never page")
def drop_hold(request: HttpRequest, wanted: inputs.Nothing | None = None) -> Any:
    by = _administrator(request)
    allowed(lambda: hold.drop(by))
    return shapes.HoldOut.of(hold.summary())


def _administrator(request: HttpRequest) -> Actor:
    by = acting(request)
    if not caller_of(request).is_administrator:
        raise ProblemError("forbidden", "the hold is ended by an administrator, who has looked at what would be paged")
    return by
