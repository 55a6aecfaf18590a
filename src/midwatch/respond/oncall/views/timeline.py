"""Two weeks of a schedule as strips to draw and as rows to read. Pure but for words."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from midwatch.core.zones import comes_at, wall_at, zone
from midwatch.people.models import User
from midwatch.respond.oncall import resolve
from midwatch.respond.oncall.queries import unplanned_gaps

DAYS = 14
LANE_HEIGHT, LANE_STEP = 26, 30
STRIP_PIXELS = 840  # about; decides how much of a name fits
LETTER_PIXELS = 7.2
NOTE_PIXELS, NOTE_HEIGHT = 40, 16
TONES = ("info", "ok", "violet", "warn", "quiet")  # red is for gaps
People = Mapping[str, User]


@dataclass(frozen=True, slots=True)
class Bar:
    """`x`, `width` in percent of the strip. `kind`: shift, override, gap."""

    x: str
    width: str
    y: int
    label: str
    title: str
    tone: str
    kind: str


@dataclass(frozen=True, slots=True)
class Strip:
    """`notes`: the word GAP below gaps too narrow for it, as (x, word)."""

    title: str
    kind: str  # final, layer, overrides
    height: int
    bars: Sequence[Bar]
    notes: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Day:
    x: str
    width: str
    name: str
    number: str
    is_weekend: bool
    is_today: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """A row to read. `user` None: nobody. `when`: in the zone of the window. `is_now`: it runs."""

    start: datetime
    end: datetime
    when: str
    user: User | None
    by: str
    is_override: bool
    is_now: bool


@dataclass(frozen=True, slots=True)
class AgendaDay:
    title: str
    is_today: bool
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Window:
    """`days` + 1 midnights of a zone, as instants."""

    zone_name: str
    midnights: Sequence[datetime]

    @property
    def start(self) -> datetime:
        return self.midnights[0]

    @property
    def end(self) -> datetime:
        return self.midnights[-1]

    def x(self, at: datetime) -> float:
        return (at - self.start) / (self.end - self.start) * 100


def window(first_day: datetime, zone_name: str, days: int = DAYS) -> Window:
    """`first_day`: naive, any hour of it."""
    midnight = first_day.replace(hour=0, minute=0, second=0, microsecond=0)
    return Window(zone_name, [comes_at(midnight + timedelta(days=day), zone_name) for day in range(days + 1)])


def days_of(span: Window, now: datetime) -> list[Day]:
    today = wall_at(now, span.zone_name).date()
    found = []
    for low, high in pairwise(span.midnights):
        local = low.astimezone(zone(span.zone_name))
        found.append(
            Day(
                x=_percent(span.x(low)),
                width=_percent(span.x(high) - span.x(low)),
                name=date_format(local, "D", use_l10n=False),
                number=date_format(local, "j", use_l10n=False),
                is_weekend=local.weekday() >= 5,
                is_today=local.date() == today,
            )
        )
    return found


def now_mark(span: Window, now: datetime) -> str:
    return _percent(span.x(now)) if span.start <= now < span.end else ""


def strips(values: resolve.Schedule, span: Window, people: People) -> list[Strip]:
    """What is true at the top, then what it is made of: overrides, and the layers with the one that wins first."""
    final = _packed([_shift_bar(shift, span, people) for shift in resolve.shifts(values, span.start, span.end)])
    gaps = [_gap_bar(low, high, span) for low, high in unplanned_gaps(values, span.start, span.end)]
    made = [_with_notes(_strip(_("On call"), "final", [*final, *gaps]))]
    overrides = [
        _override_bar(one, span, people) for one in values.overrides if one.start < span.end and one.end > span.start
    ]
    if overrides:
        made.append(_strip(_("Overrides"), "overrides", _packed(overrides)))
    if len(values.layers) > 1 or overrides:
        for layer in reversed(values.layers):
            alone = replace(values, layers=(layer,), combine="all", overrides=())
            shifts = resolve.shifts(alone, span.start, span.end)
            made.append(_strip(layer.name, "layer", _packed([_shift_bar(shift, span, people) for shift in shifts])))
    return made


Placed = tuple[float, float, Bar]


def _packed(bars: Sequence[Placed]) -> list[Bar]:
    """Each into the first lane that is free."""
    ends: list[float] = []
    found = []
    for low, high, bar in sorted(bars, key=lambda placed: placed[:2]):
        lane = next((index for index, end in enumerate(ends) if end <= low + 1e-6), len(ends))
        ends[lane : lane + 1] = [high]
        found.append(replace(bar, y=lane * LANE_STEP + 2))
    return found


def _strip(title: str, kind: str, bars: Sequence[Bar]) -> Strip:
    return Strip(title, kind, max((bar.y for bar in bars), default=2) + LANE_HEIGHT + 2, bars)


def _with_notes(strip: Strip) -> Strip:
    """Neighbours that are too close share a word."""
    notes: list[tuple[str, str]] = []
    reached = -100.0
    for bar in strip.bars:
        x = float(bar.x.rstrip("%"))
        if bar.kind == "gap" and not bar.label and (x - reached) / 100 * STRIP_PIXELS >= NOTE_PIXELS:
            notes.append((bar.x, _("GAP")))
            reached = x
    return replace(strip, notes=notes, height=strip.height + NOTE_HEIGHT if notes else strip.height)


def _bar(span: Window, low: datetime, high: datetime, texts: Sequence[str], title: str, tone: str, kind: str) -> Placed:
    x, end = max(0.0, span.x(low)), min(100.0, span.x(high))
    room = (end - x) / 100 * STRIP_PIXELS - 10
    label = next((text for text in texts if len(text) * LETTER_PIXELS <= room), "")
    return x, end, Bar(_percent(x), _percent(end - x), 2, label, title, tone, kind)


def _shift_bar(shift: resolve.Shift, span: Window, people: People) -> Placed:
    name = str(people.get(shift.user, shift.user))
    by = _("override") if shift.is_override else shift.layer
    title = f"{name}: {span_words(shift.start, shift.end, span.zone_name)} ({by})"
    kind = "override" if shift.is_override else "shift"
    return _bar(span, shift.start, shift.end, _shorter(name), title, tone_of(shift.user), kind)


def _gap_bar(low: datetime, high: datetime, span: Window) -> Bar:
    words = _("Nobody on call: %s") % span_words(low, high, span.zone_name)
    return _bar(span, low, high, [_("GAP")], words, "danger", "gap")[2]


def _override_bar(one: resolve.Override, span: Window, people: People) -> Placed:
    words = override_words(one.kind, _named(one.user, people), _named(one.replaces, people))
    title = f"{words}: {span_words(one.start, one.end, span.zone_name)}"
    who = one.user or one.replaces or ""
    return _bar(
        span, one.start, one.end, [words, *_shorter(_named(who or None, people))], title, tone_of(who), "override"
    )


def _named(name: str | None, people: People) -> str:
    return str(people.get(name, name)) if name else ""


def override_words(kind: str, user: str, replaces: str) -> str:
    match kind:
        case "replace":
            given = {"user": user, "other": replaces}
            return _("%(user)s for %(other)s") % given if replaces else _("%s instead of everybody") % user
        case "add":
            return _("%s too") % user
        case _:
            return _("without %s") % replaces if replaces else _("nobody")


def _shorter(name: str) -> list[str]:
    words = name.split()
    return [name, *(words[:1] if len(words) > 1 else []), "".join(word[0] for word in words[:2]).upper()]


def tone_of(name: str) -> str:
    """The same for the same person at every look."""
    return TONES[hashlib.blake2s(name.encode()).digest()[0] % len(TONES)]


def span_words(low: datetime, high: datetime, zone_name: str) -> str:
    """ "Tue 6 Jan 18:00 – Wed 7 Jan 09:00 CET"."""
    local = zone(zone_name)
    ends = high.astimezone(local)
    start = date_format(low.astimezone(local), "D j M H:i", use_l10n=False)
    return f"{start} – {date_format(ends, 'D j M H:i T', use_l10n=False)}"


def agenda(values: resolve.Schedule, span: Window, people: People, now: datetime) -> list[AgendaDay]:
    """Every shift and gap under the day on which it starts; what runs already, under the first day."""
    found = [
        (shift.start, shift.end, people.get(shift.user), shift.layer, shift.is_override)
        for shift in resolve.shifts(values, span.start, span.end, is_whole=True)
    ]
    found += [(low, high, None, "", False) for low, high in unplanned_gaps(values, span.start, span.end)]
    entries = [
        Entry(low, high, _hours(low, high, span), user, by, is_override, low <= now < high)
        for low, high, user, by, is_override in found
    ]
    entries.sort(key=lambda entry: entry.start)
    today = wall_at(now, span.zone_name).date()
    days = []
    for low, high in pairwise(span.midnights):
        of_day = [entry for entry in entries if low <= max(entry.start, span.start) < high]
        if of_day:
            local = low.astimezone(zone(span.zone_name))
            title = date_format(local, "l j F", use_l10n=False)
            days.append(AgendaDay(title, local.date() == today, of_day))
    return days


def _hours(low: datetime, high: datetime, span: Window) -> str:
    """Below the title of a day, which is not said again: "07:00 – 23:00 CET", "23:00 – Mon 23 Nov 07:00 CET"."""
    local = zone(span.zone_name)
    starts, ends = low.astimezone(local), high.astimezone(local)
    day = max(low, span.start).astimezone(local).date()
    start = date_format(starts, "H:i" if starts.date() == day else "D j M H:i", use_l10n=False)
    return f"{start} – {date_format(ends, 'H:i T' if ends.date() == day else 'D j M H:i T', use_l10n=False)}"


def _percent(number: float) -> str:
    return f"{number:.3f}%"
