"""The first minutes: you, how to reach you, team and levels, a source, a dry run.

Each step can be left for later and taken up again; what is done is read from what is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms as django_forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from midwatch.core import clock, integration
from midwatch.core.render import page_or_partial
from midwatch.people import actions, forms
from midwatch.people.models import Team, User
from midwatch.people.queries import actor_of
from midwatch.people.viewing import viewer
from midwatch.respond.alerts.actions import send_test_alert
from midwatch.respond.alerts.models import Alert, Source
from midwatch.respond.alerts.snippets import address, snippets
from midwatch.respond.escalation.actions import start as start_escalation
from midwatch.respond.escalation.models import EscalationPolicy, TeamPolicy
from midwatch.respond.escalation.queries import dry_run
from midwatch.respond.notify.queries import reachability
from midwatch.respond.oncall.models import Unit
from midwatch.settings import settings
from midwatch.web import first_team
from midwatch.web.people import reach_queries
from midwatch.web.people.common import check_email_is_free
from midwatch.web.people.contacts import add_contact
from midwatch.web.wizard_queries import next_step, steps

SEEN = "welcome_seen"
POLICIES_SHOWN = 5
HOURS = [(hour, f"{hour:02}:00") for hour in range(24)]
WEEKDAYS = (
    gettext_lazy("Monday"),
    gettext_lazy("Tuesday"),
    gettext_lazy("Wednesday"),
    gettext_lazy("Thursday"),
    gettext_lazy("Friday"),
    gettext_lazy("Saturday"),
    gettext_lazy("Sunday"),
)


class TeamStartForm(django_forms.Form):
    display_name = django_forms.CharField(label=gettext_lazy("What is the team called?"), max_length=100)
    colleagues = django_forms.CharField(
        label=gettext_lazy("Who else takes turns?"),
        max_length=5_000,
        required=False,
        widget=django_forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("One a line, with or without e-mail: Bo Nielsen bo@example.com. You are in already."),
    )
    unit = django_forms.ChoiceField(
        label=gettext_lazy("A turn lasts"),
        choices=[(Unit.WEEKS, gettext_lazy("a week")), (Unit.DAYS, gettext_lazy("a day"))],
        initial=Unit.WEEKS,
    )
    weekday = django_forms.TypedChoiceField(
        label=gettext_lazy("Hand-over on"),
        coerce=int,
        choices=list(enumerate(WEEKDAYS)),
        initial=0,
        help_text=gettext_lazy("Of weekly turns."),
    )
    hour = django_forms.TypedChoiceField(label=gettext_lazy("Hand-over at"), coerce=int, choices=HOURS, initial=9)


class SourceStartForm(django_forms.Form):
    team = django_forms.ChoiceField(label=gettext_lazy("Whose is it?"))
    service = django_forms.CharField(
        label=gettext_lazy("What is watched?"), max_length=100, help_text=gettext_lazy("A service, such as Checkout.")
    )
    type = django_forms.ChoiceField(label=gettext_lazy("Who sends?"))

    def __init__(self, *args: Any, teams: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        types = [(type_, source.TITLE) for type_, source in sorted(integration.sources().items())]
        for name, choices in (("team", teams), ("type", types)):
            field = self.fields[name]
            assert isinstance(field, django_forms.ChoiceField)
            field.choices = choices


def seen_in(request: HttpRequest) -> list[str]:
    found = request.session.get(SEEN, [])
    return [str(slug) for slug in found] if isinstance(found, list) else []


def _see(request: HttpRequest, slug: str) -> None:
    request.session[SEEN] = sorted({*seen_in(request), slug})


def _address(slug: str) -> str:
    return reverse(f"web:wizard-{slug}")


def _after(user: User, slug: str) -> HttpResponse:
    """The step behind this one; after the last, Now."""
    slugs = [state.step.slug for state in steps(user)]
    rest = slugs[slugs.index(slug) + 1 :]
    return HttpResponseRedirect(_address(rest[0]) if rest else reverse("web:now"))


def _page(
    request: HttpRequest, slug: str, context: Mapping[str, Any], *, partial: str | None = None, status: int = 200
) -> HttpResponse:
    user = viewer(request)
    states = steps(user, seen_in(request))
    number = next(state.number for state in states if state.step.slug == slug)
    everything = {"steps": states, "current": slug, "number": number, "is_last": number == len(states), **context}
    template = f"web/wizard/{slug}.html"
    return page_or_partial(request, template, everything, partial=partial or template, status=status)


def _administrator(request: HttpRequest) -> User:
    user = viewer(request)
    if not user.is_administrator:
        raise PermissionDenied(_("Teams and sources are set up by administrators."))
    return user


def _is_skipped(request: HttpRequest) -> bool:
    return request.method == "POST" and request.POST.get("do") == "skip"


def _skip(request: HttpRequest, slug: str) -> HttpResponse:
    _see(request, slug)
    return _after(viewer(request), slug)


@login_required
@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """Where one left off."""
    return HttpResponseRedirect(_address(next_step(viewer(request), seen_in(request))))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def you(request: HttpRequest) -> HttpResponse:
    user = viewer(request)
    if _is_skipped(request) or (request.method == "POST" and user.is_from_code):
        return _skip(request, "you")
    data = request.POST if request.method == "POST" else None
    form = forms.PersonForm(data, initial=forms.initial_of(user), with_name=False, with_role=False)
    if request.method == "POST" and form.is_valid():
        try:
            check_email_is_free(form.cleaned_data["email"], user)
            actions.change_user(user, form.profile(role=user.role), actor_of(user, "web"))
        except ValueError as refusal:
            form.add_error(None, str(refusal))
        else:
            return _skip(request, "you")
    return _page(request, "you", {"form": form, "person": user}, status=422 if form.errors else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def reach(request: HttpRequest) -> HttpResponse:
    """The page's moving part shows the receipts of test pages as they come."""
    user = viewer(request)
    if _is_skipped(request):
        return _skip(request, "reach")
    missing = reach_queries.missing_settings()
    form = forms.ContactForm(request.POST if request.method == "POST" else None, missing=missing)
    if request.method == "POST" and form.is_valid() and add_contact(user, form, actor_of(user, "web")) is not None:
        return HttpResponseRedirect(_address("reach"))
    found = reachability(user)
    rows = reach_queries.method_rows(found, shows_addresses=True, is_me=True)
    context = {
        "person": user,
        "is_me": True,
        "may_edit": True,
        "may_edit_contacts": not user.are_contacts_from_code,
        "may_test": True,
        "reach": found,
        "rows": rows,
        "form": form,
        "missing": missing,
        "email_offer": user.email if user.email and not rows else "",
        "next": _address("reach"),
    }
    return _page(request, "reach", context, partial="people/_methods.html", status=422 if form.errors else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def team(request: HttpRequest) -> HttpResponse:
    user = _administrator(request)
    if _is_skipped(request):
        return _skip(request, "team")
    form = TeamStartForm(request.POST if request.method == "POST" else None, initial={"display_name": _("Operations")})
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        colleagues = forms.colleagues_from(given["colleagues"])
        wanted = first_team.FirstTeam(given["display_name"], colleagues, given["unit"], given["weekday"], given["hour"])
        try:
            first_team.create(wanted, user, actor_of(user, "web"))
        except ValueError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The team, its schedule and its policy are there."))
            return HttpResponseRedirect(_address("team"))
    context = {"form": form, "teams": _teams(), "uninvited": _uninvited(), "zone": user.time_zone}
    return _page(request, "team", context, status=422 if form.errors else 200)


def _teams() -> list[tuple[Team, EscalationPolicy | None]]:
    bound = {one.team_id: one.policy for one in TeamPolicy.objects.select_related("policy")}
    return [(one, bound.get(one.pk)) for one in Team.objects.order_by("display_name", "name")[:20]]


def _uninvited() -> list[User]:
    """Who is in a team and has no password yet."""
    found = User.objects.filter(is_active=True, memberships__isnull=False, last_login=None).distinct()
    return [one for one in found.order_by("display_name")[:50] if not one.has_usable_password()]


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def source(request: HttpRequest) -> HttpResponse:
    """`?name=` shows one source's line to paste; its moving part ticks when the first event has come."""
    user = _administrator(request)
    if _is_skipped(request):
        return _skip(request, "source")
    teams = [(one.name, str(one)) for one in Team.objects.order_by("display_name", "name")[:500]]
    form = SourceStartForm(request.POST if request.method == "POST" else None, teams=teams, initial={"type": "generic"})
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            made = first_team.connect(
                Team.objects.get(name=given["team"]), given["service"], given["type"], actor_of(user, "web")
            )
        except ValueError as refusal:
            form.add_error(None, str(refusal))
        else:
            return HttpResponseRedirect(f"{_address('source')}?name={made.name}")
    name = request.GET.get("name", "")[:63]
    known = Source.objects.select_related("service__team").order_by("-pk")
    shown = get_object_or_404(known, name=name) if name else known.first()
    context = {
        "form": form,
        "has_teams": bool(teams),
        "source": shown,
        "address": address(settings().base_url, shown.key) if shown is not None else "",
        "snippets": snippets(shown.type, settings().base_url, shown.key) if shown is not None else [],
        "first_alert": _last_alert(shown),
        "problem": shown.problems.order_by("-pk").first() if shown is not None else None,
    }
    return _page(request, "source", context, partial="web/wizard/_received.html", status=422 if form.errors else 200)


def _last_alert(shown: Source | None) -> Alert | None:
    return Alert.objects.filter(source=shown, is_test=False).order_by("-pk").first() if shown is not None else None


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def check(request: HttpRequest) -> HttpResponse:
    """What would happen if something urgent fired now. `do=test` sends a test alert, which wakes nobody."""
    user = _administrator(request)
    if _is_skipped(request):
        return _skip(request, "check")
    if request.method == "POST":
        tested = get_object_or_404(Source, name=request.POST.get("source", "")[:63])
        with transaction.atomic():
            recorded = send_test_alert(tested, actor_of(user, "web"))
            start_escalation(recorded.opened)
        messages.success(
            request,
            _("A test alert of %s went all the way: policy found, and nobody woken, since it is a test.") % tested,
        )
        return HttpResponseRedirect(_address("check"))
    now = clock.now()
    policies = list(EscalationPolicy.objects.select_related("team").order_by("name")[:POLICIES_SHOWN])
    context = {
        "at": now,
        "runs": [(policy, dry_run(policy, at=now)) for policy in policies],
        "sources": list(Source.objects.filter(is_active=True).order_by("name")[:50]),
    }
    return _page(request, "check", context)
