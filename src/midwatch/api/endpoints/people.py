"""People: who I am, everybody, test pages."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Status

from midwatch.api import inputs, shapes, views
from midwatch.api.authentication import acting, caller_of
from midwatch.api.endpoints import finding
from midwatch.api.inputs import Cursor, Limit
from midwatch.api.pages import LIMIT_DEFAULT, by_name
from midwatch.api.problems import allowed, invalid
from midwatch.people.models import ContactMethod, User
from midwatch.people.queries import SCRIPT_USER
from midwatch.respond.notify import actions

router = Router()
ACTS = {"x-acts": True}


@router.get("/users", response=inputs.list_of(shapes.UserOut), summary="List people")
def list_users(request: HttpRequest, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = "") -> Any:
    return by_name(User.objects.exclude(name=SCRIPT_USER), "users", cursor, limit, shapes.UserOut.of)


@router.get("/users/me", response=shapes.MeOut, summary="Who I am and how I am reached")
def get_me(request: HttpRequest) -> Any:
    return views.me_out(caller_of(request))


@router.get("/users/{name}", response=shapes.UserOut, summary="One person")
def get_user(request: HttpRequest, name: str) -> Any:
    return shapes.UserOut.of(_user(name))


def _user(name: str) -> User:
    return finding.by_name(User.objects.exclude(name=SCRIPT_USER), "person", name)


@router.post(
    "/users/{name}/test-page", response={202: shapes.TestPageOut}, openapi_extra=ACTS, summary="Send a test page"
)
def send_test_page(request: HttpRequest, name: str, wanted: inputs.TestPage | None = None) -> Any:
    """Through the person's real rules and channels; refused from 22:00 to 07:00 in their zone, unless to oneself."""
    by = acting(request)
    user = _user(name)
    method = wanted.contact_method if wanted else None
    contact = ContactMethod.objects.filter(user=user, name=method).first() if method else None
    if method and contact is None:
        raise invalid("body.contact_method", f"{user.name} has no contact method {method!r}")
    sent = allowed(lambda: actions.send_test_page(user, by, contact=contact))
    return Status(202, {"deliveries": [shapes.DeliveryOut.of(delivery) for delivery in sent]})
