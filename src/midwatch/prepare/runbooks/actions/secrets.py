"""Secrets: set, removed, encrypted anew; and read, which is audited each time.

Values go in here and come out of `values_of` and `secrets_of` alone: no page, no answer of the API and no log has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from django.db import IntegrityError, transaction
from django.db.models import Max

from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.core.masking import VALUE_MIN
from midwatch.core.text import clean
from midwatch.people.models import Team
from midwatch.people.queries import REFERENCE_PREFIX, SecretUnreadableError, resolve_reference
from midwatch.prepare.runbooks.models import Secret, SecretSource, StepRun
from midwatch.prepare.runbooks.models.secrets import DIRECTORY_MAX, REFERENCE_MAX
from midwatch.prepare.runbooks.queries.secrets import found_by_name
from midwatch.prepare.runbooks.sealing import Keyring, Sealed, SealError
from midwatch.settings import previous_secret_keys, secret_key

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")  # a step may use the variable's own name, DB_PASSWORD
VALUE_MAX = 16_000  # characters
ROTATE_AT_ONCE = 100


class SecretError(ValueError):
    """A secret that a step names cannot be given to it. Says which one and what to do, never a value."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value is that is not kept here. `directory`: of a file, the configuration's."""

    source: SecretSource
    reference: str
    directory: str = ""


def keyring() -> Keyring:
    return Keyring(secret_key(), previous_secret_keys())


# --- writing ---


def set_secret(name: str, team: Team | None, value: str | Place, by: Actor) -> Secret:
    """Make it, or give it a new value. `value`: the value itself, to be kept encrypted, or where it is.

    Raises `ValueError` with a sentence that never holds the value.
    """
    if not NAME.fullmatch(name):
        raise ValueError(
            f"{clean(name, 80)!r} is no name of a secret: give up to 63 letters, digits, dashes, underscores"
        )
    if isinstance(value, Place):
        _check_place(value)
    else:
        _check_value(value)
    now = clock.now()
    with transaction.atomic():
        found = Secret.objects.select_for_update(of=("self",)).filter(name=name, team=team).first()
        is_new = found is None
        found = found or Secret(name=name, team=team, version=0, created_at=now)
        found.version += 1
        found.changed_at = now
        if isinstance(value, Place):
            found.source, found.reference, found.directory = value.source, value.reference, value.directory
            found.ciphertext = found.key_id = ""
        else:
            found.source, found.reference, found.directory = SecretSource.STORED, "", ""
            sealed = keyring().seal(value, _about(found))
            found.ciphertext, found.key_id = sealed.ciphertext, sealed.key_id
        _write(found, is_new=is_new)
        audit.record(
            by, "create" if is_new else "change", "secret", name, {"team": _team_of(found), "source": found.source}
        )
    return found


def _write(secret: Secret, *, is_new: bool) -> None:
    if not is_new:
        secret.save(update_fields=_VALUE_COLUMNS)
        return
    try:
        with transaction.atomic():
            secret.save(force_insert=True)
    except IntegrityError as error:
        raise ValueError(f"somebody has made the secret {secret.name} just now: do it again to change it") from error


_VALUE_COLUMNS = ("source", "reference", "directory", "ciphertext", "key_id", "version", "changed_at")


def remove_secret(secret: Secret, by: Actor) -> None:
    """Steps that name it fail from now on, before they begin."""
    with transaction.atomic():
        Secret.objects.filter(pk=secret.pk).delete()
        audit.record(by, "delete", "secret", secret.name, {"team": _team_of(secret), "source": secret.source})


@dataclass(frozen=True, slots=True)
class Rotated:
    """`unreadable`: names of those that no key opens; they stay as they are."""

    count: int
    unreadable: tuple[str, ...]


def rotate_secrets(by: Actor) -> Rotated:
    """Encrypt all that is stored anew, with the present key. What is done stays done when it is cut off."""
    ring = keyring()
    done = 0
    unreadable: list[str] = []
    last = 0
    newest = Secret.objects.aggregate(last=Max("pk"))["last"] or 0
    while last < newest:
        with transaction.atomic():
            stored = Secret.objects.select_for_update(of=("self",)).select_related("team").order_by("pk")
            rows = list(stored.filter(pk__gt=last, pk__lte=newest, source=SecretSource.STORED)[:ROTATE_AT_ONCE])
            for row in rows:
                if _seal_anew(row, ring):
                    done += 1
                else:
                    unreadable.append(_full_name(row))
            if rows:
                audit.record(by, "rotate", "secrets", f"{len(rows)}", {"key": ring.current_id})
        last = rows[-1].pk if rows else newest
    return Rotated(done, tuple(unreadable))


def _seal_anew(row: Secret, ring: Keyring) -> bool:
    try:
        value = ring.open(Sealed(row.ciphertext, row.key_id), _about(row))
    except SealError:
        return False
    sealed = ring.seal(value, _about(row))
    row.ciphertext, row.key_id, row.rotated_at = sealed.ciphertext, sealed.key_id, clock.now()
    row.save(update_fields=["ciphertext", "key_id", "rotated_at"])
    return True


