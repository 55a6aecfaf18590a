"""R2 with Slack: declared, and the channel is there; Slack down, and nothing of the incident waits for it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from fakes.slack import TOKEN, Workspace
from midwatch.core import clock
from midwatch.respond.incidents import actions
from midwatch.respond.incidents.actions import Composed, Declaration
from midwatch.respond.incidents.duties import CM
from midwatch.respond.incidents.models import Channel, Entry, Incident, Lesson
from midwatch.settings import settings
from stories.story import Phone, Story


@pytest.fixture
def slack(story: Story, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("MIDWATCH_SLACK_BOT_TOKEN", TOKEN)
    monkeypatch.setenv("MIDWATCH_SLACK_BASE_URL", "http://slack.example/api")
    settings.cache_clear()
    workspace = Workspace()
    for name in ("ana", "ben", "cy"):
        workspace.person(name)
    story.network.answers["slack.example"] = workspace.transport
    return workspace


def declared(story: Story, phone: Phone, **more: object) -> Incident:
    wanted = Declaration("checkout is down", "SEV1", service=story.service(), **more)  # type: ignore[arg-type]
    incident = actions.declare_incident(wanted, phone.actor)
    story.settle()
    return incident


def team(story: Story) -> list[Phone]:
    phones = story.phones("ana", "ben", "cy")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    return phones


def said(incident: Incident) -> list[str]:
    return list(Entry.objects.filter(incident=incident, kind="channel").order_by("id").values_list("text", flat=True))


def test_an_incident_has_its_channel_and_the_channel_shows_how_it_stands(story: Story, slack: Workspace) -> None:
    ana, ben, cy = team(story)
    incident = declared(story, ana)
    made = slack.channel("inc-1-checkout-is-down")
    assert made.members == {"UBOT", "UANA"}
    assert said(incident) == ["Slack channel: #inc-1-checkout-is-down"]
    actions.assign_role(incident, CM, cy.user, ana.actor)
    story.settle()
    assert made.members == {"UBOT", "UANA", "UCY"}
    assert made.topic == "SEV1 · detected · IC Ana · CM Cy · next update 02:05 UTC"
    offer = actions.offer_role(incident, "ic", ben.user, ana.actor)
    actions.answer_offer(offer, ben.actor, is_accepted=True)
    actions.change_severity(incident, "SEV2", ben.actor)
    actions.rename(incident, ben.actor, title="checkout is slow")
    story.settle()
    assert made.topic.startswith("SEV2 · detected · IC Ben · CM Cy")
    assert "checkout is slow" in str(made.messages)
    soon = clock.now() + timedelta(minutes=7)
    said_now = Composed("investigating", "We look.", targets=("stakeholders",), next_at=soon)
    actions.compose_update(incident, said_now, cy.actor)
    story.settle()
    assert made.topic.endswith("next update 02:07 UTC")
    for phase in ("mitigated", "resolved"):
        actions.set_phase(incident, phase, ben.actor)
    actions.clients_checked(incident, ben.actor)
    actions.set_lesson(incident, Lesson.WAIVED, ben.actor, why="known")
    actions.close_incident(incident, ben.actor)
    story.settle()
    assert made.is_archived
    assert (len(made.messages), len(made.pins)) == (1, 1)
    assert Channel.objects.get(incident=incident).state == "archived"


def test_slack_is_down_and_the_incident_goes_on(story: Story, slack: Workspace) -> None:
    ana, *_ = team(story)
    slack.token = "xoxb-2-disconnected"
    incident = declared(story, ana)
    assert said(incident) == ["Slack channel: the connection was cut (will be tried again)"]
    row = Channel.objects.get(incident=incident)
    assert (row.state, row.attempts, row.problem) == ("waiting", 1, "the connection was cut")
    actions.set_phase(incident, "mitigated", ana.actor)
    story.forward(minutes=2)
    assert len(said(incident)) == 1
    slack.token = TOKEN
    story.forward(minutes=5)
    assert said(incident)[1:] == ["Slack channel: #inc-1-checkout-is-down"]


def test_a_limit_that_slack_names_is_kept(story: Story, slack: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    ana, *_ = team(story)
    monkeypatch.setenv("MIDWATCH_SLACK_BOT_TOKEN", "xoxb-3-ratelimited")
    settings.cache_clear()
    incident = declared(story, ana)
    story.forward(seconds=29)
    assert len(slack.calls) == 1
    monkeypatch.setenv("MIDWATCH_SLACK_BOT_TOKEN", TOKEN)
    settings.cache_clear()
    story.forward(seconds=2)
    assert len(said(incident)) == 2


def test_a_wrong_token_is_not_tried_again_until_something_changes(
    story: Story, slack: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, *_ = team(story)
    slack.token = "xoxb-new"
    incident = declared(story, ana)
    assert "invalid_auth" not in said(incident)[0]
    assert said(incident)[0].endswith("(given up)")
    story.forward(hours=1)
    assert len(slack.calls) == 1
    slack.token = TOKEN
    actions.change_severity(incident, "SEV2", ana.actor)
    story.settle()
    assert Channel.objects.get(incident=incident).state == "ready"


def test_what_changes_while_slack_is_being_told_is_told_too(story: Story, slack: Workspace) -> None:
    """The wish is read before the requests; a change between them would be lost if the end of the errand cleared it."""
    ana, *_ = team(story)
    incident = declared(story, ana)

    def slow(request: object) -> object:
        story.network.answers["slack.example"] = slack.transport
        with transaction.atomic():
            Incident.objects.filter(pk=incident.pk).update(title="the till is down")
            clock.freeze(clock.now() + timedelta(seconds=1))
            actions.refresh_channels(incident)
        return slack.transport(request)  # type: ignore[arg-type]

    story.network.answers["slack.example"] = slow  # type: ignore[assignment]
    actions.change_severity(incident, "SEV2", ana.actor)
    story.settle()
    assert "the till is down" in str(slack.channel("inc-1-checkout-is-down").messages)


def test_a_private_incident_has_a_private_channel(story: Story, slack: Workspace) -> None:
    ana, *_ = team(story)
    incident = declared(story, ana, is_private=True)
    assert slack.channel(f"inc-{incident.number}-checkout-is-down").is_private
