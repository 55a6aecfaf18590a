"""Who may do what to a post-mortem, as a table; and hostile text on its pages."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest
from django.db import transaction
from django.test import Client

from api_world import BY, Api
from midwatch.cli import postmortems as cli_postmortems
from midwatch.learn.actions.models import ActionItem
from midwatch.learn.postmortems import actions
from midwatch.people import actions as people
from midwatch.people.models import Membership, Team, User
from midwatch.people.queries import actor_of
from midwatch.respond.incidents import actions as incidents
from midwatch.respond.incidents.actions import Declaration
from postmortem_world import Lesson, make_lesson

pytestmark = pytest.mark.django_db
EVERYBODY = {"vi", "stranger", "fay", "bo", "cy", "ana"}
MEMBERS = EVERYBODY - {"vi"}
LEADS = {"fay", "bo", "cy", "ana"}  # facilitator, manager of the team, owner and IC, administrator
OWNERS = {"bo", "cy", "ana"}
# Act -> (form, who may).
ACTS: dict[str, tuple[dict[str, str], set[str]]] = {
    "sections/summary": ({"text": "x", "base": "0"}, MEMBERS),
    "preview": ({"text": "x"}, MEMBERS),
    "comments": ({"text": "x"}, MEMBERS),
    "moments": ({"text": "x", "at": "2026-01-01T10:00"}, MEMBERS),
    "moments/import": ({}, MEMBERS),
    "whys": ({"text": "x"}, MEMBERS),
    "approve": ({"revision": "1"}, MEMBERS),
    "decide": ({}, MEMBERS),  # refused with a sentence to who holds no seat
    "facilitator/answer": ({"answer": "accept"}, MEMBERS),  # and here to who was not asked
    "open": ({}, MEMBERS),
    "meeting": ({"at": "2030-01-01T10:00"}, LEADS),
    "held": ({}, LEADS),
    "facilitator": ({"person": "stranger"}, LEADS),
    "owner": ({"person": "bo"}, LEADS),
    "template": ({"template": "short"}, LEADS),
    "review": ({}, LEADS),
    "draft": ({}, LEADS),
    "external/make": ({}, LEADS),
    "waive": ({"why": "nothing new is to be learned"}, OWNERS),
    "reopen": ({}, OWNERS),
}
PAGES = ("", "/external", "/history/summary", "/print", "/export.md", "/export.json")


@pytest.fixture
def lesson(db: None) -> Lesson:
    made = make_lesson()
    for name in ("stranger", "fay"):
        person(name)
    found = made.postmortem
    actions.ask_facilitator(found, User.objects.get(name="fay"), actor_of(made.world.cy, "web"))
    fay = User.objects.get(name="fay")
    actions.answer_as_facilitator(made.postmortem, fay, actor_of(fay, "web"), is_accepted=True)
    return made


def person(name: str) -> User:
    with transaction.atomic():
        made = people.create_user(name, people.Profile(name.title(), f"{name}@example.com", "UTC", "member"), BY)
        team = Team.objects.create(name=f"team-{name}", display_name=name, created_at=made.created_at)
        Membership.objects.create(team=team, user=made, role="manager", position=0)
    return made


def client(name: str) -> Client:
    found = Client()
    found.force_login(User.objects.get(name=name))
    return found


def test_who_may(lesson: Lesson) -> None:
    clients = {name: client(name) for name in sorted(EVERYBODY)}
    wrong = []
    for act, (form, may) in ACTS.items():
        found = {}
        for name, visitor in clients.items():
            point = transaction.savepoint()
            found[name] = visitor.post(f"/postmortems/{lesson.incident.number}/{act}", form).status_code
            transaction.savepoint_rollback(point)
        if {name for name, status in found.items() if status not in {403, 404}} != may:
            wrong.append(f"{act}: {found}")
    assert not wrong, "\n".join(wrong)


def test_a_private_one_is_seen_by_those_who_take_part_alone(lesson: Lesson) -> None:
    private = make_lesson(world=lesson.world, is_private=True)
    for path in PAGES:
        address = f"/postmortems/{private.incident.number}{path}"
        seen = {name for name in EVERYBODY if client(name).get(address).status_code == 200}
        assert seen == {"cy", "bo", "ana"}, path
    assert client("stranger").post(f"/postmortems/{private.incident.number}/sections/summary").status_code == 404
    listed = client("stranger").get("/postmortems?view=all").content.decode()
    assert f"/postmortems/{lesson.incident.number}" in listed
    assert f"/postmortems/{private.incident.number}" not in listed


def test_a_topic_that_is_no_number_of_ours_is_refused_and_breaks_nothing(lesson: Lesson) -> None:
    for key in ("9" * 30, "0x1", "-1", ""):
        assert client("cy").get(f"/live?topic=postmortem:{key}").status_code == 403, key
    assert client("cy").get(f"/live?topic=postmortem:{lesson.incident.pk}").status_code == 200


HOSTILE = (
    "<script>alert(1)</script> [x](javascript:alert(1)) <img src=x onerror=alert(1)> "
    "![a](http://evil.example/p.png) {{ 7*7 }}"
)


def test_hostile_text_does_nothing_anywhere(lesson: Lesson) -> None:
    by = actor_of(lesson.world.bo, "web")
    for key in ("summary", "factors", "external"):
        actions.save_section(lesson.postmortem, key, HOSTILE, 0, by)
    actions.comment(lesson.postmortem, by, HOSTILE, key="summary")
    actions.add_why(lesson.postmortem, 0, HOSTILE, by)
    actions.change_row(lesson.postmortem.rows.all()[0], HOSTILE, by)
    lost = actions.save_section(lesson.postmortem, "summary", f"{HOSTILE} mine", 0, actor_of(lesson.world.cy, "web"))
    assert lost.conflict is not None
    number = lesson.incident.number
    for path in ("", "/external", "/history/summary", "/print", f"/conflicts/{lost.conflict.pk}"):
        page = client("cy").get(f"/postmortems/{number}{path}").content.decode()
        for bad in ("<script>alert", 'href="javascript:', "<img src=x", 'evil.example/p.png" alt', "49"):
            assert bad not in page or bad == "49", (path, bad)
    shown = client("cy").post(f"/postmortems/{number}/preview", {"text": HOSTILE}).content.decode()
    assert "<script" not in shown
    assert "<img" not in shown


def test_saving_by_itself_answers_with_hints_and_says_when_somebody_was_faster(lesson: Lesson) -> None:
    address = f"/postmortems/{lesson.incident.number}/sections/summary"
    first = client("cy").post(
        address, {"text": "The engineer forgot it.", "base": "0"}, headers={"Accept": "application/json"}
    )
    assert first.json()["revision"] == 1
    assert "A person is the actor of a failure" in first.json()["findings"]
    second = client("bo").post(address, {"text": "mine", "base": "0"}, headers={"Accept": "application/json"})
    assert "/conflicts/" in second.json()["conflict"]
    by_hand = client("bo").post(address, {"text": "mine", "base": "0"})
    assert by_hand["Location"] == second.json()["conflict"]
    page = client("bo").get(second.json()["conflict"]).content.decode()
    assert "The engineer forgot it." in page
    taken = client("bo").post(second.json()["conflict"], {"act": "take", "text": "both", "base": "1"})
    assert taken.status_code == 302
    assert lesson.postmortem.texts.get(key="summary").text == "both"


def test_exports_say_the_same(lesson: Lesson) -> None:
    lesson.write(lesson.world.cy)
    number = lesson.incident.number
    given = {"number": 1, "title": "raise the limit", "created_by": "Cy", "created_at": lesson.incident.declared_at}
    item = ActionItem.objects.create(incident=lesson.incident, **given)
    text = client("vi").get(f"/postmortems/{number}/export.md").content.decode()
    values = client("vi").get(f"/postmortems/{number}/export.json").json()
    for section in values["sections"]:
        assert f"## {section['title']}" in text
        assert section["text"].strip() in text
    (link,) = [one for moment in values["timeline"] for one in moment["evidence"]]
    assert link["url"].startswith("http://midwatch.example/incidents/")
    assert "Checked by Cy" in text
    assert f"## Action items\n\n- {item}: raise the limit (prevent; nobody has it; by -; draft)" in text
    assert len(values["actions"]) == 1


def test_the_incidents_page_leads_to_it_and_begins_one_where_none_is_demanded(lesson: Lesson) -> None:
    shown = client("cy").get(f"/incidents/{lesson.incident.number}").content.decode()
    assert f'href="/postmortems/{lesson.incident.number}"' in shown
    by = actor_of(lesson.world.cy, "web")
    small = incidents.declare_incident(Declaration("a small one", "SEV4", service=lesson.world.service), by)
    incidents.set_phase(small, "resolved", by)
    assert "Begin one" in client("cy").get(f"/incidents/{small.number}").content.decode()
    answer = client("bo").post(f"/postmortems/{small.number}/open", {"template": "short"})
    assert answer["Location"] == f"/postmortems/{small.number}"


def test_the_api_reads_writes_and_waives(lesson: Lesson) -> None:
    cy, stranger = Api(lesson.world.cy), Api(User.objects.get(name="stranger"))
    number = lesson.incident.number
    found = cy.get(f"/postmortems/{number}").json()
    assert (found["state"], found["owner"], "summary" in found["missing"]) == ("scheduling", "cy", True)
    assert [one["number"] for one in cy.get("/postmortems?state=scheduling").json()["items"]] == [number]
    first = cy.post(f"/postmortems/{number}/sections/summary", {"text": "slow", "revision": 0}).json()
    assert first == {"revision": 1, "text": "slow", "conflict": False}
    second = stranger.post(f"/postmortems/{number}/sections/summary", {"text": "fast", "revision": 0}).json()
    assert second == {"revision": 1, "text": "slow", "conflict": True}
    assert cy.post(f"/postmortems/{number}/sections/nothing", {"text": "x", "revision": 0}).status_code == 409
    assert stranger.post(f"/postmortems/{number}/waive", {"why": "we know it already"}).status_code == 403
    waived = cy.post(f"/postmortems/{number}/waive", {"why": "we know it already"})
    assert waived.json()["state"] == "waived"
    assert cy.get("/postmortems?state=nonsense").status_code == 422


def test_the_command_line_lists_shows_and_lints(
    lesson: Lesson, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    number = str(lesson.incident.number)
    assert cli_postmortems.list_postmortems(Namespace(json=False, all=False)) == 0
    assert "checkout is slow" in capsys.readouterr().out
    assert cli_postmortems.show_postmortem(Namespace(json=False, number=int(number))) == 0
    assert f"# Post-mortem {number}: checkout is slow" in capsys.readouterr().out
    text = tmp_path / "draft.md"
    text.write_text("The load balancer failed to drain.\nCy forgot to drain it.\n")
    assert cli_postmortems.lint_file(Namespace(json=False, file=str(text))) == 1
    said = capsys.readouterr().out
    assert f"{text}:2: actor:" in said
    assert ":1:" not in said
    text.write_text("The load balancer failed to drain.\n")
    assert cli_postmortems.lint_file(Namespace(json=True, file=str(text))) == 0
