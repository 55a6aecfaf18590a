"""Forms of incidents: the declaration. A title and a severity are enough; the rest has defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from midwatch.catalog.models import Service
from midwatch.core.text import clean
from midwatch.core.wall_field import WallField
from midwatch.core.zones import comes_at, wall_at
from midwatch.people.models import Team, User
from midwatch.respond.alerts.models import Alert
from midwatch.respond.incidents.actions import Declaration
from midwatch.respond.incidents.models import IncidentType, Severity
from midwatch.respond.incidents.models.command import TITLE_MAX
from midwatch.respond.incidents.queries import severity_rules

CHOICES_MAX = 1_000
LIKELY = {"P1": Severity.SEV1, "P2": Severity.SEV2, "P3": Severity.SEV3}  # of an alert's priority, to begin with
MOMENTS = ("started", "detected", "mitigated", "resolved")


class DeclareForm(forms.Form):
    """`alert`: it comes from that one, and the fields begin with what it says."""

    title = forms.CharField(
        label=_("What is wrong?"), max_length=TITLE_MAX, help_text=_("As somebody who joins should read it.")
    )
    severity = forms.ChoiceField(
        label=_("How bad is it?"),
        help_text=_("Not sure? Take the higher one; it can be lowered."),
        widget=forms.RadioSelect,
    )
    service = forms.ChoiceField(label=_("Service"), required=False)
    type = forms.ChoiceField(label=_("Type"), required=False)
    summary = forms.CharField(
        label=_("What is known"), required=False, max_length=8_000, widget=forms.Textarea(attrs={"rows": 3})
    )
    is_private = forms.BooleanField(
        label=_("Private"),
        required=False,
        help_text=_("Seen by those who take part, managers of the team, and administrators."),
    )
    is_drill = forms.BooleanField(
        label=_("A drill"),
        required=False,
        help_text=_("Kept out of figures and public pages; every message says DRILL."),
    )
    started = WallField(label=_("Began"), required=False)
    detected = WallField(label=_("Detected"), required=False)
    mitigated = WallField(label=_("Mitigated"), required=False)
    resolved = WallField(label=_("Resolved"), required=False)

    def __init__(self, data: Mapping[str, Any] | None = None, *, alert: Alert | None = None) -> None:
        initial: dict[str, Any] = {"severity": Severity.SEV2}
        if alert is not None:
            initial = {
                "title": clean(alert.title, TITLE_MAX, is_one_line=True),
                "severity": LIKELY.get(alert.priority, Severity.SEV4),
                "service": alert.service.name if alert.service else "",
            }
        super().__init__(data, initial=initial)
        _choose(self, "severity", [(rule.severity, f"{rule.severity}: {rule.meaning}") for rule in severity_rules()])
        services = Service.objects.order_by("name").values_list("name", "display_name")[:CHOICES_MAX]
        _choose(self, "service", [("", _("not known yet")), *((name, title or name) for name, title in services)])
        types = IncidentType.objects.values_list("name", "title")
        _choose(self, "type", [("", _("no special type")), *types])
        self.has_types = bool(types)

    def declaration(self, user: User, alert: Alert | None) -> Declaration:
        """Of a valid form. With a moment of the past it is back-filled."""
        given: Mapping[str, Any] = self.cleaned_data
        moments = {name: comes_at(given[name], user.time_zone) for name in MOMENTS if given.get(name) is not None}
        return Declaration(
            title=given["title"],
            severity=given["severity"],
            service=Service.objects.select_related("team").filter(name=given["service"]).first(),
            team=_team_of(user) if not given["service"] and alert is None else None,
            alert=alert,
            type=IncidentType.objects.filter(name=given["type"]).first(),
            summary=given["summary"],
            is_private=given["is_private"],
            is_drill=given["is_drill"],
            moments=moments,
        )


def _team_of(user: User) -> Team | None:
    """Whoever declares without a service means their own team, when they are in one alone."""
    own = list(Team.objects.filter(memberships__user=user)[:2])
    return own[0] if len(own) == 1 else None


def _choose(form: forms.Form, field: str, choices: Any) -> None:
    found = form.fields[field]
    assert isinstance(found, forms.ChoiceField)
    found.choices = choices


def wall_text(at: Any, zone_name: str) -> str:
    """For the value of a date and time field."""
    return wall_at(at, zone_name).strftime("%Y-%m-%dT%H:%M") if at is not None else ""
