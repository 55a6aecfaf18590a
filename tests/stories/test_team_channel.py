"""A team reads along in Slack: one message an alert, edited as it goes on; and no page ever waits for it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from fakes.slack import SECRET, TOKEN, FakeChannel, Workspace
from midwatch.core import clock
from midwatch.core.actor import ENGINE
from midwatch.people.models import Membership
from midwatch.respond.alerts.actions import resolve_alert
from midwatch.respond.escalation.actions import team_channels
from midwatch.respond.escalation.actions.team_channels import POSTS_A_MINUTE, choose_channel, watch_channels
from midwatch.respond.escalation.checks import team_channels_work
from midwatch.respond.escalation.models import TeamChannel, TeamPost
from midwatch.settings import settings
from stories.story import Story


@pytest.fixture
def slack(story: Story, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("MIDWATCH_SLACK_BOT_TOKEN", TOKEN)
    monkeypatch.setenv("MIDWATCH_SLACK_BASE_URL", "http://slack.example/api")
    monkeypatch.setenv("MIDWATCH_SLACK_SIGNING_SECRET", SECRET)
    settings.cache_clear()
    workspace = Workspace()
    for name in ("ana", "ben"):
        workspace.person(name)
    story.network.answers["slack.example"] = workspace.transport
    return workspace


@pytest.fixture
def room(story: Story, slack: Workspace) -> FakeChannel:
    story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    made = slack.opened("payments-alerts")
    choose_channel(story.service().team, "slack", made.id, ENGINE)
    return made


def said(room: FakeChannel) -> list[str]:
    return [str(one["blocks"][0]["text"]["text"]) for one in room.messages.values()]


def buttons(room: FakeChannel, at: int = 0) -> list[str]:
    blocks = list(room.messages.values())[at]["blocks"]
    return [one["text"]["text"] for block in blocks[1:] for one in block["elements"]]


def press(slack: Workspace, user: str, action: str, number: int, room: FakeChannel) -> None:
    body = slack.press(user, action, str(number), room.id)
    headers = slack.signed(body, int(clock.now().timestamp()))
    kind = "application/x-www-form-urlencoded"
    answer = Client(headers=headers).post("/hooks/slack/chat", data=body, content_type=kind)
    assert answer.status_code == 200


def test_an_alert_is_one_message_edited_as_it_goes_on(story: Story, slack: Workspace, room: FakeChannel) -> None:
    alert = story.fires(title="disk <!here> full")
    story.forward(seconds=2)
    assert len(said(room)) == 1
    assert "#1 Checkout: disk &lt;!here&gt; full" in said(room)[0]
    assert said(room)[0].endswith("Firing; paged: Ana")
    assert buttons(room) == ["Acknowledge", "Resolve"]
    story.forward(minutes=6)
    assert said(room)[0].endswith("Firing; nobody answered: Ana, Ben")  # escalated, to the end
    press(slack, "UBEN", "midwatch-acknowledge", 1, room)
    story.forward(seconds=2)
    assert "Acknowledged by Ben at 02:06 UTC" in said(room)[0]
    assert buttons(room) == ["Resolve"]
    press(slack, "UBEN", "midwatch-resolve", 1, room)
    story.forward(seconds=2)
    assert "Resolved by Ben" in said(room)[0]
    assert buttons(room) == []
    assert story.alert(alert).resolved_by == story.alert(alert).acknowledged_by
    assert (len(room.messages), len(slack.asked("chat.postMessage"))) == (1, 1)


def test_a_stranger_presses_and_nothing_happens(story: Story, slack: Workspace, room: FakeChannel) -> None:
    slack.person("mallory", team_id="T2")
    alert = story.fires(title="disk full")
    story.forward(seconds=2)
    press(slack, "UMALLORY", "midwatch-resolve", 1, room)
    assert story.alert(alert).status == "firing"


def test_what_another_team_has_is_not_shown(story: Story, slack: Workspace, room: FakeChannel) -> None:
    other = story.team("other", "ben")
    with transaction.atomic():
        TeamChannel.objects.update(team=other)
    story.fires(title="disk full")
    story.forward(seconds=5)
    assert said(room) == []


def test_a_storm_is_few_messages(story: Story, slack: Workspace, room: FakeChannel) -> None:
    for number in range(POSTS_A_MINUTE + 25):
        story.arrives(story.source(), {"title": f"host {number} is down", "priority": "P1"})
    story.forward(seconds=5)
    assert len(said(room)) == POSTS_A_MINUTE + 1
    assert f"{25} more alerts of " in said(room)[-1]
    story.arrives(story.source(), {"title": "one more", "priority": "P1"})
    story.forward(seconds=3)
    assert len(said(room)) == POSTS_A_MINUTE + 1
    assert "26 more alerts of " in said(room)[-1]


def test_slack_is_down_and_the_pages_go_out(story: Story, slack: Workspace, room: FakeChannel) -> None:
    slack.token = "xoxb-2-disconnected"
    alert = story.fires(title="disk full")
    story.forward(seconds=2)
    assert story.called(alert) == {"ana"}
    assert said(room) == []
    assert team_channels_work().state == "warning"
    slack.token = TOKEN
    story.forward(minutes=2)
    assert len(said(room)) == 1
    assert team_channels_work().state == "ok"


def test_a_channel_that_is_gone_is_named_and_asked_again_only_with_the_next_news(
    story: Story, slack: Workspace, room: FakeChannel
) -> None:
    del slack.channels[room.id]
    alert = story.fires(title="disk full")
    story.forward(minutes=30)
    asked = len(slack.calls)
    assert 0 < asked <= 20
    assert "the channel is gone" in TeamChannel.objects.get().problem
    resolve_alert(alert, ENGINE)
    story.forward(minutes=1)
    assert len(slack.calls) == asked + 1


def test_a_crash_between_the_message_and_its_receipt_posts_no_second_one(
    story: Story, slack: Workspace, room: FakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def dies(*_: Any, **__: Any) -> bool:
        raise Killed

    with monkeypatch.context() as cut:
        cut.setattr(team_channels.errands, "finish", dies)
        with pytest.raises(Killed):
            story.fires(title="disk full")
    assert len(said(room)) == 1
    story.forward(minutes=3)
    assert (len(said(room)), TeamPost.objects.get().due_at) == (1, None)


def test_who_begins_a_shift_is_said(story: Story, slack: Workspace, room: FakeChannel) -> None:
    story.schedule("payments-primary", "ana", "ben", unit="days", start="2026-03-02T08:00")
    story.forward(hours=24)
    shifts = [one for one in said(room) if "On call for payments-primary now" in one]
    assert shifts == [
        f"*<{settings().base_url}/oncall|On call for payments-primary now: Ben until Wed 04 Mar 08:00 UTC>*"
    ]


def test_without_a_channel_nothing_is_asked_but_whether_there_is_one(story: Story) -> None:
    story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.fires(title="disk full")
    watch_channels()
    with CaptureQueriesContext(connection) as asked:
        assert watch_channels() == 0
    assert len(asked) == 1


def test_members_choose_their_channel_on_the_page_of_the_team(story: Story, slack: Workspace) -> None:
    ana, *_ = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m")])
    team = story.service().team
    web = Client()
    with transaction.atomic():
        Membership.objects.get_or_create(team=team, user=ana.user)
        web.force_login(ana.user)
    address = f"/settings/teams/{team.name}/channels/slack"
    assert web.post(address, {"place": "two words"}).status_code == 302
    assert not TeamChannel.objects.exists()
    web.post(address, {"place": "Payments-Alerts", "shifts": "yes"})
    assert TeamChannel.objects.get().place == "#payments-alerts"
    page = web.get(f"/settings/teams/{team.name}").content.decode()
    assert "#payments-alerts" in page
    web.post(address, {"place": ""})
    assert not TeamChannel.objects.exists()
