from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode

import pytest

from fakes.message import a_message
from fakes.twilio import FakeTwilio, spoken
from midwatch.core.integration import (
    Act,
    ChannelConfig,
    DeliveryError,
    InboundReply,
    InboundRequest,
    Question,
    Rejected,
    StatusReport,
)
from midwatch.integrations.twilio import channel, inbound

ANA = "+420601000001"


def config(twilio: FakeTwilio, seconds: float = 5.0) -> ChannelConfig:
    return ChannelConfig({name.removeprefix("MIDWATCH_"): value for name, value in twilio.settings.items()}, seconds)


class Hooks:
    """What the web does with callbacks: receive, remember, answer with words."""

    def __init__(self, config: ChannelConfig) -> None:
        self.config = config
        self.said: list[Any] = []
        self.words = "Alert 1042 is open & loud"
        self.headers: dict[str, str] = {}
        hooks = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                request = InboundRequest(
                    path=self.path.removeprefix("/hooks/twilio/"),
                    url=hooks.url + self.path.removeprefix("/hooks"),
                    method="POST",
                    headers={name.lower(): value for name, value in self.headers.items()},
                    form={},
                    body=body,
                )
                try:
                    reply = inbound.receive(request, hooks.config)
                except PermissionError:
                    self.send_response(403)
                    self.end_headers()
                    return
                hooks.said += reply.said
                kind, content = inbound.answer(reply, hooks.words)
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/hooks"

    def __enter__(self) -> Hooks:
        return self

    def __exit__(self, *exception: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def test_sms_is_one_segment_and_its_report_comes_back() -> None:
    with FakeTwilio() as twilio, Hooks(config(twilio)) as hooks:
        message = a_message(ANA, callback_url=f"{hooks.url}/twilio/ref-1", short="Plný disk na „db3“ €")
        receipt = channel.send("sms", message, config(twilio))
        (sent,) = twilio.messages
        assert (receipt.word, receipt.provider_id, sent.to) == ("handed over", sent.sid, ANA)
        assert sent.body == 'Plny disk na "db3" €'
        twilio.delivers(sent, "sent")
        twilio.delivers(sent, "delivered")
        twilio.delivers(sent, "undelivered", 30003)
        delivered, failed = hooks.said
        assert (delivered.receipt.word, delivered.delivery, delivered.provider_id) == ("delivered", "ref-1", sent.sid)
        assert (failed.is_failure, failed.receipt.detail) == (True, "the phone is off or out of reach (Twilio 30003)")


def test_a_call_asks_what_to_say_and_takes_keys() -> None:
    with FakeTwilio() as twilio, Hooks(config(twilio)) as hooks:
        channel.send("voice", a_message(ANA, callback_url=f"{hooks.url}/twilio/ref-1"), config(twilio))
        (call,) = twilio.calls
        assert (call.form["MachineDetection"], call.form["Timeout"]) == ("Enable", "25")
        words = twilio.answers(call)
        assert words.count("Alert 1042 is open & loud") == 2
        assert "1042" in twilio.presses(call, "9")
        twilio.presses(call, "7")
        hooks.words = "You have alert 1 0 4 2."
        assert twilio.presses(call, "4") == "You have alert 1 0 4 2."
        assert "<Hangup/>" in call.twiml
        twilio.ends(call, "completed")
        assert [type(item).__name__ for item in hooks.said] == ["Question", "Act", "Act", "Act", "StatusReport"]
        assert [item.verb for item in hooks.said[1:4]] == ["repeat", "repeat", "acknowledge"]
        assert {item.delivery for item in hooks.said} == {"ref-1"}
        assert (hooks.said[-1].receipt.word, hooks.said[-1].is_failure) == ("delivered", False)


@pytest.mark.parametrize(("key", "verb"), [("4", "acknowledge"), ("5", "decline"), ("6", "resolve"), ("9", "repeat")])
def test_keys(key: str, verb: str) -> None:
    with FakeTwilio() as twilio, Hooks(config(twilio)) as hooks:
        channel.send("voice", a_message(ANA, callback_url=f"{hooks.url}/twilio/ref-1"), config(twilio))
        twilio.answers(twilio.calls[0])
        twilio.presses(twilio.calls[0], key)
        assert hooks.said[-1] == Act(verb, None, ANA, "ref-1")


def test_voicemail_is_a_failure_and_is_spoken_to() -> None:
    with FakeTwilio() as twilio, Hooks(config(twilio)) as hooks:
        channel.send("voice", a_message(ANA, callback_url=f"{hooks.url}/twilio/ref-1"), config(twilio))
        (call,) = twilio.calls
        assert "1042" in twilio.answers(call, by="machine_start")
        report, question = hooks.said
        assert isinstance(report, StatusReport)
        assert (report.is_failure, report.receipt.word, report.delivery) == (True, "failed", "ref-1")
        assert isinstance(question, Question)
        twilio.ends(call, "completed")
        assert hooks.said[-1].is_failure
        twilio.answers(call, by="unknown")
        assert isinstance(hooks.said[-1], Question)


@pytest.mark.parametrize("status", ["busy", "no-answer", "failed", "canceled"])
def test_nobody_at_the_phone_is_a_failure(status: str) -> None:
    with FakeTwilio() as twilio, Hooks(config(twilio)) as hooks:
        channel.send("voice", a_message(ANA, callback_url=f"{hooks.url}/twilio/ref-1"), config(twilio))
        twilio.ends(twilio.calls[0], status)
        assert hooks.said[0].is_failure


def test_without_a_public_address_a_call_speaks_and_its_outcome_is_asked_for() -> None:
    with FakeTwilio() as twilio:
        receipt = channel.send("voice", a_message(ANA, spoken="Disk <full> & loud"), config(twilio))
        (call,) = twilio.calls
        assert spoken(call.twiml, "Say") == ["Disk <full> & loud"] * 2
        assert "Url" not in call.form
        channel.send("voice", a_message(ANA, spoken="\uffff&" * 3000), config(twilio))
        assert len(twilio.calls[1].twiml) <= 4000
        assert len(spoken(twilio.calls[1].twiml, "Say")) == 2
        assert channel.poll("voice", receipt.provider_id, config(twilio)) is None
        call.status = "busy"
        report = channel.poll("voice", receipt.provider_id, config(twilio))
        assert report is not None
        assert report.is_failure
        call.status, call.answered_by = "completed", "machine_start"
        report = channel.poll("voice", receipt.provider_id, config(twilio))
        assert report is not None
        assert report.receipt.detail == "voicemail picked up"


@pytest.mark.parametrize(
    ("number", "code", "is_permanent", "words"),
    [(ANA, 21211, True, "not valid"), (ANA, 21610, True, "STOP"), (ANA, 99999, True, "Twilio answered 400: no")],
)
def test_refusals_say_twilios_number(number: str, code: int, is_permanent: bool, words: str) -> None:
    with FakeTwilio() as twilio:
        twilio.refuse(number, code)
        with pytest.raises(DeliveryError, match=words) as caught:
            channel.send("sms", a_message(number), config(twilio))
        assert caught.value.permanent is is_permanent
        assert f"(Twilio {code})" in str(caught.value)


def test_trouble_at_twilio_is_tried_again_and_a_wrong_account_is_not() -> None:
    with FakeTwilio() as twilio:
        for status in (429, 500, 503):
            twilio.fail_next(status)
            with pytest.raises(DeliveryError) as caught:
                channel.send("sms", a_message(ANA), config(twilio))
            assert not caught.value.permanent
        channel.send("sms", a_message(ANA), config(twilio))
        right = config(twilio)
        twilio.auth_token = "another"
        with pytest.raises(DeliveryError, match="MIDWATCH_TWILIO_AUTH_TOKEN") as caught:
            channel.send("sms", a_message(ANA), right)
        assert caught.value.permanent
        assert "twilio-token" not in str(caught.value)


def test_a_messaging_service_sends_text_messages() -> None:
    with FakeTwilio() as twilio:
        values = {**config(twilio).values, "TWILIO_FROM": "MG1"}
        channel.send("sms", a_message(ANA), ChannelConfig(values))
        assert twilio.messages[0].form["MessagingServiceSid"] == "MG1"


@pytest.mark.parametrize(
    ("written", "normal"),
    [("+420 601 000 001", ANA), ("00420601000001", ANA), ("+420-601.000(001)", ANA), ("+14155550100", "+14155550100")],
)
def test_numbers_are_made_normal(written: str, normal: str) -> None:
    assert channel.check_address("sms", written) == normal


@pytest.mark.parametrize(
    "written",
    [
        "",
        "601000001",
        "+0601000001",
        "+42060100000x",
        "+1234567890123456",
        "＋420601000001",
        "+42٠601000001",
        "++420601000001",
    ],
)
def test_what_is_no_number_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"\+420601000001"):
        channel.check_address("voice", written)


