"""The form of a service. It works without JavaScript."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from midwatch.catalog import actions
from midwatch.catalog.models import Service, ServiceUrgency
from midwatch.core.text import NAME_HELP, NAME_MAX, slug
from midwatch.people.forms import LengthField, zone_choices
from midwatch.people.models import Team, Urgency

SERVICES_MAX = 1_000  # to choose dependencies from
URGENCIES = [
    (ServiceUrgency.BY_PRIORITY, _("By priority: P1 and P2 ring")),
    (ServiceUrgency.HIGH, _("Always high: everything rings")),
    (ServiceUrgency.LOW, _("Always low: nothing rings")),
]
DAYS = [
    ("mon", _("Mon")), ("tue", _("Tue")), ("wed", _("Wed")), ("thu", _("Thu")), ("fri", _("Fri")), ("sat", _("Sat")),
    ("sun", _("Sun")),
]  # fmt: skip


def links_text(links: Iterable[Mapping[str, str]]) -> str:
    return "\n".join(f"{link.get('title', '')} {link.get('url', '')}".strip() for link in links)


def links_from(text: str) -> list[dict[str, str]]:
    """One a line: a title, then the address. Raises `ValueError`."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if words:
            found.append(actions.check_link(" ".join(words[:-1]), words[-1]))
    if len(found) > actions.LINKS_MAX:
        raise ValueError(gettext("At most %d links.") % actions.LINKS_MAX)
    return found


class LinksField(forms.CharField):
    widget = forms.Textarea(attrs={"rows": 3, "spellcheck": "false"})

    def clean(self, value: Any) -> list[dict[str, str]]:
        try:
            return links_from(str(super().clean(value) or ""))
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    def prepare_value(self, value: Any) -> Any:
        return links_text(value) if isinstance(value, list) else value


class TimeInput(forms.TimeInput):
    input_type = "time"

    def __init__(self) -> None:
        super().__init__(format="%H:%M")


class ServiceForm(forms.Form):
    display_name = forms.CharField(label=_("Name"), max_length=actions.DISPLAY_NAME_MAX)
    name = forms.CharField(
        label=_("Name in configuration"),
        max_length=NAME_MAX,
        required=False,
        help_text=_("Made from the name when left empty. It stays."),
    )
    team = forms.ChoiceField(label=_("Owner"))
    description = forms.CharField(
        label=_("What it is for"),
        max_length=actions.DESCRIPTION_MAX,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    tier = forms.IntegerField(
        label=_("Tier"),
        min_value=0,
        max_value=actions.TIER_MAX,
        initial=3,
        help_text=_("0 is what must never be down."),
    )
    urgency = forms.ChoiceField(label=_("What rings"), choices=URGENCIES)
    page_after = LengthField(
        label=_("Page after"),
        at_most=actions.PAGE_AFTER_SECONDS_MAX,
        required=False,
        initial=0,
        help_text=_("Gives alerts that heal themselves a chance: 0s, 2m."),
    )
    auto_resolve_after = LengthField(
        label=_("Resolve by itself after"),
        at_most=actions.AUTO_RESOLVE_SECONDS_MAX,
        required=False,
        help_text=_("Of silence. Empty: never."),
    )
    links = LinksField(
        label=_("Links"),
        max_length=60_000,
        required=False,
        help_text=_("One a line: Dashboard https://grafana.example.com/d/checkout"),
    )
    depends_on = forms.MultipleChoiceField(label=_("Depends on"), required=False, widget=forms.CheckboxSelectMultiple)
    hours_days = forms.MultipleChoiceField(
        label=_("Days"), choices=DAYS, required=False, widget=forms.CheckboxSelectMultiple
    )
    hours_from = forms.TimeField(label=_("From"), required=False, widget=TimeInput())
    hours_to = forms.TimeField(label=_("To"), required=False, widget=TimeInput())
    hours_zone = forms.ChoiceField(label=_("Time zone"), required=False)
    hours_outside = forms.ChoiceField(
        label=_("Outside of these hours"),
        required=False,
        choices=[(Urgency.LOW, _("nothing rings")), (Urgency.HIGH, _("everything rings"))],
    )

    def __init__(self, *args: Any, teams: Iterable[Team], service: Service | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.service = service
        self.teams = {team.name: team for team in teams}
        self._choices("team", [(name, str(team)) for name, team in self.teams.items()])
        others = Service.objects.order_by("display_name", "name")
        if service is not None:
            others = others.exclude(pk=service.pk)
            del self.fields["name"]
        pairs = others.values_list("name", "display_name")[:SERVICES_MAX]
        self._choices("depends_on", [(name, title or name) for name, title in pairs])
        self._choices("hours_zone", zone_choices())

    def _choices(self, field: str, choices: Any) -> None:
        found = self.fields[field]
        assert isinstance(found, forms.ChoiceField)
        found.choices = choices

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.service is None and not cleaned.get("name"):
            cleaned["name"] = slug(cleaned.get("display_name", ""))
            if cleaned.get("display_name") and not cleaned["name"]:
                self.add_error("name", gettext("Give a name: %s.") % NAME_HELP)
        given = [cleaned.get(f"hours_{field}") for field in ("days", "from", "to")]
        if any(one not in (None, []) for one in given) and not all(one not in (None, []) for one in given):
            self.add_error("hours_days", gettext("Support hours need days, from and to; clear all three for none."))
        return cleaned

    def fields_of_service(self) -> actions.ServiceFields:
        given = self.cleaned_data
        return actions.ServiceFields(
            team=self.teams[given["team"]],
            display_name=given["display_name"],
            description=given["description"],
            tier=given["tier"],
            urgency=given["urgency"],
            page_after_seconds=given["page_after"] or 0,
            auto_resolve_after_seconds=given["auto_resolve_after"] or None,
            links=given["links"],
            support_hours=self._hours(),
        )

    def _hours(self) -> dict[str, Any] | None:
        given = self.cleaned_data
        if not given["hours_days"]:
            return None
        return {
            "timeZone": given["hours_zone"] or "UTC",
            "days": given["hours_days"],
            "from": f"{given['hours_from']:%H:%M}",
            "to": f"{given['hours_to']:%H:%M}",
            "outside": given["hours_outside"] or Urgency.LOW,
        }

    def dependencies(self) -> list[Service]:
        return list(Service.objects.filter(name__in=self.cleaned_data["depends_on"]))

    @property
    def has_hours(self) -> bool:
        """Are support hours filled in, or wrong? Then they are shown open."""
        return bool(self["hours_days"].value() or self["hours_days"].errors)


def initial_of(service: Service) -> dict[str, Any]:
    hours = service.support_hours or {}
    return {
        "display_name": service.display_name,
        "team": service.team.name,
        "description": service.description,
        "tier": service.tier,
        "urgency": service.urgency,
        "page_after": service.page_after_seconds,
        "auto_resolve_after": service.auto_resolve_after_seconds,
        "links": list(service.links),
        "depends_on": [one.name for one in service.depends_on.all()],
        "hours_days": list(hours.get("days", ())),
        "hours_from": hours.get("from"),
        "hours_to": hours.get("to"),
        "hours_zone": hours.get("timeZone", "UTC"),
        "hours_outside": hours.get("outside", Urgency.LOW),
    }
