"""Every channel over real sockets, against the fakes."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from fakes.message import ALERT, a_message
from fakes.ntfy import FakeNtfy
from fakes.smtp import FakeSmtp
from fakes.webhook import FakeWebhook
from midwatch.core.integration import ChannelConfig, DeliveryError
from midwatch.integrations.email import channel as email
from midwatch.integrations.ntfy import channel as ntfy
from midwatch.integrations.webhook import channel as webhook

NOTHING = ChannelConfig({}, timeout_seconds=5)


def refused(send: Any, *arguments: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        send(*arguments)
    return caught.value


# --- webhook


def test_webhook_is_what_the_contract_says() -> None:
    with FakeWebhook(secret="sesame") as hook:
        receipt = webhook.send("webhook", a_message(f"{hook.url}/ana", secret="sesame"), NOTHING)
        assert (receipt.word, receipt.detail) == ("handed over", "answered 204")
        (request,) = hook.requests
        assert request.headers["x-midwatch-delivery"] == "31/1/1/ana/1/1"
        assert request.headers["content-type"] == "application/json"
        assert request.json == {
            "delivery": "31/1/1/ana/1/1",
            "kind": "page",
            "to": "ana",
            "alert": {
                "id": 7, "number": 1042, "title": "DiskFull db3", "priority": "P1", "status": "firing",
                "service": "Checkout", "url": "https://midwatch.example.com/alerts/1042",
            },
            "step": "level 1",
            "ack_url": "https://m.example/p/landing-token",
            "sent_at": "2026-11-22T02:14:05Z",
            "subject": "[P1] Checkout: DiskFull db3 (#1042)",
            "text": "Since 02:10. You are level 1. Next: Bo at 02:19.",
        }  # fmt: skip
        assert "401" in str(refused(webhook.send, "webhook", a_message(hook.url, secret="other"), NOTHING))


def test_webhook_is_signed_only_with_a_secret_and_bundles_count() -> None:
    with FakeWebhook() as hook:
        webhook.send("webhook", a_message(hook.url, kind="bundle", count=214, alerts=(ALERT, ALERT)), NOTHING)
        webhook.send("webhook", a_message(hook.url, kind="handoff", alerts=(), delivery="h/1"), NOTHING)
        bundle, handoff = hook.messages
        assert (bundle["kind"], bundle["count"], len(bundle["alerts"])) == ("bundle", 214, 2)
        assert (handoff["kind"], handoff["alert"], "count" in handoff) == ("handoff", None, False)
        assert not {"x-midwatch-signature", "x-midwatch-timestamp"} & set(hook.requests[0].headers)


@pytest.mark.parametrize(
    ("status", "is_permanent"), [(410, True), (400, False), (404, False), (500, False), (302, False)]
)
def test_webhook_only_gone_is_for_ever(status: int, is_permanent: bool) -> None:
    with FakeWebhook() as hook:
        hook.fail_next(status)
        error = refused(webhook.send, "webhook", a_message(f"{hook.url}/sesame?sesame"), NOTHING)
        assert (error.permanent, str(status) in str(error), "sesame" in str(error)) == (is_permanent, True, False)
        webhook.send("webhook", a_message(hook.url), NOTHING)


def test_webhook_waits_no_longer_than_told_and_goes_only_where_it_may() -> None:
    with FakeWebhook() as hook:
        hook.hangs()
        began = time.monotonic()
        error = refused(webhook.send, "webhook", a_message(hook.url), ChannelConfig({}, timeout_seconds=0.3))
        assert (error.permanent, time.monotonic() - began < 1.5) == (False, True)
        error = refused(webhook.send, "webhook", a_message(hook.url, is_address_trusted=False), NOTHING)
        assert error.permanent
        assert "MIDWATCH_OUTBOUND_ALLOW" in str(error)
        assert len(hook.requests) == 1


def test_waiting_for_a_message_takes_no_sleep() -> None:
    with FakeWebhook() as hook:
        thread = threading.Thread(target=lambda: webhook.send("webhook", a_message(hook.url), NOTHING))
        thread.start()
        assert hook.wait_for(lambda h: h.messages)[0]["to"] == "ana"
        thread.join()


# --- ntfy


def test_ntfy_rings_and_its_buttons_answer() -> None:
    with FakeWebhook() as landing, FakeNtfy(token="tk_sesame") as server:
        address = ntfy.check_address("ntfy", server.topic_url("ana-x7") + "/")
        receipt = ntfy.send("ntfy", a_message(address, secret="tk_sesame", ack_url=f"{landing.url}/p/token"), NOTHING)
        (message,) = server.messages
        assert receipt.provider_id == message["id"]
        assert (message["topic"], message["priority"]) == ("ana-x7", 5)
        assert message["title"] == "[P1] Checkout: DiskFull db3 (#1042)"
        assert [action["label"] for action in message["actions"]] == ["Acknowledge", "Pass on", "Open"]
        assert server.press(message, "Acknowledge") == 204
        assert (landing.requests[0].path, landing.requests[0].form) == ("/p/token", {"action": "acknowledge"})
        assert server.press(message, "Pass on") == 204
        assert landing.requests[1].form == {"action": "decline"}


def test_ntfy_lets_people_sleep() -> None:
    with FakeNtfy() as server:
        for kind, urgency in (
            ("update", "high"),
            ("resolved", "high"),
            ("page", "low"),
            ("bundle", "high"),
            ("test", "high"),
        ):
            ntfy.send("ntfy", a_message(server.topic_url("ana"), kind=kind, urgency=urgency), NOTHING)
        assert [message["priority"] for message in server.messages] == [2, 2, 3, 5, 5]
        assert ["Acknowledge" in str(message["actions"]) for message in server.messages] == [
            False,
            False,
            True,
            True,
            True,
        ]


def test_ntfy_tokens_and_limits() -> None:
    with FakeNtfy(token="ana:pass:word") as server:
        error = refused(ntfy.send, "ntfy", a_message(server.topic_url("ana"), secret="wrong"), NOTHING)
        assert (error.permanent, "token" in str(error), "wrong" in str(error)) == (True, True, False)
        ntfy.send("ntfy", a_message(server.topic_url("ana"), secret="ana:pass:word", text="漢" * 9000), NOTHING)
        assert len(server.messages[0]["message"].encode()) < 4096
        for status, is_permanent in ((429, False), (507, False), (400, True), (413, True)):
            server.fail_next(status)
            assert refused(ntfy.send, "ntfy", a_message(server.topic_url("ana")), NOTHING).permanent is is_permanent


@pytest.mark.parametrize(
    "address",
    [
        "https://ntfy.sh",
        "https://ntfy.sh/a/b",
        "https://ntfy.sh/a?b",
        "ntfy.sh/a",
        "https://u:p@ntfy.sh/a",
        "https://ntfy.sh/ž",
    ],
)
def test_ntfy_topics_are_checked(address: str) -> None:
    with pytest.raises(ValueError, match=r"give the|must begin|cannot be read|accents"):
        ntfy.check_address("ntfy", address)


# --- e-mail


def mail_config(*relays: str) -> ChannelConfig:
    values = {"EMAIL_URL": ",".join(relays), "EMAIL_FROM": "Midwatch <midwatch@example.com>"}
    return ChannelConfig(values, timeout_seconds=4)


def test_email_is_one_thread_with_a_button_and_no_vacation_notices() -> None:
    with FakeSmtp() as relay:
        receipt = email.send("email", a_message(), mail_config(relay.url))
        email.send("email", a_message(kind="resolved", delivery="31/r", urgency="low"), mail_config(relay.url))
        first, second = (mail.message for mail in relay.mails[:2])
        assert relay.mails[0].subject == "[P1] Checkout: DiskFull db3 (#1042)"
        assert first["References"] == second["References"] == first["In-Reply-To"]
        assert first["Message-ID"] != second["Message-ID"]
        assert first["Message-ID"].strip("<>") == receipt.provider_id
        assert first["Auto-Submitted"] == "auto-generated"
        assert (first["From"], first["To"]) == ("Midwatch <midwatch@example.com>", "ana@example.com")
        assert (first["Importance"], second["Importance"]) == ("high", None)
        assert first["Date"] == "Sun, 22 Nov 2026 02:14:05 +0000"
        text = relay.mails[0].text
        assert text.splitlines()[0] == "Since 02:10, you are level 1, nobody else was paged; next: Bo at 02:19."
        assert "I have it: https://m.example/p/landing-token" in text
        html = relay.mails[0].html
        assert '<a href="https://m.example/p/landing-token"' in html
        assert html.count("https://midwatch.example.com/alerts/1042") == 1
        lines = ("Since 02:10.", "one\ntwo", "https://midwatch.example.com/alerts/1042")
        email.send("email", a_message(lines=lines, text="\n".join(lines)), mail_config(relay.url))
        assert relay.mails[-1].text.count("/alerts/1042") == relay.mails[-1].text.count("two") == 1
        assert relay.mails[-1].html.count('<a href="https://midwatch.example.com/alerts/1042"') == 1
        assert relay.mails[0].content.isascii(), "any relay can carry it"


def test_email_escapes_and_folds_whatever_comes() -> None:
    with FakeSmtp() as relay:
        evil = '<script>alert("ž")</script>\r\nBcc: evil@example.com'
        email.send(
            "email",
            a_message(subject=evil * 30, lines=(evil, "x" * 5000), text=evil, ack_url='https://x/"><b>'),
            mail_config(relay.url),
        )
        (mail,) = relay.mails
        assert mail.recipients == ["ana@example.com"]
        assert mail.message["Bcc"] is None
        assert "<script>" not in mail.html
        assert '"><b>' not in mail.html
        assert max(len(line) for line in mail.content.split(b"\r\n")) <= 998


def test_email_tries_the_second_relay() -> None:
    with FakeSmtp() as one, FakeSmtp() as two:
        one.down()
        assert "127.0.0.1" in email.send("email", a_message(), mail_config(one.url, two.url)).detail
        assert len(two.mails) == 1
        one.up()
        one.refuse_recipient = "451 greylisted"
        email.send("email", a_message(), mail_config(one.url, two.url))
        assert len(two.mails) == 2
        two.refuse_recipient = "550 no such user"
        assert not refused(email.send, "email", a_message(), mail_config(one.url, two.url)).permanent
        one.refuse_recipient = "550 no such user"
        error = refused(email.send, "email", a_message(), mail_config(one.url, two.url))
        assert (error.permanent, "no such user" in str(error)) == (True, True)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ana",
        "ana@",
        "@example.com",
        "a b@example.com",
        "a@b, c@d",
        "a@b\r\nX: y",
        "Ana <a@b.c>",
        "a@b..c",
        "a" * 65 + "@b.c",
    ],
)
def test_email_addresses_are_checked(address: str) -> None:
    with pytest.raises(ValueError, match="give one e-mail address"):
        email.check_address("email", address)


def test_email_addresses_are_made_normal() -> None:
    assert email.check_address("email", " Ana.N+pager@EXAMPLE.com ") == "Ana.N+pager@example.com"
    assert email.check_address("email", "ana@bücher.example") == "ana@xn--bcher-kva.example"
    assert email.check_address("email", "root@localhost") == "root@localhost"
