"""Forms of escalation: a policy with its steps, a dry run, paging by hand. All of them work without JavaScript."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils.datastructures import MultiValueDict
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from midwatch.catalog.models import Service
from midwatch.core import durations
from midwatch.core.integration import DESCRIPTION_MAX, TITLE_MAX
from midwatch.core.zones import comes_at, wall_at
from midwatch.people.models import Team, Urgency
from midwatch.people.queries import active_people
from midwatch.respond.alerts.actions.people import PRIORITIES
from midwatch.respond.escalation.actions.policies import REPEAT_MAX, TARGETS_MAX
from midwatch.respond.escalation.models import Condition, EscalationPolicy, Notify, PolicyStep
from midwatch.respond.oncall.models import Schedule

Choices = list[tuple[str | Promise, list[tuple[str, str]]]]
CHOICES_MAX = 500  # of a kind, in a select


def seconds_from(text: str) -> int:
    """ "90s", "5m", "4h", "1d"; a bare number is minutes. Raises `ValueError` with what to write instead."""
    given = text.strip()
    return int(durations.parse(f"{given}m" if given.isdigit() else given).total_seconds())


def length_text(seconds: int) -> str:
    """The shortest way to write it back: "5m", "90s"."""
    return durations.written(timedelta(seconds=seconds))


class LengthField(forms.CharField):
    """Seconds, written as people write them."""

    def clean(self, value: Any) -> int | None:
        text = str(super().clean(value) or "")
        if not text:
            return None
        try:
            return seconds_from(text)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    def prepare_value(self, value: Any) -> Any:
        return length_text(value) if isinstance(value, int) else value


def policy_targets() -> Choices:
    """What a step may page, as "kind:name:notify"."""
    schedules: list[tuple[str, str]] = []
    for name in Schedule.objects.order_by("name").values_list("name", flat=True)[:CHOICES_MAX]:
        schedules.append((f"schedule:{name}:{Notify.CURRENT}", gettext("%s: on call now") % name))
        schedules.append((f"schedule:{name}:{Notify.NEXT}", gettext("%s: next on call") % name))
        schedules.append((f"schedule:{name}:{Notify.PREVIOUS}", gettext("%s: previous on call") % name))
    teams: list[tuple[str, str]] = []
    for team in Team.objects.order_by("display_name", "name")[:CHOICES_MAX]:
        teams.append((f"team:{team.name}:{Notify.ALL}", gettext("%s: whole team") % team))
        teams.append((f"team:{team.name}:{Notify.MANAGERS}", gettext("%s: managers") % team))
    return [(_("Schedules"), schedules), (_("Teams"), teams), (_("People"), _people("user:{}:current"))]


def page_targets() -> Choices:
    """Whom one may page by hand, as "kind:name"."""
    teams = [(f"team:{team.name}", str(team)) for team in Team.objects.order_by("display_name", "name")[:CHOICES_MAX]]
    services = [
        (f"service:{one.name}", str(one)) for one in Service.objects.order_by("display_name", "name")[:CHOICES_MAX]
    ]
    schedules = [
        (f"schedule:{name}", name)
        for name in Schedule.objects.order_by("name").values_list("name", flat=True)[:CHOICES_MAX]
    ]
    return [
        (_("A team, by its policy"), teams),
        (_("Who answers for a service"), services),
        (_("Who is on call now"), schedules),
        (_("One person"), _people("user:{}")),
    ]


def _people(pattern: str) -> list[tuple[str, str]]:
    return [(pattern.format(user.name), str(user)) for user in active_people()[:CHOICES_MAX]]


class SeveralSelects(forms.Select):
    """One select for each value and an empty one for another: several targets without JavaScript."""

    template_name = "escalation/several_selects.html"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        values = [one for one in (value or []) if one]
        context = super().get_context(name, None, attrs)
        rows = [*values, ""] if len(values) < TARGETS_MAX else values
        context["selects"] = [self._select(name, one, index, attrs or {}) for index, one in enumerate(rows)]
        return context

    def _select(self, name: str, value: str, index: int, attrs: dict[str, Any]) -> dict[str, Any]:
        """The first carries the field's label, the others a name of their own for screen readers."""
        own = (
            attrs
            if index == 0
            else {"id": f"id_{name}_{index}", "aria-label": gettext("and also"), "class": attrs.get("class", "")}
        )
        widget: dict[str, Any] = super().get_context(name, value, own)["widget"]
        return widget

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> list[str]:
        return data.getlist(name) if isinstance(data, MultiValueDict) else list(data.get(name, []))


class TargetsField(forms.MultipleChoiceField):
    widget = SeveralSelects

    def clean(self, value: Any) -> Any:
        return super().clean(list(dict.fromkeys(one for one in value or [] if one))[:TARGETS_MAX])


