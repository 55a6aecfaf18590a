"""The layers of a schedule: what is typed, what it would mean for people, and only then saved."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import ProtectedError
from django.forms import BaseFormSet, formset_factory
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from midwatch.core import clock
from midwatch.core.render import is_partial, page_or_partial
from midwatch.people.forms import one_more
from midwatch.people.models import User
from midwatch.people.queries import actor_of
from midwatch.people.viewing import editable_teams, editing_user
from midwatch.respond.oncall import actions, forms, resolve
from midwatch.respond.oncall.differences import Difference, differences, hours_of
from midwatch.respond.oncall.models import Layer, Schedule, TurnMember
from midwatch.respond.oncall.queries import named, resolvable, schedules, unplanned_gaps
from midwatch.respond.oncall.views.timeline import span_words

PREVIEW = timedelta(days=28)
DIFFERENCES_SHOWN = 20
LayerForms = formset_factory(forms.LayerForm, extra=0, max_num=actions.LAYERS_MAX, absolute_max=actions.LAYERS_MAX)


@dataclass(frozen=True, slots=True)
class Line:
    """ "Tue 6 Jan 18:00 – Wed 7 Jan 09:00 CET": Ana -> Bo."""

    when: str
    before: str
    after: str
    is_gap: bool


@dataclass(frozen=True, slots=True)
class Load:
    person: str
    before: int  # hours
    after: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change means in the next four weeks. `mark` stands for what was previewed: only that is saved."""

    mark: str
    now_before: str
    now_after: str
    lines: Sequence[Line]
    more: int
    gaps: Sequence[str]
    loads: Sequence[Load]
    problems: Sequence[str] = ()

    @property
    def is_now_changed(self) -> bool:
        return self.now_before != self.now_after


def preview_of(before: resolve.Schedule, after: resolve.Schedule, now: datetime) -> Preview:
    """Both with the same overrides."""
    end = now + PREVIEW
    found = differences(before, after, now, end)
    hours_before, hours_after = hours_of(before, now, end), hours_of(after, now, end)
    on_call = [resolve.on_call_at(before, now), resolve.on_call_at(after, now)]
    names = {name for one in found for name in (*one.before, *one.after)}
    people = named({*names, *hours_before, *hours_after, *on_call[0], *on_call[1]})
    gaps = unplanned_gaps(after, now, end)
    loads = [
        Load(str(people[name]), round(hours_before.get(name, 0)), round(hours_after.get(name, 0)))
        for name in dict.fromkeys((*hours_after, *hours_before))
    ]
    return Preview(
        mark=mark_of(after),
        now_before=_shown(on_call[0], people),
        now_after=_shown(on_call[1], people),
        lines=[_line(one, people, after.time_zone) for one in found[:DIFFERENCES_SHOWN]],
        more=max(0, len(found) - DIFFERENCES_SHOWN),
        gaps=[span_words(low, high, after.time_zone) for low, high in gaps[:DIFFERENCES_SHOWN]],
        loads=loads,
    )


def mark_of(values: resolve.Schedule) -> str:
    said = repr(replace(values, overrides=()))
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:20]


def _line(one: Difference, people: Mapping[str, User], zone_name: str) -> Line:
    when = span_words(one.start, one.end, zone_name)
    return Line(when, _shown(one.before, people), _shown(one.after, people), not one.after)


def _shown(names: Sequence[str], people: Mapping[str, User]) -> str:
    return ", ".join(sorted(str(people.get(name, name)) for name in names)) or _("nobody")


