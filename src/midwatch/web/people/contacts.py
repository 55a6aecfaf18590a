"""Ways to reach somebody: added, changed, tested, confirmed, turned off, removed."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from midwatch.core import net
from midwatch.core.actor import Actor
from midwatch.core.render import page_or_partial
from midwatch.people import actions, forms
from midwatch.people.models import ContactMethod, User
from midwatch.people.queries import actor_of
from midwatch.people.viewing import viewer, where_next
from midwatch.respond.escalation.coverage import sole_target_of
from midwatch.respond.notify.actions import send_test_page
from midwatch.web.people import reach_queries as queries
from midwatch.web.people.common import editable, method_or_404, needed_page, person_or_404
from midwatch.web.permits import may_test


def _page_of(request: HttpRequest, person: User) -> str:
    """Back to where the act was done: the wizard, the profile, or the person's page."""
    is_me = viewer(request).pk == person.pk
    return where_next(request, reverse("people:profile") if is_me else reverse("people:person", args=[person.name]))


def check_typed(address: str) -> None:
    """A private address is refused now, in words, not at the first page. Raises `ValueError`."""
    if address.strip().lower().startswith(("http://", "https://")):
        try:
            net.check_typed(address.strip())
        except net.NetError as refusal:
            raise ValueError(str(refusal)) from None


def add_contact(person: User, form: forms.ContactForm, by: Actor) -> ContactMethod | None:
    """None when it was refused; the form says why. Rules nobody has touched take the new method in."""
    known = list(person.contact_methods.values_list("name", flat=True))
    try:
        check_typed(form.cleaned_data["address"])
        with transaction.atomic():
            is_usual = not person.are_rules_from_code and queries.has_usual_rules(person)
            contact = actions.add_contact(person, form.contact(known), by)
            if is_usual:
                actions.set_rules(person, actions.default_rules(list(person.contact_methods.all())), by)
    except ValueError as refusal:
        form.add_error("address", str(refusal))
        return None
    return contact


@sensitive_post_parameters("secret")
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest, name: str) -> HttpResponse:
    user, person = editable(request, name)
    data = request.POST if request.method == "POST" else None
    form = forms.ContactForm(data, missing=queries.missing_settings())
    if request.method == "POST" and form.is_valid():
        contact = add_contact(person, form, actor_of(user, "web"))
        if contact is not None:
            messages.success(
                request,
                _("Added. Send a test page by it and answer: until then no page goes out by %s.") % contact.name,
            )
            return HttpResponseRedirect(_page_of(request, person))
    context = {"person": person, "form": form, "is_me": user.pk == person.pk, "missing": queries.missing_settings()}
    status = 422 if form.errors else 200
    return page_or_partial(
        request, "people/contact_add.html", context, partial="people/contact_add.html", status=status
    )


@sensitive_post_parameters("secret")
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, name: str, method: str) -> HttpResponse:
    user, person = editable(request, name)
    contact = method_or_404(person, method)
    data = request.POST if request.method == "POST" else None
    form = forms.ContactChangeForm(data, initial={"address": contact.address})
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        secret = "" if given["forget_secret"] else (given["secret"] or None)
        try:
            if given["address"].strip() != contact.address:
                check_typed(given["address"])
            changed = actions.change_contact(contact, given["address"], actor_of(user, "web"), secret=secret)
        except ValueError as refusal:
            form.add_error("address", str(refusal))
        else:
            messages.success(
                request,
                _("Saved.") if changed.confirmed_at else _("Saved. Send a test page by it and answer to confirm it."),
            )
            return HttpResponseRedirect(_page_of(request, person))
    context = {
        "person": person,
        "contact": contact,
        "title": queries.type_name(contact.type),
        "form": form,
        "is_me": user.pk == person.pk,
    }
    status = 422 if form.errors else 200
    return page_or_partial(request, "people/contact.html", context, partial="people/contact.html", status=status)


@require_POST
@login_required
def send_test(request: HttpRequest, name: str, method: str = "") -> HttpResponse:
    """A real message through the real channel, by one method or by all. Answering it confirms the method."""
    user, person = viewer(request), person_or_404(name)
    if not may_test(user, person):
        raise PermissionDenied(_("You may send test pages to yourself and to the people of teams you manage."))
    contact = method_or_404(person, method) if method else None
    try:
        sent = send_test_page(person, actor_of(user, "web"), contact)
    except ValueError as refusal:
        messages.error(request, str(refusal))
    else:
        by = ", ".join(delivery.method_name for delivery in sent)
        text = ngettext("A test page goes out by %s.", "Test pages go out by %s.", len(sent)) % by
        messages.success(request, _("%s Its receipt appears below; answering confirms.") % text)
    return HttpResponseRedirect(_page_of(request, person))


@require_POST
@login_required
def confirm(request: HttpRequest, name: str, method: str) -> HttpResponse:
    """The person says that the test arrived; nobody else can know."""
    user, person = editable(request, name)
    contact = method_or_404(person, method)
    rows = queries.last_tests(person)
    if user.pk != person.pk or contact.pk not in rows:
        messages.error(request, _("Send a test page by %s first; whoever gets it says that it arrived.") % contact.name)
    elif actions.confirm_contact(contact, actor_of(user, "web")):
        messages.success(request, _("Confirmed: %s reaches you.") % contact.name)
    return HttpResponseRedirect(_page_of(request, person))


@require_POST
@login_required
def turn(request: HttpRequest, name: str, method: str) -> HttpResponse:
    """On again, or off: nothing goes out by it any more."""
    user, person = editable(request, name)
    contact, by = method_or_404(person, method), actor_of(user, "web")
    if contact.disabled_at is not None:
        actions.enable_contact(contact, by)
        messages.success(request, _("%s is on again.") % contact.name)
        return HttpResponseRedirect(_page_of(request, person))
    reasons = [] if "force" in request.POST or not _is_last(contact) else sole_target_of(person)
    if reasons:
        url = reverse("people:turn-contact", args=[person.name, contact.name])
        what = _("Turn %s off all the same") % contact.name
        return needed_page(request, person, reasons, what=what, url=url, back=_page_of(request, person))
    actions.disable_contact(contact, _("turned off by %s") % user, by)
    messages.success(request, _("%s is off: nothing goes out by it.") % contact.name)
    return HttpResponseRedirect(_page_of(request, person))


def _is_last(contact: ContactMethod) -> bool:
    return not contact.user.contact_methods.exclude(pk=contact.pk).filter(disabled_at=None).exists()


@require_POST
@login_required
def remove(request: HttpRequest, name: str, method: str) -> HttpResponse:
    user, person = editable(request, name)
    contact, by = method_or_404(person, method), actor_of(user, "web")
    needed_by = sole_target_of(person) if _is_last(contact) else []
    is_usual = not person.are_rules_from_code and queries.has_usual_rules(person)
    try:
        with transaction.atomic():
            actions.remove_contact(contact, by, needed_by=needed_by, is_forced="force" in request.POST)
            if is_usual:
                actions.set_rules(person, actions.default_rules(list(person.contact_methods.all())), by)
    except actions.NeededError as refusal:
        url = reverse("people:remove-contact", args=[person.name, contact.name])
        what = _("Remove %s all the same") % contact.name
        return needed_page(request, person, refusal.reasons, what=what, url=url, back=_page_of(request, person))
    except ValueError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("%s is removed.") % method)
    return HttpResponseRedirect(_page_of(request, person))
