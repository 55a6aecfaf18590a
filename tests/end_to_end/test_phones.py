"""SMS, calls and push against stateful fakes of the providers, on the real program."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from end_to_end.running import Midwatch, request, wait_until
from fakes.ntfy import FakeNtfy
from fakes.twilio import FakeTwilio

pytestmark = pytest.mark.interop

KEY = "0123456789abcdef0123456789abcdef"
PUBLIC = "https://pager.example.com"  # what Twilio signs; the fake reaches it on loopback
ANA, BO = "+420601000001", "+420601000002"


def documents(ntfy: FakeNtfy) -> str:
    return f"""
apiVersion: midwatch.dev/v1
kind: User
metadata: {{name: ana}}
spec:
  displayName: Ana Novak
  contactMethods:
    - {{name: phone, type: sms, address: "{ANA}"}}
    - {{name: call, type: voice, address: "{ANA}"}}
  notificationRules: {{high: [{{after: 0s, contact: phone}}, {{after: 2s, contact: call}}]}}
---
apiVersion: midwatch.dev/v1
kind: User
metadata: {{name: bo}}
spec:
  displayName: Bo
  contactMethods: [{{name: push, type: ntfy, address: "{ntfy.topic_url("bo-x7")}", tokenFrom: {{env: MIDWATCH_REF_NTFY}}}}]
  notificationRules: {{high: [{{after: 0s, contact: push}}]}}
---
apiVersion: midwatch.dev/v1
kind: User
metadata: {{name: cy}}
spec:
  displayName: Cy
  contactMethods: [{{name: call, type: voice, address: "{BO}"}}]
  notificationRules: {{high: [{{after: 0s, contact: call}}]}}
---
apiVersion: midwatch.dev/v1
kind: Team
metadata: {{name: ops}}
spec: {{displayName: Ops, members: [{{user: ana, role: manager}}, {{user: bo}}, {{user: cy}}]}}
---
apiVersion: midwatch.dev/v1
kind: EscalationPolicy
metadata: {{name: sms-first}}
spec:
  team: ops
  steps: [{{name: level 1, targets: [{{user: ana}}], after: 0s}}, {{name: level 2, targets: [{{user: bo}}], after: 1h}}]
