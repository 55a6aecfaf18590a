"""Verbs about people: who acts, users, tokens, links, test pages."""

from __future__ import annotations

import sys
from argparse import Namespace
from datetime import timedelta

from django.urls import reverse

from midwatch.cli.output import VerbError, show, table
from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.people import actions
from midwatch.people.models import ContactMethod, Role, User
from midwatch.people.queries import SCRIPT_USER, actor_of, administrators, people
from midwatch.respond.escalation.coverage import sole_target_of
from midwatch.respond.notify.actions import send_test_page, send_test_pages
from midwatch.respond.oncall.models import Schedule
from midwatch.respond.oncall.queries import rotation_of
from midwatch.settings import settings

PASSWORD_MAX = 10_000


def acting(args: Namespace) -> tuple[Actor, User | None]:
    """Who acts: --as USER, else the first administrator, else the command line itself."""
    if args.as_user:
        user = person(args.as_user)
        if not user.may_act:
            raise VerbError(f"{user.name} may not act (a viewer, or switched off): name a member with --as")
        return actor_of(user, "cli"), user
    first = administrators().order_by("created_at", "pk").first()
    return (actor_of(first, "cli"), first) if first is not None else (Actor("command line", "cli"), None)


def person(name: str) -> User:
    user = User.objects.filter(name=name).exclude(name=SCRIPT_USER).first()
    if user is None:
        raise VerbError(f"there is no person {name!r}: `midwatch user list` shows them")
    return user


def create(args: Namespace) -> int:
    by, _ = acting(args)
    password = _read_password() if args.password_stdin else ""
    profile = actions.check_profile(
        actions.Profile(args.display_name or args.name, args.email, args.time_zone, Role(args.role))
    )
    if password:
        actions.check_password(password, User(name=args.name, display_name=profile.display_name, email=profile.email))
    user = actions.create_user(args.name, profile, by, password=password)
    link = "" if password else _link(actions.invite(user, by))
    lines = [f"{user.name} ({user.role}) is there."]
    if link:
        lines.append(f"Their invitation, good once, for {actions.access.INVITATION_LIFE.days} days: {link}")
    show(args, {"name": user.name, "role": user.role, "invitation": link or None}, lines)
    return 0


def _read_password() -> str:
    text = sys.stdin.readline(PASSWORD_MAX).rstrip("\n")
    if not text:
        raise VerbError("no password came on standard input: printf 'the password' | midwatch user create ...")
    return text


def _link(token: str) -> str:
    return settings().base_url + reverse("web:access-link", args=[token])


def token(args: Namespace) -> int:
    by, _ = acting(args)
    user = person(args.name)
    ends = clock.now() + timedelta(days=args.days) if args.days else None
    text = actions.create_token(user, args.label, by, expires_at=ends)
    show(args, {"user": user.name, "token": text, "expires_at": ends}, [text])
    return 0


def list_users(args: Namespace) -> int:
    found = list(people())
    rows = [(user.name, user.display_name, user.role, user.email, "" if user.is_active else "off") for user in found]
    data = [
        {
            "name": user.name,
            "display_name": user.display_name,
            "role": user.role,
            "email": user.email,
            "time_zone": user.time_zone,
            "is_active": user.is_active,
        }
        for user in found
    ]
    show(args, data, table(rows, ("NAME", "DISPLAY NAME", "ROLE", "E-MAIL", "")))
    return 0


def deactivate(args: Namespace) -> int:
    by, _ = acting(args)
    user = person(args.name)
    needed = sole_target_of(user)
    try:
        changed = actions.deactivate_user(user, by, needed_by=needed, is_forced=args.force)
    except actions.NeededError as error:
        raise VerbError(f"{error} (--force)") from error
    show(
        args,
        {"name": changed.name, "is_active": changed.is_active},
        [f"{changed.name} is off: sessions and tokens have ended."],
    )
    return 0


def reset(args: Namespace) -> int:
    by, _ = acting(args)
    user = person(args.name)
    link = _link(actions.reset_password(user, by))
    show(args, {"name": user.name, "link": link}, [f"For a new password, good once, for a day: {link}"])
    return 0


def setup_code(args: Namespace) -> int:
    code = actions.setup_code()
    if code is None:
        raise VerbError("there is an administrator already: `midwatch user reset NAME` makes a link for a new password")
    show(args, {"code": code}, [code])
    return 0


def test_page(args: Namespace) -> int:
    by, _ = acting(args)
    if bool(args.user) == bool(args.schedule) or (args.schedule and args.method):
        raise VerbError("say whom: a person (and perhaps --method NAME), or --schedule NAME for its whole rotation")
    if args.schedule:
        return _test_rotation(args, by)
    user = person(args.user)
    contact = None
    if args.method:
        contact = ContactMethod.objects.filter(user=user, name=args.method).first()
        if contact is None:
            names = ", ".join(ContactMethod.objects.filter(user=user).values_list("name", flat=True)) or "none"
            raise VerbError(f"{user.name} has no contact method {args.method!r}; there are: {names}")
    sent = send_test_page(user, by, contact)
    lines = [f"A test page to {user} goes out by {delivery.method_name} ({delivery.channel})." for delivery in sent]
    data = {"user": user.name, "deliveries": [{"method": one.method_name, "channel": one.channel} for one in sent]}
    show(args, data, lines)
    return 0


def _test_rotation(args: Namespace, by: Actor) -> int:
    schedule = Schedule.objects.filter(name=args.schedule).first()
    if schedule is None:
        raise VerbError(f"there is no schedule {args.schedule!r}: `midwatch who` shows them")
    sent, refusals = send_test_pages(rotation_of(schedule), by)
    lines = [f"A test page to {one.user} goes out by {one.method_name} ({one.channel})." for one in sent]
    lines += [f"Not sent: {refusal}" for refusal in refusals]
    data = {
        "schedule": schedule.name,
        "deliveries": [{"user": one.user.name, "method": one.method_name, "channel": one.channel} for one in sent],
        "refused": refusals,
    }
    show(args, data, lines or [f"Nobody takes turns in {schedule.name}: there is nobody to test."])
    return 0 if sent and not refusals else 1
