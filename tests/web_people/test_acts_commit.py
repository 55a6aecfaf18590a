"""Every act of these screens writes inside a transaction: outside the test's own one, the database refuses anything else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import transaction
from django.test import Client

from api_world import BY, make_world
from midwatch.core.models import AuditEntry
from midwatch.people import actions
from midwatch.people.models import ApiToken, ContactMethod, User
from midwatch.respond.notify.models import Delivery

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("noon")]
RULE = {"high-TOTAL_FORMS": "1", "high-INITIAL_FORMS": "0", "high-0-contact": "push", "high-0-after": "0s"}
RULES = {**RULE, "low-TOTAL_FORMS": "0", "low-INITIAL_FORMS": "0", "repeat_after": "5m"}
MEMBERS = {"member-TOTAL_FORMS": "1", "member-INITIAL_FORMS": "0", "member-0-user": "bo", "member-0-role": "manager"}


def test_every_act() -> None:
    world = make_world()

    def as_(user: User) -> Client:
        client = Client()
        user.refresh_from_db()
        with transaction.atomic():
            client.force_login(user)
        return client

    admin, cy = as_(world.ana), as_(world.cy)
    actions.set_contacts_from_code(world.bo, [], BY)
    actions.release_contacts(world.bo, BY)

    def done(client: Client, path: str, data: dict[str, str] | None = None, status: int = 302) -> None:
        before = AuditEntry.objects.count()
        answer = client.post(path, data or {})
        assert answer.status_code == status, (path, answer.content.decode()[:1_000])
        assert AuditEntry.objects.count() > before, f"{path} stands not in the audit log"

    own = "/settings/people/cy"
    acts: list[tuple[Client, str, dict[str, str]]] = [
        (cy, f"{own}/contacts", {"type": "ntfy", "address": "https://ntfy.example.com/cy", "name": "push"}),
        (cy, f"{own}/contacts/push/test", {}),
        (cy, f"{own}/contacts/push/confirm", {}),
        (cy, f"{own}/contacts/push", {"address": "https://ntfy.example.com/cy2"}),
        (cy, f"{own}/contacts/push/turn", {}),
        (cy, f"{own}/contacts/push/turn", {}),
        (cy, f"{own}/rules", RULES),
        (cy, f"{own}/rules/usual", {}),
        (cy, f"{own}/notify-on", {"at_start": "on"}),
        (cy, f"{own}/about", {"display_name": "Cy B", "time_zone": "UTC"}),
        (cy, f"{own}/shortcuts", {}),
        (cy, f"{own}/contacts/push/remove", {}),
        (cy, f"{own}/access/sign-out", {}),
        (admin, "/settings/teams/payments/test", {}),
        (admin, "/settings/teams/payments/edit", {**MEMBERS, "display_name": "Pay", "mode": "live"}),
        (admin, "/settings/new-team", {"display_name": "Night", "mode": "shadow"}),
        (admin, "/settings/teams/night/delete", {}),
        (admin, f"{own}/access/deactivate", {"force": "1"}),
        (admin, f"{own}/access/activate", {}),
        (admin, "/welcome/team", {"display_name": "Ops", "unit": "days", "weekday": "0", "hour": "9"}),
        (admin, "/welcome/source", {"team": "ops", "service": "Web", "type": "generic"}),
        (admin, "/welcome/check", {"source": "web-generic"}),
    ]
    for client, path, data in acts:
        if path.endswith("/confirm"):
            with transaction.atomic():
                Delivery.objects.filter(user=world.cy).update(state="handed over")
        done(client, path, data)
    done(as_(world.cy), f"{own}/access/tokens", {"label": "x", "days": ""}, 200)
    done(admin, f"/settings/tokens/{ApiToken.objects.get().pk}/revoke")
    done(admin, f"{own}/access/link", status=200)
    person = {"display_name": "Dana", "time_zone": "UTC", "role": "viewer", "team": "ops"}
    done(admin, "/settings/new-person", person, 200)
    assert not ContactMethod.objects.filter(name="push").exists()


def test_a_session_that_ended_elsewhere_is_forgotten_without_a_fault() -> None:
    world = make_world()
    client = Client()
    with transaction.atomic():
        client.force_login(world.cy)
    actions.sign_out_everywhere(world.cy, BY)
    part: Callable[..., object] = client.get
    answer = part("/profile", headers={"HX-Request-Type": "partial"})
    assert answer.status_code == 204  # type: ignore[attr-defined]
    assert answer["HX-Redirect"] == "/login"  # type: ignore[index]