---
apiVersion: midwatch.dev/v1
kind: EscalationPolicy
metadata: {{name: push-first}}
spec: {{team: ops, steps: [{{name: level 1, targets: [{{user: bo}}], after: 0s}}]}}
---
apiVersion: midwatch.dev/v1
kind: EscalationPolicy
metadata: {{name: call-first}}
spec: {{team: ops, steps: [{{name: level 1, targets: [{{user: cy}}], after: 0s}}]}}
---
apiVersion: midwatch.dev/v1
kind: Service
metadata: {{name: checkout}}
spec: {{displayName: Checkout, team: ops, escalationPolicy: sms-first}}
---
apiVersion: midwatch.dev/v1
kind: Service
metadata: {{name: search}}
spec: {{displayName: Search, team: ops, escalationPolicy: push-first}}
---
apiVersion: midwatch.dev/v1
kind: Service
metadata: {{name: voice}}
spec: {{displayName: Voice, team: ops, escalationPolicy: call-first}}
---
apiVersion: midwatch.dev/v1
kind: Source
metadata: {{name: curl}}
spec: {{type: generic, key: "{KEY}", service: checkout, serviceLabel: service}}
"""


@dataclass
class Phones:
    midwatch: Midwatch
    twilio: FakeTwilio
    ntfy: FakeNtfy

    def fires(self, title: str, service: str) -> None:
        body = {"title": title, "priority": "P1", "labels": {"service": service}}
        answer = request("POST", f"{self.midwatch.url}/in/{KEY}", body)
        assert answer.status == 202, answer.body

    def alert(self, title: str) -> dict[str, Any]:
        found = [alert for alert in self.midwatch.alerts() if alert["title"] == title]
        assert len(found) == 1, found
        return found[0]

    def status(self, title: str) -> str:
        return str(self.alert(title)["status"])

    def said(self, title: str) -> str:
        entries = self.midwatch.alert(self.alert(title)["number"])["timeline"]
        return "\n".join(entry["text"] for entry in entries)


@pytest.fixture(scope="module")
def phones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phones]:
    directory: Path = tmp_path_factory.mktemp("phones")
    with FakeNtfy(token="ntfy-token") as ntfy:
        midwatch = Midwatch(directory, documents(ntfy))
        with FakeTwilio(rewrite=(PUBLIC, midwatch.url)) as twilio:
            settings = {**twilio.settings, "MIDWATCH_PUBLIC_URL": PUBLIC, "MIDWATCH_REF_NTFY": "ntfy-token"}
            midwatch.environment = {**midwatch.environment, **settings}
            with midwatch:
                yield Phones(midwatch, twilio, ntfy)


def test_an_sms_is_answered_and_confirmed(phones: Phones) -> None:
    phones.fires("disk full on db3", "checkout")
    phones.twilio.wait_for(lambda fake: [m for m in fake.messages if "disk full on db3" in m.body], timeout=30)
    message = next(m for m in phones.twilio.messages if "disk full on db3" in m.body)
    number = phones.alert("disk full on db3")["number"]
    assert message.to == ANA
    assert message.body.startswith(f"Midwatch P1 #{number} Checkout: disk full on db3")
    assert f'"ack {number}"' in message.body
    assert len(message.body) <= 160
    phones.twilio.delivers(message)
    reply = phones.twilio.replies(ANA, f"ack {number}", f"{PUBLIC}/hooks/twilio/sms")
    assert f"#{number}" in reply
    wait_until(lambda: phones.status("disk full on db3") == "acknowledged", what="the acknowledgement")
    assert "Ana Novak acknowledged" in phones.said("disk full on db3")
    assert "delivered" in phones.said("disk full on db3")


def test_an_unanswered_sms_becomes_a_call_and_keys_act(phones: Phones) -> None:
    phones.fires("queue is stuck", "checkout")
    phones.twilio.wait_for(lambda fake: fake.calls, timeout=60)
    call = phones.twilio.calls[-1]
    assert call.to == ANA
    spoken = phones.twilio.answers(call)
    number = phones.alert("queue is stuck")["number"]
    assert f"alert {' '.join(str(number))}" in spoken
    assert "Press 4 to acknowledge" in spoken
    phones.twilio.presses(call, "4")
    phones.twilio.ends(call)
    wait_until(lambda: phones.status("queue is stuck") == "acknowledged", what="the acknowledgement")


def test_a_busy_line_and_a_forged_callback(phones: Phones) -> None:
    phones.fires("edge is down", "voice")
    phones.twilio.wait_for(lambda fake: [c for c in fake.calls if c.to == BO], timeout=60)
    call = next(c for c in phones.twilio.calls if c.to == BO)
    status, _ = phones.twilio.call_back(
        f"{PUBLIC}/hooks/twilio/sms", {"From": BO, "Body": "ack"}, token="not-the-token"
    )
    assert status == 403
    assert phones.status("edge is down") == "firing"
    phones.twilio.ends(call, "busy")
    wait_until(lambda: "busy" in phones.said("edge is down"), what="the receipt")
    assert phones.status("edge is down") == "firing"


def test_push_with_buttons(phones: Phones) -> None:
    phones.fires("index is stale", "search")
    phones.ntfy.wait_for(lambda fake: fake.messages, timeout=30)
    message = phones.ntfy.messages[-1]
    assert message["priority"] == 5
    assert [action["label"] for action in message["actions"]], "it has buttons"
    assert phones.status("index is stale") == "firing"


def test_no_secret_reaches_the_log(phones: Phones) -> None:
    text = phones.midwatch.log.read_text("utf-8")
    for secret in (KEY, "ntfy-token", phones.midwatch.token, phones.twilio.settings["MIDWATCH_TWILIO_AUTH_TOKEN"]):
        assert secret not in text
    assert "/p/" not in text
