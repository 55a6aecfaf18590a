"""/p/TOKEN: the page that a phone opens at night. No log-in and no cookies; the link itself says who is asking.

Only POST acts: link previews and mail scanners fetch by GET. The answer to a POST is the page as it is then, so that
one round trip on a bad line is enough; to act twice is harmless, since first wins.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import prefetch_related_objects
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from midwatch.core import clock
from midwatch.core.contribute import panels
from midwatch.core.integration import Link
from midwatch.core.text import whole_number
from midwatch.core.zones import zone
from midwatch.people.models import ContactMethod, User
from midwatch.people.queries import actor_of
from midwatch.prepare.runbooks.models import FeedbackVerdict
from midwatch.prepare.runbooks.queries.answering import Answer, Piece, pieces_of, runbooks_for, with_words
from midwatch.respond.alerts.actions import say_of_runbook
from midwatch.respond.alerts.models import Alert, AlertStatus
from midwatch.respond.alerts.queries import Similar, similar
from midwatch.respond.alerts.views.detail import safe_links
from midwatch.respond.escalation.actions import Landing
from midwatch.respond.escalation.actions import landing as landing_of
from midwatch.respond.escalation.actions.landing import ACTIONS, act_on
from midwatch.respond.escalation.queries import progress
from midwatch.respond.notify.models import Delivery, DeliveryKind
from midwatch.respond.notify.queries import pages_of
from midwatch.respond.notify.words import late_words
from midwatch.settings import settings

TOKEN_MAX = 200
LISTED_MAX = 50
RUNBOOKS_MAX = 5
TEXT_MAX = 6_000  # characters of a runbook: the page is read on a bad line
BODY_MAX = 16 * 1024


@dataclass(frozen=True, slots=True)
class ShownRunbook:
    """`pieces`: its text, of one that may be read without a log-in; `is_cut`: there is more than a phone should load."""

    answer: Answer
    pieces: Sequence[Piece] = ()
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class LandingPage:
    """All that the page says."""

    found: Landing
    is_confirmed: bool
    state_sentence: str
    links: Sequence[Link] = ()
    helped: Similar | None = None
    others: Sequence[str] = ()
    next_at: datetime | None = None
    next_step: str = ""
    late_text: str = ""
    runbooks: Sequence[ShownRunbook] = ()

    @property
    def base_url(self) -> str:
        return settings().base_url

    @property
    def delivery(self) -> Delivery:
        return self.found.delivery

    @property
    def alerts(self) -> Sequence[Alert]:
        return self.found.alerts

    @property
    def is_test(self) -> bool:
        return self.found.is_test

    @property
    def is_expired(self) -> bool:
        return bool(self.alerts) and not self.found.can_act and self.may_act

    @property
    def offers_one(self) -> bool:
        """A bundle is answered as a whole; alerts that joined a page may be left to others."""
        return self.is_many and self.delivery.kind != DeliveryKind.BUNDLE

    @property
    def first(self) -> Alert | None:
        return self.alerts[0] if self.alerts else None

    @property
    def is_many(self) -> bool:
        return len(self.alerts) > 1

    @property
    def waiting_count(self) -> int:
        return sum(
            alert.status == AlertStatus.FIRING or (alert.is_acknowledged_by_machine and alert.is_open)
            for alert in self.alerts
        )

    @property
    def is_open(self) -> bool:
        return any(alert.is_open for alert in self.alerts)

    @property
    def is_moving(self) -> bool:
        """Is it worth asking again every few seconds?"""
        return self.is_open and not self.is_test

    @property
    def may_act(self) -> bool:
        return self.delivery.user.may_act

    @property
    def step_name(self) -> str:
        return str(self.delivery.context.get("step", ""))

    @property
    def listed(self) -> Sequence[Alert]:
        return self.alerts[:LISTED_MAX]

    @property
    def unlisted_count(self) -> int:
        return max(0, len(self.alerts) - LISTED_MAX)

    @property
    def full_url(self) -> str:
        number = self.first.number if self.first is not None else None
        return f"{settings().base_url}/alerts/{number}" if number else settings().base_url

    @property
    def status(self) -> str:
        """One word for programs."""
        if self.is_test:
            return "confirmed" if self.is_confirmed else "test"
        if self.is_expired:
            return "expired"
        return str(self.first.status) if self.first is not None else "information"

    @property
    def fingerprint(self) -> str:
        """Changes when something that a person would see changes."""
        facts = [
            self.status,
            self.state_sentence,
            self.next_step,
            str(self.next_at),
            *(f"{a.pk}{a.status}" for a in self.alerts),
        ]
        return hashlib.sha256("|".join(facts).encode()).hexdigest()[:16]


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def landing(request: HttpRequest, token: str) -> HttpResponse:
    found = landing_of(token) if len(token) <= TOKEN_MAX else None
    if found is None or not found.user.is_active:
        return _unknown(request)
    with timezone.override(zone(found.user.time_zone)):
        if request.method != "POST":
            return _shown(request, page_of(found, clock.now()), "")
        action, scope, upto = _asked(request)
        if action in FeedbackVerdict.values and found.alerts and found.user.may_act:
            said = _feedback(request, found, action)
            return _shown(request, page_of(found, clock.now()), said)
        if action not in ACTIONS:
            sentence = _("Nothing was done: send action=%s.") % "|".join(ACTIONS)
            return _shown(request, page_of(found, clock.now()), sentence, status=400)
        found, said = act_on(found, token, action, scope=scope, upto=upto)
        page = page_of(found, clock.now())
        is_plain = action == "acknowledge" and not page.is_many  # then who has it is all there is to say
        return _shown(request, page, "" if is_plain and not page.is_test else said)


def _feedback(request: HttpRequest, found: Landing, verdict: str) -> str:
    """One tap about a runbook; a link that does nothing else any more still takes it."""
    try:
        by = actor_of(found.user, "link")
        return say_of_runbook(found.alerts[0], by, request.POST.get("runbook", ""), verdict).sentence
    except ValueError as refusal:
        return str(refusal)


def page_of(found: Landing, now: datetime) -> LandingPage:
    delivery, alerts = found.delivery, found.alerts
    if found.is_test or not alerts:
        confirmed = found.is_test and (delivery.receipt == "answered" or _is_confirmed(delivery))
        return LandingPage(
            found, confirmed, _("TEST, no action needed.") if found.is_test else _("For your information.")
        )
    first = alerts[0]
    prefetch_related_objects(list(alerts), "acknowledged_by", "resolved_by")
    steps = progress(first) if first.is_open else None
    wanted = delivery.context.get("wanted_at")
    late = (
        (delivery.handed_over_at or now) - datetime.fromisoformat(wanted) if isinstance(wanted, str) else timedelta(0)
    )
    return LandingPage(
        found,
        is_confirmed=False,
        state_sentence=state_sentence(first, found.user),
        links=safe_links(first)[:6],
        helped=next((one for one in similar(first) if one.what_helped), None),
        others=_others(first, found.user),
        next_at=steps.next_at if steps else None,
        next_step=steps.next_step if steps else "",
        late_text=late_words(late).strip().rstrip(":"),
        runbooks=_runbooks(first, found.user),
    )


def _runbooks(alert: Alert, user: User) -> list[ShownRunbook]:
    """Of those that are not public the name alone: whoever has the link need not be who it was sent to."""
    answers = with_words(runbooks_for(alert.service, alert.labels, alert.title)[:RUNBOOKS_MAX], alert.number, user.pk)
    public = [one.pk for one in answers if one.is_public and not one.is_link]
    texts = pieces_of(public, alert.labels) if public else {}
    return [_shown_runbook(one, texts.get(one.pk, ())) for one in answers]


def _shown_runbook(answer: Answer, pieces: Sequence[Piece]) -> ShownRunbook:
    size = 0
    kept: list[Piece] = []
    for piece in pieces:
        size += len(piece.prose) + len(piece.text)
        if size > TEXT_MAX:
            return ShownRunbook(answer, kept, is_cut=True)
        kept.append(piece)
    return ShownRunbook(answer, kept)


def _is_confirmed(delivery: Delivery) -> bool:
    return ContactMethod.objects.filter(pk=delivery.contact_id or 0, confirmed_at__gte=delivery.created_at).exists()


def _others(alert: Alert, user: User) -> list[str]:
    """Who else was called for it, each once, in the order they were."""
    return list(dict.fromkeys(str(page.user) for page in pages_of(alert) if page.user_id != user.pk))[:10]


def state_sentence(alert: Alert, user: User) -> str:
    """Who has it, in the reader's own time."""
    if alert.status == AlertStatus.RESOLVED:
        at = _clock_text(alert.resolved_at)
        if alert.resolved_by is not None:
            return _("%(who)s resolved %(alert)s at %(at)s.") % {"who": alert.resolved_by, "alert": alert, "at": at}
        return _("%(alert)s resolved at %(at)s.") % {"alert": alert, "at": at}
    if alert.status == AlertStatus.FIRING:
        return _("Nobody has %s yet.") % alert
    if alert.is_acknowledged_by_machine or alert.acknowledged_by is None:
        return _("%s is acknowledged by source, no person.") % alert
    if alert.snoozed_until is not None:
        facts = {"who": alert.acknowledged_by, "alert": alert, "at": _clock_text(alert.snoozed_until)}
        return _("%(who)s snoozed %(alert)s until %(at)s.") % facts
    facts = {"who": alert.acknowledged_by, "alert": alert, "at": _clock_text(alert.acknowledged_at)}
    if alert.acknowledged_by_id == user.pk:
        return _("You have %(alert)s since %(at)s. Escalation stopped.") % facts
    return _("%(who)s has %(alert)s since %(at)s.") % facts


