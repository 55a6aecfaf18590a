"""Two installations watch each other: the other's silence is one page here, which resolves when it is back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import transaction

from midwatch import settings as midwatch_settings
from midwatch.core import clock, net
from midwatch.engine import peers
from midwatch.engine.models import Peer
from midwatch.people.models import User
from midwatch.respond.alerts.models import Alert
from stories.phones import PhonesNetwork
from stories.story import Story

URL = "http://other.example:8000"
WELL = {"ready": True, "problems": [], "engine": "ticking", "canary": {"state": "arrived", "age_seconds": 20.0}}


class Other(PhonesNetwork):
    """Phones, and the other installation."""

    body: object = WELL
    is_up = True

    def http(self, request: net.HttpRequest) -> net.HttpAnswer:
        if not request.url.startswith(URL):
            return super().http(request)
        assert request.url == f"{URL}/readyz"
        if not self.is_up:
            raise net.NetError("other.example: connection refused")
        return net.HttpAnswer(200, {}, json.dumps(self.body).encode())


@pytest.fixture
def other(story: Story, monkeypatch: pytest.MonkeyPatch) -> Iterator[Other]:
    monkeypatch.setenv("MIDWATCH_PEER_URL", URL)
    midwatch_settings.settings.cache_clear()
    network = Other()
    story.network = network
    (admin,) = story.phones("root")
    with transaction.atomic():
        User.objects.filter(pk=admin.user.pk).update(role="administrator")
    with net.installed(network):
        yield network


def checks(story: Story, count: int) -> None:
    for _ in range(count):
        clock.forward(timedelta(seconds=30))
        assert peers.check_due() == 1
        assert peers.check_due() == 0
        story.settle()


def test_well_or_not(story: Story, other: Other) -> None:
    checks(story, 3)
    assert not Alert.objects.exists()
    other.is_up = False
    checks(story, 3)
    assert not Alert.objects.exists(), "an upgrade there wakes nobody here"
    checks(story, 1)
    page = story.people["root"].rings_with("other.example:8000 is not well")
    alert = Alert.objects.get()
    assert alert.priority == "P1"
    assert "connection refused" in alert.description
    assert page.kind == "page"
    checks(story, 6)
    assert Alert.objects.count() == 1
    other.is_up = True
    checks(story, 3)
    assert story.alert(alert).status == "firing"
    checks(story, 1)
    assert story.alert(alert).status == "resolved"
    assert Peer.objects.get().problem == ""


def test_one_that_comes_and_goes_is_one_page(story: Story, other: Other) -> None:
    for _ in range(12):
        other.is_up = not other.is_up
        checks(story, 1)
    assert Alert.objects.count() <= 1
    other.is_up = False
    checks(story, 5)
    for _ in range(12):
        other.is_up = not other.is_up
        checks(story, 1)
    assert Alert.objects.count() == 1


def test_it_was_well_and_breaks_again(story: Story, other: Other) -> None:
    for _ in range(2):
        other.is_up = False
        checks(story, 4)
        other.is_up = True
        checks(story, 4)
    assert list(Alert.objects.values_list("status", flat=True)) == ["resolved", "resolved"]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (WELL, ""),
        ({**WELL, "canary": {"state": "off", "age_seconds": None}}, ""),
        ({**WELL, "canary": None}, ""),
        ({**WELL, "engine": "standing still for 90 s"}, "its engine is standing still for 90 s"),
        ({**WELL, "ready": False, "problems": ["the database cannot be reached"]}, "the database cannot be reached"),
        ({**WELL, "hold": {"since": "..."}}, "on hold"),
        ({**WELL, "canary": {"state": "lost", "age_seconds": 400.0, "problem": "the lane"}}, "400.0 s old: the lane"),
        ({**WELL, "canary": {"state": "none yet", "age_seconds": None}}, "none of its canaries has arrived yet"),
        ({**WELL, "canary": {"state": "arrived", "age_seconds": "x"}}, "x s old"),
        ([], "not that of a Midwatch"),
        ({"status": "ok"}, "not that of a Midwatch"),
    ],
)
def test_what_it_says_of_itself(said: object, problem: str) -> None:
    found = peers.judge(said)
    assert problem in found
    assert bool(found) == bool(problem)


def test_an_answer_that_is_no_json(story: Story, other: Other) -> None:
    other.body = "x" * 50_000  # cut in the middle
    assert "not as a Midwatch does" in peers.ask(URL)
