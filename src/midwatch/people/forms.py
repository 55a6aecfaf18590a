"""Forms of people: who they are, how they are reached, when, and in which teams. All of them work without JavaScript."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any

from django import forms
from django.forms import BaseFormSet, formset_factory
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from midwatch.core import durations, integration, zones
from midwatch.core.text import NAME_HELP, NAME_MAX, clean, slug, whole_number
from midwatch.people.actions import Contact, Member, Profile, Rule
from midwatch.people.actions.contacts import AFTER_SECONDS_MAX, REPEAT_SECONDS_MAX, RULES_MAX, SECRET_MAX
from midwatch.people.actions.teams import MEMBERS_MAX
from midwatch.people.actions.users import DISPLAY_NAME_MAX, EMAIL_MAX
from midwatch.people.models import ContactMethod, MemberRole, NotificationRule, Role, TeamMode, Urgency, User

PASSWORD_MAX = 1_000
PEOPLE_MAX = 1_000  # in a select
CONTACT_FORMS_MAX = RULES_MAX
ROLE_WORDS = {
    Role.ADMINISTRATOR: _("Administrator: everything"),
    Role.MEMBER: _("Member: acts on alerts, edits own teams"),
    Role.VIEWER: _("Viewer: only looks"),
}
MEMBER_WORDS = {
    MemberRole.MANAGER: _("Manager"),
    MemberRole.RESPONDER: _("Responder"),
    MemberRole.OBSERVER: _("Observer"),
}


@cache
def zone_choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """Every IANA zone, by its region."""
    regions: dict[str, list[tuple[str, str]]] = {"UTC": [("UTC", "UTC")]}
    for name in zones.all_zones():
        region, slash, place = name.partition("/")
        if not slash or region == "Etc":
            regions.setdefault("Other", []).append((name, name))
        else:
            regions.setdefault(region, []).append((name, place.replace("_", " ").replace("/", ", ")))
    regions["Other"] = [pair for pair in regions["Other"] if pair[0] != "UTC"]
    return [*((region, found) for region, found in regions.items() if region != "Other"), ("Other", regions["Other"])]


def length_text(seconds: int) -> str:
    """ "5m", "0s": as one would type it."""
    return durations.written(timedelta(seconds=seconds))


class LengthField(forms.CharField):
    """A length of time in seconds, written as people write it: `90s`, `5m`, `1h`. `at_most` in seconds."""

    def __init__(self, *, at_most: int, **kwargs: Any) -> None:
        super().__init__(max_length=20, **kwargs)
        self.at_most = at_most

    def clean(self, value: Any) -> Any:
        """After the text's own checks, whose limit is of characters."""
        text = super().clean(value)
        if text in self.empty_values:
            return None
        try:
            seconds = int(durations.parse("0s" if text == "0" else str(text)).total_seconds())
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        if seconds > self.at_most:
            raise forms.ValidationError(gettext("Give %s at most.") % length_text(self.at_most))
        return seconds

    def prepare_value(self, value: Any) -> Any:
        return length_text(value) if isinstance(value, int) else value


class LoginForm(forms.Form):
    username = forms.CharField(
        label=_("Name or e-mail"), max_length=EMAIL_MAX, widget=forms.TextInput(attrs={"autofocus": True})
    )
    password = forms.CharField(label=_("Password"), max_length=PASSWORD_MAX, strip=False, widget=forms.PasswordInput)


