"""Before any answer: who asks, for which page, with what; and the words of a refusal.

`Authorization: OAuth TOKEN` or `?api_key=TOKEN`; bodies are JSON or forms (`incident[name]=...`); paths may end in `.json`
and may hold a slash too many, as one of its clients writes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, JsonResponse, QueryDict

from midwatch.core.actor import Actor
from midwatch.core.pace import WINDOW_SECONDS, Pace
from midwatch.people import tokens
from midwatch.people.actions import authenticate_token
from midwatch.people.models import User
from midwatch.people.queries import actor_of, may_edit_team
from midwatch.respond.statuspage.models import Page

TOKEN_MAX = 500
REQUESTS_MAX = 300  # of one token and process; Statuspage allows 60
DEPTH_MAX = 6
_FORM_KEY = re.compile(r"\[([^\]]*)\]")
Json = dict[str, Any]


class Refused(Exception):  # noqa: N818 - says what happened
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, understood. `rest`: the path behind the page's id."""

    user: User
    by: Actor
    method: str
    rest: Sequence[str]
    query: QueryDict
    given: Json

    def about(self, key: str) -> Json:
        """What stands under `key` of the body."""
        found = self.given.get(key)
        if not isinstance(found, dict):
            raise Refused(422, f"{key} is missing: send an object under it")
        return found


pace = Pace()


def understood(request: HttpRequest, rest: str) -> Asked:
    """Raises `Refused`."""
    user = _user(request)
    words = [word for word in rest.split("/") if word]
    if words:
        words[-1] = words[-1].removesuffix(".json")
    return Asked(user, actor_of(user, "api"), str(request.method), words, request.GET, _body(request))


def page_of(asked: Asked, name: str, *, is_write: bool) -> Page:
    """By its id, or by the name in its address. Who may not write it may read it, but no addresses of subscribers."""
    found = Page.objects.select_related("team")
    page = found.filter(wire_id=name[:12]).first() or found.filter(name=name[:63]).first()
    if page is None:
        raise Refused(404, "there is no such page")
    if is_write and not may_edit_team(asked.user, page.team):
        raise Refused(403, f"this page belongs to {page.team}: its members and administrators may change it")
    return page


def answered(found: Any, status: int = 200) -> JsonResponse:
    response = JsonResponse(found, status=status, safe=False, json_dumps_params={"ensure_ascii": False})
    response["Cache-Control"] = "no-store"
    return response


def refused(status: int, message: str) -> JsonResponse:
    response = answered({"message": message, "error": [message]}, status)
    if status == 429:
        response["Retry-After"] = "10"
    return response


def _user(request: HttpRequest) -> User:
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() not in {"oauth", "bearer"}:
        token = request.GET.get("api_key", "")
    token = token.strip()
    user = authenticate_token(token) if token and len(token) <= TOKEN_MAX else None
    if user is None:
        raise Refused(
            401, "Could not authenticate: send `Authorization: OAuth TOKEN`, a token of yours from the settings"
        )
    if pace.is_too_fast(tokens.digest(token), at_most=REQUESTS_MAX):
        raise Refused(429, f"at most {REQUESTS_MAX} requests in {WINDOW_SECONDS:g} seconds")
    return user


def _body(request: HttpRequest) -> Json:
    if request.method in {"GET", "HEAD"} or not request.body:
        return {}
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return nested(QueryDict(request.body, encoding="utf-8"))
    if kind == "multipart/form-data" and request.method == "POST":
        return nested(request.POST)
    try:
        found = json.loads(request.body)
    except (ValueError, RecursionError):
        raise Refused(400, "the body is no JSON") from None
    if not isinstance(found, dict):
        raise Refused(400, "the body is a JSON object")
    return found


def nested(form: QueryDict) -> Json:
    """`incident[components][x7]=operational` as {"incident": {"components": {"x7": "operational"}}}; `ids[]` is a list."""
    found: Json = {}
    for key, values in form.lists():
        head, bracket, tail = key.partition("[")
        path = [head, *_FORM_KEY.findall(bracket + tail)]
        if len(path) > DEPTH_MAX:
            raise Refused(400, "the form is nested too deep")
        here: Any = found
        for word in path[:-1]:
            here = here.setdefault(word, {}) if isinstance(here, dict) else {}
            if path[-1] == "" and word == path[-2]:
                break
        if path[-1] == "" and len(path) > 1:
            _put_list(found, path[:-1], values)
        elif isinstance(here, dict):
            here[path[-1]] = values[-1] if len(values) == 1 else list(values)
    return found


def _put_list(found: Json, path: Sequence[str], values: Sequence[str]) -> None:
    here: Any = found
    for word in path[:-1]:
        here = here.setdefault(word, {})
        if not isinstance(here, dict):
            return
    here[path[-1]] = list(values)


# -- values of a body: JSON's own types, or a form's texts ---------------------------------------------------------------


def flag(given: Mapping[str, Any], key: str, otherwise: bool) -> bool:
    value = given.get(key)
    if isinstance(value, str):
        value = value.lower()  # a form of Python's: True
    match value:
        case None | "":
            return otherwise
        case bool():
            return value
        case "true" | "t" | "1" | "on" | "yes" | 1:
            return True
        case "false" | "f" | "0" | "off" | "no" | 0:
            return False
        case _:
            raise Refused(422, f"{key} is true or false")


def text(given: Mapping[str, Any], key: str, otherwise: str = "") -> str:
    value = given.get(key)
    if value is None:
        return otherwise
    if not isinstance(value, str):
        raise Refused(422, f"{key} is a text")
    return value


def whole(given: Mapping[str, Any], key: str, otherwise: int, *, least: int, most: int) -> int:
    value = given.get(key)
    if value in {None, ""}:
        return otherwise
    try:
        number = int(str(value))
    except ValueError:
        raise Refused(422, f"{key} is a whole number") from None
    return max(least, min(most, number))


def listed(given: Mapping[str, Any], key: str) -> list[str] | None:
    value = given.get(key)
    if value is None:
        return None
    if isinstance(value, str):  # the only one of a form's list
        return [value]
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Refused(422, f"{key} is a list of ids")
    return value
