"""Who may do what in an incident: every act for each kind of person, as a table."""

from __future__ import annotations

import pytest
from django.db import transaction

from api_world import BY, World, make_world
from midwatch.people import actions as people
from midwatch.people.models import Team, User
from midwatch.people.queries import actor_of
from midwatch.respond.incidents import actions
from midwatch.respond.incidents.actions import Declaration
from midwatch.respond.incidents.models import Incident
from midwatch.respond.incidents.permits import Act, Level, level_of, may, may_offer

WHO = ("viewer", "member", "participant", "manager", "cm", "ic", "administrator")
HELP = {"member", "participant", "manager", "cm", "ic", "administrator"}
TAKE_PART = HELP - {"member"}
SPEAK = {"cm", "ic", "administrator"}
LEAD = {"ic", "administrator"}
MAY: dict[Act, set[str]] = {
    Act.DECLARE: HELP,
    Act.NOTE: HELP,
    Act.STAR: HELP,
    Act.ATTACH: HELP,
    Act.RESPONDER: HELP,
    Act.LINK: HELP,
    Act.IMPACT: HELP,
    Act.CLIENT: HELP,
    Act.TASK: HELP,
    Act.ANSWER_OFFER: HELP,
    Act.OFFER: TAKE_PART,
    Act.SEVERITY: TAKE_PART,
    Act.RENAME: TAKE_PART,
    Act.PHASE: TAKE_PART,
    Act.PUBLISH: SPEAK,
    Act.APPROVE: LEAD,
    Act.ROLE: LEAD,
    Act.MERGE: LEAD,
    Act.CLOSE: LEAD,
    Act.POWERS: LEAD,
}


def person(name: str, role: str = "member") -> User:
    with transaction.atomic():
        return people.create_user(name, people.Profile(name.title(), f"{name}@example.com", "UTC", role), BY)


@pytest.fixture
def world(db: None) -> World:
    return make_world()


@pytest.fixture
def everybody(world: World) -> dict[str, User]:
    return {
        "viewer": world.vi,
        "member": person("zoe"),
        "participant": person("pia"),
        "manager": world.bo,
        "cm": person("carl"),
        "ic": world.cy,
        "administrator": world.ana,
    }


def led_by_cy(world: World, everybody: dict[str, User], *, is_private: bool = False) -> Incident:
    by = actor_of(world.cy, "web")
    made = actions.declare_incident(Declaration("down", "SEV2", team=world.team, is_private=is_private), by)
    actions.assign_role(made, "cm", everybody["cm"], by)
    actions.assign_role(made, "dc", everybody["participant"], by)
    return made


def test_every_act_for_everybody(world: World, everybody: dict[str, User]) -> None:
    assert set(MAY) == set(Act)
    made = led_by_cy(world, everybody)
    found = {act: {who for who in WHO if may(everybody[who], made, act)} for act in Act}
    assert found == MAY


def test_a_private_one_is_nobodys_who_has_no_part_in_it(world: World, everybody: dict[str, User]) -> None:
    made = led_by_cy(world, everybody, is_private=True)
    levels = {who: level_of(everybody[who], made) for who in WHO}
    assert levels == {
        "viewer": Level.NOTHING,
        "member": Level.NOTHING,
        "participant": Level.TAKE_PART,
        "manager": Level.TAKE_PART,
        "cm": Level.SPEAK,
        "ic": Level.LEAD,
        "administrator": Level.LEAD,
    }


def test_a_role_is_offered_by_its_holder_or_the_ic(world: World, everybody: dict[str, User]) -> None:
    made = led_by_cy(world, everybody)
    assert may_offer(everybody["cm"], made, "cm")
    assert not may_offer(everybody["cm"], made, "ic")
    assert may_offer(everybody["ic"], made, "cm")
    assert not may_offer(everybody["participant"], made, "cm")


def test_what_somebody_may_ends_with_their_role(world: World, everybody: dict[str, User]) -> None:
    made = led_by_cy(world, everybody)
    by = actor_of(world.cy, "web")
    actions.end_role(made, "cm", everybody["cm"], by)
    assert level_of(everybody["cm"], made) == Level.HELP
    offer = actions.offer_role(made, "ic", everybody["participant"], by)
    actions.answer_offer(offer, actor_of(everybody["participant"], "web"), is_accepted=True)
    assert level_of(everybody["participant"], made) == Level.LEAD
    assert level_of(everybody["ic"], made) == Level.HELP


def test_a_viewer_never_leads(world: World, everybody: dict[str, User]) -> None:
    made = led_by_cy(world, everybody)
    by = actor_of(world.cy, "web")
    for role in ("ic", "cm", "dc"):
        with pytest.raises(ValueError, match="viewer"):
            actions.assign_role(made, role, world.vi, by)
        with pytest.raises(ValueError, match="viewer"):
            actions.offer_role(made, role, world.vi, by)


def test_a_member_of_another_team_who_leads_has_the_powers(world: World, everybody: dict[str, User]) -> None:
    """Seed: super powers, whatever the team."""
    zoe = everybody["member"]
    with transaction.atomic():
        Team.objects.create(name="others", display_name="Others", created_at=world.team.created_at)
    made = actions.declare_incident(Declaration("down", "SEV2", team=world.team), actor_of(zoe, "web"))
    assert may(zoe, made, Act.POWERS)
    assert not may(world.bo, made, Act.POWERS)  # the team's manager does not lead it
