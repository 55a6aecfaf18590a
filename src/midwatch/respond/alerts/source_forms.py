"""The form of a source. It works without JavaScript."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from midwatch.catalog.models import Service
from midwatch.core import integration
from midwatch.core.text import NAME_MAX
from midwatch.people.forms import LengthField
from midwatch.people.models import Team
from midwatch.respond.alerts.actions.sources import (
    EXPECT_SECONDS_MAX,
    GROUP_BY_MAX,
    LABEL_MAX,
    PRIORITIES,
    RESOLVE_SECONDS_MAX,
    SourceFields,
)
from midwatch.respond.alerts.models import Source

WORDS_MAX = 2_000
SERVICES_MAX = 2_000


def words_from(text: str) -> list[str]:
    """Separated by commas or lines."""
    return [word.strip() for word in text.replace("\n", ",").split(",") if word.strip()]


class SourceForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=NAME_MAX, help_text=_("Such as checkout-prometheus. It stays."))
    type = forms.ChoiceField(label=_("What sends"))
    service = forms.ChoiceField(label=_("Its alerts are about"))
    service_label = forms.CharField(
        label=_("Label that names the service"),
        max_length=LABEL_MAX,
        required=False,
        help_text=_(
            "One Alertmanager may serve many services: with “service” here, an alert goes to the one it names."
        ),
    )
    priority_label = forms.CharField(
        label=_("Label that says the priority"), max_length=LABEL_MAX, required=False, help_text=_("Empty: severity.")
    )
    group_by = forms.CharField(
        label=_("Pages join by"),
        max_length=WORDS_MAX,
        required=False,
        help_text=_("Labels, with commas: alerts alike in them call once. Empty: as the sender groups them."),
    )
    resolve_after = LengthField(
        label=_("Resolve after silence of"),
        at_most=RESOLVE_SECONDS_MAX,
        required=False,
        help_text=_("For senders that never say resolved. Empty: never."),
    )
    expect_every = LengthField(
        label=_("Expect something every"),
        at_most=EXPECT_SECONDS_MAX,
        required=False,
        help_text=_("Silence for longer becomes an alert: a Watchdog rule, 5m."),
    )
    is_active = forms.BooleanField(label=_("Accept its events"), required=False, initial=True)

    def __init__(
        self,
        *args: Any,
        services: Iterable[Service],
        source: Source | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.source = source
        self.services = {service.name: service for service in services}
        self._choices("service", [(name, str(service)) for name, service in self.services.items()])
        types = sorted(integration.sources().items(), key=lambda pair: pair[1].TITLE)
        self._choices("type", [(name, module.TITLE) for name, module in types])
        for priority in PRIORITIES:
            self.fields[priority] = forms.CharField(label=priority, max_length=WORDS_MAX, required=False)
        if source is not None:
            del self.fields["name"]
        else:
            del self.fields["is_active"]

    def _choices(self, field: str, choices: list[tuple[str, str]]) -> None:
        found = self.fields[field]
        assert isinstance(found, forms.ChoiceField)
        found.choices = choices

    def clean_name(self) -> str:
        return str(self.cleaned_data["name"]).strip().lower()

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        seen: dict[str, str] = {}
        for priority in PRIORITIES:
            for word in words_from(cleaned.get(priority) or ""):
                if seen.setdefault(word.lower(), priority) != priority:
                    self.add_error(
                        priority,
                        gettext("“%(word)s” stands at %(other)s too.") % {"word": word, "other": seen[word.lower()]},
                    )
        return cleaned

    @property
    def priority_fields(self) -> list[forms.BoundField]:
        return [self[priority] for priority in PRIORITIES]

    @property
    def has_details(self) -> bool:
        """Is something of the folded part filled in, or wrong?"""
        names = ("service_label", "priority_label", "group_by", "resolve_after", "expect_every", *PRIORITIES)
        return any(self[name].value() or self[name].errors for name in names)

    def fields_of_source(self) -> SourceFields:
        given = self.cleaned_data
        return SourceFields(
            type=given["type"],
            service=self.services[given["service"]],
            service_label=given["service_label"],
            priority_label=given["priority_label"],
            priorities={word: priority for priority in PRIORITIES for word in words_from(given[priority])},
            group_by=words_from(given["group_by"])[:GROUP_BY_MAX],
            resolve_after_seconds=given["resolve_after"] or None,
            expect_every_seconds=given["expect_every"] or None,
            is_active=given.get("is_active", True),
        )


def initial_of(source: Source) -> dict[str, Any]:
    return {
        "type": source.type,
        "service": source.service.name,
        "service_label": source.service_label,
        "priority_label": source.priority_label,
        "group_by": ", ".join(source.group_by),
        "resolve_after": source.resolve_after_seconds,
        "expect_every": source.expect_every_seconds,
        "is_active": source.is_active,
        **{priority: ", ".join(words) for priority, words in words_by_priority(source.priorities).items()},
    }


def words_by_priority(priorities: Mapping[str, str]) -> dict[str, list[str]]:
    """P1 to P5, each with its words."""
    found: dict[str, list[str]] = {priority: [] for priority in PRIORITIES}
    for word, priority in priorities.items():
        found.setdefault(priority, []).append(word)
    return found


def services_of(teams: Iterable[Team]) -> list[Service]:
    """What a source may be about: services of these teams."""
    return list(Service.objects.filter(team__in=list(teams)).order_by("display_name", "name")[:SERVICES_MAX])
