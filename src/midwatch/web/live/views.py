"""`/live` as Django sees it: may this person follow these topics, and what changed since? The streams ask it too, at their
start and every quarter of a minute, so that permission is decided in one place, with everything that a page goes through."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_GET

from midwatch.core import topics
from midwatch.core.text import whole_number
from midwatch.people.models import User

TOPICS_MAX = 10
POSITION_DIGITS_MAX = 18


@require_GET
def live(request: HttpRequest) -> JsonResponse:
    """`topic` (up to ten), `after` or Last-Event-ID: the position that was read to. `permit`: only whether one may."""
    user = request.user
    if not isinstance(user, User):
        return _answer({"error": "log in first: this address takes the session of a browser"}, 401)
    names = list(dict.fromkeys(request.GET.getlist("topic")))
    if not 1 <= len(names) <= TOPICS_MAX:
        return _answer({"error": f"give one to {TOPICS_MAX} topics: /live?topic=incident:42"}, 400)
    if not all(topics.may_follow(user, name) for name in names):
        return _answer({"error": "there is no such topic, or it is not for you"}, 403)
    topics.see(user.pk, names)
    if "permit" in request.GET:
        return _answer({"user": user.pk})
    after = _position(request.headers.get("Last-Event-ID") or request.GET.get("after", ""))
    position = topics.latest()  # before the question: what comes in between is told twice, never not at all
    changed = names if after is None else topics.changed(names, after)
    return _answer({"user": user.pk, "position": position, "changed": changed})


def _position(text: str) -> int | None:
    return whole_number(text, POSITION_DIGITS_MAX)


def _answer(body: dict[str, object], status: int = 200) -> JsonResponse:
    answer = JsonResponse(body, status=status)
    answer["Cache-Control"] = "no-store"
    return answer
