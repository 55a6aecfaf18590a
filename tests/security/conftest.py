"""Five people stand before every door: nobody in particular, a viewer, a stranger of another team, and two of the team."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.db import transaction
from django.test import Client
from doors import Doors

from api_world import BY, make_world
from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.learn.actions.actions import NewItem, note_item
from midwatch.people import actions as people
from midwatch.people.models import Membership, Team
from midwatch.people.queries import actor_of
from midwatch.prepare.runbooks.actions.secrets import set_secret
from midwatch.prepare.runbooks.models import Secret, StepRun
from midwatch.respond.incidents.actions import Declaration, add_stakeholder, declare_incident
from midwatch.respond.statuspage.actions import PageFields, create_page
from midwatch.respond.statuspage.models import Component, Notice, Subscriber
from postmortem_world import make_lesson
from runbook_world import make_execution

ON_CALL = datetime(2026, 1, 8, 12, 0, tzinfo=UTC)  # cy's week on payments-primary


@pytest.fixture
def doors(db: None) -> Iterator[Doors]:
    clock.freeze(ON_CALL)
    world = make_world()
    world.alert()
    make_lesson(world=world)
    with transaction.atomic():
        profile = people.Profile("Stranger", "stranger@example.com", "UTC", "member")
        stranger = people.create_user("stranger", profile, BY)
        others = Team.objects.create(name="others", display_name="Others", created_at=ON_CALL)
        Service.objects.create(name="other-thing", display_name="Other", team=others, created_at=ON_CALL)
        Membership.objects.create(team=others, user=stranger, role="manager", position=0)
        page = create_page("shop", PageFields(world.team, "Shop"), BY)
        known = {"page": page, "wire_id": "one", "created_at": ON_CALL}
        Component.objects.create(name="Checkout", started_on=ON_CALL.date(), updated_at=ON_CALL, **known)
        Notice.objects.create(
            kind="incident", name="Cards", status="resolved", updated_at=ON_CALL, started_at=ON_CALL, **known
        )
        Subscriber.objects.create(kind="email", address="vera@example.org", **known)
    declare_incident(Declaration("checkout is down", "SEV2", service=world.service), actor_of(world.cy, "web"))
    note_item(NewItem("watch the pool", owner=world.cy), actor_of(world.cy, "web"))
    add_stakeholder(BY, kind="email", address="desk@example.com")
    make_execution(world)
    set_secret("deploy-key", world.team, "correct-horse", BY)
    with transaction.atomic():  # the addresses of doors.py name the first of each, also where others were before
        StepRun.objects.filter(step="look").update(id=1)
        Secret.objects.filter(name="deploy-key").update(id=1)
    clients = {"nobody": Client()}
    for user in (world.ana, world.bo, world.cy, world.vi, stranger):
        clients[user.name] = Client()
        clients[user.name].force_login(user)
    yield Doors(world, stranger, clients)
    clock.thaw()
