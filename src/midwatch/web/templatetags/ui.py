"""The small parts that every page is made of: `{% load ui %}`.

What a row of a list needs is a plain tag (fast); what stands once or twice on a page is a template in `components/`.
A state is always told three times: by icon, by word, by colour.
"""

from __future__ import annotations

import hashlib
import html
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django import template
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect, Select
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext, gettext_lazy

from midwatch.core import clock
from midwatch.core.markdown import render as render_markdown
from midwatch.web import assets

register = template.Library()


@dataclass(frozen=True, slots=True)
class Look:
    word: str | Promise
    icon: str
    tone: str  # danger, warn, ok, info, violet, quiet


LOOKS: Mapping[str, Look] = {
    # alerts
    "firing": Look(gettext_lazy("Firing"), "flame", "danger"),
    "acknowledged": Look(gettext_lazy("Acknowledged"), "hand-stop", "warn"),
    "resolved": Look(gettext_lazy("Resolved"), "circle-check", "ok"),
    "snoozed": Look(gettext_lazy("Snoozed"), "zzz", "violet"),
    "maintenance": Look(gettext_lazy("Maintenance"), "tool", "quiet"),
    "still firing": Look(gettext_lazy("Still firing"), "flame", "warn"),
    "test": Look(gettext_lazy("Test"), "test-pipe", "quiet"),
    # deliveries and their receipts
    "waiting": Look(gettext_lazy("Waiting"), "hourglass", "quiet"),
    "sending": Look(gettext_lazy("Sending"), "send", "info"),
    "handed over": Look(gettext_lazy("Handed to provider"), "send", "info"),
    "delivered": Look(gettext_lazy("Delivered"), "checks", "ok"),
    "opened": Look(gettext_lazy("Opened"), "eye", "ok"),
    "answered": Look(gettext_lazy("Answered"), "hand-stop", "ok"),
    "failed": Look(gettext_lazy("Failed"), "alert-triangle", "danger"),
    "unknown": Look(gettext_lazy("Unknown"), "question-mark", "quiet"),
    "cancelled": Look(gettext_lazy("Not needed"), "ban", "quiet"),
    "bundled": Look(gettext_lazy("In a bundle"), "stack-2", "quiet"),
    # escalations and pages
    "paging": Look(gettext_lazy("Paging"), "phone-call", "danger"),
    "joined": Look(gettext_lazy("Joined"), "link", "quiet"),
    "held": Look(gettext_lazy("Held"), "player-pause", "quiet"),
    "exhausted": Look(gettext_lazy("Nobody answered"), "alert-octagon", "danger"),
    "ended": Look(gettext_lazy("Ended"), "circle-check", "quiet"),
    "running": Look(gettext_lazy("Calling"), "phone-call", "danger"),
    "declined": Look(gettext_lazy("Passed on"), "arrow-forward-up", "warn"),
    "superseded": Look(gettext_lazy("Called again"), "refresh", "quiet"),
    "stopped": Look(gettext_lazy("Stopped"), "player-stop", "quiet"),
    "used up": Look(gettext_lazy("All rules used"), "hourglass-empty", "warn"),
    # post-mortems
    "scheduling": Look(gettext_lazy("No date yet"), "calendar-question", "warn"),
    "draft": Look(gettext_lazy("Draft"), "pencil", "info"),
    "in review": Look(gettext_lazy("In review"), "eye", "violet"),
    "reviewed": Look(gettext_lazy("Reviewed"), "checks", "ok"),
    "published": Look(gettext_lazy("Published"), "circle-check", "ok"),
    "waived": Look(gettext_lazy("Waived"), "ban", "quiet"),
    "no address": Look(gettext_lazy("No address"), "mail-off", "warn"),
    # people and things that are well or not
    "ok": Look(gettext_lazy("OK"), "circle-check", "ok"),
    "warning": Look(gettext_lazy("Warning"), "alert-triangle", "warn"),
    "problem": Look(gettext_lazy("Problem"), "alert-octagon", "danger"),
    "reachable": Look(gettext_lazy("Reachable"), "circle-check", "ok"),
    "unreachable": Look(gettext_lazy("Cannot be reached"), "phone-off", "danger"),
    "unconfirmed": Look(gettext_lazy("Not confirmed"), "alert-triangle", "warn"),
    "disabled": Look(gettext_lazy("Turned off"), "ban", "quiet"),
    "gap": Look(gettext_lazy("Nobody on call"), "user-off", "danger"),
    "on call": Look(gettext_lazy("On call"), "phone-call", "ok"),
    "override": Look(gettext_lazy("Override"), "replace", "violet"),
    "from code": Look(gettext_lazy("From code"), "file-code", "quiet"),
    "shadow": Look(gettext_lazy("Shadow: nothing is sent"), "ghost", "violet"),
    # status pages: what stands on them, and what is said on the whole
    "operational": Look(gettext_lazy("Operational"), "circle-check", "ok"),
    "under_maintenance": Look(gettext_lazy("Under maintenance"), "tool", "info"),
    "degraded_performance": Look(gettext_lazy("Degraded performance"), "alert-triangle", "warn"),
    "partial_outage": Look(gettext_lazy("Partial outage"), "alert-triangle", "warn"),
    "major_outage": Look(gettext_lazy("Major outage"), "alert-octagon", "danger"),
    "none": Look(gettext_lazy("No impact"), "circle-check", "ok"),
    "minor": Look(gettext_lazy("Minor impact"), "alert-triangle", "warn"),
    "major": Look(gettext_lazy("Major impact"), "alert-octagon", "danger"),
    "critical": Look(gettext_lazy("Critical impact"), "alert-octagon", "danger"),
}
PRIORITIES: Mapping[str, Look] = {
    "P1": Look(gettext_lazy("P1 critical"), "urgent", "danger"),
    "P2": Look(gettext_lazy("P2 high"), "chevrons-up", "danger"),
    "P3": Look(gettext_lazy("P3 medium"), "chevron-up", "warn"),
    "P4": Look(gettext_lazy("P4 low"), "minus", "info"),
    "P5": Look(gettext_lazy("P5 info"), "info-circle", "quiet"),
}
AVATAR_TONES = ("danger", "warn", "ok", "info", "violet", "quiet")


