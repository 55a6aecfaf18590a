"""What the management API answers: method and path behind the page's id, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from midwatch.respond.statuspage import queries
from midwatch.respond.statuspage.actions.subscribers import TooManyError
from midwatch.respond.statuspage.models import Page
from midwatch.respond.statuspage.v1 import components, incidents, shapes, subscribers
from midwatch.respond.statuspage.v1.door import Asked, Refused, answered, page_of, refused, understood

Answer = Callable[[Asked, Page], HttpResponse]
ANSWERS: Mapping[tuple[str, str], Answer] = {
    ("GET", ""): lambda asked, page: answered(shapes.page(page)),
    ("GET", "incidents"): incidents.index,
    ("POST", "incidents"): incidents.create,
    ("GET", "incidents/unresolved"): incidents.unresolved,
    ("GET", "incidents/scheduled"): incidents.scheduled,
    ("GET", "incidents/upcoming"): incidents.upcoming,
    ("GET", "incidents/active_maintenance"): incidents.active_maintenance,
    ("GET", "incidents/*"): incidents.show,
    ("PATCH", "incidents/*"): incidents.change,
    ("PUT", "incidents/*"): incidents.change,
    ("DELETE", "incidents/*"): incidents.delete,
    ("PATCH", "incidents/*/incident_updates/*"): incidents.amend,
    ("PUT", "incidents/*/incident_updates/*"): incidents.amend,
    ("GET", "incidents/*/postmortem"): incidents.postmortem,
    ("PUT", "incidents/*/postmortem"): incidents.draft_postmortem,
    ("DELETE", "incidents/*/postmortem"): incidents.delete_postmortem,
    ("PUT", "incidents/*/postmortem/publish"): incidents.publish_postmortem,
    ("PUT", "incidents/*/postmortem/revert"): incidents.revert_postmortem,
    ("GET", "components"): components.index,
    ("POST", "components"): components.create,
    ("GET", "components/*"): components.show,
    ("PATCH", "components/*"): components.change,
    ("PUT", "components/*"): components.change,
    ("DELETE", "components/*"): components.delete,
    ("GET", "components/*/uptime"): components.uptime,
    ("GET", "component-groups"): components.groups,
    ("POST", "component-groups"): components.create_group,
    ("GET", "component-groups/*"): components.show_group,
    ("PATCH", "component-groups/*"): components.change_group,
    ("PUT", "component-groups/*"): components.change_group,
    ("DELETE", "component-groups/*"): components.delete_group,
    ("GET", "component-groups/*/uptime"): components.group_uptime,
    ("GET", "subscribers"): subscribers.index,
    ("POST", "subscribers"): subscribers.create,
    ("GET", "subscribers/count"): subscribers.count,
    ("GET", "subscribers/histogram_by_state"): subscribers.histogram,
    ("POST", "subscribers/unsubscribe"): subscribers.several,
    ("POST", "subscribers/reactivate"): subscribers.several,
    ("POST", "subscribers/resend_confirmation"): subscribers.several,
    ("GET", "subscribers/*"): subscribers.show,
    ("PATCH", "subscribers/*"): subscribers.change,
    ("DELETE", "subscribers/*"): subscribers.delete,
    ("POST", "subscribers/*/resend_confirmation"): subscribers.resend,
}


@csrf_exempt
def answer(request: HttpRequest, rest: str) -> HttpResponse:
    """Everything below /statuspage/v1/. No cookie is read: whoever asks brings a token."""
    try:
        asked = understood(request, rest)
        return _answer(asked)
    except Refused as why:
        return refused(why.status, why.message)
    except TooManyError as why:
        return refused(429, str(why))
    except ValueError as why:
        return refused(422, str(why))


def _answer(asked: Asked) -> HttpResponse:
    words = asked.rest
    method = "GET" if asked.method == "HEAD" else asked.method
    if words[:1] != ["pages"]:
        raise Refused(404, "there is nothing here: paths begin with pages/")
    if len(words) == 1:
        if method != "GET":
            raise Refused(405, "pages are made in the web or by configuration as code")
        return answered([shapes.page(one) for one in queries.pages()])
    behind = list(words[2:])
    found = _found(method, behind)
    is_write = method != "GET" or behind[:1] == ["subscribers"]
    page = page_of(asked, words[1], is_write=is_write)
    return found(Asked(asked.user, asked.by, method, behind, asked.query, asked.given), page)


def _found(method: str, behind: Sequence[str]) -> Answer:
    """The words as they are before those that stand for an id."""
    paths = ["/".join("*" if place in ids else word for place, word in enumerate(behind)) for ids in ((), (1,), (1, 3))]
    for path in paths:
        if (method, path) in ANSWERS:
            return ANSWERS[method, path]
    if any(path in paths for _, path in ANSWERS):
        raise Refused(405, f"{method} is not understood here")
    raise Refused(404, "there is nothing here")
