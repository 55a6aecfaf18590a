"""R2 with Slack: declared, and the channel is there; Slack down, and nothing of the incident waits for it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, cast

import pytest
from django.db import transaction
from django.http import HttpResponse
from django.test import Client

from fakes.slack import SECRET, TOKEN, Workspace
from midwatch.core import clock
from midwatch.people.models import User
from midwatch.respond.incidents import actions
from midwatch.respond.incidents.actions import Composed, Declaration
from midwatch.respond.incidents.duties import CM
from midwatch.respond.incidents.models import Channel, Entry, Incident, Lesson, Star
from midwatch.respond.incidents.queries import commander_of
from midwatch.settings import settings
from stories.story import Phone, Story


@pytest.fixture
def slack(story: Story, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("MIDWATCH_SLACK_BOT_TOKEN", TOKEN)
    monkeypatch.setenv("MIDWATCH_SLACK_BASE_URL", "http://slack.example/api")
    monkeypatch.setenv("MIDWATCH_SLACK_SIGNING_SECRET", SECRET)
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


# --- what people say there


def posted(slack: Workspace, body: bytes, secret: str = "") -> HttpResponse:
    """A signed request, as Slack makes it."""
    headers = slack.signed(body, int(clock.now().timestamp()), secret)
    answer = Client().post("/hooks/slack/chat", body, content_type="application/x-www-form-urlencoded", headers=headers)
    return cast(HttpResponse, answer)


def answered(slack: Workspace, who: str, text: str) -> str:
    found = posted(slack, slack.command(f"U{who.upper()}", text))
    assert found.status_code == 200
    return str(json.loads(found.content)["text"]) if found.content else ""


def test_the_same_few_commands_work_in_slack(story: Story, slack: Workspace) -> None:
    ana, ben, _ = team(story)
    alert = story.fires("payments", "disk <!channel> full")
    ana.rings_with("disk")
    assert f"{alert} P1 firing disk &lt;!channel&gt; full" in answered(slack, "ana", "list")
    assert "Ana" in answered(slack, "ana", f"ack {alert.number}")
    alert.refresh_from_db()
    assert (alert.status, alert.acknowledged_by) == ("acknowledged", ana.user)
    assert "is no command" in answered(slack, "ana", "explode")
    assert "is declared" in answered(slack, "cy", "declare sev2 the till is down")
    assert Incident.objects.get().severity == "SEV2"
    assert "pages user Ben" in answered(slack, "ana", "page ben come and look")
    story.settle()
    ben.rings_with("come and look")


def test_who_is_unknown_gets_a_sentence_and_nothing_happens(story: Story, slack: Workspace) -> None:
    ana, *_ = team(story)
    slack.person("eva")
    slack.person("guest", profile={"email": "ana@example.com"}, is_restricted=True)
    alert = story.fires()
    for who in ("eva", "guest", "nobody"):
        assert "does not know you" in answered(slack, who, f"ack {alert.number}")
    with transaction.atomic():
        User.objects.filter(pk=ana.user.pk).update(role="viewer")
    assert "viewer" in answered(slack, "ana", f"ack {alert.number}")
    assert "viewer" in answered(slack, "ana", "declare SEV1 x")
    assert "viewer" in answered(slack, "ana", "declare")
    assert "viewer" in answered(slack, "ana", "page ben x")
    alert.refresh_from_db()
    assert alert.status == "firing"
    assert not Incident.objects.exists()


def test_a_request_that_is_not_signed_is_refused(story: Story, slack: Workspace) -> None:
    team(story)
    alert = story.fires()
    body = slack.command("UANA", f"ack {alert.number}")
    assert posted(slack, body, "another").status_code == 403
    assert Client().post("/hooks/slack/chat", body, content_type="text/plain").status_code == 403
    assert posted(slack, b"x=1").status_code == 400
    assert Client().get("/hooks/slack/chat").status_code == 405
    assert Client().post("/hooks/nothing/chat").status_code == 404
    assert not [name for name, _ in slack.calls]
    alert.refresh_from_db()
    assert alert.status == "firing"


def test_declare_without_words_opens_a_form(story: Story, slack: Workspace) -> None:
    team(story)
    service = story.service()
    assert answered(slack, "ana", "declare the till is down") == ""
    (view,) = slack.views
    filled: dict[str, Any] = {"title": {"value": ""}, "severity": {"selected_option": {"value": "SEV1"}}}
    refused = posted(slack, slack.submit("UANA", view, filled))
    assert json.loads(refused.content)["errors"]["title"].startswith("give a title")
    filled |= {
        "title": {"value": "the till is down"},
        "service": {"selected_option": {"value": service.name}},
        "private": {"selected_option": {"value": "yes"}},
    }
    assert posted(slack, slack.submit("UANA", view, filled)).content == b""
    incident = Incident.objects.get()
    assert (incident.severity, incident.is_private, incident.service) == ("SEV1", True, service)
    assert "is declared" in slack.whispers[-1]["text"]


def test_i_take_it_and_hand_over(story: Story, slack: Workspace) -> None:
    ana, ben, cy = team(story)
    alert = story.fires("payments", "checkout is down")
    incident = actions.declare_incident(Declaration("checkout is down", "SEV1", alert=alert), cy.actor)
    story.settle()
    room = slack.channel("inc-1-checkout-is-down").id
    posted(slack, slack.press("UBEN", "midwatch-take", "1", room))
    story.settle()
    assert commander_of(incident) == ben.user
    posted(slack, slack.press("UCY", "midwatch-take", "1", room))
    assert "Ben leads incident 1" in slack.whispers[-1]["text"]
    posted(slack, slack.press("UCY", "midwatch-hand-over", "1", room))
    posted(slack, slack.press("UBEN", "midwatch-hand-over", "1", room))
    view = slack.views[-1]
    filled = {"person": {"selected_user": "UANA"}, "role": {"selected_option": {"value": "ic"}}}
    stolen = posted(slack, slack.submit("UCY", view, filled))
    assert "errors" in json.loads(stolen.content)
    assert posted(slack, slack.submit("UBEN", view, filled)).content == b""
    assert commander_of(incident) == ben.user
    posted(slack, slack.press("UANA", "midwatch-take", "1", room))
    story.settle()
    assert commander_of(incident) == ana.user
    assert slack.channels[room].topic.split(" · ")[2] == "IC Ana"


def test_a_private_incident_is_none_of_a_strangers_business(story: Story, slack: Workspace) -> None:
    ana, _, _ = team(story)
    incident = declared(story, ana, is_private=True)
    for act in ("midwatch-take", "midwatch-hand-over"):
        posted(slack, slack.press("UCY", act, str(incident.number)))
        assert "none of yours" in slack.whispers[-1]["text"]
    assert slack.views == []


def test_a_message_that_matters_gets_a_star_on_the_timeline(story: Story, slack: Workspace) -> None:
    ana, *_ = team(story)
    incident = declared(story, ana)
    room = slack.channel("inc-1-checkout-is-down").id
    posted(slack, slack.shortcut("UCY", "midwatch-star", "we rolled back &amp; wait", room))
    entry = Entry.objects.get(incident=incident, kind="note")
    assert (entry.text, entry.user_id) == ("we rolled back & wait", User.objects.get(name="cy").pk)
    assert Star.objects.filter(entry=entry).exists()
    posted(slack, slack.shortcut("UCY", "midwatch-star", "elsewhere", "C99"))
    assert "no incident of yours" in slack.whispers[-1]["text"]


def test_slack_that_does_not_say_who_it_is_changes_nothing(story: Story, slack: Workspace) -> None:
    team(story)
    alert = story.fires()
    slack.breaks["users.info"] = "internal_error"
    found = posted(slack, slack.command("UANA", f"ack {alert.number}"))
    assert b"Use Midwatch itself" in found.content
    alert.refresh_from_db()
    assert alert.status == "firing"