def _editable(request: HttpRequest, name: str) -> tuple[User, Schedule]:
    schedule = get_object_or_404(schedules(), name=name)
    user = editing_user(request, schedule.team)
    if schedule.is_from_code:
        place = {"owner": schedule.code_owner, "file": schedule.code_file}
        raise PermissionDenied(
            _("This comes from configuration as code (%(owner)s, %(file)s): change it there.") % place
        )
    return user, schedule


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, name: str) -> HttpResponse:
    """`do`: preview (also what htmx asks at each change), turns, layer (one more), save (only what was previewed)."""
    user, schedule = _editable(request, name)
    teams = editable_teams(user)
    groups = forms.people_groups(schedule.team)
    if request.method != "POST":
        initial = {"team": schedule.team.name, "time_zone": schedule.time_zone, "combine": schedule.combine}
        layers = LayerForms(initial=_layers(schedule) or [{}], prefix="layer", form_kwargs={"groups": groups})
        return _page(request, schedule, forms.ScheduleForm(initial=initial, teams=teams), layers)
    data = request.POST.copy()
    do = data.get("do", "preview")
    if do == "layer":
        one_more(data, "layer", actions.LAYERS_MAX)
    form = forms.ScheduleForm(data, teams=teams)
    layers = LayerForms(data, prefix="layer", form_kwargs={"groups": groups})
    if do in {"layer", "turns"}:
        return _page(request, schedule, form, layers)
    if not (form.is_valid() and layers.is_valid()):
        return _page(request, schedule, form, layers, status=422)
    try:
        wanted = layer_fields(layers)
        after = actions.planned(schedule, wanted, form.cleaned_data["time_zone"], combine=form.cleaned_data["combine"])
        if do != "save" or data.get("seen") != mark_of(after):
            preview = preview_of(resolvable(schedule), after, clock.now())
            return _page(request, schedule, form, layers, preview=preview)
        _save(schedule, form, wanted, user)
    except ValueError as refusal:
        form.add_error(None, str(refusal))
        return _page(request, schedule, form, layers, status=422)
    messages.success(request, _("Saved. This is what it means."))
    return HttpResponseRedirect(reverse("oncall:schedule", args=[schedule.name]))


def _save(schedule: Schedule, form: forms.ScheduleForm, layers: Sequence[actions.LayerFields], user: User) -> None:
    given, by = form.cleaned_data, actor_of(user, "web")
    with transaction.atomic():
        team = form.teams[given["team"]]
        changed = actions.change_schedule(schedule, team, given["time_zone"], by, combine=given["combine"])
        actions.set_layers(changed, layers, by)


def layer_fields(layers: BaseFormSet[forms.LayerForm]) -> list[actions.LayerFields]:
    kept = [form for form in layers if not form.is_blank and not form.cleaned_data.get("remove")]
    kept.sort(key=_place)
    names = {name for form in kept for turn in form.cleaned_data["turns"] for name in turn}
    known = named(names)
    return [form.layer_fields(known) for form in kept]


def _place(form: forms.LayerForm) -> int:
    """A new layer comes last."""
    order = form.cleaned_data.get("order")
    return actions.LAYERS_MAX * 1_000 if order is None else int(order)


def _layers(schedule: Schedule) -> list[dict[str, Any]]:
    turns: dict[int, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    members = TurnMember.objects.filter(layer__schedule=schedule).order_by("turn", "position", "id")
    for layer_id, turn, name in members.values_list("layer_id", "turn", "user__name"):
        turns[layer_id][turn].append(name)
    return [
        forms.layer_initial(layer, [turns[layer.pk][turn] for turn in range(layer.turn_count)])
        for layer in Layer.objects.filter(schedule=schedule).order_by("position", "id")
    ]


def _page(
    request: HttpRequest,
    schedule: Schedule,
    form: forms.ScheduleForm,
    layers: BaseFormSet[forms.LayerForm],
    *,
    preview: Preview | None = None,
    status: int = 200,
) -> HttpResponse:
    """htmx gets the preview alone, whatever it says: the form stays as it is under the finger."""
    context = {
        "schedule": schedule,
        "form": form,
        "layers": layers,
        "preview": preview,
        "problems": _problems(form, layers) if form.is_bound and preview is None else [],
        "may_add": layers.total_form_count() < actions.LAYERS_MAX,
    }
    if is_partial(request):
        return render(request, "oncall/_preview.html", context)
    return page_or_partial(request, "oncall/edit.html", context, status=status)


def _problems(form: forms.ScheduleForm, layers: BaseFormSet[forms.LayerForm]) -> list[str]:
    if not layers.is_bound:
        return []
    of_layers = [error for one in layers for errors in one.errors.values() for error in errors]
    return [*(str(error) for errors in form.errors.values() for error in errors), *map(str, of_layers)]


@require_POST
@login_required
def delete(request: HttpRequest, name: str) -> HttpResponse:
    user, schedule = _editable(request, name)
    try:
        actions.delete_schedule(schedule, actor_of(user, "web"))
    except ProtectedError:
        messages.error(request, _("A policy pages %s: choose another target there first.") % schedule)
        return HttpResponseRedirect(reverse("oncall:schedule", args=[name]))
    messages.success(request, _("The schedule %s is gone.") % name)
    return HttpResponseRedirect(reverse("oncall:who"))
