"""Forms of on call: an override, a schedule's rotations, a new schedule from three questions. All work without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from midwatch.core.text import NAME_MAX, clean
from midwatch.core.wall_field import WallField
from midwatch.core.zones import wall_at
from midwatch.people.forms import zone_choices
from midwatch.people.models import Team, User
from midwatch.people.queries import active_people
from midwatch.respond.oncall import resolve
from midwatch.respond.oncall.actions import RESTRICTIONS_MAX, TURNS_MAX, LayerFields
from midwatch.respond.oncall.models import Combine, Layer, Override, Schedule, Unit

PEOPLE_MAX = 1_000
NOBODY = "nobody"
SPARE_TURNS = 3  # empty rows below the last turn
Groups = list[tuple[str, list[tuple[str, str]]]]
_CLOCK = r"([01]?[0-9]|2[0-4]):([0-5][0-9])"
_DAILY = re.compile(rf"(.*?)\s*{_CLOCK}\s*(?:-|–|to)\s*{_CLOCK}")
_WEEKLY = re.compile(rf"([a-z]+)\s+{_CLOCK}\s*(?:-|–|to)\s*([a-z]+)\s+{_CLOCK}")
_WEEKDAYS = [_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday")]


def people_groups(team: Team | None) -> Groups:
    """Everybody who is active, the team first."""
    everybody = list(active_people()[:PEOPLE_MAX])
    own = set(team.memberships.values_list("user_id", flat=True)) if team is not None else set()
    groups: Groups = []
    if team is not None:
        groups.append((str(team), [(user.name, str(user)) for user in everybody if user.pk in own]))
    groups.append(
        (gettext("Others") if own else gettext("People"), [(u.name, str(u)) for u in everybody if u.pk not in own])
    )
    return [group for group in groups if group[1]]


def _set_choices(form: forms.Form, field: str, choices: Any) -> None:
    found = form.fields[field]
    assert isinstance(found, forms.ChoiceField)
    found.choices = choices


class OverrideForm(forms.Form):
    """Times are wall clock of the schedule's zone; the action judges them."""

    kind = forms.ChoiceField(
        label=_("What"),
        choices=[
            (Override.Kind.REPLACE, _("Cover: somebody instead")),
            (Override.Kind.ADD, _("Add: somebody too")),
            (Override.Kind.REMOVE, _("Remove: somebody not")),
        ],
    )
    user = forms.ChoiceField(label=_("Who is on call"), required=False)
    replaces = forms.ChoiceField(label=_("Instead of, or without"), required=False)
    starts = WallField(label=_("From"))
    ends = WallField(label=_("To"))
    reason = forms.CharField(label=_("Why"), max_length=300, required=False)

    def __init__(self, *args: Any, groups: Groups | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.choose(groups if groups is not None else people_groups(None))

    def choose(self, groups: Groups) -> None:
        """Whom one may choose; the page puts the team first."""
        _set_choices(self, "user", [("", gettext("Choose who")), *groups])
        _set_choices(self, "replaces", [("", gettext("everybody")), *groups])

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        kind = cleaned.get("kind")
        if kind == Override.Kind.REMOVE:
            cleaned["user"] = ""
        elif kind and not cleaned.get("user") and "user" not in self.errors:
            self.add_error("user", gettext("Choose who is on call."))
        if kind == Override.Kind.ADD:
            cleaned["replaces"] = ""
        return cleaned


def override_initial(schedule: Schedule, user: User, now: datetime) -> dict[str, Any]:
    """The viewer, from the next full hour, for four."""
    wall = wall_at(now, schedule.time_zone).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return {"user": user.name, "starts": wall, "ends": wall + timedelta(hours=4)}


class TurnsWidget(forms.Widget):
    """A row for each turn: who, and maybe together with whom. The value is a list of (who, with)."""

    template_name = "oncall/turns_widget.html"
    groups: Groups = []

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        pairs = [pair for pair in value or [] if pair[0] or pair[1]][:TURNS_MAX]
        known = {person for _title, people in self.groups for person, _name in people}
        names = {person: title for _title, people in self.groups for person, title in people}
        odd = dict.fromkeys(pair[0] for pair in pairs if pair[0] and pair[0] not in known and pair[0] != NOBODY)
        context["rows"] = [*pairs, *[("", "")] * SPARE_TURNS]
        context["odd"] = [(one, ", ".join(names.get(part, part) for part in one.split("+"))) for one in odd]
        context["groups"] = self.groups
        context["nobody"] = NOBODY
        return context

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> list[tuple[str, str]]:
        if not isinstance(data, MultiValueDict):
            return []
        whom, others = data.getlist(name), data.getlist(f"{name}-with")
        return [(one, others[index] if index < len(others) else "") for index, one in enumerate(whom)][: TURNS_MAX * 2]

    def id_for_label(self, id_: str) -> str:
        return f"{id_}_1"


class TurnsField(forms.Field):
    """A list of turns, each a list of names; [] is nobody."""

    widget = TurnsWidget

    def to_python(self, value: Any) -> list[list[str]]:
        turns = []
        for whom, other in value or []:
            parts = [part for part in f"{whom}+{other}".split("+") if part]
            if parts:
                turns.append([part for part in dict.fromkeys(parts) if part != NOBODY])
        wanted = {name for turn in turns for name in turn}
        known = set(User.objects.filter(name__in=wanted).values_list("name", flat=True))
        for name in sorted(wanted - known):
            raise forms.ValidationError(gettext("There is nobody called %s.") % clean(name, 63, is_one_line=True))
        if len(turns) > TURNS_MAX:
            raise forms.ValidationError(gettext("At most %d turns.") % TURNS_MAX)
        return turns

    def validate(self, value: Any) -> None:
        if self.required and not value:
            raise forms.ValidationError(gettext("Choose at least one person."))

    def prepare_value(self, value: Any) -> Any:
        return [
            one if isinstance(one, tuple) else (one[0], one[1]) if len(one) == 2 else ("+".join(one) or NOBODY, "")
            for one in value or []
        ]


def restrictions_text(documents: Iterable[Mapping[str, Any]]) -> str:
    lines = []
    for document in documents:
        days = " ".join(document.get("days") or ())
        joint = " - " if " " in str(document.get("from", "")) else "-"
        lines.append(f"{days} {document.get('from')}{joint}{document.get('to')}".strip())
    return "\n".join(lines)


def restrictions_from(text: str) -> list[dict[str, Any]]:
    """One a line: `mon-fri 09:00-17:00`, `22:00-06:00`, `fri 18:00 - mon 09:00`. Raises `ValueError`."""
    found = []
    for line in text.lower().splitlines():
        if line.strip():
            found.append(_restriction(line.strip()))
    if len(found) > RESTRICTIONS_MAX:
        raise ValueError(gettext("At most %d lines.") % RESTRICTIONS_MAX)
    return found


def _restriction(line: str) -> dict[str, Any]:
    weekly, daily = _WEEKLY.fullmatch(line), _DAILY.fullmatch(line)
    document: dict[str, Any]
    if weekly is not None:
        first, hour, minute, last, end_hour, end_minute = weekly.groups()
        document = {"from": f"{first[:3]} {hour:0>2}:{minute}", "to": f"{last[:3]} {end_hour:0>2}:{end_minute}"}
    elif daily is not None:
        words, hour, minute, end_hour, end_minute = daily.groups()
        document = {"from": f"{hour:0>2}:{minute}", "to": f"{end_hour:0>2}:{end_minute}"}
        days = _days(words)
        if days:
            document = {"days": days, **document}
    else:
        shown = clean(line, 60, is_one_line=True)
        raise ValueError(gettext("%r: write mon-fri 09:00-17:00, 22:00-06:00 or fri 18:00 - mon 09:00") % shown)
    resolve.restriction_from(document)
    return document


def _days(words: str) -> list[str]:
    """ "mon-fri", "sat, sun", "fri-mon"."""
    found: list[str] = []
    for word in words.replace(",", " ").split():
        first, dash, last = (part[:3] for part in word.partition("-"))
        if first not in resolve.DAYS or (dash and last not in resolve.DAYS):
            raise ValueError(
                gettext("%(word)r: write a day: %(days)s") % {"word": clean(word, 20), "days": ", ".join(resolve.DAYS)}
            )
        start = resolve.DAYS.index(first)
        count = (resolve.DAYS.index(last) - start) % 7 + 1 if dash else 1
        found += [resolve.DAYS[(start + step) % 7] for step in range(count)]
    return [day for day in resolve.DAYS if day in found]


class RestrictionsField(forms.CharField):
    widget = forms.Textarea(attrs={"rows": 2, "spellcheck": "false"})

    def clean(self, value: Any) -> list[dict[str, Any]]:
        try:
            return restrictions_from(str(super().clean(value) or ""))
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    def prepare_value(self, value: Any) -> Any:
        return restrictions_text(value) if isinstance(value, list) else value


class LayerForm(forms.Form):
    """One rotation."""

    name = forms.CharField(label=_("Name"), max_length=100, required=False)
    turns = TurnsField(label=_("Turns, in order"), required=False)
    every = forms.IntegerField(label=_("Hand over every"), min_value=1, max_value=100_000, initial=1, required=False)
    unit = forms.ChoiceField(
        label=_("Unit"),
        choices=[(Unit.WEEKS, _("weeks")), (Unit.DAYS, _("days")), (Unit.HOURS, _("hours"))],
        initial=Unit.WEEKS,
        required=False,
    )
    start = WallField(label=_("First turn starts"), required=False)
    end = WallField(label=_("Ends"), required=False, help_text=_("Empty: never."))
    restrictions = RestrictionsField(
        label=_("Only at these hours"),
        max_length=5_000,
        required=False,
        help_text=_("One a line: mon-fri 09:00-17:00, or fri 18:00 - mon 09:00. Empty: always."),
    )
    order = forms.IntegerField(
        label=_("Order"),
        required=False,
        min_value=0,
        max_value=1_000,
        help_text=_("A later one covers an earlier one."),
    )
    remove = forms.BooleanField(label=_("Take this layer out"), required=False)

    def __init__(self, *args: Any, groups: Groups, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        widget = self.fields["turns"].widget
        assert isinstance(widget, TurnsWidget)
        widget.groups = groups

    @property
    def is_blank(self) -> bool:
        return not self.cleaned_data.get("name") and not self.cleaned_data.get("turns")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("remove") or (not cleaned.get("name") and not cleaned.get("turns")):
            return cleaned
        for field, words in (
            ("name", gettext("Give the layer a name.")),
            ("start", gettext("Say when the first turn starts; it sets the hour of the hand-over.")),
            ("every", gettext("Say how long a turn is.")),
        ):
            if not cleaned.get(field) and field not in self.errors:
                self.add_error(field, words)
        return cleaned

    def layer_fields(self, known: Mapping[str, User]) -> LayerFields:
        given = self.cleaned_data
        return LayerFields(
            name=given["name"],
            start=given["start"],
            end=given["end"],
            every=given["every"],
            unit=given["unit"] or Unit.WEEKS,
            turns=[[known[name] for name in turn] for turn in given["turns"]],
            restrictions=given["restrictions"],
        )


def layer_initial(layer: Layer, turns: Sequence[Sequence[str]]) -> dict[str, Any]:
    return {
        "name": layer.name,
        "turns": [list(turn) for turn in turns],
        "every": layer.every,
        "unit": layer.unit,
        "start": datetime.fromisoformat(layer.start),
        "end": datetime.fromisoformat(layer.end) if layer.end else None,
        "restrictions": list(layer.restrictions),
        "order": layer.position + 1,
    }


class ScheduleForm(forms.Form):
    """Whose it is, its zone, and how layers go together."""

    team = forms.ChoiceField(label=_("Team"))
    time_zone = forms.ChoiceField(label=_("Time zone"))
    combine = forms.ChoiceField(
        label=_("Several layers"),
        choices=[
            (Combine.COVER, _("a later layer covers the earlier ones")),
            (Combine.ALL, _("everybody of every layer is on call")),
        ],
    )

    def __init__(self, *args: Any, teams: Iterable[Team], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.teams = {team.name: team for team in teams}
        _set_choices(self, "team", [(name, str(team)) for name, team in self.teams.items()])
        _set_choices(self, "time_zone", zone_choices())


class NewScheduleForm(forms.Form):
    """Three questions: who, when they hand over, in which zone."""

    team = forms.ChoiceField(label=_("Team"))
    name = forms.CharField(
        label=_("Name"), max_length=NAME_MAX, required=False, help_text=_("Empty: made from the team's name.")
    )
    turns = TurnsField(label=_("Who takes turns, in this order?"))
    unit = forms.ChoiceField(
        label=_("Hand over"), choices=[(Unit.WEEKS, _("every week")), (Unit.DAYS, _("every day"))], initial=Unit.WEEKS
    )
    weekday = forms.ChoiceField(label=_("On"), choices=list(enumerate(_WEEKDAYS)), initial=0, required=False)
    hour = forms.TimeField(
        label=_("At"), initial="09:00", widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    time_zone = forms.ChoiceField(label=_("Time zone"))

    def __init__(self, *args: Any, teams: Iterable[Team], groups: Groups, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.teams = {team.name: team for team in teams}
        _set_choices(self, "team", [(name, str(team)) for name, team in self.teams.items()])
        _set_choices(self, "time_zone", zone_choices())
        widget = self.fields["turns"].widget
        assert isinstance(widget, TurnsWidget)
        widget.groups = groups

    def clean_name(self) -> str:
        return str(self.cleaned_data["name"]).strip().lower()

    def layer(self, now: datetime, known: Mapping[str, User]) -> LayerFields:
        """It began at the last hand-over, so that somebody is on call from now on: the first of the list."""
        given = self.cleaned_data
        wall = wall_at(now, given["time_zone"])
        start = wall.replace(hour=given["hour"].hour, minute=given["hour"].minute, second=0, microsecond=0)
        if given["unit"] == Unit.WEEKS:
            start -= timedelta(days=(start.weekday() - int(given["weekday"] or 0)) % 7)
            start -= timedelta(days=7) if start > wall else timedelta(0)
        elif start > wall:
            start -= timedelta(days=1)
        turns = [[known[name] for name in turn] for turn in given["turns"]]
        name = "weekly" if given["unit"] == Unit.WEEKS else "daily"
        return LayerFields(name=name, start=start, every=1, unit=given["unit"], turns=turns)
