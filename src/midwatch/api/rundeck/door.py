"""Before any answer: which version is spoken, who asks, with what; and the words of a refusal.

`X-Rundeck-Auth-Token: TOKEN` or `?authtoken=TOKEN`. Empty texts and nulls of a body are "not said", and a GET's body (its
clients send `null`) is not read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict

from midwatch.api.body import decode, refuse_unstorable
from midwatch.api.problems import ProblemError
from midwatch.core.actor import Actor
from midwatch.core.pace import WINDOW_SECONDS, Pace
from midwatch.people import tokens
from midwatch.people.actions import authenticate_token
from midwatch.people.models import Team, User
from midwatch.people.queries import actor_of, may_edit_team
from midwatch.settings import settings

VERSION, VERSION_MIN = 59, 14
TOKEN_MAX = 500
BODY_MAX = 2 * 1024**2
REQUESTS_MAX = 1_200  # of one token and process: Ansible and exporters ask often
PAGE_MAX = 1_000
ALL = "*"
_PATH = re.compile(r"api/(\d{1,3})(?:/(.*))?", re.S)
Json = dict[str, Any]


class Refused(Exception):  # noqa: N818 - says what happened
    """`code`: Rundeck's, as far as clients look at it."""

    def __init__(self, status: int, message: str, code: str = "api.error.invalid.request") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code


def no_such(kind: str, name: object) -> Refused:
    return Refused(404, f"{kind} does not exist: {str(name)[:100]}", "api.error.item.doesnotexist")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, understood. `words`: the path behind the version. `ids`: those of its words that stand for something."""

    user: User
    by: Actor
    method: str
    version: int
    words: Sequence[str]
    query: QueryDict
    given: Json
    raw: bytes = b""
    content_type: str = ""
    accept: str = ""
    ids: Sequence[str] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def root(self) -> str:
        return f"{settings().base_url}/rundeck/api/{self.version}"

    def naming(self, ids: Sequence[str]) -> Asked:
        return replace(self, ids=ids)

    def text(self, *keys: str, most: int = 1_000) -> str:
        """The first of these that is said, in the body or the address."""
        for key in keys:
            value = self.given.get(key)
            found = "" if value is None or isinstance(value, dict | list) else str(value)
            found = found or self.query.get(key, "")
            if found.strip():
                return found.strip()[:most]
        return ""

    def whole(self, key: str, default: int, most: int) -> int:
        found = self.text(key, most=30)
        if not found:
            return default
        if not (found.isascii() and found.isdigit()):
            raise Refused(400, f"{key} is a whole number of 0 or more")
        return min(int(found), most)

    def paging(self) -> tuple[int, int]:
        """(offset, max)."""
        return self.whole("offset", 0, 2**31), max(1, self.whole("max", 20, PAGE_MAX))

    def wants(self, kind: str) -> bool:
        """`yaml`, `json`, `xml`, `text`: asked for by `format` or Accept."""
        asked = self.query.get("format", "").lower()
        return asked == kind if asked else kind in self.accept

    def only_administrators(self) -> None:
        if not self.user.is_administrator:
            raise Refused(403, "administrators alone may do this", "unauthorized")

    def only_team(self, team: Team) -> None:
        if not may_edit_team(self.user, team):
            raise Refused(403, f"this belongs to {team}: its members and administrators may", "unauthorized")


pace = Pace()


def understood(request: HttpRequest, path: str) -> Asked:
    """Raises `Refused`."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise Refused(404, f"there is nothing here: addresses begin with /rundeck/api/{VERSION}/", "api.error.unknown")
    version = int(found[1])
    if not VERSION_MIN <= version <= VERSION:
        message = f"Unsupported API Version {version}: {VERSION_MIN} to {VERSION} are spoken"
        raise Refused(400, message, "api.error.api-version.unsupported")
    user = _user(request)
    words = [word for word in (found[2] or "").split("/") if word]
    raw, files = _raw(request)
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return Asked(
        user=user,
        by=actor_of(user, "api"),
        method=str(request.method),
        version=version,
        words=words,
        query=_query(request.GET),
        given=_given(raw, kind, files),
        raw=raw,
        content_type=kind,
        accept=request.headers.get("Accept", "").lower()[:500],
        files=files,
    )


def answered(found: Any, status: int = 200) -> HttpResponse:
    response = JsonResponse(found, status=status, safe=False, json_dumps_params={"ensure_ascii": False})
    response["Cache-Control"] = "no-store"
    return response


def texted(text: str, kind: str = "text/plain", status: int = 200) -> HttpResponse:
    response = HttpResponse(text.encode("utf-8", "replace"), status=status, content_type=f"{kind}; charset=utf-8")
    response["Cache-Control"] = "no-store"
    return response


def refused(why: Refused) -> HttpResponse:
    body = {"error": True, "apiversion": VERSION, "errorCode": why.code, "message": why.message}
    response = answered(body, why.status)
    if why.status in {429, 503}:
        response["Retry-After"] = "5"
    return response


def _user(request: HttpRequest) -> User:
    token = (request.headers.get("X-Rundeck-Auth-Token") or request.GET.get("authtoken") or "").strip()
    user = authenticate_token(token) if 0 < len(token) <= TOKEN_MAX else None
    if user is None:
        # 403, as Rundeck: its clients read that word as "the token is not right".
        raise Refused(403, "send a token of yours as X-Rundeck-Auth-Token; the settings make one", "unauthorized")
    if pace.is_too_fast(tokens.digest(token), at_most=REQUESTS_MAX):
        raise Refused(429, f"at most {REQUESTS_MAX} requests in {WINDOW_SECONDS:g} seconds")
    return user


def _query(given: QueryDict) -> QueryDict:
    try:
        refuse_unstorable({key: list(values) for key, values in given.lists()}, "query")
    except ProblemError as problem:
        raise Refused(400, problem.detail) from problem
    return given


def _raw(request: HttpRequest) -> tuple[bytes, dict[str, bytes]]:
    if request.method in {"GET", "HEAD", "DELETE"}:
        return b"", {}
    too_large = Refused(413, f"send at most {BODY_MAX // 1024} KiB")
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        length = 0
    if length > BODY_MAX:
        raise too_large
    try:
        if request.headers.get("Content-Type", "").startswith("multipart/form-data"):
            if request.method != "POST":
                raise Refused(400, "send forms with POST")
            files: dict[str, bytes] = {}
            for name, found in list(request.FILES.items())[:20]:
                if name and isinstance(found, UploadedFile):
                    files[name] = found.read(BODY_MAX)
            return b"", {
                **files,
                **{name: value.encode() for name, value in request.POST.items() if isinstance(value, str)},
            }
        return request.body, {}
    except RequestDataTooBig as error:
        raise too_large from error


def _given(raw: bytes, kind: str, files: Mapping[str, bytes]) -> Json:
    """A JSON object or a form; {} of everything else, which is then read from `raw`."""
    found: Any
    try:
        if kind.endswith("json") and raw.strip():
            found = decode(raw)
        elif kind == "application/x-www-form-urlencoded":
            found = QueryDict(raw, encoding="utf-8").dict()
            refuse_unstorable(found, "body")
        elif files:
            found = {name: data.decode("utf-8", "replace") for name, data in files.items() if len(data) <= 10_000}
            refuse_unstorable(found, "body")
        else:
            return {}
    except ProblemError as problem:
        raise Refused(400, problem.detail) from problem
    return {str(key): value for key, value in found.items()} if isinstance(found, dict) else {}
