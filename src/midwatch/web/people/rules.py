"""When a person is paged by what: the notification rules of both urgencies, edited without JavaScript."""

from __future__ import annotations

from typing import Any, TypeAlias

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.forms import BaseFormSet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from midwatch.core.render import page_or_partial
from midwatch.people import actions, forms
from midwatch.people.actions.contacts import RULES_MAX
from midwatch.people.models import ContactMethod, Urgency, User
from midwatch.people.queries import actor_of
from midwatch.people.viewing import where_next
from midwatch.web.people.common import editable

Forms: TypeAlias = "BaseFormSet[forms.RuleForm]"


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, name: str) -> HttpResponse:
    """`do=add-high` and `do=add-low` give one more empty row and save nothing."""
    user, person = editable(request, name)
    contacts = list(person.contact_methods.all())
    if request.method != "POST":
        return _page(request, user, person, *_initial_forms(person, contacts))
    data = request.POST.copy()
    adds = data.get("do", "").removeprefix("add-")
    if adds in Urgency.values:
        forms.one_more(data, adds, RULES_MAX)
    high, low = (forms.RuleForms(data, prefix=one, form_kwargs={"contacts": contacts}) for one in forms.URGENCIES)
    repeat = forms.RepeatForm(data)
    if adds in Urgency.values:
        return _page(request, user, person, high, low, repeat)
    if not (high.is_valid() and low.is_valid() and repeat.is_valid()):
        return _page(request, user, person, high, low, repeat, status=422)
    wanted = [
        form.rule(urgency)
        for urgency, found in zip(forms.URGENCIES, (high, low), strict=True)
        for form in forms.kept_forms(found)
    ]
    try:
        actions.set_rules(
            person, wanted, actor_of(user, "web"), repeat_after_seconds=repeat.cleaned_data["repeat_after"]
        )
    except ValueError as refusal:
        repeat.add_error(None, str(refusal))
        return _page(request, user, person, high, low, repeat, status=422)
    messages.success(request, _("Saved."))
    return HttpResponseRedirect(_back(user, person))


@require_POST
@login_required
def usual(request: HttpRequest, name: str) -> HttpResponse:
    """Back to what a new person gets."""
    user, person = editable(request, name)
    try:
        actions.set_rules(person, actions.default_rules(list(person.contact_methods.all())), actor_of(user, "web"))
    except ValueError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("The usual rules are back."))
    return HttpResponseRedirect(where_next(request, _back(user, person)))


def _back(user: User, person: User) -> str:
    return reverse("people:profile") if user.pk == person.pk else reverse("people:person", args=[person.name])


def _initial_forms(person: User, contacts: list[ContactMethod]) -> tuple[Forms, Forms, forms.RepeatForm]:
    initial: dict[str, list[dict[str, Any]]] = {urgency: [] for urgency in forms.URGENCIES}
    for rule in person.notification_rules.select_related("contact"):
        initial[rule.urgency].append(forms.rule_initial(rule))
    high, low = (
        forms.RuleForms(initial=initial[urgency] or [{}], prefix=urgency, form_kwargs={"contacts": contacts})
        for urgency in forms.URGENCIES
    )
    return high, low, forms.RepeatForm(initial={"repeat_after": person.repeat_after_seconds})


def _page(
    request: HttpRequest,
    user: User,
    person: User,
    high: Forms,
    low: Forms,
    repeat: forms.RepeatForm,
    *,
    status: int = 200,
) -> HttpResponse:
    context = {
        "person": person,
        "is_me": user.pk == person.pk,
        "groups": [("high", high), ("low", low)],
        "repeat": repeat,
        "rules_max": RULES_MAX,
        "is_refused": status == 422,
        "has_contacts": person.contact_methods.exists(),
    }
    return page_or_partial(request, "people/rules.html", context, partial="people/rules.html", status=status)