class StepForm(forms.Form):
    """One step. `after` counts from the start of the round."""

    name = forms.CharField(label=_("Name"), max_length=100, required=False)
    after = LengthField(label=_("After"), initial=0, required=False, max_length=12)
    targets = TargetsField(label=_("Notify"), required=False)
    condition = forms.ChoiceField(
        label=_("Only if"),
        choices=[
            (Condition.UNACKNOWLEDGED, _("nobody has it")),
            (Condition.UNRESOLVED, _("not resolved")),
        ],
        initial=Condition.UNACKNOWLEDGED,
        required=False,
    )
    runbook = forms.SlugField(
        label=_("Runbook that starts with it"),
        max_length=63,
        required=False,
        help_text=_("By name, once an alert. Empty: none."),
    )
    hold_page = LengthField(
        label=_("Its page waits for the runbook"),
        required=False,
        max_length=12,
        help_text=_("Of the first step: 60s, 5m at most, never for a P1. Empty: not at all."),
    )
    remove = forms.BooleanField(label=_("Take this step out"), required=False)

    def __init__(self, *args: Any, choices: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["targets"]
        assert isinstance(field, TargetsField)
        field.choices = [("", gettext("Choose whom")), *choices]

    @property
    def is_blank(self) -> bool:
        return not self.cleaned_data.get("targets") and not self.cleaned_data.get("name")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("name") and not cleaned.get("targets") and not cleaned.get("remove"):
            self.add_error("targets", _("Choose whom this step notifies, or take the step out."))
        return cleaned


class PolicyForm(forms.Form):
    repeat = forms.IntegerField(label=_("Further rounds"), min_value=0, max_value=REPEAT_MAX, initial=2)
    repeat_after = LengthField(label=_("A new round starts after the last step by"), initial=600, max_length=12)
    ack_timeout = LengthField(
        label=_("Ask whoever acknowledged again after"),
        required=False,
        max_length=12,
        help_text=_("Empty: 30 minutes for high urgency, never for low. 0s: never."),
    )


def step_initial(step: PolicyStep) -> dict[str, Any]:
    return {
        "name": step.name,
        "after": step.after_seconds,
        "condition": step.condition,
        "runbook": step.runbook,
        "hold_page": step.hold_page_seconds or "",
        "targets": [target_value(target) for target in step.targets.all()],
    }


def target_value(target: Any) -> str:
    """A target as the forms write it: "schedule:payments-primary:current"."""
    if target.schedule is not None:
        return f"schedule:{target.schedule.name}:{target.notify}"
    if target.team is not None:
        return f"team:{target.team.name}:{target.notify}"
    return f"user:{target.user.name}:current"


def policy_initial(policy: EscalationPolicy) -> dict[str, Any]:
    return {
        "repeat": policy.repeat,
        "repeat_after": policy.repeat_after_seconds,
        "ack_timeout": policy.ack_timeout_seconds,
    }


def rounds_sentence(policy: EscalationPolicy) -> str:
    if not policy.repeat:
        return gettext("Then it ends; the people called keep being called by their own rules.")
    return ngettext(
        "If nobody acknowledges, all of it once more, %(after)s after the last step.",
        "If nobody acknowledges, all of it %(n)d times more, each %(after)s after the last step.",
        policy.repeat,
    ) % {"n": policy.repeat, "after": length_text(policy.repeat_after_seconds)}


def timeout_sentence(policy: EscalationPolicy) -> str:
    match policy.ack_timeout_seconds:
        case None:
            return gettext("Whoever acknowledged is asked again after 30 min when it is of high urgency.")
        case 0:
            return gettext("Whoever acknowledged keeps it, however long it takes.")
        case seconds:
            return gettext("Whoever acknowledged is asked again after %s.") % length_text(seconds)


class DryRunForm(forms.Form):
    """`at`: wall clock in the viewer's zone; empty means now."""

    at = forms.DateTimeField(
        label=_("When"),
        required=False,
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    priority = forms.ChoiceField(label=_("Priority"), choices=[(one, one) for one in PRIORITIES], required=False)

    def moment(self, now: datetime, zone_name: str) -> datetime:
        given = self.cleaned_data.get("at") if self.is_valid() else None
        if given is None:
            return now
        try:
            return comes_at(given.replace(tzinfo=None), zone_name)
        except ValueError:
            return now

    @property
    def urgency(self) -> str:
        chosen = self.cleaned_data.get("priority") if self.is_valid() else ""
        return Urgency.LOW if chosen in {"P3", "P4", "P5"} else Urgency.HIGH


def wall_text(at: datetime, zone_name: str) -> str:
    return f"{wall_at(at, zone_name):%Y-%m-%dT%H:%M}"


class PageForm(forms.Form):
    """Page somebody by hand: exactly one target."""

    target = forms.ChoiceField(label=_("Whom"))
    title = forms.CharField(label=_("What is wrong"), max_length=TITLE_MAX)
    description = forms.CharField(
        label=_("More about it"), max_length=DESCRIPTION_MAX, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    priority = forms.ChoiceField(
        label=_("Priority"),
        choices=[
            ("P1", _("P1 critical: rings")),
            ("P2", _("P2 high: rings")),
            ("P3", _("P3 medium")),
            ("P4", _("P4 low")),
            ("P5", _("P5 information")),
        ],
        initial="P1",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["target"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", gettext("Choose whom to page")), *page_targets()]
