"""Sources: made, changed, their keys rotated."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from midwatch.catalog.models import Service
from midwatch.core import audit, clock, integration
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.people.managed import Mark, check_name, guard, mark_values
from midwatch.people.models import Team
from midwatch.respond.alerts.models import Alert, AlertStatus, Source

KEY_LENGTH = 32
KEY = re.compile(r"[A-Za-z0-9!$&'()*+,\-.:;=@_~]{32}")  # what an address can carry as it is
KEY_HELP = "32 letters, digits or any of -._~+=:@!$&'()*,;"
PRIORITIES = ("P1", "P2", "P3", "P4", "P5")
LABEL_MAX = 200
PRIORITY_WORDS_MAX = 100
GROUP_BY_MAX = 20
RESOLVE_SECONDS_MIN, RESOLVE_SECONDS_MAX = 1, 90 * 24 * 3600
EXPECT_SECONDS_MIN, EXPECT_SECONDS_MAX = 1, 31 * 24 * 3600


@dataclass(frozen=True, slots=True)
class SourceFields:
    """What is said about a source, without its keys."""

    type: str
    service: Service
    service_label: str = ""
    priority_label: str = ""
    priorities: Mapping[str, str] | None = None
    group_by: Sequence[str] = ()
    resolve_after_seconds: int | None = None
    expect_every_seconds: int | None = None
    is_active: bool = True


def new_key() -> str:
    return secrets.token_hex(KEY_LENGTH // 2)


def check_key(key: str) -> str:
    """Raises `ValueError`, without the key in it."""
    if len(key) != KEY_LENGTH:
        raise ValueError(f"a key has {KEY_LENGTH} characters, this one {len(key)}: give {KEY_HELP}")
    if not KEY.fullmatch(key):
        raise ValueError(f"the key has characters that an address cannot carry: give {KEY_HELP}")
    return key


def create_source(
    name: str,
    fields: SourceFields,
    by: Actor,
    *,
    key: str = "",
    previous_key: str | None = None,
    key_reference: Mapping[str, str] | None = None,
    mark: Mark | None = None,
) -> Source:
    """Without a key one is made. Raises `ValueError`."""
    check_name(name)
    values = _values(fields)
    keys = _checked_keys(key or new_key(), previous_key, None)
    now = clock.now()
    if fields.expect_every_seconds:
        values["expected_at"] = now + timedelta(seconds=fields.expect_every_seconds)
    try:
        with transaction.atomic():
            source = Source.objects.create(
                name=name,
                created_at=now,
                key_reference=dict(key_reference) if key_reference else None,
                **keys,
                **values,
                **mark_values(mark),
            )
            audit.record(by, "create", "source", name, {"type": fields.type, "service": fields.service.name})
    except IntegrityError as error:
        raise ValueError(f"there is a source called {name} already: give another name") from error
    return source


def change_source(source: Source, fields: SourceFields, by: Actor, *, mark: Mark | None = None) -> Source:
    """Raises `ValueError`; a `FromCodeError` when it comes from code."""
    guard(source, mark)
    values = _values(fields)
    with transaction.atomic():
        current = Source.objects.select_for_update().get(pk=source.pk)
        if current.expect_every_seconds != fields.expect_every_seconds:
            every = fields.expect_every_seconds
            values["expected_at"] = clock.now() + timedelta(seconds=every) if every else None
        changed = [key for key, new in values.items() if getattr(current, key) != new]
        if changed:
            for key in changed:
                setattr(current, key, values[key])
            current.save(update_fields=changed)
            audit.record(by, "change", "source", source.name, {"fields": changed})
    return current


def set_keys(
    source: Source,
    key: str,
    by: Actor,
    *,
    previous_key: str | None = None,
    key_reference: Mapping[str, str] | None = None,
    mark: Mark | None = None,
) -> Source:
    """Both keys as given. Raises `ValueError`."""
    guard(source, mark)
    keys = _checked_keys(key, previous_key, source)
    with transaction.atomic():
        current = Source.objects.select_for_update().get(pk=source.pk)
        current.key, current.previous_key = key, keys["previous_key"]
        current.key_reference = dict(key_reference) if key_reference else None
        current.save(update_fields=["key", "previous_key", "key_reference"])
        audit.record(by, "set keys", "source", source.name)
    return current


def rotate_key(source: Source, by: Actor) -> Source:
    """A new key; the one before is accepted until `end_rotation`, so that senders can be moved one by one."""
    return set_keys(source, new_key(), by, previous_key=source.key)


def end_rotation(source: Source, by: Actor) -> Source:
    """Only the new key from now on (the intake may remember the old one for 5 s)."""
    return set_keys(source, source.key, by)


def delete_source(source: Source, by: Actor, *, mark: Mark | None = None) -> None:
    """Its alerts stay. Refused while one of them is open."""
    guard(source, mark)
    with transaction.atomic():
        if Alert.objects.filter(source=source, is_test=False).exclude(status=AlertStatus.RESOLVED).exists():
            raise ValueError(f"{source.name} has open alerts: resolve them first")
        audit.record(by, "delete", "source", source.name)
        source.delete()


def release_service(service: Service) -> int:
    """The service is to be deleted: its resolved alerts stay, without it. How many."""
    with transaction.atomic():
        return Alert.objects.filter(service=service, status=AlertStatus.RESOLVED).update(service=None)


def release_team(team: Team) -> int:
    """Likewise of a team."""
    with transaction.atomic():
        return Alert.objects.filter(team=team, status=AlertStatus.RESOLVED).update(team=None)


def _checked_keys(key: str, previous_key: str | None, source: Source | None) -> dict[str, str | None]:
    check_key(key)
    previous = previous_key or None
    if previous is not None:
        check_key(previous)
    if previous == key:
        raise ValueError("the previous key is the key itself: leave it out")
    keys = [each for each in (key, previous) if each]
    taken = Source.objects.filter(Q(key__in=keys) | Q(previous_key__in=keys))
    other = (taken.exclude(pk=source.pk) if source is not None else taken).first()
    if other is not None:
        raise ValueError(f"source {other.name} has this key: give each source its own")
    return {"key": key, "previous_key": previous}


def _values(fields: SourceFields) -> dict[str, Any]:
    known = integration.sources()
    if fields.type not in known:
        raise ValueError(f"{clean(fields.type, 40)!r} is no type of source: give {', '.join(sorted(known))}")
    for label, seconds, low, high in (
        ("resolve after", fields.resolve_after_seconds, RESOLVE_SECONDS_MIN, RESOLVE_SECONDS_MAX),
        ("expect every", fields.expect_every_seconds, EXPECT_SECONDS_MIN, EXPECT_SECONDS_MAX),
    ):
        if seconds is not None and not low <= seconds <= high:
            raise ValueError(f"{label}: give {low} second to {high // 86_400} days, or nothing for never")
    return {
        "type": fields.type,
        "service": fields.service,
        "service_label": clean(fields.service_label, LABEL_MAX, is_one_line=True),
        "priority_label": clean(fields.priority_label, LABEL_MAX, is_one_line=True),
        "priorities": check_priorities(fields.priorities or {}),
        "group_by": [clean(label, LABEL_MAX, is_one_line=True) for label in fields.group_by][:GROUP_BY_MAX],
        "resolve_after_seconds": fields.resolve_after_seconds,
        "expect_every_seconds": fields.expect_every_seconds,
        "is_active": fields.is_active,
    }


def check_priorities(priorities: Mapping[str, str]) -> dict[str, str]:
    """The source's own words, in lower case since case is not compared. Raises `ValueError`."""
    if len(priorities) > PRIORITY_WORDS_MAX:
        raise ValueError(f"priorities: at most {PRIORITY_WORDS_MAX} words")
    checked = {}
    for word, priority in priorities.items():
        if priority not in PRIORITIES:
            raise ValueError(f"priorities: {clean(priority, 40)!r}: give {', '.join(PRIORITIES)}")
        checked[clean(word, LABEL_MAX, is_one_line=True).lower()] = priority
    return checked
