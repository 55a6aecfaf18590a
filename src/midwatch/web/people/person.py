"""One person: how they are reached and when, who they are, what they want to hear."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from midwatch.core import clock
from midwatch.core.render import page_or_partial
from midwatch.people import actions, forms
from midwatch.people.models import User
from midwatch.people.queries import actor_of
from midwatch.people.viewing import viewer, where_next
from midwatch.respond.notify.queries import reachability
from midwatch.respond.oncall.notices import SHIFT_START_DEFAULT
from midwatch.respond.oncall.queries import shifts_of
from midwatch.web.people import reach_queries as queries
from midwatch.web.people.common import check_email_is_free, editable, person_or_404
from midwatch.web.permits import may_edit_reach, may_see_addresses, may_test

SHIFTS_WITHIN = timedelta(days=60)
SHIFTS_SHOWN = 6


@login_required
@require_safe
def profile(request: HttpRequest) -> HttpResponse:
    return _reach_page(request, viewer(request))


@login_required
@require_safe
def reach(request: HttpRequest, name: str) -> HttpResponse:
    return _reach_page(request, person_or_404(name))


def _reach_page(request: HttpRequest, person: User) -> HttpResponse:
    """A moving part while a test page is on its way: its receipts."""
    user = viewer(request)
    is_me, may_edit = user.pk == person.pk, may_edit_reach(user, person)
    shows = may_see_addresses(user, person)
    found = reachability(person)
    rows = queries.method_rows(found, shows_addresses=shows, is_me=is_me)
    now = clock.now()
    contacts = [row.contact for row in rows]
    context = {
        "person": person,
        "tab": "reach",
        "is_me": is_me,
        "may_edit": may_edit,
        "may_edit_contacts": may_edit and not person.are_contacts_from_code,
        "may_test": may_test(user, person) and person.is_active,
        "shows_addresses": shows,
        "reach": found,
        "rows": rows,
        "is_moving": any(row.test is not None for row in rows),
        "lines": queries.rule_lines(person, rows),
        "has_usual_rules": queries.has_usual_rules(person),
        "memberships": list(person.memberships.select_related("team").order_by("team__display_name")),
        "shifts": shifts_of(person, now, now + SHIFTS_WITHIN)[:SHIFTS_SHOWN],
        "now": now,
        "contact_form": forms.ContactForm(missing=queries.missing_settings()),
        "notify_form": forms.NotifyOnForm(
            contacts=contacts, initial=forms.notify_initial(person.notify_on, SHIFT_START_DEFAULT)
        ),
    }
    return page_or_partial(request, "people/person.html", context, partial="people/_methods.html")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def about(request: HttpRequest, name: str) -> HttpResponse:
    """Name, e-mail, time zone; the role by administrators alone."""
    user, person = editable(request, name)
    with_role = user.is_administrator
    data = request.POST if request.method == "POST" else None
    form = forms.PersonForm(data, initial=forms.initial_of(person), with_name=False, with_role=with_role)
    if request.method == "POST" and form.is_valid():
        try:
            check_email_is_free(form.cleaned_data["email"], person)
            actions.change_user(person, form.profile(role=person.role), actor_of(user, "web"))
        except ValueError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Saved."))
            return HttpResponseRedirect(reverse("people:about", args=[person.name]))
    context = {"person": person, "tab": "about", "is_me": user.pk == person.pk, "may_edit": True, "form": form}
    status = 422 if form.errors else 200
    return page_or_partial(request, "people/about.html", context, partial="people/about.html", status=status)


@require_POST
@login_required
def shortcuts(request: HttpRequest, name: str) -> HttpResponse:
    user, person = editable(request, name)
    actions.change_preferences(person, actor_of(user, "web"), has_shortcuts="has_shortcuts" in request.POST)
    messages.success(request, _("Saved."))
    return HttpResponseRedirect(reverse("people:about", args=[person.name]))


@require_POST
@login_required
def notify_on(request: HttpRequest, name: str) -> HttpResponse:
    """What a person wants to hear besides pages."""
    user, person = editable(request, name)
    form = forms.NotifyOnForm(request.POST, contacts=list(person.contact_methods.all()))
    if form.is_valid():
        actions.change_preferences(person, actor_of(user, "web"), notify_on=form.notify_on(person.notify_on))
        messages.success(request, _("Saved."))
    else:
        messages.error(request, _("Nothing was saved: choose one of the contact methods."))
    return HttpResponseRedirect(where_next(request, reverse("people:person", args=[person.name])))