# --- replies


@pytest.mark.parametrize(
    ("words", "acts"),
    [
        ("ack 1042", [("acknowledge", 1042)]),
        ("Ack #1042.", [("acknowledge", 1042)]),
        ("a 1042", [("acknowledge", 1042)]),
        ("a1042", [("acknowledge", 1042)]),
        ('"ack 1042"', [("acknowledge", 1042)]),
        ("1042 ack", [("acknowledge", 1042)]),
        ("ack 1042, 1043 1042", [("acknowledge", 1042), ("acknowledge", 1043)]),
        ("  ACK\n", [("acknowledge", None)]),
        ("no 1042", [("decline", 1042)]),
        ("No", [("decline", None)]),
        ("resolve 1042", [("resolve", 1042)]),
        ("r 1042", [("resolve", 1042)]),
        ("escalate 1042", [("escalate", 1042)]),
        ("list", [("list", None)]),
        ("1042", [("list", None)]),
        ("what?", [("list", None)]),
        ("", [("list", None)]),
        ("ack 1042 please", [("list", None)]),
        ("STOP", [("stop", None)]),
        ("Stop.", [("stop", None)]),
        ("START", [("start", None)]),
        ("ack 99999999999999999999", [("list", None)]),
        ("ack " + "1" * 480 + "x", [("list", None)]),
        ("ack no 1042", [("list", None)]),
        ("ack 10.42", [("list", None)]),
        ("\x00\ud800" * 400, [("list", None)]),
    ],
)
def test_what_people_text(words: str, acts: list[tuple[str, int | None]]) -> None:
    assert [(act.verb, act.number) for act in inbound.read_sms(words, ANA)] == acts


