"""Teams, new people, passwords, tokens, sessions, turning somebody off: who may, and what follows."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from api_world import BY, World
from midwatch.core import clock
from midwatch.core.models import OutboxEvent
from midwatch.people import actions
from midwatch.people.models import ApiToken, Membership, Team, User
from midwatch.respond.escalation.models import EscalationPolicy, TeamPolicy
from midwatch.respond.oncall.queries import calendar_token, user_of_calendar_token

As = Callable[[User], Client]
pytestmark = pytest.mark.django_db
PASSWORD = "a-good-long-password"
OTHER = "another-long-password"


def text(answer: Any, status: int = 200) -> str:
    assert answer.status_code == status, answer.content.decode()[:2_000]
    return str(answer.content.decode())


def said(answer: Any, client: Client) -> str:
    assert answer.status_code == 302, answer.content.decode()[:2_000]
    return text(client.get(answer["Location"]))


def members(*rows: tuple[str, str, bool], **more: str) -> dict[str, str]:
    data = {
        "display_name": "Payments",
        "mode": "live",
        "policy": "payments",
        "member-TOTAL_FORMS": str(len(rows)),
        "member-INITIAL_FORMS": "0",
        **more,
    }
    for index, (user, role, is_paged) in enumerate(rows):
        data |= {f"member-{index}-user": user, f"member-{index}-role": role}
        if is_paged:
            data[f"member-{index}-is_paged"] = "on"
    return data


def test_a_team_shows_who_would_hear_it(world: World, as_: As) -> None:
    client = as_(world.vi)
    page = text(client.get("/settings/teams/payments"))
    assert page.count("Can be woken") == 2
    assert "payments-primary" in page
    assert "Checkout" in page
    assert "Edit" not in page.partition("<main")[2].partition("</header>")[0]
    world.bo.contact_methods.all().delete()
    world.cy.contact_methods.all().delete()
    assert "Nobody in this team would hear a page." in text(client.get("/settings/teams/payments"))
    assert "Would not hear a page:" in text(client.get("/settings/teams"))


def test_members_are_changed_by_managers_and_administrators(world: World, as_: As) -> None:
    rows = members(("bo", "manager", True), ("cy", "responder", True), ("vi", "observer", False))
    for who in (world.cy, world.vi):
        assert as_(who).post("/settings/teams/payments/edit", rows).status_code == 403
        assert as_(who).get("/settings/teams/payments/edit").status_code == 403
    client = as_(world.bo)
    more = text(client.post("/settings/teams/payments/edit", {**rows, "do": "add"}))
    assert 'name="member-3-user"' in more
    assert world.team.memberships.count() == 2
    assert "Saved." in said(client.post("/settings/teams/payments/edit", rows), client)
    found = [(one.user.name, one.role, one.is_paged) for one in world.team.memberships.select_related("user")]
    assert found == [("bo", "manager", True), ("cy", "responder", True), ("vi", "observer", False)]
    text(client.post("/settings/teams/payments/edit", {**rows, "policy": "", "member-2-remove": "on"}), 302)
    assert not TeamPolicy.objects.exists()
    assert world.team.memberships.count() == 2


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (members(("bo", "manager", True), ("bo", "responder", True)), "twice"),
        (members(("bo", "responder", True)), "You would no longer manage this team"),
        (members(("bo", "king", True)), "Select a valid choice"),
        (members(("nobody-here", "manager", True)), "Select a valid choice"),
        (members(("bo", "manager", True), policy="none"), "Select a valid choice"),
        (members(("bo", "manager", True), display_name=""), "required"),
    ],
)
def test_wrong_members_are_told_and_nothing_is_saved(world: World, as_: As, rows: dict[str, str], words: str) -> None:
    assert words in text(as_(world.bo).post("/settings/teams/payments/edit", rows), 422)
    assert world.team.memberships.count() == 2


def test_a_team_from_code_is_read_only(world: World, as_: As) -> None:
    with transaction.atomic():
        Team.objects.update(code_owner="config", code_file="teams.yaml:3")
    client = as_(world.ana)
    assert "teams.yaml:3" in text(client.get("/settings/teams/payments"))
    assert "teams.yaml:3" in text(client.get("/settings/teams/payments/edit"), 403)
    assert client.post("/settings/teams/payments/edit", members(("ana", "manager", True))).status_code == 403


def test_teams_are_made_and_deleted_by_administrators(world: World, as_: As) -> None:
    assert as_(world.bo).get("/settings/new-team").status_code == 403
    client = as_(world.ana)
    made = client.post("/settings/new-team", {"display_name": "Čtvrtá směna", "mode": "live"})
    assert made["Location"] == "/settings/teams/ctvrta-smena/edit"
    assert "already" in text(
        client.post("/settings/new-team", {"display_name": "X", "name": "payments", "mode": "live"}), 422
    )
    assert "is gone" in said(client.post("/settings/teams/ctvrta-smena/delete"), client)
    assert "owns services" in said(client.post("/settings/teams/payments/delete"), client)
    assert EscalationPolicy.objects.exists()


def test_a_new_person_gets_a_link_shown_once(world: World, as_: As) -> None:
    assert as_(world.bo).get("/settings/new-person").status_code == 403
    client = as_(world.ana)
    data = {"display_name": "Dana Novak", "email": "dana@example.com", "time_zone": "Europe/Prague"}
    answer = client.post("/settings/new-person", {**data, "role": "member", "team": "payments"})
    link = re.search(r"http://midwatch.example(/link/[\w-]+)", text(answer))
    assert link is not None
    assert "no-store" in answer["Cache-Control"]
    assert Membership.objects.filter(team=world.team, user__name="dana").exists()
    fresh = Client()
    assert "A password for Dana Novak" in text(fresh.get(link[1]))
    assert "already" in text(client.post("/settings/new-person", {**data, "role": "member"}), 422)
    other = {**data, "name": "dana-2", "email": "DANA@example.com", "role": "viewer"}
    assert "has this e-mail address already" in text(client.post("/settings/new-person", other), 422)
    assert User.objects.filter(name__startswith="dana").count() == 1
    again = re.search(r"/link/[\w-]+", text(client.post("/settings/people/dana/access/link")))
    assert again is not None
    assert fresh.get(link[1]).status_code == 404, "a new link ends the one before"


def test_only_administrators_make_links_and_turn_people_off(world: World, as_: As) -> None:
    for act in ("link", "deactivate", "activate"):
        assert as_(world.bo).post(f"/settings/people/cy/access/{act}").status_code == 403
        assert as_(world.bo).get(f"/settings/people/cy/access/{act}").status_code == 405


def test_turning_off_the_only_one_is_refused_with_a_sentence_unless_forced(world: World, as_: As) -> None:
    with transaction.atomic():
        Membership.objects.filter(user=world.bo).update(is_paged=False)
    client, session = as_(world.ana), as_(world.cy)
    page = text(client.post("/settings/people/cy/access/deactivate"), 422)
    assert "policy payments, level 1" in page
    assert "Turn Cy off all the same" in page
    assert session.get("/profile").status_code == 200
    assert "is turned off" in said(client.post("/settings/people/cy/access/deactivate", {"force": "1"}), client)
    assert session.get("/profile").status_code == 302, "sessions end"
    assert OutboxEvent.objects.filter(name="person.missing").exists()
    assert "Turned off (1)" in text(client.get("/settings/people"))
    assert "Cy" in text(client.get("/settings/people?show=off"))
    assert "is on again" in said(client.post("/settings/people/cy/access/activate"), client)
    assert "only administrator" in said(client.post("/settings/people/ana/access/deactivate", {"force": "1"}), client)


def test_a_changed_password_keeps_this_session_and_ends_the_others(world: World, as_: As) -> None:
    world.cy.set_password(PASSWORD)
    world.cy.save(update_fields=["password"])
    here, there = as_(world.cy), as_(world.cy)
    data = {"old_password": PASSWORD, "new_password1": OTHER, "new_password2": OTHER}
    wrong = here.post("/settings/people/cy/access/password", {**data, "old_password": "no"})
    assert "old password is not right" in text(wrong, 422)
    assert as_(world.ana).post("/settings/people/cy/access/password", data).status_code == 403
    assert "changed" in said(here.post("/settings/people/cy/access/password", data), here)
    assert there.get("/profile").status_code == 302
    for _ in range(6):
        here.post("/settings/people/cy/access/password", {**data, "old_password": "guess"})
    blocked = text(here.post("/settings/people/cy/access/password", {**data, "old_password": OTHER}), 422)
    assert "Too many wrong passwords" in blocked


def test_logging_out_everywhere_moves_the_calendar_too(world: World, as_: As) -> None:
    here, there = as_(world.cy), as_(world.cy)
    feed = calendar_token(world.cy)
    assert f"/ical/{feed}.ics" in text(here.get("/settings/people/cy/access"))
    assert f"/ical/{feed}.ics" not in text(as_(world.ana).get("/settings/people/cy/access"))
    assert as_(world.bo).post("/settings/people/cy/access/sign-out").status_code == 403
    assert "everywhere else" in said(here.post("/settings/people/cy/access/sign-out"), here)
    assert there.get("/profile").status_code == 302
    assert user_of_calendar_token(feed) is None


def test_a_token_is_shown_once_works_and_is_revoked(world: World, as_: As) -> None:
    client = as_(world.cy)
    answer = client.post("/settings/people/cy/access/tokens", {"label": "deploys", "days": "30"})
    token = re.search(r"mw_[\w-]+", text(answer))
    assert token is not None
    assert "no-store" in answer["Cache-Control"]
    row = ApiToken.objects.get()
    assert row.expires_at == clock.now() + timedelta(days=30)
    page = text(client.get("/settings/people/cy/access"))
    assert "deploys" in page
    assert token[0] not in page
    assert actions.authenticate_token(token[0]) == world.cy
    assert client.post("/settings/people/cy/access/tokens", {"label": "", "days": "30"}).status_code == 422
    assert as_(world.ana).post("/settings/people/cy/access/tokens", {"label": "x"}).status_code == 403
    assert as_(world.bo).post(f"/settings/people/bo/access/tokens/{row.pk}/revoke").status_code == 404
    admin = as_(world.ana)
    assert "worth nothing" in said(admin.post(f"/settings/tokens/{row.pk}/revoke"), admin)
    assert actions.authenticate_token(token[0]) is None


def test_settings_pages_and_who_sees_them(world: World, as_: As) -> None:
    actions.create_token(world.cy, "grafana", BY)
    admin = as_(world.ana)
    for path in ("audit", "health", "configuration", "tokens"):
        text(admin.get(f"/settings/{path}"))
        assert "for administrators" in text(as_(world.bo).get(f"/settings/{path}"), 403)
    assert "grafana" in text(admin.get("/settings/tokens"))
    assert "/settings/audit" in text(admin.get("/settings"))
    assert "/settings/audit" not in text(as_(world.vi).get("/settings"))
    assert "midwatch doctor" in text(admin.get("/settings/health"))


def test_the_audit_log_pages_by_cursor_both_ways(world: World, as_: As) -> None:
    for index in range(120):
        actions.create_team(f"t{index}", f"T {index}", BY)
    client = as_(world.ana)

    def shown(path: str) -> tuple[list[str], str, str]:
        page = text(client.get(path))
        names = re.findall(r">(t\d+)</a>", page)
        older = re.search(r'rel="next" href="([^"]+)"', page)
        newer = re.search(r'rel="prev" href="([^"]+)"', page)
        return names, older[1].replace("&amp;", "&") if older else "", newer[1].replace("&amp;", "&") if newer else ""

    first, older, newer = shown("/settings/audit?kind=team")
    assert first == [f"t{index}" for index in range(119, 69, -1)]
    assert newer == ""
    actions.create_team("t120", "later", BY)
    second, older, newer = shown(f"/settings/audit{older}")
    assert second == [f"t{index}" for index in range(69, 19, -1)], "rows that arrive move nothing"
    back, _, _ = shown(f"/settings/audit{newer}")
    assert back == first
    last, end, _ = shown(f"/settings/audit{older}")
    assert last == [f"t{index}" for index in range(19, -1, -1)]
    assert end == ""


@pytest.mark.parametrize(
    "query", ["cursor=x", "cursor=-1", "cursor=99999999999999999999", "person=%00", "kind=%3Cscript%3E", "before=1"]
)
def test_hostile_questions_to_the_audit_log(world: World, as_: As, query: str) -> None:
    assert "<script>alert" not in text(as_(world.ana).get(f"/settings/audit?{query}"))
