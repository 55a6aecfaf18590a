"""`run NAME`: what would run is said first, and only exactly that is started."""

from __future__ import annotations

import re

import pytest

from midwatch.api import commands
from midwatch.api.commands import CommandError
from midwatch.core.actor import Actor
from midwatch.people.models import Membership, User
from midwatch.people.queries import actor_of
from midwatch.prepare.runbooks.actions import revise
from midwatch.prepare.runbooks.models import Execution, Runbook
from prepare.runbooks.test_proving import runbook
from prepare.runbooks.test_triggers import TEXT

pytestmark = pytest.mark.django_db


def person(of: Runbook, name: str = "ana", *, is_member: bool = True) -> User:
    user = User.objects.create(name=name, display_name=name.capitalize(), created_at=of.created_at)
    if is_member:
        Membership.objects.create(team=of.team, user=user)
    return user


def say(user: User, text: str) -> str:
    return commands.run(commands.parse(text), actor_of(user, "chat"), user)


def test_what_would_run_is_said_and_the_code_starts_exactly_that() -> None:
    found = runbook()
    revise(found, TEXT, Actor("Ana", "web"))
    ana = person(found)
    said = say(ana, "run restart host=db2")
    assert "It would do: look (manual)" in said
    assert "host=db2" in said
    assert Execution.objects.count() == 0
    code = re.search(r"confirm ([0-9a-f]{6})", said)
    assert code is not None
    with pytest.raises(ValueError, match="not what was shown"):
        say(ana, f"run restart host=db1 confirm {code[1]}")
    revise(found, TEXT + "\nMore.", Actor("Bo", "web"))
    with pytest.raises(ValueError, match="look again"):
        say(ana, f"run restart host=db2 confirm {code[1]}")
    again = re.search(r"confirm ([0-9a-f]{6})", say(ana, "run restart host=db2"))
    assert again is not None
    assert "Execution 1 of" in say(ana, f"run restart host=db2 confirm {again[1]}")
    made = Execution.objects.get()
    assert (made.trigger, made.started_by, made.options) == ("chat", ana, {"host": "db2"})


def test_who_may_not_and_what_is_not_there_is_told() -> None:
    found = runbook()
    revise(found, TEXT, Actor("Ana", "web"))
    with pytest.raises(ValueError, match="members of its team"):
        say(person(found, "cy", is_member=False), "run restart")
    ana = person(found)
    with pytest.raises(ValueError, match="no runbook 'nothing'"):
        say(ana, "run nothing")
    with pytest.raises(ValueError, match="not one of the choices"):
        say(ana, "run restart host=db9")
    with pytest.raises(CommandError, match="no option"):
        commands.parse("run restart ;rm")
    with pytest.raises(CommandError, match="name the runbook"):
        commands.parse("run")
