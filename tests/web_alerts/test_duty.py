"""The organisation's duty schedule: chosen by administrators, paged first when nobody was reached."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.test import Client

from midwatch.core import clock
from midwatch.people.models import Team, User
from midwatch.respond.escalation.queries import duty_schedule
from midwatch.respond.oncall.models import Schedule


def _somebody(name: str, role: str) -> User:
    with transaction.atomic():
        return User.objects.create(name=name, display_name=name, role=role, password="!", created_at=clock.now())


@pytest.mark.django_db
def test_only_administrators_choose_it() -> None:
    with transaction.atomic():
        team = Team.objects.create(name="ops", display_name="Ops", created_at=clock.now())
        schedule = Schedule.objects.create(name="duty", team=team, created_at=clock.now())
    client = Client(headers={"host": "midwatch.example"})
    client.force_login(_somebody("mo", "member"))
    assert client.post("/policies/duty", {"schedule": "duty"}).status_code == 403
    assert duty_schedule() is None
    client.force_login(_somebody("ada", "administrator"))
    assert client.post("/policies/duty", {"schedule": "duty"}).status_code == 302
    assert duty_schedule() == schedule
    assert "The duty schedule duty is paged" in client.get("/policies").content.decode()
    client.post("/policies/duty", {"schedule": ""})
    assert duty_schedule() is None
