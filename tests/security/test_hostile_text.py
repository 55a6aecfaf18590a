"""Markup in every field that somebody or something fills, on every page: it is shown, and it is never markup."""

from __future__ import annotations

import copy
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from django.apps import apps
from django.db import models, transaction
from django.test import Client
from doors import Doors, web_addresses

from api_world import BY
from midwatch.catalog.models import ChangeEvent
from midwatch.core import audit, clock
from midwatch.core.integration import Message, MessageAlert
from midwatch.integrations.email.channel import compose
from midwatch.people.actions import create_token
from midwatch.respond.alerts.actions import acknowledge_alert, add_note, start_maintenance
from midwatch.respond.alerts.models import Alert, SourceProblem, TimelineEntry
from midwatch.respond.escalation.actions import start
from midwatch.respond.notify.models import Delivery
from midwatch.respond.notify.tokens import digest_of, token_of
from midwatch.respond.oncall.actions import create_override

EVIL = "\"'><xevil onevil=1>{{7*7}}</title></script></textarea></style>"
LINK = "javascript:alert('xevil')"
# Words that choose a path through our code; whoever could write them could do anything already.
OURS = {
    "name", "type", "key", "previous_key", "digest", "password", "time_zone", "kind", "receipt", "channel", "start",
    "end", "priority", "idempotency_key", "token_digest", "epoch", "event_token", "secret_directory", "owner", "via",
    "role", "status", "impact", "old_status", "new_status", "wire_id", "stage", "provider", "state", "access_digest",
    "template_name", "sha256", "text_digest", "step",
}  # fmt: skip
PARSED = {("Revision", "body")}  # executions are made from what it says, and it is never changed
NAMES_THAT_ARE_TEXT = {"ApiToken", "Layer", "PolicyStep", "Node"}
HOSTILE_JSON: dict[str, Any] = {
    "labels": {EVIL: EVIL, "severity": EVIL},
    "links": [{"href": LINK, "url": LINK, "text": EVIL, "title": EVIL}, {"href": f"https://e.example/{EVIL}", "text": EVIL}],
    "detail": {EVIL: EVIL, "text": EVIL},
    "details": {EVIL: EVIL},
    "priorities": {EVIL: "P1"},
    "group_by": [EVIL],
    "matchers": [{"service": EVIL, "labels": {EVIL: EVIL}, "title": EVIL}],
    "scenarios": [EVIL],
    "rendered": {"body": EVIL, "language": EVIL, "variables": {EVIL: EVIL}, "secrets": {EVIL: EVIL}, "targets": [EVIL]},
    "targets": {EVIL: EVIL},
}  # fmt: skip


def fill_with_evil() -> None:
    for model in apps.get_models():
        if not model.__module__.startswith("midwatch."):
            continue
        values: dict[str, Any] = {}
        for field in model._meta.fields:
            is_ours = field.name in OURS and not (field.name == "name" and model.__name__ in NAMES_THAT_ARE_TEXT)
            if isinstance(field, models.JSONField):
                if field.name in HOSTILE_JSON:
                    values[field.name] = HOSTILE_JSON[field.name]
            elif (model.__name__, field.name) in PARSED:
                continue
            elif isinstance(field, models.CharField | models.TextField) and not field.choices and not is_ours:
                values[field.name] = EVIL[: field.max_length or 1_000]
        if values and model.__name__ not in {"LoginFailures", "AccessLink", "Applied"}:
            with transaction.atomic():
                model._default_manager.update(**values)