def _check_value(value: str) -> None:
    if len(value.strip()) < VALUE_MIN:
        raise ValueError(
            f"a secret has at least {VALUE_MIN} characters: a shorter one cannot be hidden in what a step prints"
        )
    if len(value) > VALUE_MAX:
        raise ValueError(f"a secret has at most {VALUE_MAX} characters; this one has {len(value)}")
    if "\0" in value:
        raise ValueError("a secret holds no NUL character, since no program could be given it")


def _check_place(place: Place) -> None:
    reference = clean(place.reference, REFERENCE_MAX + 1, is_one_line=True)
    if not reference or reference != place.reference or len(reference) > REFERENCE_MAX:
        raise ValueError(f"say where the value is, in at most {REFERENCE_MAX} characters")
    if place.source == SecretSource.ENV and not reference.startswith(REFERENCE_PREFIX):
        raise ValueError(f"only variables that begin with {REFERENCE_PREFIX} may be named: rename {reference[:80]}")
    if place.source == SecretSource.FILE:
        if not place.directory or len(place.directory) > DIRECTORY_MAX or not Path(place.directory).is_absolute():
            raise ValueError("a file is in the configuration directory: start with `midwatch serve --config DIR` first")
        if Path(reference).is_absolute() or ".." in Path(reference).parts:
            raise ValueError("the path of a file is relative to the configuration directory, and stays inside")


# --- reading ---


@dataclass(frozen=True, slots=True)
class Reader:
    """What is given the values: an execution's step, done by the engine or a runner; or the `purpose` of something else."""

    purpose: str
    execution: int | None = None
    step: str = ""
    attempt: int = 0
    place: str = ""  # the node or runner that does it


def secrets_of(step_run: StepRun, named: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """variable: value of exactly the secrets that this step names, as it was shown. Read now, and audited.

    `named`: {variable: name}, when it is not the step itself that is done now but its `verify`. Call it outside of any
    transaction. Raises `SecretError`.
    """
    if named is None:
        named = step_run.rendered.get("secrets") or {}
    if not named:
        return {}
    execution = step_run.execution
    reader = Reader(
        purpose=f"step {step_run.step}",
        execution=execution.number,
        step=step_run.step,
        attempt=step_run.attempt,
        place=step_run.claimed_by,
    )
    values = values_of(set(named.values()), execution.runbook.team, reader)
    return {variable: values[name] for variable, name in named.items()}


def values_of(names: Iterable[str], team: Team | None, reader: Reader) -> Mapping[str, str]:
    """name: value; the team's own before those for all. One audit entry each, without the value. Raises `SecretError`."""
    wanted = sorted(set(names))
    found = found_by_name(wanted, team)
    missing = [name for name in wanted if name not in found]
    if missing:
        whose = f"team {team.name} or for all teams" if team is not None else "all teams"
        raise SecretError(f"there is no secret {missing[0]} of {whose}: `midwatch secret set {missing[0]}` makes it")
    ring = keyring()
    values = {name: _value(found[name], ring) for name in wanted}
    detail = {"step": reader.step, "attempt": reader.attempt, "place": reader.place}
    by = Actor(f"execution {reader.execution}" if reader.execution else reader.purpose, "engine")
    with transaction.atomic():
        audit.record_many(
            by,
            [
                ("read", "secret", name, {**detail, "team": _team_of(found[name]), "version": found[name].version})
                for name in wanted
            ],
        )
    return values


def _value(secret: Secret, ring: Keyring) -> str:
    try:
        match secret.source:
            case SecretSource.STORED:
                return ring.open(Sealed(secret.ciphertext, secret.key_id), _about(secret))
            case SecretSource.ENV:
                value = resolve_reference({"env": secret.reference}, Path())
            case _:
                value = resolve_reference({"file": secret.reference}, Path(secret.directory))
        _check_value(value)
    except (SealError, SecretUnreadableError, ValueError) as error:
        raise SecretError(f"the secret {_full_name(secret)} cannot be read: {error}") from error
    return f"{value.strip()}\n" if "\n" in value.strip() else value  # a key of several lines wants its last line ended


def unreadable(secrets: Iterable[Secret]) -> Mapping[int, str]:
    """id: why it could not be given to a step now. Reads values and tells nobody, so it is not audited."""
    ring = keyring()
    found: dict[int, str] = {}
    for secret in secrets:
        try:
            _value(secret, ring)
        except SecretError as error:
            found[secret.pk] = str(error)
    return found


def _about(secret: Secret) -> str:
    """What a ciphertext belongs to: another row's does not open here."""
    return f"{secret.team_id or 0}/{secret.name}/{secret.version}"


def _team_of(secret: Secret) -> str | None:
    return secret.team.name if secret.team is not None else None


def _full_name(secret: Secret) -> str:
    return f"{secret.name} of {secret.team.name}" if secret.team is not None else secret.name
