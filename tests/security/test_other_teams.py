"""What one may not do by writing into a form what the form did not offer."""

from __future__ import annotations

import pytest
from doors import Doors

from midwatch.catalog.models import Service
from midwatch.people.models import MemberRole, Membership, User
from midwatch.respond.alerts.models import Source
from midwatch.respond.escalation.models import EscalationPolicy, ServicePolicy, TeamPolicy
from midwatch.respond.oncall.models import Schedule

SERVICE = {"display_name": "Mine", "name": "mine", "tier": "3", "urgency": "by-priority", "page_after": "0s"}
SOURCE = {"name": "mine", "type": "generic", "service": "checkout", "is_active": "on"}


def test_nothing_is_put_into_a_team_of_others(doors: Doors) -> None:
    stranger = doors.clients["stranger"]
    assert stranger.post("/new-service", SERVICE | {"team": "payments"}).status_code == 422
    assert stranger.post("/services/other-thing/edit", SERVICE | {"team": "payments"}).status_code == 422
    assert stranger.post("/new-source", SOURCE).status_code == 422
    schedule = {"team": "payments", "time_zone": "UTC", "name": "mine", "do": "save"}
    assert stranger.post("/new-schedule", schedule).status_code == 422
    assert not Service.objects.filter(name="mine").exists()
    assert Service.objects.get(name="other-thing").team.name == "others"
    assert not Source.objects.filter(name="mine").exists()
    assert not Schedule.objects.filter(name="mine").exists()


def test_nothing_of_others_is_taken_into_one_s_own_team(doors: Doors) -> None:
    stranger = doors.clients["stranger"]
    assert stranger.post("/services/checkout/edit", SERVICE | {"team": "others"}).status_code == 403
    assert stranger.post("/sources/prometheus/edit", SOURCE | {"service": "other-thing"}).status_code == 403
    assert stranger.post("/services/checkout/policy", {"policy": ""}).status_code == 403
    assert stranger.post("/policies/payments/edit", {"team": "others"}).status_code == 403
    assert Service.objects.get(name="checkout").team.name == "payments"
    assert ServicePolicy.objects.get(service__name="checkout").policy.name == "payments"
    assert EscalationPolicy.objects.get(name="payments").team.name == "payments"
    assert TeamPolicy.objects.get(team__name="payments").policy.name == "payments"


@pytest.mark.parametrize("path", ["/settings/people/cy/about", "/welcome/you"])
def test_nobody_makes_themselves_an_administrator(doors: Doors, path: str) -> None:
    mine = {"display_name": "Cy", "email": "cy@example.com", "time_zone": "Europe/Prague"}
    for word in ("role", "is_active", "password", "name", "is_superuser", "is_staff"):
        mine[word] = "administrator"
    assert doors.clients["cy"].post(path, mine).status_code == 302
    cy = User.objects.get(pk=doors.world.cy.pk)
    assert (cy.role, cy.name, cy.is_active) == ("member", "cy", True)
    assert not cy.check_password("administrator")


def test_nobody_takes_somebody_s_e_mail_address_to_log_in_as_them(doors: Doors) -> None:
    mine = {"display_name": "Cy", "email": "ANA@example.com", "time_zone": "UTC"}
    assert doors.clients["cy"].post("/settings/people/cy/about", mine).status_code == 422
    assert User.objects.get(pk=doors.world.cy.pk).email == "cy@example.com"


def test_a_responder_does_not_let_people_in(doors: Doors) -> None:
    """Who is in a team decides who sees whose numbers."""
    given = {"display_name": "Payments", "mode": "live", "member-TOTAL_FORMS": "1", "member-INITIAL_FORMS": "0"}
    given |= {"member-0-user": "stranger", "member-0-role": "manager", "member-0-is_paged": "on"}
    for who in ("cy", "stranger", "vi"):
        assert doors.clients[who].post("/settings/teams/payments/edit", given).status_code == 403
    assert not Membership.objects.filter(team__name="payments", user=doors.stranger).exists()
    assert Membership.objects.get(team__name="payments", role=MemberRole.MANAGER).user == doors.world.bo


def test_a_session_ends_with_the_person_s_access(doors: Doors) -> None:
    ana, cy = doors.clients["ana"], doors.clients["cy"]
    assert cy.get("/alerts").status_code == 200
    assert ana.post("/settings/people/cy/access/deactivate", {"force": "1"}).status_code == 302
    assert cy.get("/alerts").status_code == 302
    assert cy.get("/api/v1/alerts").status_code == 401
    assert ana.post("/settings/people/cy/access/activate").status_code == 302
    assert cy.get("/alerts").status_code == 302, "an old cookie stays worth nothing"
