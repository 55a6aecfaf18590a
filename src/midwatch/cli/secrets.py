"""Verbs about secrets that steps may be given. A value comes from standard input or a file, never from an argument, and is
never printed."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from midwatch.cli.ground import shown_time
from midwatch.cli.output import VerbError, show, table
from midwatch.cli.people import acting
from midwatch.gitops.actions import OWNER
from midwatch.gitops.models import Applied
from midwatch.people.models import Team
from midwatch.prepare.runbooks.actions.secrets import (
    VALUE_MAX,
    Place,
    remove_secret,
    rotate_secrets,
    set_secret,
    unreadable,
)
from midwatch.prepare.runbooks.models import Secret, SecretSource
from midwatch.prepare.runbooks.queries.secrets import secrets_visible_to

BYTES_MAX = VALUE_MAX * 4 + 2


def set_value(args: Namespace) -> int:
    by, user = acting(args)
    if user is not None and not user.is_administrator:
        raise VerbError(f"{user.name} is no administrator: on the command line only administrators set secrets")
    made = set_secret(args.name, _team(args.team), _given(args), by)
    whose = f"team {made.team.name}" if made.team is not None else "all teams"
    data = {"name": made.name, "team": args.team or None, "source": made.source, "version": made.version}
    show(args, data, [f"The secret {made.name} of {whose} is set (version {made.version})."])
    return 0


def _given(args: Namespace) -> str | Place:
    if args.env:
        return Place(SecretSource.ENV, args.env)
    if args.config_file:
        return Place(SecretSource.FILE, args.config_file, _configuration_directory())
    if args.value_file:
        try:
            with Path(args.value_file).open("rb") as file:
                raw = file.read(BYTES_MAX)
        except OSError as error:
            raise VerbError(f"{args.value_file} cannot be read ({error.strerror})") from error
    else:
        if sys.stdin.isatty():
            print("Type the value, then Enter and Ctrl-D:", file=sys.stderr)
        raw = sys.stdin.buffer.read(BYTES_MAX)
    if not raw:
        raise VerbError(f"no value came on standard input: printf 'the value' | midwatch secret set {args.name}")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise VerbError(
            "the value is no UTF-8 text: encode it, for example with base64, and decode it in the step"
        ) from (error)
    return text.removesuffix("\n").removesuffix("\r") if text.count("\n") <= 1 else text


def _configuration_directory() -> str:
    return Applied.objects.filter(owner=OWNER).values_list("directory", flat=True).first() or ""


def _team(name: str) -> Team | None:
    if not name:
        return None
    found = Team.objects.filter(name=name).first()
    if found is None:
        raise VerbError(f"there is no team {name!r}")
    return found


def list_secrets(args: Namespace) -> int:
    _, user = acting(args)
    found = list(secrets_visible_to(user) if user is not None else Secret.objects.select_related("team"))
    problems = unreadable(found)
    rows = [
        (
            one.name,
            one.team.name if one.team is not None else "all",
            one.source if one.source == SecretSource.STORED else f"{one.source} {one.reference}",
            one.version,
            shown_time(one.changed_at),
            problems.get(one.pk, ""),
        )
        for one in found
    ]
    data = [
        {
            "name": one.name,
            "team": one.team.name if one.team is not None else None,
            "source": one.source,
            "reference": one.reference or None,
            "version": one.version,
            "changed_at": one.changed_at,
            "rotated_at": one.rotated_at,
            "problem": problems.get(one.pk),
        }
        for one in found
    ]
    heads = ("SECRET", "TEAM", "FROM", "VERSION", "CHANGED", "PROBLEM")
    show(args, data, table(rows, heads) if rows else ["There is no secret."])
    return 0


def rotate(args: Namespace) -> int:
    by, _ = acting(args)
    done = rotate_secrets(by)
    lines = [f"{done.count} secrets are encrypted with the present key."]
    if done.unreadable:
        lines.append(
            f"No key that was given opens {', '.join(done.unreadable)}: add the old one to MIDWATCH_SECRET_KEY_PREVIOUS "
            "and rotate again, or set them anew."
        )
    else:
        lines.append("MIDWATCH_SECRET_KEY_PREVIOUS is not needed any more for them.")
    show(args, {"rotated": done.count, "unreadable": list(done.unreadable)}, lines)
    return 1 if done.unreadable else 0


def remove(args: Namespace) -> int:
    by, user = acting(args)
    if user is not None and not user.is_administrator:
        raise VerbError(f"{user.name} is no administrator: on the command line only administrators remove secrets")
    found = Secret.objects.select_related("team").filter(name=args.name, team=_team(args.team)).first()
    if found is None:
        raise VerbError(f"there is no such secret {args.name!r}: `midwatch secret list` shows them")
    remove_secret(found, by)
    show(args, {"name": found.name, "team": args.team or None}, [f"The secret {found.name} is gone."])
    return 0
