"""What administrators set about incidents."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from api_world import World
from midwatch.people.models import User
from midwatch.people.queries import actor_of
from midwatch.respond.incidents import actions
from midwatch.respond.incidents.actions import Declaration
from midwatch.respond.incidents.models import DeclarationRule, IncidentRole, IncidentType, SeverityRule
from midwatch.respond.incidents.queries import severity_rule

As = Callable[[User], Client]


def test_severities_types_roles_and_rules_are_set_by_forms(world: World, as_: As) -> None:
    ana = as_(world.ana)
    posts = [
        ("severity", {"severity": "SEV1", "meaning": "Nobody can pay", "external_every": "10", "postmortem": "1"}),
        ("types", {"name": "security", "title": "Security", "private": "1"}),
        ("roles", {"name": "scribe", "title": "Scribe", "duty": ["keep-timeline"], "single": "1"}),
        ("rules", {"name": "p1", "target": "service:checkout", "priority": ["P1"], "step": "2", "severity": "SEV2"}),
    ]
    for path, body in posts:
        assert ana.post(f"/settings/incidents/{path}", body).status_code == 302
    page = ana.get("/settings/incidents").content.decode()
    for words in ("Nobody can pay", "Security", "Scribe", "keep-timeline", "when step 2 of its policy went out"):
        assert words in page, words
    rule = severity_rule("SEV1")
    assert (rule.external_every_minutes, rule.first_external_minutes, rule.is_approval_demanded) == (10, None, False)
    assert IncidentType.objects.get().is_private
    assert DeclarationRule.objects.get().priorities == ["P1"]
    made = actions.declare_incident(
        Declaration("a key leaked", "SEV1", type=IncidentType.objects.get()), actor_of(world.cy, "web")
    )
    assert made.is_private
    actions.assign_role(made, "scribe", world.bo, actor_of(world.cy, "web"))
    ana.post(f"/settings/incidents/roles/{IncidentRole.objects.get().pk}/remove")
    ana.post(f"/settings/incidents/types/{IncidentType.objects.get().pk}/remove")
    refused = ana.get("/settings/incidents").content.decode()
    assert "somebody holds the role Scribe" in refused
    assert "there are incidents of the type Security" in refused
    ana.post(f"/settings/incidents/rules/{DeclarationRule.objects.get().pk}/remove")
    assert not DeclarationRule.objects.exists()


def test_what_is_wrong_is_said_and_nothing_is_saved(world: World, as_: As) -> None:
    ana = as_(world.ana)
    for path, body, words in (
        ("severity", {"severity": "SEV1", "meaning": ""}, "say what this severity means"),
        ("severity", {"severity": "SEV1", "meaning": "x", "external_every": "0"}, "whole minutes"),
        ("roles", {"name": "ic", "title": "King"}, "has a meaning of its own"),
        ("roles", {"name": "king", "title": "King", "duty": ["command"]}, "is no duty that a role may take over"),
        ("rules", {"name": "all", "target": "", "severity": "SEV1"}, "one service or one team"),
        ("types", {"name": "Not a name", "title": "x"}, "is no name"),
    ):
        ana.post(f"/settings/incidents/{path}", body)
        assert words in ana.get("/settings/incidents").content.decode(), words
    assert not SeverityRule.objects.exists()
    assert not IncidentRole.objects.exists()


def test_they_are_the_administrators(world: World, as_: As) -> None:
    assert as_(world.bo).get("/settings/incidents").status_code == 403
    assert as_(world.bo).post("/settings/incidents/types", {"name": "x", "title": "x"}).status_code == 403