@register.simple_tag
def asset(name: str) -> str:
    """`{% asset "app.css" %}`: the address of a built file."""
    return assets.address(name)


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """`{% icon "bell" %}`. Without a label it is decoration and hidden from screen readers."""
    if not label:
        return _decoration(name)
    about = f'role="img" aria-label="{text(label)}"'
    return SafeString(f'<svg class="icon" {about}><use href="{assets.address("icons.svg")}#{text(name)}"></use></svg>')


@lru_cache(500)
def _decoration(name: str) -> SafeString:
    use = f'<use href="{assets.address("icons.svg")}#{text(name)}"></use>'
    return SafeString(f'<svg class="icon" aria-hidden="true">{use}</svg>')


def text(value: object) -> str:
    """For HTML: escaped, unless it is HTML already. What `format_html` does to each argument, at a tenth of its cost."""
    return value if isinstance(value, SafeString) else html.escape(str(value))


@register.simple_tag
def drawn_icon(name: str) -> SafeString:
    """Like `icon`, with the drawing inside the page: for landing pages, which fetch as little as they can."""
    drawing = mark_safe(assets.drawing(name))  # noqa: S308 - from our own sprite
    return format_html('<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">{}</svg>', drawing)


def _badge(look: Look, word: object) -> SafeString:
    return SafeString(f'<span class="badge tone-{text(look.tone)}">{icon(look.icon)}<span>{text(word)}</span></span>')


@register.simple_tag
def status_badge(state: object, word: str = "") -> SafeString:
    """A state's icon, word and colour. `word` replaces the usual one ("Acknowledged by Bo")."""
    look = LOOKS.get(str(state)) or Look(str(state), "question-mark", "quiet")
    return _badge(look, word or look.word)


@register.simple_tag
def badge(word: str, tone: str = "quiet", icon_name: str = "info-circle") -> SafeString:
    return _badge(Look(word, icon_name, tone), word)


@register.simple_tag
def priority_badge(priority: str) -> SafeString:
    look = PRIORITIES.get(priority) or Look(priority, "question-mark", "quiet")
    loud = " is-loud" if priority == "P1" else ""
    return SafeString(
        f'<span class="badge tone-{look.tone} priority{loud}" title="{text(look.word)}">'
        f"{icon(look.icon)}<span>{text(priority)}</span></span>"
    )


def relative(at: datetime, now: datetime) -> str:
    """ "4 min ago", "in 2 h". The browser's <rel-time> says the same words."""
    seconds = round((now - at).total_seconds())
    if abs(seconds) < 5:
        return gettext("just now")
    distance = spell(abs(seconds))
    return gettext("%s ago") % distance if seconds > 0 else gettext("in %s") % distance


