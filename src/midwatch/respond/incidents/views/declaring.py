"""Declaring: from the list, from an alert's page, and from the phone's landing page, where the link says who it is."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from midwatch.core.text import whole_number
from midwatch.core.zones import zone
from midwatch.people.models import User
from midwatch.people.queries import actor_of
from midwatch.people.viewing import acting_user, viewer
from midwatch.respond.alerts.models import Alert, AlertStatus
from midwatch.respond.escalation.actions import Landing
from midwatch.respond.escalation.actions import landing as landing_of
from midwatch.respond.incidents import actions
from midwatch.respond.incidents.forms import DeclareForm
from midwatch.respond.incidents.models import Incident, LinkedAlert, Severity
from midwatch.respond.incidents.queries import severity_rules, visible_to
from midwatch.respond.incidents.views.common import room_url
from midwatch.settings import settings

TOKEN_MAX = 200


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def declare(request: HttpRequest) -> HttpResponse:
    """`alert`: its number. `acknowledge`: take that alert too, in the same transaction."""
    user = acting_user(request) if request.method == "POST" else viewer(request)
    alert = _alert(request)
    form = DeclareForm(request.POST if request.method == "POST" else None, alert=alert)
    if request.method == "POST" and form.is_valid():
        try:
            _refuse_twice(user, alert)
            wanted, by = form.declaration(user, alert), actor_of(user, "web")
            if alert is not None and request.POST.get("acknowledge") == "1":
                made = actions.take_and_declare(alert, wanted, by)
            else:
                made = actions.declare_incident(wanted, by)
        except ValueError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("%s is declared.") % str(made).capitalize())
            return HttpResponseRedirect(room_url(made))
    context = {
        "form": form,
        "alert": alert,
        "is_waiting": alert is not None and alert.status == AlertStatus.FIRING,
        "known": _known(user, alert),
        "may_act": user.may_act,
    }
    return render(request, "incidents/declare.html", context, status=422 if form.errors else 200)


def _alert(request: HttpRequest) -> Alert | None:
    given = request.POST.get("alert") or request.GET.get("alert", "")
    if not given:
        return None
    number = whole_number(given)
    found = Alert.objects.select_related("service__team", "team", "acknowledged_by").filter(number=number).first()
    if found is None or number is None:
        raise Http404(_("There is no such alert."))
    return found


def _part_of(user: User, alert: Alert) -> Incident | None:
    """The open incident that it is part of already."""
    linked = LinkedAlert.objects.filter(alert=alert).values("incident")
    return visible_to(user).filter(pk__in=linked, closed_at=None).order_by("-number").first()


def _refuse_twice(user: User, alert: Alert | None) -> None:
    """A second tap on the button must not make a second incident."""
    found = _part_of(user, alert) if alert is not None else None
    if found is not None:
        raise ValueError(
            _("%(alert)s is part of %(incident)s already: go there.") % {"alert": alert, "incident": found}
        )


def _known(user: User, alert: Alert | None) -> list[Incident]:
    """Those it is part of already, or that its service has open: perhaps joining is what is wanted."""
    if alert is None:
        return []
    part_of = _part_of(user, alert)
    found = [part_of] if part_of is not None else []
    if alert.service_id is not None:
        same = visible_to(user).filter(service=alert.service_id, resolved_at=None, closed_at=None)
        found += [one for one in same.order_by("-number")[:3] if one not in found]
    return found


# --- by the link of a page that somebody got ---


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def declare_by_link(request: HttpRequest, token: str) -> HttpResponse:
    """Acknowledge and declare, half asleep: no log-in, no cookies, no script; the token is one person's."""
    found = landing_of(token) if len(token) <= TOKEN_MAX else None
    if found is None or not found.user.is_active or not found.alerts or found.is_test:
        text = render_to_string("escalation/landing_unknown.html", {"base_url": settings().base_url})
        return _private(HttpResponse(text, status=404))
    with timezone.override(zone(found.user.time_zone)):
        return _private(_by_link(request, found))


def _by_link(request: HttpRequest, found: Landing) -> HttpResponse:
    alert = Alert.objects.select_related("service__team", "team", "acknowledged_by").get(pk=found.alerts[0].pk)
    context = {
        "landing": found,
        "alert": alert,
        "rules": severity_rules(),
        "severity": DeclareForm(alert=alert).initial["severity"],
        "may_act": found.can_act and found.user.may_act,
        "made": _part_of(found.user, alert),
        "base_url": settings().base_url,
    }
    if request.method != "POST" or not context["may_act"] or context["made"] is not None:
        return HttpResponse(render_to_string("incidents/declare_by_link.html", context))
    title = request.POST.get("title", "") or alert.title
    severity = request.POST.get("severity", "")
    try:
        if severity not in Severity.values:
            raise ValueError(_("Choose how bad it is."))
        wanted = actions.Declaration(title=title, severity=severity)
        made = actions.take_and_declare(alert, wanted, actor_of(found.user, "link"))
    except ValueError as refusal:
        return HttpResponse(
            render_to_string("incidents/declare_by_link.html", {**context, "said": str(refusal)}), status=422
        )
    return HttpResponse(render_to_string("incidents/declare_by_link.html", {**context, "made": made}))


def _private(answer: HttpResponse) -> HttpResponse:
    answer["Cache-Control"] = "no-store"
    answer["Referrer-Policy"] = "no-referrer"
    return answer
