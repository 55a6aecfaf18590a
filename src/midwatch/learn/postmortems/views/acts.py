"""Acts on a post-mortem beside writing: meeting, facilitator, review, publication, waiver."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from midwatch.core.text import whole_number
from midwatch.learn.postmortems import actions
from midwatch.learn.postmortems.models import Comment, Postmortem
from midwatch.learn.postmortems.views.common import (
    NUMBER_MAX,
    actor_of,
    may_lead,
    may_waive,
    postmortem_act,
)
from midwatch.learn.postmortems.views.writing import moment_of
from midwatch.people.models import User
from midwatch.people.queries import active_people
from midwatch.people.viewing import acting_user, where_next
from midwatch.respond.incidents import queries as incident_queries


@login_required
@require_POST
def open_by_hand(request: HttpRequest, number: int) -> HttpResponse:
    """For an incident whose severity demands none: whoever may see it may want to learn from it."""
    user = acting_user(request)
    incident = incident_queries.visible_to(user).filter(number=min(number, NUMBER_MAX)).first()
    if incident is None:
        raise Http404(_("There is no incident #%d here.") % min(number, NUMBER_MAX))
    try:
        actions.open_postmortem(
            incident, actor_of(user, "web"), template=request.POST.get("template", "") or "standard"
        )
    except ValueError as refusal:
        messages.error(request, str(refusal))
        return HttpResponseRedirect(where_next(request, reverse("postmortems:list")))
    return HttpResponseRedirect(reverse("postmortems:detail", args=[number]))


def _person(name: str) -> User:
    found = active_people().filter(name=name).first()
    if found is None:
        raise ValueError(_("choose a person"))
    return found


@postmortem_act(anchor="#comments")
def comment(request: HttpRequest, found: Postmortem, user: User) -> str:
    key = request.POST.get("key", "")
    actions.comment(found, actor_of(user, "web"), request.POST.get("text", ""), key=key)
    return _("Said.")


@postmortem_act(anchor="#comments")
def settle_comment(request: HttpRequest, found: Postmortem, user: User, pk: int) -> str:
    made = Comment.objects.filter(postmortem=found, pk=pk).first()
    if made is None:
        raise ValueError(_("that comment is gone: reload the page"))
    actions.settle_comment(made, actor_of(user, "web"))
    return _("Settled.")


@postmortem_act(may_lead)
def set_meeting(request: HttpRequest, found: Postmortem, user: User) -> str:
    warning = actions.set_meeting(
        found,
        moment_of(request.POST.get("at", ""), user),
        actor_of(user, "web"),
        minutes=whole_number(request.POST.get("minutes", "45"), 3) or 0,
        where=request.POST.get("where", ""),
    )
    if warning:
        messages.warning(request, warning)
    return _("The meeting is set; everybody who took part is invited.")


@postmortem_act(may_lead)
def held(request: HttpRequest, found: Postmortem, user: User) -> str:
    actions.meeting_was_held(found, actor_of(user, "web"))
    return _("Good. What is left is the text and its review.")


@postmortem_act(may_lead)
def ask_facilitator(request: HttpRequest, found: Postmortem, user: User) -> str:
    person = _person(request.POST.get("person", ""))
    actions.ask_facilitator(found, person, actor_of(user, "web"), why=request.POST.get("why", ""))
    return _("%s is asked.") % person


@postmortem_act()
def answer_as_facilitator(request: HttpRequest, found: Postmortem, user: User) -> str:
    is_accepted = request.POST.get("answer") == "accept"
    actions.answer_as_facilitator(found, user, actor_of(user, "web"), is_accepted=is_accepted)
    return _("You facilitate.") if is_accepted else _("Declined; the owner hears of it.")


@postmortem_act(may_lead)
def change_owner(request: HttpRequest, found: Postmortem, user: User) -> str:
    person = _person(request.POST.get("person", ""))
    actions.change_owner(found, person, actor_of(user, "web"))
    return _("It is %s's now.") % person


@postmortem_act(may_lead)
def use_template(request: HttpRequest, found: Postmortem, user: User) -> str:
    actions.use_template(found, request.POST.get("template", ""), actor_of(user, "web"))
    return _("The sections are those of the other template.")


@postmortem_act(may_lead)
def send_to_review(request: HttpRequest, found: Postmortem, user: User) -> str:
    actions.send_to_review(found, actor_of(user, "web"))
    return _("In review.")


@postmortem_act(may_lead)
def take_back(request: HttpRequest, found: Postmortem, user: User) -> str:
    actions.take_back(found, actor_of(user, "web"))
    return _("A draft again.")


@postmortem_act()
def approve(request: HttpRequest, found: Postmortem, user: User) -> str:
    revision = whole_number(request.POST.get("revision", ""), 9)
    actions.approve(found, user, actor_of(user, "web"), revision=-1 if revision is None else revision)
    return _("Approved. The IC and the CM decide what is published.")


@postmortem_act(may_lead)
def make_external(request: HttpRequest, found: Postmortem, user: User) -> str:
    _saved, doubtful = actions.make_external(found, actor_of(user, "web"))
    if doubtful:
        messages.warning(request, _("These may be names: %s. Look at them.") % ", ".join(sorted(set(doubtful))[:20]))
    return _("Made anew from the sections that clients read.")


@postmortem_act()
def decide(request: HttpRequest, found: Postmortem, user: User) -> str:
    said = actions.decide(
        found,
        user,
        actor_of(user, "web"),
        is_for_page="page" in request.POST,
        is_for_clients="clients" in request.POST,
        why=request.POST.get("why", ""),
    )
    return said[:1].upper() + said[1:]


@postmortem_act(may_waive)
def waive(request: HttpRequest, found: Postmortem, user: User) -> str:
    actions.waive(found, actor_of(user, "web"), request.POST.get("why", ""))
    return _("Waived. It is on record who decided so, and why.")


@postmortem_act(may_waive)
def reopen(request: HttpRequest, found: Postmortem, user: User) -> str:
    actions.reopen(found, actor_of(user, "web"))
    return _("Open again.")
