"""An action item as an issue of GitHub or Jira: made once, open and closed together, and what fails is seen and tried again."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from fakes.trackers import GITHUB_TOKEN, JIRA_TOKEN, JIRA_USER, Answer, FakeGitHub, FakeJira
from midwatch.learn.actions import actions
from midwatch.learn.actions.actions import NewItem
from midwatch.learn.actions.models import ActionItem, ItemIssue
from midwatch.respond.incidents import actions as incidents
from midwatch.respond.incidents.actions import Declaration
from midwatch.settings import settings
from stories.story import Phone, Story


@pytest.fixture
def github(story: Story, monkeypatch: pytest.MonkeyPatch) -> FakeGitHub:
    monkeypatch.setenv("MIDWATCH_GITHUB_TOKEN", GITHUB_TOKEN)
    monkeypatch.setenv("MIDWATCH_GITHUB_BASE_URL", "http://github.example")
    settings.cache_clear()
    fake = FakeGitHub()
    story.network.answers["github.example"] = fake.transport
    return fake


@pytest.fixture
def jira(story: Story, monkeypatch: pytest.MonkeyPatch) -> FakeJira:
    monkeypatch.setenv("MIDWATCH_JIRA_BASE_URL", "http://jira.example")
    monkeypatch.setenv("MIDWATCH_JIRA_USER", JIRA_USER)
    monkeypatch.setenv("MIDWATCH_JIRA_TOKEN", JIRA_TOKEN)
    settings.cache_clear()
    fake = FakeJira()
    story.network.answers["jira.example"] = fake.transport
    return fake


@pytest.fixture
def ana(story: Story) -> Phone:
    return story.phones("ana")[0]


def noted(ana: Phone, **more: Any) -> ActionItem:
    return actions.note_item(NewItem("Alert on a full disk", owner=ana.user, description="At 80 %.", **more), ana.actor)


def state(item: ActionItem) -> str:
    return ActionItem.objects.get(pk=item.pk).state


def row() -> ItemIssue:
    return ItemIssue.objects.get()


def test_github_and_the_item_are_open_and_closed_together(story: Story, github: FakeGitHub, ana: Phone) -> None:
    item = noted(ana)
    actions.wish_issue(item, "github", "https://github.com/acme/shop/", ana.actor)
    story.settle()
    (issue,) = github.issues.values()
    assert issue["title"] == f"{item}: Alert on a full disk"
    assert "At 80 %." in issue["body"]
    assert f"/actions/{item.number}" in issue["body"]
    assert (row().title, row().url) == ("acme/shop#12", "https://github.com/acme/shop/issues/12")
    issue["state"] = "closed"
    story.forward(minutes=6)
    assert state(item) == "done"
    assert ActionItem.objects.get().outcome == "closed in GitHub: acme/shop#12"
    actions.reopen_item(item, ana.actor, "it fills again")
    story.settle()
    assert issue["state"] == "open"
    actions.drop_item(item, ana.actor, "the disk is gone")
    story.settle()
    assert (issue["state"], issue["state_reason"]) == ("closed", "not_planned")
    issue["state"] = "open"
    story.forward(hours=2)
    assert state(item) == "open"
    assert len(github.issues) == 1


def test_jira_moves_by_the_projects_own_workflow(story: Story, jira: FakeJira, ana: Phone) -> None:
    item = noted(ana)
    actions.wish_issue(item, "jira", "ops/Bug", ana.actor)
    story.settle()
    assert jira.issues["OPS-7"]["fields"]["issuetype"] == {"name": "Bug"}
    assert row().url == "http://jira.example/browse/OPS-7"
    jira.status["OPS-7"] = "21"
    story.forward(minutes=6)
    assert state(item) == "open"
    actions.finish_item(item, ana.actor, "there is an alert now")
    story.settle()
    assert jira.status["OPS-7"] == "31"
    jira.status["OPS-7"] = "11"
    story.forward(hours=2)
    assert state(item) == "open"


def test_a_workflow_without_a_way_is_named_on_the_item(story: Story, jira: FakeJira, ana: Phone) -> None:
    item = noted(ana)
    actions.wish_issue(item, "jira", "OPS", ana.actor)
    story.settle()
    jira.ways = ["21"]
    actions.finish_item(item, ana.actor, "there is an alert now")
    story.settle()
    assert "no way from here to a status that is done" in row().problem
    assert state(item) == "done"


@pytest.mark.parametrize(
    ("place", "words"), [("OPX", "project: valid project is required"), ("OPS/Story", "Specify a valid issue type")]
)
def test_what_jira_refuses_is_said_in_its_words_and_can_be_set_right(
    story: Story, jira: FakeJira, ana: Phone, place: str, words: str
) -> None:
    item = noted(ana)
    actions.wish_issue(item, "jira", place, ana.actor)
    story.forward(hours=1)
    assert words in row().problem
    assert len(jira.asked) == 1
    actions.wish_issue(item, "jira", "OPS", ana.actor)
    story.settle()
    assert (row().problem, len(jira.issues)) == ("", 1)


@pytest.mark.parametrize("provider", ["github", "jira"])
def test_a_lost_answer_makes_no_second_issue(
    story: Story, github: FakeGitHub, jira: FakeJira, ana: Phone, provider: str
) -> None:
    fake: FakeGitHub | FakeJira = github if provider == "github" else jira
    fake.dies_after = "POST"
    actions.wish_issue(noted(ana), provider, "acme/shop" if provider == "github" else "OPS", ana.actor)
    story.settle()
    assert "the connection was cut" in row().problem
    story.forward(minutes=2)
    assert (row().problem, len(fake.issues)) == ("", 1)
    assert row().url


def test_a_tracker_that_is_down_is_asked_again_and_in_the_end_agreed_with(
    story: Story, github: FakeGitHub, ana: Phone
) -> None:
    item = noted(ana)
    actions.wish_issue(item, "github", "acme/shop", ana.actor)
    story.settle()
    github.is_down = True
    actions.finish_item(item, ana.actor, "there is an alert now")
    story.forward(hours=5)
    assert row().problem == "no answer"
    github.is_down = False
    story.forward(hours=7)
    assert github.issues[12]["state"] == "closed"
    assert row().problem == ""


def test_a_rate_limit_is_kept(story: Story, github: FakeGitHub, ana: Phone) -> None:
    github.fails = Answer(403, {"message": "API rate limit exceeded"}, {"x-ratelimit-remaining": "0"})
    actions.wish_issue(noted(ana), "github", "acme/shop", ana.actor)
    story.settle()
    story.forward(minutes=14)
    assert len(github.asked) == 1
    github.fails = None
    story.forward(minutes=2)
    assert row().url


def test_a_private_incidents_item_stays_here(story: Story, github: FakeGitHub, ana: Phone) -> None:
    incident = incidents.declare_incident(Declaration("keys leaked", "SEV2", is_private=True), ana.actor)
    item = noted(ana, incident=incident)
    with pytest.raises(ValueError, match="private incident"):
        actions.wish_issue(item, "github", "acme/shop", ana.actor)
    story.settle()
    assert github.asked == []


def test_the_page_offers_it_shows_it_and_takes_no_odd_place(story: Story, github: FakeGitHub, ana: Phone) -> None:
    item = noted(ana)
    web = Client()
    with transaction.atomic():
        web.force_login(ana.user)
    page = f"/actions/{item.number}"
    assert "Make an issue" in web.get(page).content.decode()
    assert web.post(f"{page}/issues/github", {"place": "../../etc"}).status_code == 302
    assert not ItemIssue.objects.exists()
    web.post(f"{page}/issues/github", {"place": "acme/shop"})
    story.settle()
    shown = web.get(page).content.decode()
    assert 'href="https://github.com/acme/shop/issues/12"' in shown
    assert "Make an issue" not in shown
    assert "Jira" not in shown
