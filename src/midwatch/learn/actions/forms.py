"""The forms of an action item. They work without JavaScript."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from midwatch.learn.actions.models import TITLE_MAX, ItemPriority, ItemType
from midwatch.people.models import Team, User
from midwatch.people.queries import active_people

TYPES = [
    (ItemType.PREVENT, _("Prevent: not again")),
    (ItemType.MITIGATE, _("Mitigate: suffer less from it")),
    (ItemType.DETECT, _("Detect: see it sooner")),
    (ItemType.PROCESS, _("Process: work together better")),
]
PRIORITIES = [
    (ItemPriority.HIGH, _("High: within a fortnight")),
    (ItemPriority.MEDIUM, _("Medium: within a month")),
    (ItemPriority.LOW, _("Low: within a quarter")),
]


class ItemForm(forms.Form):
    """Without an owner it is a draft. The date may be left out: the priority has its usual one."""

    title = forms.CharField(label=_("What is different when it is done?"), max_length=TITLE_MAX)
    type = forms.ChoiceField(label=_("Type"), choices=TYPES)
    priority = forms.ChoiceField(label=_("Priority"), choices=PRIORITIES, initial=ItemPriority.MEDIUM)
    owner = forms.ModelChoiceField(
        label=_("Owner"),
        queryset=User.objects.none(),
        required=False,
        to_field_name="name",
        empty_label=_("nobody yet"),
    )
    due_on = forms.DateField(label=_("Until"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    team = forms.ModelChoiceField(
        label=_("Team"), queryset=Team.objects.none(), required=False, to_field_name="name", empty_label=_("no team")
    )
    description = forms.CharField(label=_("More"), required=False, widget=forms.Textarea(attrs={"rows": 4}))
    proof_kind = forms.ChoiceField(
        label=_("How Midwatch sees that it is done"),
        required=False,
        choices=[
            ("", _("somebody says so")),
            ("check", _("a check passes (its name)")),
            ("alert", _("an alert fires in a drill (words of its title)")),
        ],
    )
    proof_value = forms.CharField(label=_("Name or words"), required=False, max_length=300)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, found in (
            ("owner", active_people().exclude(role="viewer").order_by("display_name", "name")),
            ("team", Team.objects.order_by("display_name", "name")),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)
            field.queryset = found

    @property
    def proof(self) -> dict[str, str]:
        kind, value = self.cleaned_data["proof_kind"], self.cleaned_data["proof_value"]
        return {"kind": kind, {"check": "name", "alert": "words"}[kind]: value} if kind else {}


def initial_of(item: Any) -> dict[str, Any]:
    """What the form shows of an item."""
    names = ("title", "type", "priority", "due_on", "description")
    proof = item.proof or {}
    return {
        **{name: getattr(item, name) for name in names},
        "owner": item.owner.name if item.owner else None,
        "team": item.team.name if item.team else None,
        "proof_kind": proof.get("kind", ""),
        "proof_value": proof.get("name", proof.get("words", "")),
    }