def _clock_text(at: datetime | None) -> str:
    """ "02:14", with the day when it is another one."""
    if at is None:
        return "?"
    local = timezone.localtime(at)
    is_today = local.date() == timezone.localtime(clock.now()).date()
    return f"{local:%H:%M}" if is_today else f"{local:%a %d %b %H:%M}"


def _asked(request: HttpRequest) -> tuple[str, str, int]:
    """(action, scope, upto) of a form, a JSON body or, for the plainest clients, the address."""
    given: dict[str, object] = {**request.GET.dict(), **request.POST.dict()}
    if request.content_type == "application/json" and len(request.body) <= BODY_MAX:
        try:
            body = json.loads(request.body or b"{}")
        except (ValueError, RecursionError):
            body = {}
        given |= body if isinstance(body, dict) else {}
    shown = whole_number(str(given.get("upto", ""))) or 0
    return str(given.get("action", "")), "all" if given.get("scope") == "all" else "this", shown


def wants_json(request: HttpRequest) -> bool:
    accepted = request.headers.get("Accept", "")
    return "text/html" not in accepted and (
        "application/json" in accepted or request.content_type == "application/json"
    )


def _shown(request: HttpRequest, page: LandingPage, said: str, *, status: int = 200) -> HttpResponse:
    if wants_json(request):
        return _private(JsonResponse({"status": page.status, "sentence": said or page.state_sentence}, status=status))
    # No request in the context: nothing on this page may depend on a cookie.
    more = panels("landing.acts", request, page)
    text = render_to_string("escalation/landing.html", {"landing": page, "said": said, "act_panels": more})
    return _private(HttpResponse(text, status=status))


def _unknown(request: HttpRequest) -> HttpResponse:
    if wants_json(request):
        sentence = _("This link is not known: take the whole address from the message.")
        return _private(JsonResponse({"status": "unknown", "sentence": sentence}, status=404))
    return _private(
        HttpResponse(render_to_string("escalation/landing_unknown.html", {"base_url": settings().base_url}), status=404)
    )


def _private(answer: HttpResponse) -> HttpResponse:
    answer["Cache-Control"] = "no-store"
    answer["Referrer-Policy"] = "no-referrer"
    return answer
