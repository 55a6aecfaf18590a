"""Subscribers by the management API. Their addresses are for who may edit the page."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpResponse

from midwatch.respond.statuspage import actions
from midwatch.respond.statuspage.actions import Wish
from midwatch.respond.statuspage.actions.subscribers import choose_components
from midwatch.respond.statuspage.models import Component, Page, Subscriber, SubscriberState
from midwatch.respond.statuspage.v1 import shapes
from midwatch.respond.statuspage.v1.door import Asked, Refused, answered, flag, listed, text, whole
from midwatch.respond.statuspage.wire import Wire

LIMIT_MAX = 100
STATES = (SubscriberState.ACTIVE, SubscriberState.UNCONFIRMED, SubscriberState.QUARANTINED)
KINDS = ("email", "sms", "slack", "teams", "webhook")


def index(asked: Asked, page: Page) -> HttpResponse:
    limit = whole(asked.query.dict(), "limit", LIMIT_MAX, least=1, most=LIMIT_MAX)
    offset = whole(asked.query.dict(), "page", 0, least=0, most=100_000) * limit
    on = Wire(page)
    rows = _narrowed(asked, page).prefetch_related("components").order_by("-id")[offset : offset + limit]
    return answered([shapes.subscriber(one, on) for one in rows])


def _narrowed(asked: Asked, page: Page) -> QuerySet[Subscriber]:
    found = Subscriber.objects.filter(page=page).exclude(state=SubscriberState.UNSUBSCRIBED)
    kind, state, words = (asked.query.get(key, "")[:100] for key in ("type", "state", "q"))
    if kind:
        found = found.filter(kind=kind)
    if state and state != "all":
        found = found.filter(state=state)
    return found.filter(address__icontains=words) if words else found


def show(asked: Asked, page: Page) -> HttpResponse:
    return answered(shapes.subscriber(subscriber_of(asked, page), Wire(page)))


def create(asked: Asked, page: Page) -> HttpResponse:
    given = asked.about("subscriber")
    email, endpoint = text(given, "email"), text(given, "endpoint")
    if text(given, "phone_number"):
        raise Refused(422, "there are no subscriptions by SMS: give email or endpoint")
    components = _chosen(page, listed(given, "component_ids"))
    kind, address = ("webhook", endpoint) if endpoint else ("email", email)
    wish = Wish(kind, address, components, is_confirmed=flag(given, "skip_confirmation_notification", False))
    return answered(shapes.subscriber(actions.subscribe(page, wish, asked.by), Wire(page)), 201)


def change(asked: Asked, page: Page) -> HttpResponse:
    found = subscriber_of(asked, page)
    given = asked.given.get("subscriber", asked.given)
    wanted = listed(given if isinstance(given, dict) else {}, "component_ids")
    if wanted is not None:
        choose_components(found, _chosen(page, wanted), asked.by)
    return answered(shapes.subscriber(found, Wire(page)))


def delete(asked: Asked, page: Page) -> HttpResponse:
    found = subscriber_of(asked, page)
    actions.unsubscribe(found, asked.by)
    return answered(shapes.subscriber(found, Wire(page)))


def resend(asked: Asked, page: Page) -> HttpResponse:
    actions.ask_again(subscriber_of(asked, page), asked.by)
    return answered({}, 201)


def several(asked: Asked, page: Page) -> HttpResponse:
    """`unsubscribe`, `reactivate`, `resend_confirmation` of {"subscribers": [ids]}; "all" is understood nowhere: say whom."""
    acts = {
        "unsubscribe": actions.unsubscribe,
        "reactivate": actions.reactivate,
        "resend_confirmation": actions.ask_again,
    }
    act = acts[asked.rest[1]]
    wanted = listed(asked.given, "subscribers")
    if wanted is None:
        raise Refused(422, "subscribers is a list of ids")
    for found in Subscriber.objects.select_related("page").filter(page=page, wire_id__in=wanted[:1_000]):
        act(found, asked.by)
    return answered({}, 200)


def count(asked: Asked, page: Page) -> HttpResponse:
    found = dict.fromkeys(KINDS, 0)
    rows = _narrowed(asked, page)
    if not asked.query.get("state"):
        rows = rows.filter(state=SubscriberState.ACTIVE)
    for kind in rows.values_list("kind", flat=True):
        found[kind] += 1
    wanted = asked.query.get("type", "")
    return answered({wanted: found[wanted]} if wanted in found else found)


def histogram(asked: Asked, page: Page) -> HttpResponse:
    found = {kind: {**{str(state): 0 for state in STATES}, "total": 0} for kind in KINDS}
    for kind, state in _narrowed(asked, page).values_list("kind", "state"):
        found[kind][state] += 1
        found[kind]["total"] += 1
    return answered(found)


def subscriber_of(asked: Asked, page: Page) -> Subscriber:
    rows = Subscriber.objects.select_related("page").prefetch_related("components")
    found = rows.filter(page=page, wire_id=asked.rest[1][:12]).first()
    if found is None:
        raise Refused(404, "there is no such subscriber")
    return found


def _chosen(page: Page, wanted: list[str] | None) -> list[Component]:
    found = list(page.components.filter(wire_id__in=wanted or (), is_group=False))
    if len(found) != len(set(wanted or ())):
        raise Refused(422, "component_ids are ids of components of this page")
    return found