class Elements(HTMLParser):
    """Everything that a browser would make of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if "xevil" in tag:
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            if name.startswith("on") or "xevil" in name:
                self.found.append(f"<{tag} {name}=...>")
            if name in {"href", "src", "action", "formaction"} and (value or "").strip().lower().startswith(
                "javascript:"
            ):
                self.found.append(f"<{tag} {name}={value}>")
            if name == "style":
                self.found.append(f"<{tag} style=...> is not allowed by our Content-Security-Policy")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def harm_in(page: str) -> list[str]:
    elements = Elements()
    elements.feed(page)
    elements.close()
    return elements.found


@pytest.fixture
def evil(doors: Doors) -> Doors:
    world, now = doors.world, clock.now()
    alert = Alert.objects.get()
    with transaction.atomic():
        Alert.objects.update(source=world.source)
        start([(alert, None)])
        SourceProblem.objects.create(source=world.source, at=now, kind="parser", reason="x")
        ChangeEvent.objects.create(
            service=world.service, at=now, received_at=now, summary="x", origin="x", links=[], details={}
        )
        audit.record(BY, "x", "user", "cy", {"name": "x"})
    add_note(alert, BY, "note")
    acknowledge_alert(alert, BY)
    start_maintenance(world.service, BY, starts_at=now, ends_at=now + timedelta(hours=1), reason="x")
    create_override(
        world.schedule, BY, starts_at=now, ends_at=now + timedelta(hours=1), kind="replace", user=world.bo, reason="x"
    )
    create_token(world.cy, "x", BY)
    resolved = world.alert("before")
    Alert.objects.filter(pk=resolved.pk).update(status="resolved", resolved_at=now, acknowledged_by=world.bo)
    fill_with_evil()
    return doors


@pytest.mark.parametrize("who", ["ana", "vi"])
def test_no_page_of_the_web(evil: Doors, who: str) -> None:
    harm: list[str] = []
    shown = 0
    for address in web_addresses():
        for headers in ({}, {"HX-Request": "true", "HX-Request-Type": "partial"}):
            answer = evil.clients[who].get(address.path, headers=headers)
            if answer.status_code in {200, 403, 404, 422} and "html" in answer.headers["Content-Type"]:
                text = answer.content.decode()
                harm += [f"{address.path}: {one}" for one in harm_in(text)]
                shown += "xevil" in text
    assert not harm, "\n".join(sorted(set(harm)))
    assert shown > 20, "the text is shown, or this test looks at nothing"
    assert TimelineEntry.objects.filter(text__contains="xevil").exists()


def test_no_form_that_comes_back(evil: Doors) -> None:
    """What was typed stands in the fields again, and in the sentence that says what is wrong with it."""
    fields = (
        "title", "name", "display_name", "email", "description", "reason", "address", "q", "next", "username", "code",
        "key", "link_0", "team", "time_zone", "user", "type", "steps", "step-0-after", "layer-0-name", "label",
    )  # fmt: skip
    typed = dict.fromkeys(fields, EVIL) | {"step-TOTAL_FORMS": "1", "step-INITIAL_FORMS": "0"}
    typed |= {"layer-TOTAL_FORMS": "1", "layer-INITIAL_FORMS": "0"}
    harm: list[str] = []
    for address in web_addresses():
        client = evil.clients["ana"]
        cookies, point = copy.deepcopy(client.cookies), transaction.savepoint()
        answer = client.post(address.path, typed)
        transaction.savepoint_rollback(point)
        client.cookies = cookies
        assert answer.status_code < 500, address.path
        assert "evil" not in answer.headers.get("Location", "") or answer["Location"].startswith("/"), address.path
        if "html" in answer.headers.get("Content-Type", ""):
            harm += [f"{address.path}: {one}" for one in harm_in(answer.content.decode())]
    for path in ("/alerts", "/services", "/settings/people", "/settings/audit", "/oncall", "/page", "/login", "/"):
        answer = evil.clients["ana"].get(path, dict.fromkeys((*fields, "cursor", "view", "service", "kind"), EVIL))
        assert answer.status_code < 500, path
        harm += [f"{path}: {one}" for one in harm_in(answer.content.decode())]
    assert not harm, "\n".join(sorted(set(harm)))


def test_no_landing_page(evil: Doors) -> None:
    delivery = Delivery.objects.filter(alert__isnull=False).first() or _delivery(evil)
    token = token_of("evil")
    with transaction.atomic():
        Delivery.objects.filter(pk=delivery.pk).update(token_digest=digest_of(token), state="handed over")
    for answer in (Client().get(f"/p/{token}"), Client().post(f"/p/{token}", {"action": EVIL, "scope": EVIL})):
        assert answer.status_code in {200, 400}
        text = answer.content.decode()
        assert "xevil" in text
        assert harm_in(text) == []


def _delivery(doors: Doors) -> Delivery:
    now = clock.now()
    user = doors.world.cy
    with transaction.atomic():
        return Delivery.objects.create(
            idempotency_key="evil", kind="page", user=user, contact=user.contact_methods.first(), channel="webhook",
            method_name=EVIL[:63], alert=Alert.objects.order_by("pk").first(), context={"step": EVIL}, created_at=now,
            due_at=now, wanted_at=now, handed_over_at=now, token_digest=digest_of("other"),
        )  # fmt: skip


def test_no_e_mail() -> None:
    split = f"{EVIL}\r\nBcc: everybody@example.com\r\n\r\n<p>"
    alert = MessageAlert(
        id=1,
        number=1,
        title=split,
        priority="P1",
        status="firing",
        service=split,
        url=f"https://midwatch.example/{EVIL}",
    )
    message = Message(
        delivery="1/1", kind="page", to="cy", address="cy@example.com", subject=split, text=split, lines=(split, LINK, EVIL),
        step=EVIL, ack_url=f"https://midwatch.example/p/x{EVIL}", alerts=(alert,), sent_at=clock.now(), thread=split,
        urgency="high", short=split, spoken=split,
    )  # fmt: skip
    mail = compose(message, "Midwatch <midwatch@example.com>")
    assert "Bcc" not in mail
    assert mail.get_all("To") == ["cy@example.com"]
    html = mail.get_body(("html",))
    assert html is not None
    found = [one for one in harm_in(html.get_content()) if "style=" not in one]  # mail clients know no style sheets
    assert found == []