def test_a_reply_is_answered_by_text() -> None:
    with FakeTwilio() as twilio, Hooks(config(twilio)) as hooks:
        hooks.words = "You have #1042. Escalation stopped. <ok>"
        assert twilio.replies(ANA, "ack 1042", f"{hooks.url}/twilio/sms") == "You have #1042. Escalation stopped. <ok>"
        assert hooks.said == [Act("acknowledge", 1042, ANA)]
        hooks.words = ""
        assert twilio.replies(ANA, "STOP", f"{hooks.url}/twilio/sms") == ""
        assert hooks.said[-1] == Act("stop", None, ANA)


# --- signatures


def test_only_twilio_may_call() -> None:
    with FakeTwilio() as twilio, Hooks(config(twilio)) as hooks:
        fields = {"From": ANA, "Body": "ack 1042", "MessageSid": "SM1"}
        assert twilio.call_back(f"{hooks.url}/twilio/sms", fields)[0] == 200
        assert twilio.call_back(f"{hooks.url}/twilio/sms", fields, token="other")[0] == 403
        hooks.config = ChannelConfig({})
        assert twilio.call_back(f"{hooks.url}/twilio/sms", fields)[0] == 403
        assert len(hooks.said) == 1


def signed(url: str, form: list[tuple[str, str]], token: str = "t", method: str = "POST") -> InboundRequest:
    text = url + ("".join(name + value for name, value in sorted(set(form))) if method == "POST" else "")
    return InboundRequest(
        path=url.partition("/hooks/twilio/")[2].partition("?")[0],
        url=url,
        method=method,
        headers={"x-twilio-signature": inbound.signature(text, token).decode()},
        form=dict(form),
        body=urlencode(form).encode() if method == "POST" else b"",
    )


SET = ChannelConfig({"TWILIO_AUTH_TOKEN": "t"})
SMS = "https://m.example/hooks/twilio/sms"


def test_the_signature_of_twilios_own_documentation() -> None:
    """The example of twilio.com/docs/usage/security: token 12345, CallSid, Caller, Digits, From, To."""
    text = "https://mycompany.com/myapp.php?foo=1&bar=2CallSidCA1234567890ABCDECaller+14158675309Digits1234From+14158675309To+18005551212"
    assert inbound.signature(text, "12345") == b"RSOYDt4T1cUTdK1PDd93/VVr8B8="


def test_repeated_fields_ports_and_tampering() -> None:
    form = [("Body", "ack"), ("From", ANA), ("X", "2"), ("X", "1"), ("Empty", "")]
    request = signed(SMS, form)
    assert inbound.receive(request, SET).said == [Act("acknowledge", None, ANA)]
    with_port = signed(SMS.replace("m.example", "m.example:443"), form)
    inbound.receive(
        InboundRequest(**{**{name: getattr(with_port, name) for name in InboundRequest.__slots__}, "url": SMS}), SET
    )
    for changes in (
        {"url": SMS + "?x"},
        {"body": request.body + b"&a=b"},
        {"headers": {}},
        {"headers": {"x-twilio-signature": "\udcff"}},
    ):
        fields = {name: getattr(request, name) for name in InboundRequest.__slots__}
        with pytest.raises(PermissionError):
            inbound.receive(InboundRequest(**{**fields, **changes}), SET)


@pytest.mark.parametrize("path", ["", "voice", "keys", "other", "a/b/c", "ref/sms", "ref/other", "../sms"])
def test_other_paths_are_rejected_after_the_signature(path: str) -> None:
    url = f"https://m.example/hooks/twilio/{path}"
    with pytest.raises(Rejected):
        inbound.receive(signed(url, [("From", ANA)]), SET)


def test_a_get_is_told_to_be_a_post() -> None:
    with pytest.raises(Rejected, match="POST"):
        inbound.receive(signed(SMS + "?Body=ack", [], method="GET"), SET)


def test_hostile_callbacks_and_words_stay_xml() -> None:
    url = "https://m.example/hooks/twilio/ref-1/voice"
    reply = inbound.receive(signed(url, [("CallSid", "<x>" * 99), ("To", '"&<>')]), SET)
    _, content = inbound.answer(reply, "\x00]]><Hangup/>&\ud800\uffff ž", again_url='https://x/"><Hangup/>')
    assert spoken(content.decode(), "Hangup") == []
    assert spoken(content.decode(), "Say")[0].startswith("]]><Hangup/>&")
    _, content = inbound.answer(InboundReply([Act("list", from_address=ANA)]), "漢 <Message> ž")
    assert spoken(content.decode(), "Message") == ["? <Message> z"]
