"""Action items: the list, one item, noting and changing it."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import F, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from midwatch.core import clock
from midwatch.core.text import whole_number
from midwatch.core.tracking import Tracker
from midwatch.learn.actions import actions
from midwatch.learn.actions.actions import NewItem
from midwatch.learn.actions.forms import ItemForm, initial_of
from midwatch.learn.actions.models import ActionItem, DebtAnswer, ItemIssue, ItemState
from midwatch.learn.actions.queries import overdue, visible_items
from midwatch.people.models import User
from midwatch.people.queries import actor_of
from midwatch.people.viewing import acting_user, viewer, where_next
from midwatch.respond.incidents.models import Incident
from midwatch.respond.incidents.queries import visible_to

PAGE_SIZE = 50
SHOWN = ("mine", "teams", "overdue", "open", "draft", "done")


@login_required
@require_safe
def item_list(request: HttpRequest) -> HttpResponse:
    """Open ones by their date: mine, my teams', the overdue; drafts; what was done, the newest first."""
    user = viewer(request)
    shown = request.GET.get("show", "open")
    if shown not in SHOWN:
        raise Http404
    listed = Paginator(_shown(user, shown), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {"listed": listed, "shown": shown, "today": clock.now().date(), "may_act": user.may_act}
    return render(request, "actions/list.html", context)


def _shown(user: User, shown: str) -> QuerySet[ActionItem]:
    found = visible_items(user)
    if shown == "done":
        return found.filter(state__in=[ItemState.DONE, ItemState.DROPPED]).order_by(F("done_at").desc(), "-number")
    if shown == "draft":
        return found.filter(state=ItemState.DRAFT).order_by("-number")
    open_ones = found.filter(state=ItemState.OPEN).order_by("due_on", "number")
    match shown:
        case "mine":
            return open_ones.filter(owner=user)
        case "teams":
            return open_ones.filter(team__in=user.memberships.values("team"))
        case "overdue":
            return overdue(open_ones, clock.now().date())
    return open_ones


def seen(request: HttpRequest, number: int) -> ActionItem:
    """404 for one that there is not, and for one of a private incident that is not theirs to see."""
    return get_object_or_404(visible_items(viewer(request)), number=number)


@login_required
@require_safe
def detail(request: HttpRequest, number: int) -> HttpResponse:
    item = seen(request, number)
    context = {
        "item": item,
        "history": item.history.order_by("-id")[:100],
        "debts": DebtAnswer.objects.filter(item=item, incident__in=visible_to(viewer(request)))
        .select_related("incident")
        .order_by("-at")[:20],
        "today": clock.now().date(),
        "may_act": viewer(request).may_act,
        "form": ItemForm(initial=initial_of(item)),
        "issues": list(item.issues.order_by("provider")),
        "trackers": _offered(item, viewer(request)),
    }
    return render(request, "actions/detail.html", context)


def _offered(item: ActionItem, user: User) -> list[tuple[Tracker, str]]:
    """Where it could be an issue too, with the place that its team took last."""
    if not user.may_act or item.state != ItemState.OPEN or item.is_private:
        return []
    made = set(item.issues.exclude(url="").values_list("provider", flat=True))
    places = ItemIssue.objects.filter(item__team=item.team).exclude(url="").order_by("id")
    last = dict(places.values_list("provider", "place"))
    found = [one for one in actions.available_trackers() if one.PROVIDER not in made]
    return [(one, last.get(one.PROVIDER, "")) for one in found]


@login_required
@require_POST
def issue(request: HttpRequest, number: int, provider: str) -> HttpResponse:
    """`place`: a repository or a project. Made by the engine; where that failed, it is tried again."""
    item = seen(request, number)
    user = acting_user(request)
    try:
        actions.wish_issue(item, provider, request.POST.get("place", "")[:200], actor_of(user, "web"))
    except ValueError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("It is looked at there in a moment; what came of it stands here."))
    return HttpResponseRedirect(reverse("actions:detail", args=[number]))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    user = acting_user(request)
    number = request.GET.get("incident", request.POST.get("incident", ""))
    incident: Incident | None = None
    if number:
        incident = get_object_or_404(visible_to(user), number=whole_number(number))
    if request.method != "POST":
        initial = {"team": incident.team.name if incident and incident.team else None}
        return _form(request, ItemForm(initial=initial), incident)
    form = ItemForm(request.POST)
    if form.is_valid():
        data = form.cleaned_data
        try:
            item = actions.note_item(
                NewItem(
                    data["title"],
                    type=data["type"],
                    priority=data["priority"],
                    owner=data["owner"],
                    due_on=data["due_on"],
                    team=data["team"],
                    description=data["description"],
                    incident=incident,
                    origin="post-mortem" if incident else "by hand",
                    proof=dict(form.proof),
                ),
                actor_of(user, "web"),
            )
        except ValueError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Noted as %s.") % item)
            return HttpResponseRedirect(where_next(request, reverse("actions:detail", args=[item.number])))
    return _form(request, form, incident, status=422)


def _form(request: HttpRequest, form: ItemForm, incident: Incident | None, status: int = 200) -> HttpResponse:
    context = {"form": form, "incident": incident, "next": request.GET.get("next", request.POST.get("next", ""))}
    return render(request, "actions/new.html", context, status=status)


@login_required
@require_POST
def change(request: HttpRequest, number: int) -> HttpResponse:
    user = acting_user(request)
    item = seen(request, number)
    form = ItemForm(request.POST)
    if form.is_valid():
        data = form.cleaned_data
        by = actor_of(user, "web")
        try:
            given = {name: data[name] for name in ("title", "type", "priority", "description")}
            if item.state == ItemState.OPEN:
                given |= {"owner": data["owner"], "due_on": data["due_on"]}
            item = actions.change_item(item, by, **given, proof=dict(form.proof))
            if item.state == ItemState.DRAFT and data["owner"] is not None:
                actions.open_item(item, data["owner"], by, due_on=data["due_on"])
        except ValueError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Changed."))
            return HttpResponseRedirect(reverse("actions:detail", args=[number]))
    context = {"item": item, "form": form, "may_act": True, "today": clock.now().date(), "is_changing": True}
    return render(request, "actions/detail.html", context, status=422)


@login_required
@require_POST
def act(request: HttpRequest, number: int, do: str) -> HttpResponse:
    """done, drop or reopen, each with words that stay; prove asks the proof now."""
    user = acting_user(request)
    item = seen(request, number)
    by, words = actor_of(user, "web"), request.POST.get("words", "")
    try:
        match do:
            case "done":
                actions.finish_item(item, by, words)
            case "drop":
                actions.drop_item(item, by, words)
            case "reopen":
                actions.reopen_item(item, by, words or "opened by hand")
            case "prove" if item.proof:
                messages.info(request, actions.prove_now(item).sentence)
            case _:
                raise Http404
    except ValueError as refusal:
        messages.error(request, str(refusal))
    return HttpResponseRedirect(where_next(request, reverse("actions:detail", args=[number])))


@login_required
@require_POST
def debt(request: HttpRequest, number: int) -> HttpResponse:
    """Would it have prevented that incident?"""
    user = acting_user(request)
    item = seen(request, number)
    wanted = whole_number(request.POST.get("incident", ""))
    answer = {"yes": True, "no": False}.get(request.POST.get("answer", ""))
    if answer is None:
        raise Http404
    incident = get_object_or_404(visible_to(user), number=wanted)
    actions.answer_debt(incident, item, actor_of(user, "web"), would_have_prevented=answer)
    return HttpResponseRedirect(where_next(request, reverse("incidents:room", args=[incident.number])))
