"""The forms of status pages, without JavaScript. An update is three fields: how far, what to say, what is touched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.forms import BoundField
from django.utils.translation import gettext_lazy as _

from midwatch.catalog.models import Service
from midwatch.core import zones
from midwatch.core.text import NAME_HELP, NAME_MAX, slug
from midwatch.core.wall_field import WallField
from midwatch.people.forms import zone_choices
from midwatch.people.models import Team
from midwatch.respond.statuspage import standing
from midwatch.respond.statuspage.actions import ComponentFields, NewNotice, NewUpdate, PageFields, Schedule
from midwatch.respond.statuspage.actions import components as component_actions
from midwatch.respond.statuspage.actions import notices as notice_actions
from midwatch.respond.statuspage.actions import pages as page_actions
from midwatch.respond.statuspage.models import Access, Component, Notice, Page

SERVICES_MAX = 1_000
ACCESSES = [
    (Access.PUBLIC, _("Everybody")),
    (Access.MEMBERS, _("Who can log in here")),
    (Access.TOKEN, _("Who has the link")),
]
TOUCHED = [
    ("", _("not touched")),
    ("operational", _("operational")),
    ("degraded_performance", _("degraded performance")),
    ("partial_outage", _("partial outage")),
    ("major_outage", _("major outage")),
]


class PageForm(forms.Form):
    title = forms.CharField(label=_("Title"), max_length=page_actions.TITLE_MAX)
    name = forms.CharField(
        label=_("Name in its address"),
        max_length=NAME_MAX,
        required=False,
        help_text=_("Made from the title when left empty. It stays."),
    )
    team = forms.ChoiceField(label=_("Owner"))
    access = forms.ChoiceField(label=_("Who sees it"), choices=ACCESSES)
    description = forms.CharField(
        label=_("A few words over the components"),
        max_length=page_actions.DESCRIPTION_MAX,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    time_zone = forms.ChoiceField(label=_("Its days and times are in"), initial="UTC")
    url = forms.CharField(
        label=_("Its own address"),
        max_length=page_actions.URL_MAX,
        required=False,
        help_text=_("When a proxy shows it elsewhere: https://status.example.com"),
    )
    support_url = forms.CharField(label=_("Where to get help"), max_length=page_actions.URL_MAX, required=False)
    outward = forms.CharField(
        label=_("Published also at"),
        max_length=100,
        required=False,
        help_text=_("statuspage:PAGE_ID, with MIDWATCH_STATUSPAGE_API_KEY set. Components of the same name."),
    )
    takes_subscribers = forms.BooleanField(label=_("Visitors may subscribe"), required=False, initial=True)
    is_hidden_from_search = forms.BooleanField(label=_("Search engines are asked to leave it out"), required=False)

    def __init__(self, *args: Any, teams: Sequence[Team], page: Page | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.page = page
        self._teams = {team.name: team for team in teams}
        self.fields["team"].choices = [(team.name, str(team)) for team in teams]  # type: ignore[attr-defined]
        self.fields["time_zone"].choices = zone_choices()  # type: ignore[attr-defined]
        if page is not None:
            del self.fields["name"]

    def clean_name(self) -> str:
        name = self.cleaned_data["name"].strip() or slug(self.cleaned_data.get("title", ""))
        if not name:
            raise forms.ValidationError(_("Give %s.") % NAME_HELP)
        return str(name)

    def page_fields(self) -> PageFields:
        given = self.cleaned_data
        return PageFields(
            team=self._teams[given["team"]],
            title=given["title"],
            description=given["description"],
            access=given["access"],
            url=given["url"],
            support_url=given["support_url"],
            time_zone=given["time_zone"],
            takes_subscribers=given["takes_subscribers"],
            is_hidden_from_search=given["is_hidden_from_search"],
            outward=given["outward"],
        )


def initial_of(page: Page) -> dict[str, Any]:
    names = ("title", "access", "description", "time_zone", "url", "support_url", "takes_subscribers", "outward")
    return {
        "team": page.team.name,
        "is_hidden_from_search": page.is_hidden_from_search,
        **{name: getattr(page, name) for name in names},
    }


class ComponentForm(forms.Form):
    name = forms.CharField(label=_("Name, as visitors know it"), max_length=component_actions.NAME_MAX)
    service = forms.ChoiceField(
        label=_("Stands for the service"), required=False, help_text=_("Its bars are then that service's outages.")
    )
    is_automatic = forms.BooleanField(label=_("Follows the service's open outages by itself"), required=False)
    parent = forms.ChoiceField(label=_("In the group"), required=False)
    is_group = forms.BooleanField(label=_("This is a group"), required=False)
    description = forms.CharField(
        label=_("A few words about it"), max_length=component_actions.DESCRIPTION_MAX, required=False
    )
    position = forms.IntegerField(label=_("Place"), min_value=0, max_value=10_000, required=False)
    started_on = forms.DateField(
        label=_("Known since"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    is_showcased = forms.BooleanField(label=_("With 90 days of bars"), required=False, initial=True)
    is_shown_only_when_degraded = forms.BooleanField(label=_("Shown only when something is wrong"), required=False)

    def __init__(self, *args: Any, page: Page, component: Component | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.component = component
        services = Service.objects.order_by("display_name", "name")[:SERVICES_MAX]
        self._services = {one.name: one for one in services}
        groups = page.components.filter(is_group=True).order_by("position", "id")
        self._groups = {one.wire_id: one for one in groups}
        self.fields["service"].choices = [("", _("none")), *((key, str(one)) for key, one in self._services.items())]  # type: ignore[attr-defined]
        self.fields["parent"].choices = [("", _("none")), *((key, str(one)) for key, one in self._groups.items())]  # type: ignore[attr-defined]
        if component is not None:
            del self.fields["is_group"]
            if component.is_group:
                for name in ("service", "is_automatic", "parent"):
                    del self.fields[name]

    def component_fields(self) -> ComponentFields:
        given = self.cleaned_data
        return ComponentFields(
            name=given["name"],
            description=given["description"],
            is_group=self.component.is_group if self.component is not None else given["is_group"],
            parent=self._groups.get(given.get("parent", "")),
            service=self._services.get(given.get("service", "")),
            position=given["position"],
            is_automatic=given.get("is_automatic", False),
            is_showcased=given["is_showcased"],
            is_shown_only_when_degraded=given["is_shown_only_when_degraded"],
            started_on=given["started_on"],
        )


def initial_of_component(component: Component) -> dict[str, Any]:
    names = (
        "name",
        "is_automatic",
        "description",
        "position",
        "started_on",
        "is_showcased",
        "is_shown_only_when_degraded",
    )
    return {
        "service": component.service.name if component.service is not None else "",
        "parent": component.parent.wire_id if component.parent is not None else "",
        **{name: getattr(component, name) for name in names},
    }


class _Touching(forms.Form):
    """A form with one choice for each component of the page."""

    def __init__(self, *args: Any, page: Page, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._components = list(page.components.filter(is_group=False).order_by("position", "id"))
        for one in self._components:
            self.fields[f"c-{one.wire_id}"] = forms.ChoiceField(label=one.name, choices=TOUCHED, required=False)

    def touched_fields(self) -> Iterator[BoundField]:
        for one in self._components:
            yield self[f"c-{one.wire_id}"]

    def touched(self) -> dict[Component, str | None]:
        found = {one: self.cleaned_data.get(f"c-{one.wire_id}", "") for one in self._components}
        return {one: status for one, status in found.items() if status}


class NoticeForm(_Touching):
    title = forms.CharField(label=_("What visitors see, in a few words"), max_length=notice_actions.NAME_MAX)
    body = forms.CharField(
        label=_("What we say"),
        max_length=notice_actions.BODY_MAX,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "placeholder": standing.TEMPLATES["investigating"]}),
        help_text=_("Markdown. Left empty, the words shown are said."),
    )

    def new_notice(self) -> NewNotice:
        given = self.cleaned_data
        return NewNotice(name=given["title"], body=given["body"], components=self.touched())


class UpdateForm(_Touching):
    status = forms.ChoiceField(label=_("How far are we"), widget=forms.RadioSelect)
    body = forms.CharField(
        label=_("What we say"),
        max_length=notice_actions.BODY_MAX,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Markdown. Left empty, a sentence for that step is said."),
    )

    def __init__(self, *args: Any, page: Page, notice: Notice, **kwargs: Any) -> None:
        super().__init__(*args, page=page, **kwargs)
        words = standing.MAINTENANCE_STATUSES if notice.is_maintenance else standing.INCIDENT_STATUSES[:4]
        self.fields["status"].choices = [(word, standing.WORDS[word]) for word in words]  # type: ignore[attr-defined]
        self.fields["status"].initial = notice.status if notice.status in words else words[-1]

    def new_update(self) -> NewUpdate:
        given = self.cleaned_data
        return NewUpdate(status=given["status"], body=given["body"], components=self.touched())


class MaintenanceForm(forms.Form):
    """Wall clock in the viewer's zone."""

    title = forms.CharField(label=_("What is done"), max_length=notice_actions.NAME_MAX)
    starts = WallField(label=_("From"))
    ends = WallField(label=_("To"))
    body = forms.CharField(
        label=_("What we say"),
        max_length=notice_actions.BODY_MAX,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    components = forms.MultipleChoiceField(
        label=_("What is touched"), required=False, widget=forms.CheckboxSelectMultiple
    )
    reminds_before = forms.BooleanField(label=_("Remind subscribers an hour before"), required=False)
    stops_paging = forms.BooleanField(
        label=_("Alerts of these services page nobody meanwhile"), required=False, initial=True
    )

    def __init__(self, *args: Any, page: Page, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._components = {
            one.wire_id: one for one in page.components.filter(is_group=False).order_by("position", "id")
        }
        self.fields["components"].choices = [(key, one.name) for key, one in self._components.items()]  # type: ignore[attr-defined]

    def new_notice(self, zone_name: str) -> NewNotice:
        """Raises `ValueError`."""
        given = self.cleaned_data
        starts, ends = (_moment(given[name], zone_name) for name in ("starts", "ends"))
        schedule = Schedule(starts, ends, reminds_before=given["reminds_before"], stops_paging=given["stops_paging"])
        touched: dict[Component, str | None] = {self._components[key]: None for key in given["components"]}
        return NewNotice(name=given["title"], body=given["body"], components=touched, schedule=schedule)


class PostmortemForm(forms.Form):
    body = forms.CharField(
        label=_("What was learned, for visitors"),
        max_length=notice_actions.BODY_MAX,
        widget=forms.Textarea(attrs={"rows": 12}),
        help_text=_("Markdown. Say what happened and what changes; name no people."),
    )


def _moment(wall: datetime, zone_name: str) -> datetime:
    return zones.comes_at(wall, zone_name)
