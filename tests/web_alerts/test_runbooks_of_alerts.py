"""Runbooks where they are wanted: on the alert's page, on the phone's landing page; and one tap about them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import transaction
from django.test import Client

from api_world import BY, World
from midwatch.core import clock
from midwatch.people.models import User
from midwatch.prepare.runbooks.actions.written import save_text
from midwatch.prepare.runbooks.models import Feedback, Runbook
from midwatch.prepare.runbooks.queries.answering import feedback_counts
from midwatch.respond.alerts.models import Alert
from midwatch.respond.notify.models import Delivery, DeliveryKind
from midwatch.respond.notify.tokens import digest_of, token_of

TEXT = """---
title: {title}
isPublic: {public}
alerts: [{{title: "~disk"}}]
options: [{{name: host, label: instance}}]
---
Read **me**.

```sh {{"name": "free", "kind": "copy"}}
ssh ${{option.host}} free
```
"""


def link_of(alert: Alert, user: User) -> str:
    """The address in a page that went to somebody."""
    key, now = f"test/{alert.pk}/{user.pk}", clock.now()
    with transaction.atomic():
        Delivery.objects.create(
            idempotency_key=key, kind=DeliveryKind.PAGE, user=user, contact=user.contact_methods.first(), channel="webhook",
            method_name="hook", alert=alert, context={}, created_at=now, due_at=now, wanted_at=now, state="handed over",
            handed_over_at=now, token_digest=digest_of(token_of(key)),
        )  # fmt: skip
    return f"/p/{token_of(key)}"


@pytest.fixture
def runbooks(world: World) -> list[Runbook]:
    service = world.service
    given = [("open", "true"), ("closed", "false")]
    made = [
        save_text(TEXT.format(title=f"The {name} one", public=public), BY, name=name, service=service)
        for name, public in given
    ]
    link = "---\ntitle: The wiki\nurl: https://wiki.example.com/disk\nalerts: [{title: '~disk'}]\nisPublic: true\n---\n"
    return [*made, save_text(link, BY, name="wiki", service=service)]


def test_the_alert_shows_them_and_takes_one_tap(
    world: World, as_: Callable[[User], Client], runbooks: list[Runbook]
) -> None:
    alert = world.alert()
    client = as_(world.cy)
    page = client.get(f"/alerts/{alert.number}").content.decode()
    assert all(name in page for name in ("The open one", "The closed one", "https://wiki.example.com/disk"))
    for said in ("helped", "wrong"):
        answer = client.post(f"/alerts/{alert.number}/runbook", {"runbook": "open", "said": said}, follow=True)
        assert "Thank you" in answer.content.decode()
    assert feedback_counts(runbooks[0]) == {"wrong": 1}, "the last word counts"
    assert "it was wrong once" in client.get("/runbooks/open").content.decode(), "its owners see it"
    client.post(f"/alerts/{alert.number}/runbook", {"runbook": "open", "said": "dropped"})
    client.post(f"/alerts/{alert.number}/runbook", {"runbook": "gone", "said": "helped"})
    client.post(f"/alerts/{alert.number}/runbook", {"said": "helped"})
    assert Feedback.objects.count() == 1
    other = world.alert("something else")
    assert "No runbook answers this alert." in client.get(f"/alerts/{other.number}").content.decode()
    client.post(f"/alerts/{other.number}/runbook", {"said": "missing"})
    assert "You said that one is missing." in client.get(f"/alerts/{other.number}").content.decode()


def test_without_a_log_in_only_public_ones_are_read(world: World, runbooks: list[Runbook]) -> None:
    alert = world.alert()
    Alert.objects.filter(pk=alert.pk).update(labels={"instance": "db 1; rm"})
    phone = Client(enforce_csrf_checks=True)
    link = link_of(alert, world.cy)
    page = phone.get(link).content.decode()
    assert page.count("Read <strong>me</strong>.") == 1
    assert "ssh &#x27;db 1; rm&#x27; free" in page
    assert "The closed one" in page
    assert "/runbooks/closed" in page
    assert 'href="https://wiki.example.com/disk"' in page
    answer = phone.post(link, {"action": "helped", "runbook": "closed"}).content.decode()
    assert "Thank you: it helped." in answer
    assert "You said: it helped." in answer
    assert Feedback.objects.get().user_id == world.cy.pk
    assert "not there any more" in phone.post(link, {"action": "wrong", "runbook": "gone"}).content.decode()
