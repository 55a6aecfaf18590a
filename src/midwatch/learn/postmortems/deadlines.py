"""When a post-mortem is due, and whom to remind when. Pure. Seed: within a week, a week and a half at most."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

DUE_AFTER = timedelta(days=7)
LATE_AFTER = timedelta(days=10, hours=12)
BEFORE_DUE = timedelta(days=2)
AGAIN_AFTER = timedelta(days=7)  # once it is late, as long as it lasts
Whom = Literal["owner", "managers"]


@dataclass(frozen=True, slots=True)
class Reminder:
    """`next_at`: when to look again."""

    sentence: str
    whom: tuple[Whom, ...]
    next_at: datetime


def due_at(opened_at: datetime) -> datetime:
    return opened_at + DUE_AFTER


def late_at(opened_at: datetime) -> datetime:
    return opened_at + LATE_AFTER


def first_reminder_at(due: datetime) -> datetime:
    return due - BEFORE_DUE


def reminder(now: datetime, *, due: datetime, late: datetime, meeting_at: datetime | None, is_held: bool) -> Reminder:
    """What is to be said now, to whom, and when next. Before due and at due the owner hears it, late their managers too."""
    days = max(1, (now - due).days)
    if now < due:
        return Reminder(f"is due {due:%a %d %b}: {_next_step(meeting_at, is_held, now)}", ("owner",), due)
    if now < late:
        return Reminder(f"was due {due:%a %d %b}: {_next_step(meeting_at, is_held, now)}", ("owner",), late)
    sentence = f"is late by {days} days: {_next_step(meeting_at, is_held, now)}"
    return Reminder(sentence, ("owner", "managers"), now + AGAIN_AFTER)


def _next_step(meeting_at: datetime | None, is_held: bool, now: datetime) -> str:
    if is_held:
        return "the meeting was held; finish the text and have it reviewed"
    if meeting_at is None:
        return "set a date for the meeting"
    if meeting_at <= now:
        return "the meeting's time has passed; say that it was held, or set another"
    return f"the meeting is on {meeting_at:%a %d %b %H:%M} UTC; write the draft before"
