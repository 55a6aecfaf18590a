"""The lane's answers: 2xx only for what is kept, a clear word for what is not, and never 429."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from typing import Any

import pytest
from lane_client import ALERTMANAGER, GENERIC, GONE, PAGERDUTY, Client, with_lane

from midwatch.core.integration import sources
from midwatch.intake import lane as module
from midwatch.intake.records import LogError

BODY = b'{"title": "disk full"}'
TRIGGER = {
    "routing_key": PAGERDUTY,
    "event_action": "trigger",
    "dedup_key": "db3",
    "payload": {"summary": "disk full", "source": "db3", "severity": "critical"},
}


def test_an_event_is_kept_as_it_came() -> None:
    async def work(client: Client) -> None:
        answer = await client.call("POST", f"/in/{GENERIC}", BODY, {"Content-Type": "application/json"})
        assert answer.status == 202
        assert answer.json == {"status": "accepted", "event_id": client.store.rows[0][0]}
        assert answer.headers["content-type"] == "application/json"
        assert int(answer.headers["content-length"]) == len(answer.body)
        assert (await client.call("POST", f"/in/{GENERIC}/", [BODY[:5], BODY[5:]])).status == 202
        assert (await client.call("POST", f"/in/{ALERTMANAGER}", BODY)).status == 202  # what it means is the parser's

    client = with_lane(work)
    assert client.kept == [("event", 1, {}, BODY), ("event", 1, {}, BODY), ("event", 3, {}, BODY)]
    assert client.store.rows[0][4] == "application/json"


@pytest.mark.parametrize("path", [f"/in/{GONE}", "/in/", "/in/\x00", "/in/" + "x" * 100, f"/ping/{GONE}", "/in/\udc80"])
def test_an_unknown_key_is_401_and_nothing_more_is_said(path: str) -> None:
    async def work(client: Client) -> None:
        answer = await client.call("POST", path, BODY)
        assert answer.status == 401
        assert answer.json == {"error": "this key is not known"}

    assert with_lane(work).kept == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "not JSON"), (b"", "empty"), (b"[]", "expected a JSON object"), (b'{"a":"\xff"}', "UTF-8"),
        (b"[" * 5000, "JSON"),
    ],
)  # fmt: skip
def test_broken_json_is_400_and_kept_as_refused(body: bytes, why: str) -> None:
    async def work(client: Client) -> None:
        answer = await client.call("POST", f"/in/{GENERIC}", body)
        assert answer.status == 400
        assert why in answer.json["error"]

    [(kind, source, minted, kept)] = with_lane(work).kept
    assert (kind, source, minted["status"], minted["size"]) == ("refused", 1, 400, len(body))
    assert why in minted["reason"]
    assert kept == body[:4096]


def test_too_large_is_read_to_its_end_and_answered_413() -> None:
    limit = sources()["generic"].BODY_MAX
    taken = 0

    async def work(client: Client) -> None:
        nonlocal taken
        chunk = b"x" * 65_536
        count = limit // len(chunk) + 10

        async def receive() -> Any:
            nonlocal taken
            taken += 1
            return {"type": "http.request", "body": chunk, "more_body": taken < count}

        answer = await client.call("POST", f"/in/{GENERIC}", b"", {"Content-Length": "9999999"}, receive)
        assert answer.status == 413
        assert f"larger than {limit} bytes" in answer.json["error"]
        assert "connection" not in answer.headers
        assert taken == count
        just = b'{"title": "' + b"x" * (limit - 13) + b'"}'
        assert len(just) == limit
        assert (await client.call("POST", f"/in/{GENERIC}", just)).status == 202
        assert (await client.call("POST", f"/in/{GENERIC}", just + b" ")).status == 413
        assert (await client.call("POST", f"/in/{ALERTMANAGER}", just + b" ")).status == 202  # 16 MiB there

    kept = with_lane(work).kept
    assert [(kind, minted.get("status")) for kind, _, minted, _ in kept] == [
        ("refused", 413), ("event", None), ("refused", 413), ("event", None),
    ]  # fmt: skip


def test_a_form_with_a_file_may_be_larger_than_any_other_page() -> None:
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    most = 11 * 1024 * 1024  # MIDWATCH_FILE_MAX_MIB and one

    async def work(client: Client) -> None:
        assert (await client.call("POST", "/notes", b"x" * most)).status == 413
        assert (await client.call("POST", "/notes", b"x" * most, form)).status != 413
        assert (await client.call("POST", "/notes", b"x" * (most + 1), form)).status == 413

    assert with_lane(work).kept == []


def test_a_body_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(client: Client) -> None:
        async def receive() -> Any:
            return {"type": "http.request", "body": b"x" * 1_048_576, "more_body": True}

        answer = await client.call("POST", f"/in/{GENERIC}", b"", None, receive)
        assert answer.status == 413
        assert answer.headers["connection"] == "close"
        waiting = {"Content-Length": "99999999", "Expect": "100-continue"}
        answer = await client.call("POST", f"/in/{GENERIC}", b"", waiting, receive)
        assert answer.status == 413  # without asking for the body at all

    assert [minted["status"] for _, _, minted, _ in with_lane(work).kept] == [413, 413]


def test_a_body_that_does_not_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_SECONDS", 0.1)

    async def work(client: Client) -> None:
        async def receive() -> Any:
            await asyncio.sleep(3_600)

        answer = await client.call("POST", f"/in/{GENERIC}", b"", {"Content-Length": "5"}, receive)
        assert answer.status == 408
        assert answer.headers["connection"] == "close"
        assert (await client.call("POST", f"/in/{GENERIC}", BODY)).status == 202

    assert [kind for kind, *_ in with_lane(work).kept] == ["refused", "event"]


def test_a_client_that_goes_away_leaves_nothing() -> None:
    async def work(client: Client) -> None:
        async def receive() -> Any:
            return {"type": "http.disconnect"}

        assert (await client.call("POST", f"/in/{GENERIC}", b"", None, receive)).status == 0

    assert with_lane(work).kept == []


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_compressed_bodies(encoding: str, pack: Any) -> None:
    async def work(client: Client) -> None:
        packed = pack(BODY)
        assert (await client.call("POST", f"/in/{GENERIC}", packed, {"Content-Encoding": encoding})).status == 202
        bomb = pack(b'{"title": "' + b"x" * 50_000_000 + b'"}')
        answer = await client.call("POST", f"/in/{GENERIC}", bomb, {"Content-Encoding": encoding})
        assert answer.status == 413
        for broken in (BODY, packed[: len(packed) // 2]):
            answer = await client.call("POST", f"/in/{GENERIC}", broken, {"Content-Encoding": encoding})
            assert answer.status == 400
        answer = await client.call("POST", f"/in/{GENERIC}", BODY, {"Content-Encoding": "br"})
        assert answer.status == 415
        assert "gzip" in answer.json["error"]
        members = pack(BODY[:5]) + pack(BODY[5:])
        assert (await client.call("POST", f"/in/{GENERIC}", members, {"Content-Encoding": encoding})).status == 202

    kept = with_lane(work).kept
    assert kept.pop() == kept[0]
    assert kept[0] == ("event", 1, {}, BODY)
    assert [minted["status"] for _, _, minted, _ in kept[1:]] == [413, 400, 400, 415]


def test_the_wrong_method() -> None:
    async def work(client: Client) -> None:
        answer = await client.call("GET", f"/in/{GENERIC}")
        assert answer.status == 405
        assert answer.headers["allow"] == "POST"
        assert (await client.call("GET", f"/in/{GONE}")).status == 401
        assert (await client.call("GET", "/v2/enqueue")).status == 405
        assert (await client.call("PUT", f"/in/{GENERIC}", BODY)).status == 405
        assert (await client.call("DELETE", f"/ping/{GENERIC}")).status == 405

    # A look with a browser is no lost event; a sender set to PUT loses every one.
    assert [(kind, minted["status"]) for kind, _, minted, _ in with_lane(work).kept] == [("refused", 405)] * 2


def test_pagerduty_in_its_own_words() -> None:
    async def work(client: Client) -> None:
        answer = await client.post("/v2/enqueue", TRIGGER)
        assert answer.status == 202
        assert answer.json == {"status": "success", "message": "Event processed", "dedup_key": "db3"}
        fresh = await client.post("/v2/enqueue", {**TRIGGER, "dedup_key": None})
        assert fresh.status == 202
        assert client.kept[1][2] == {"dedup_key": fresh.json["dedup_key"]}
        wrong = await client.post("/v2/enqueue", {**TRIGGER, "routing_key": "short"})
        assert wrong.status == 400
        assert wrong.json["errors"] == ["Length of 'routing_key' is incorrect (should be 32 characters)"]
        assert (await client.post("/v2/enqueue", {**TRIGGER, "routing_key": GONE})).status == 401
        assert (await client.post("/v2/enqueue", {**TRIGGER, "routing_key": GENERIC})).status == 401
        invalid = await client.post("/v2/enqueue", {**TRIGGER, "event_action": "explode"})
        assert invalid.status == 400
        assert invalid.json["status"] == "invalid event"
        broken = await client.call("POST", "/v2/enqueue", b'{"routing_key": "' + PAGERDUTY.encode() + b'", ')
        assert broken.status == 400
        change = await client.post("/v2/change/enqueue", {"routing_key": PAGERDUTY, "payload": {"summary": "deploy 7"}})
        assert change.status == 202
        assert (await client.post(f"/in/{PAGERDUTY}", TRIGGER)).json["dedup_key"] == "db3"

    kept = with_lane(work).kept
    assert [(kind, source) for kind, source, _, _ in kept] == [
        ("event", 2), ("event", 2), ("refused", 2), ("refused", 2), ("change", 2), ("event", 2),
    ]  # fmt: skip
    assert "event_action" in kept[2][2]["reason"]


def test_a_too_large_pagerduty_event_is_kept_as_refused_when_its_beginning_names_the_key() -> None:
    async def work(client: Client) -> None:
        start = json.dumps(TRIGGER).encode()[:-1] + b', "client": "'
        answer = await client.call("POST", "/v2/enqueue", [start, *[b"x" * 65_536] * 20, b'"}'])
        assert answer.status == 413

    [(kind, source, minted, _)] = with_lane(work).kept
    assert (kind, source, minted["status"]) == ("refused", 2, 413)


@pytest.mark.parametrize(
    ("word", "minted"),
    [
        ("", {"ping": "success", "exit": None}),
        ("/start", {"ping": "start", "exit": None}),
        ("/fail", {"ping": "fail", "exit": None}),
        ("/0", {"ping": "success", "exit": 0}),
        ("/137", {"ping": "fail", "exit": 137}),
        ("/", {"ping": "success", "exit": None}),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_pings(method: str, word: str, minted: dict[str, object]) -> None:
    async def work(client: Client) -> None:
        answer = await client.call(method, f"/ping/{GENERIC}{word}", b"log line\n" if method == "POST" else b"")
        assert answer.status == 200
        assert answer.body == (b"" if method == "HEAD" else b"OK")

    [(kind, source, found, body)] = with_lane(work).kept
    assert (kind, source, found) == ("ping", 1, minted)
    assert body == (b"log line\n" if method == "POST" else b"")


@pytest.mark.parametrize(
    "word", ["256", "begin", "-1", "0/0", "99999999999999999999", "\u0663", "0000256", "0" * 5_000]
)
def test_a_ping_that_says_something_else(word: str) -> None:
    async def work(client: Client) -> None:
        answer = await client.call("GET", f"/ping/{GENERIC}/{word}")
        assert answer.status == 400
        assert "/start, /fail or an exit code" in answer.json["error"]

    assert [kind for kind, *_ in with_lane(work).kept] == ["refused"]


def test_a_log_that_fails_is_503_with_retry_after() -> None:
    async def work(client: Client) -> None:
        client.store.failure = LogError("the disk is full")
        for path, body in ((f"/in/{GENERIC}", BODY), (f"/in/{GENERIC}", b"{"), (f"/ping/{GENERIC}", b"")):
            answer = await client.call("POST", path, body)
            assert answer.status == 503
            assert int(answer.headers["retry-after"]) > 0
            assert "the disk is full" in answer.json["error"]

    assert with_lane(work).kept == []


def test_an_unreadable_database_is_503_never_401() -> None:
    async def work(client: Client) -> None:
        client.table.is_readable = False
        for path in (f"/in/{GENERIC}", f"/in/{GONE}", f"/ping/{GENERIC}"):
            assert (await client.call("POST", path, BODY)).status == 503
        assert (await client.post("/v2/enqueue", TRIGGER)).status == 503

    assert with_lane(work).kept == []


def test_large_bodies_are_checked_beside_the_loop() -> None:
    async def work(client: Client) -> None:
        large = json.dumps({"alerts": [{"labels": {"n": str(number)}} for number in range(20_000)]}).encode()
        assert len(large) > module.LARGE_BODY
        assert (await client.call("POST", f"/in/{ALERTMANAGER}", large)).status == 202
        assert (await client.call("POST", f"/in/{ALERTMANAGER}", large[:-1])).status == 400

    assert [kind for kind, *_ in with_lane(work).kept] == ["event", "refused"]


def test_everything_else_is_djangos() -> None:
    async def work(client: Client) -> None:
        assert (await client.call("GET", "/")).status == 299
        assert (await client.call("GET", "/in")).status == 299
        assert (await client.call("GET", "/healthz")).body == b"ok\n"

    with_lane(work)


def test_django_gets_whole_requests_that_wsgi_understands() -> None:
    async def work(client: Client) -> None:
        forged = {"X_Forwarded_For": "10.0.0.1", "X-Real": "yes", "Transfer-Encoding": "chunked"}
        answer = await client.call("POST", "/login", [b"name=", b"ana"], forged, query="q=\u00e9&b=%20".encode())
        assert answer.json["body"] == "name=ana"
        assert answer.json["query"] == "q=%C3%A9&b=%20"
        assert answer.json["headers"] == {"x-real": "yes", "content-length": "8"}
        assert (await client.call("POST", "/login", b"x" * (module.PAGE_BODY_MAX + 1))).status == 413

    assert with_lane(work).kept == []


def test_a_slow_sender_keeps_no_thread_of_django_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_SECONDS", 0.1)

    async def work(client: Client) -> None:
        async def receive() -> Any:
            await asyncio.sleep(3_600)

        assert (await client.call("POST", "/login", b"", {"Content-Length": "5"}, receive)).status == 408

    with_lane(work)


def test_hostile_content_types_are_not_kept() -> None:
    async def work(client: Client) -> None:
        await client.call("POST", f"/in/{GENERIC}", BODY, {"Content-Type": "a\x01\x7f"})
        await client.call("POST", f"/in/{GENERIC}", BODY, {"Content-Type": "x" * 5_000})

    assert [len(row[4]) for row in with_lane(work).store.rows] == [0, 100]