def spell(seconds: int) -> str:
    """A length, in one unit or two: "45 s", "4 min", "2 h 10 min", "3 d"."""
    if seconds < 60:
        return gettext("%d s") % seconds
    if seconds < 3600:
        return gettext("%d min") % (seconds // 60)
    if seconds < 86_400:
        hours, minutes = divmod(seconds // 60, 60)
        text = gettext("%d h") % hours
        return f"{text} {gettext('%d min') % minutes}" if hours < 6 and minutes else text
    return gettext("%d d") % (seconds // 86_400)


def countdown_text(at: datetime, now: datetime) -> str:
    """ "4:07", "1:04:07"; "now" when it has come."""
    left = round((at - now).total_seconds())
    if left <= 0:
        return gettext("now")
    hours, rest = divmod(left, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def absolute(at: datetime) -> str:
    """In the viewer's zone, with its abbreviation, and with the day unless it is today."""
    local = timezone.localtime(at)
    is_today = local.date() == timezone.localtime(clock.now()).date()
    if not _is_english():
        return date_format(local, "H:i T" if is_today else "D j M H:i T", use_l10n=False)
    day = "" if is_today else f"{local:%a} {local.day} {local:%b} "
    return f"{day}{local:%H:%M %Z}"


def absolute_long(at: datetime) -> str:
    local = timezone.localtime(at)
    if not _is_english():
        return date_format(local, "D j M Y H:i:s T", use_l10n=False)
    return f"{local:%a} {local.day} {local:%b %Y %H:%M:%S %Z}"


def _is_english() -> bool:
    """Then Python's own names of days and months do, and a list of fifty moments takes no time to write."""
    return (get_language() or "en").startswith("en")


def _time(at: datetime, shown: str) -> str:
    stamp = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return f'<time datetime="{stamp}" title="{text(absolute_long(at))}">{text(shown)}</time>'


@register.simple_tag
def when(at: datetime | None, shape: str = "relative") -> SafeString:
    """A moment. `shape`: "relative" (4 min ago), "absolute" (Tue 3 Nov 02:14 CET), "both", "countdown" (4:07)
    or "duration" (2 h 10 min, since then)."""
    if at is None:
        return SafeString(f'<span class="text-secondary">{text(gettext("never"))}</span>')
    match shape:
        case "absolute":
            return SafeString(_time(at, absolute(at)))
        case "both":
            moving = f"<rel-time>{_time(at, relative(at, clock.now()))}</rel-time>"
            return SafeString(f"{_time(at, absolute(at))} ({moving})")
        case "countdown":
            return SafeString(f'<rel-time kind="countdown">{_time(at, countdown_text(at, clock.now()))}</rel-time>')
        case "duration":
            seconds = max(0, round((clock.now() - at).total_seconds()))
            return SafeString(f'<rel-time kind="duration">{_time(at, spell(seconds))}</rel-time>')
        case "relative":
            return SafeString(f"<rel-time>{_time(at, relative(at, clock.now()))}</rel-time>")
        case _:
            raise template.TemplateSyntaxError(
                f"when: shape {shape!r}: say relative, absolute, both, countdown or duration"
            )


@register.filter
def markdown(source: str | None) -> SafeString:
    """`<div class="prose">{{ text|markdown }}</div>`: Markdown of people, as HTML that can do nothing."""
    return render_markdown(source or "")


@register.filter
def duration(seconds: float) -> str:
    return spell(int(seconds))


def initials(name: str) -> str:
    words = [word for word in name.split() if word[0].isalnum()]
    if not words:
        return "?"
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


@register.simple_tag(takes_context=True)
def person(context: Mapping[str, Any], user: object, note: str = "") -> SafeString:
    """A person's chip. `user`: a User, or a name when the person is only known by it; None reads "nobody"."""
    if user is None or user == "":
        return SafeString(f'<span class="person text-secondary">{text(gettext("nobody"))}</span>')
    me = getattr(context.get("page"), "me", None)
    return chip(str(user), is_me=me is not None and me == user, note=note)


def chip(name: str, *, is_me: bool = False, note: str = "") -> SafeString:
    """A person by name, with a coloured face."""
    tone = AVATAR_TONES[hashlib.blake2s(name.encode()).digest()[0] % len(AVATAR_TONES)]
    you = f"({gettext('you')})"
    mine = f' <span class="text-secondary">{text(you)}</span>' if is_me else ""
    tail = f' <span class="text-secondary">{text(note)}</span>' if note else ""
    face = f'<span class="avatar avatar-xs tone-{tone}" aria-hidden="true">{text(initials(name))}</span>'
    return SafeString(f'<span class="person">{face}<span>{text(name)}{mine}{tail}</span></span>')


@register.inclusion_tag("components/field.html")
def field(bound: BoundField, *, autocomplete: str = "", placeholder: str = "", inputmode: str = "") -> dict[str, Any]:
    """A form's field: label, help, control, errors, tied together for screen readers."""
    widget = bound.field.widget
    is_check = isinstance(widget, CheckboxInput)
    is_choices = isinstance(widget, CheckboxSelectMultiple | RadioSelect)
    if is_choices:
        css = ""  # Django would put it on the list around the choices as well
    elif is_check:
        css = "form-check-input"
    elif isinstance(widget, Select):
        css = "form-select"
    else:
        css = "form-control"
    given = {"autocomplete": autocomplete, "placeholder": placeholder, "inputmode": inputmode}
    attributes: dict[str, str | bool] = {name: value for name, value in given.items() if value}
    if css:
        attributes["class"] = f"{css} is-invalid" if bound.errors else css
    control = bound.as_widget(attrs=attributes)
    return {"field": bound, "control": control, "is_check": is_check, "is_choices": is_choices}