class NewPasswordForm(forms.Form):
    """A password, twice."""

    new_password1 = forms.CharField(
        label=_("Password"),
        max_length=PASSWORD_MAX,
        strip=False,
        widget=forms.PasswordInput,
        help_text=_("At least 10 characters; several words are good."),
    )
    new_password2 = forms.CharField(
        label=_("The same once more"), max_length=PASSWORD_MAX, strip=False, widget=forms.PasswordInput
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        first, second = cleaned.get("new_password1"), cleaned.get("new_password2")
        if first and second and first != second:
            self.add_error("new_password2", gettext("The two differ."))
        return cleaned


class ChangePasswordForm(NewPasswordForm):
    old_password = forms.CharField(
        label=_("Old password"), max_length=PASSWORD_MAX, strip=False, widget=forms.PasswordInput
    )
    field_order = ["old_password", "new_password1", "new_password2"]


class CodeForm(forms.Form):
    code = forms.CharField(
        label=_("Set-up code"),
        max_length=60,
        help_text=_("midwatch serve prints it when it starts; the command midwatch setup-code prints a new one."),
    )


class PersonForm(forms.Form):
    """Who somebody is. `with_role`: for administrators."""

    display_name = forms.CharField(
        label=_("Name"), max_length=DISPLAY_NAME_MAX, help_text=_("As people know it: Ana Novak")
    )
    name = forms.CharField(
        label=_("Log-in name"),
        max_length=NAME_MAX,
        required=False,
        help_text=_("For commands and configuration: ana. Left empty, it is made from the name."),
    )
    email = forms.CharField(label=_("E-mail"), max_length=EMAIL_MAX, required=False)
    time_zone = forms.ChoiceField(
        label=_("Time zone"), initial="UTC", help_text=_("Times are shown in it; quiet hours are its.")
    )
    role = forms.ChoiceField(label=_("Role"), choices=list(ROLE_WORDS.items()), initial=Role.MEMBER)

    def __init__(self, *args: Any, with_name: bool = True, with_role: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone_field = self.fields["time_zone"]
        assert isinstance(zone_field, forms.ChoiceField)
        zone_field.choices = zone_choices()
        if not with_name:
            del self.fields["name"]
        if not with_role:
            del self.fields["role"]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "name" in self.fields and not cleaned.get("name") and cleaned.get("display_name"):
            made = slug(cleaned["display_name"].split()[0] if cleaned["display_name"].split() else "", NAME_MAX)
            if made:
                cleaned["name"] = made
            else:
                self.add_error("name", gettext("Give %s.") % NAME_HELP)
        return cleaned

    def profile(self, *, role: str = Role.MEMBER) -> Profile:
        """`role`: when the form does not ask for one."""
        given = self.cleaned_data
        return Profile(given["display_name"], given["email"], given["time_zone"], given.get("role", role))


class SetupForm(PersonForm):
    """The first administrator."""

    code = forms.CharField(max_length=60, widget=forms.HiddenInput)
    new_password1 = forms.CharField(
        label=_("Password"),
        max_length=PASSWORD_MAX,
        strip=False,
        widget=forms.PasswordInput,
        help_text=_("At least 10 characters; several words are good."),
    )
    new_password2 = forms.CharField(
        label=_("The same once more"), max_length=PASSWORD_MAX, strip=False, widget=forms.PasswordInput
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, with_role=False, **kwargs)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        first, second = cleaned.get("new_password1"), cleaned.get("new_password2")
        if first and second and first != second:
            self.add_error("new_password2", gettext("The two differ."))
        return cleaned


def initial_of(user: User) -> dict[str, Any]:
    return {"display_name": user.display_name, "email": user.email, "time_zone": user.time_zone, "role": user.role}


def type_choices(missing: Mapping[str, str]) -> list[tuple[str, str]]:
    """Types of contact methods, what rings first. `missing`: why a type cannot send yet, by type."""
    found = []
    channels = integration.channels()
    for type_ in sorted(channels, key=lambda one: (bool(missing.get(one)), not channels[one].RINGS[one], one)):
        name = channels[type_].NAMES[type_]
        found.append((type_, gettext("%s (not set up here yet)") % name if missing.get(type_) else name))
    return found


class ContactForm(forms.Form):
    """A way to reach somebody. The name is made from the type when left empty."""

    type = forms.ChoiceField(label=_("By"))
    address = forms.CharField(label=_("Address"), max_length=1_000)
    name = forms.CharField(
        label=_("Call it"),
        max_length=NAME_MAX,
        required=False,
        help_text=_("Such as phone or work-mail; left empty, it is made up."),
    )
    secret = forms.CharField(
        label=_("Token or secret"),
        max_length=SECRET_MAX,
        required=False,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("Only if the other side wants one: an ntfy access token, the key a webhook is signed with."),
    )

    def __init__(self, *args: Any, missing: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["type"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = type_choices(missing)
        channels = integration.channels()
        examples = ", ".join(dict.fromkeys(channels[type_].EXAMPLES[type_] for type_, _name in field.choices))
        self.fields["address"].help_text = gettext("For example %s") % examples

    def contact(self, taken: Iterable[str]) -> Contact:
        given = self.cleaned_data
        return Contact(
            given["name"] or free_name(given["type"], taken), given["type"], given["address"], given["secret"]
        )


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """`sms`, or `sms-2` when somebody has a method called that already."""
    known = set(taken)
    return next(name for name in (wanted, *(f"{wanted}-{number}" for number in range(2, 100))) if name not in known)


class ContactChangeForm(forms.Form):
    address = forms.CharField(
        label=_("Address"), max_length=1_000, help_text=_("Another address has to be confirmed again.")
    )
    secret = forms.CharField(
        label=_("Token or secret"),
        max_length=SECRET_MAX,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("Left empty, it stays as it is."),
    )
    forget_secret = forms.BooleanField(label=_("Forget the token or secret"), required=False)


class RuleForm(forms.Form):
    """After so long, by this method; both times: held until that window of the day opens."""

    after = LengthField(label=_("After"), at_most=AFTER_SECONDS_MAX, required=False, initial=0)
    contact = forms.ChoiceField(label=_("By"), required=False)
    opens = forms.TimeField(
        label=_("From"), required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    closes = forms.TimeField(
        label=_("To"), required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    remove = forms.BooleanField(label=_("Take it out"), required=False)

    def __init__(self, *args: Any, contacts: Sequence[ContactMethod], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["contact"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", gettext("Choose how")), *((one.name, str(one)) for one in contacts)]

    @property
    def is_kept(self) -> bool:
        return bool(self.cleaned_data.get("contact")) and not self.cleaned_data.get("remove")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if (cleaned.get("opens") is None) != (cleaned.get("closes") is None):
            self.add_error("opens", gettext("Give both times, or neither."))
        return cleaned

    def rule(self, urgency: str) -> Rule:
        given = self.cleaned_data
        return Rule(urgency, given.get("after") or 0, given["contact"], given.get("opens"), given.get("closes"))


RuleForms = formset_factory(RuleForm, extra=0, max_num=RULES_MAX, absolute_max=RULES_MAX)


class RepeatForm(forms.Form):
    repeat_after = LengthField(
        label=_("Start the urgent rules again after"),
        at_most=REPEAT_SECONDS_MAX,
        help_text=_("Until somebody answers; 0s: never again."),
    )


def rule_initial(rule: NotificationRule) -> dict[str, Any]:
    return {
        "after": rule.after_seconds,
        "contact": rule.contact.name,
        "opens": rule.opens_at,
        "closes": rule.closes_at,
    }


class NotifyOnForm(forms.Form):
    """What a person wants to hear besides pages, and by what."""

    acknowledged = forms.ChoiceField(label=_("When somebody else acknowledges what I was paged for"), required=False)
    resolved = forms.ChoiceField(label=_("When what I was paged for is resolved"), required=False)
    day_before = forms.BooleanField(label=_("Tell me 24 hours before my shift"), required=False)
    at_start = forms.BooleanField(label=_("Tell me when my shift begins"), required=False)

    def __init__(self, *args: Any, contacts: Sequence[ContactMethod], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", gettext("by whatever I was paged by")), *((one.name, str(one)) for one in contacts)]
        for name in ("acknowledged", "resolved"):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = choices

    def notify_on(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """As configuration writes it. Other lengths before a shift that somebody has configured are kept."""
        given = self.cleaned_data
        own = {"24h": given["day_before"], "0s": given["at_start"]}
        kept = [text for text in before.get("shiftStart", []) if seconds_before(text) not in _OWN_SECONDS]
        wanted: dict[str, Any] = {
            "shiftStart": [*(text for text, is_wanted in own.items() if is_wanted), *kept],
        }
        for name in ("acknowledged", "resolved"):
            if given[name]:
                wanted[name] = given[name]
        return wanted


_OWN_SECONDS = (0, 24 * 3600)


def seconds_before(text: object) -> int:
    try:
        return int(durations.parse(str(text)).total_seconds())
    except ValueError:
        return -1


def notify_initial(notify_on: Mapping[str, Any], default: Sequence[str]) -> dict[str, Any]:
    shown = {seconds_before(text) for text in notify_on.get("shiftStart", default)}
    return {
        "acknowledged": notify_on.get("acknowledged", ""),
        "resolved": notify_on.get("resolved", ""),
        "day_before": 24 * 3600 in shown,
        "at_start": 0 in shown,
    }


class TokenForm(forms.Form):
    label = forms.CharField(label=_("What it is for"), max_length=100)
    days = forms.ChoiceField(
        label=_("Runs out"),
        choices=[("90", _("in 90 days")), ("30", _("in 30 days")), ("365", _("in a year")), ("", _("never"))],
        initial="90",
        required=False,
    )


class TeamForm(forms.Form):
    """`name` is asked for a new team only; `policies`: names."""

    display_name = forms.CharField(label=_("Name"), max_length=200)
    name = forms.CharField(
        label=_("Short name"),
        max_length=NAME_MAX,
        required=False,
        help_text=_("For commands and configuration: payments. Left empty, it is made from the name."),
    )
    mode = forms.ChoiceField(
        label=_("Mode"),
        choices=[
            (TeamMode.LIVE, _("Live")),
            (TeamMode.SHADOW, _("Shadow: everything is decided and recorded, nothing is sent")),
        ],
        initial=TeamMode.LIVE,
    )
    policy = forms.ChoiceField(label=_("“Page this team” uses"), required=False)

    def __init__(self, *args: Any, with_name: bool = True, policies: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not with_name:
            del self.fields["name"]
        field = self.fields["policy"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", gettext("no policy")), *((name, name) for name in policies)]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "name" in self.fields and not cleaned.get("name") and cleaned.get("display_name"):
            made = slug(cleaned["display_name"], NAME_MAX)
            if made:
                cleaned["name"] = made
            else:
                self.add_error("name", gettext("Give %s.") % NAME_HELP)
        return cleaned


class MemberForm(forms.Form):
    user = forms.ChoiceField(label=_("Person"), required=False)
    role = forms.ChoiceField(
        label=_("Role"), choices=list(MEMBER_WORDS.items()), initial=MemberRole.RESPONDER, required=False
    )
    is_paged = forms.BooleanField(label=_("Is paged with the whole team"), required=False, initial=True)
    remove = forms.BooleanField(label=_("Take out"), required=False)

    def __init__(self, *args: Any, people: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["user"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", gettext("Choose a person")), *people]

    @property
    def is_kept(self) -> bool:
        return bool(self.cleaned_data.get("user")) and not self.cleaned_data.get("remove")

    def member(self, by_name: Mapping[str, User]) -> Member:
        given = self.cleaned_data
        return Member(by_name[given["user"]], given["role"] or MemberRole.RESPONDER, given["is_paged"])


MemberForms = formset_factory(MemberForm, extra=0, max_num=MEMBERS_MAX, absolute_max=MEMBERS_MAX)


def one_more(data: Any, prefix: str, at_most: int) -> None:
    """The button "one more" of a list of forms: one empty form at its end, nothing saved. `data`: a mutable QueryDict."""
    key = f"{prefix}-TOTAL_FORMS"
    count = whole_number(data.get(key, "0"), 4)
    data[key] = str(min(count, at_most - 1) + 1) if count is not None else "1"


def kept_forms(found: BaseFormSet[Any]) -> list[Any]:
    return [form for form in found if form.is_kept]


class InviteForm(PersonForm):
    """A new person, and maybe the team they join."""

    team = forms.ChoiceField(label=_("Team"), required=False)

    def __init__(self, *args: Any, teams: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["team"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", gettext("none yet")), *teams]


def colleagues_from(text: str) -> list[tuple[str, str]]:
    """(name, e-mail) of each line: `Bo Nielsen bo@example.com`, `Bo Nielsen <bo@example.com>`, or a name alone."""
    found = []
    for line in text.splitlines():
        words = clean(line, 500, is_one_line=True).replace("<", " ").replace(">", " ").replace(",", " ").split()
        emails = [word for word in words if "@" in word]
        name = " ".join(word for word in words if "@" not in word)
        if words:
            found.append((name or emails[0].partition("@")[0].title(), emails[0] if emails else ""))
    return found


URGENCIES = (Urgency.HIGH, Urgency.LOW)
