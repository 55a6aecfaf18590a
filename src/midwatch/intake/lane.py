"""The lane: the addresses machines send to, in front of Django.

    POST /in/KEY                                  the source's own type
    POST /v2/enqueue, POST /v2/change/enqueue     PagerDuty's Events API v2, the key is `routing_key` in the body
    GET|POST /ping/KEY[/start|/fail|/EXITCODE]    heartbeats
    GET /healthz                                  the process is up

A well-formed event with a known key is answered 2xx after its commit, or 503 with Retry-After; never 429, which
Alertmanager would not send again. What is refused with a known key is kept too, as a record of kind `refused`.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote

from midwatch.core import clock
from midwatch.core.integration import Accept, Refuse, Source
from midwatch.intake import metrics
from midwatch.intake.canary import CANARY_SOURCE
from midwatch.intake.decode import BrokenError, decode_object
from midwatch.intake.http import (
    JSON_TYPE,
    TEXT_TYPE,
    App,
    EncodingError,
    GoneError,
    Head,
    Receive,
    Scope,
    Send,
    TooLargeError,
    answer,
    read_body,
    read_head,
    replayed,
)
from midwatch.intake.keys import KnownSource, SourceKeys, UnreadableError
from midwatch.intake.records import CANARY, CHANGE, EVENT, PING, REFUSED, Kind, LogError, microseconds, minted_text
from midwatch.intake.writer import FullError, Writer
from midwatch.settings import settings

if TYPE_CHECKING:
    from midwatch.intake.protocol import PlainEvent

READ_SECONDS = 30.0
BODY_MAX_DEFAULT = 1024 * 1024
PING_BODY_MAX = 10_000
PAGE_BODY_MAX = 8 * 1024 * 1024  # of what goes to Django, which has smaller limits of its own
UPLOAD_ROOM = 1024 * 1024  # for a form's other fields beside a file
UPLOAD_SECONDS = 120.0  # a phone sends a picture slowly
LARGE_BODY = 256 * 1024  # decoding more than this would hold up the event loop: a thread does it
REFUSED_BODY_MAX = 4_096
RETRY_AFTER = (b"retry-after", b"5")
CLOSE = (b"connection", b"close")
PAGERDUTY = "pagerduty"
EXIT_CODE = re.compile(r"[0-9]{1,3}")  # no more digits than that: a path may hold thousands
_ROUTING_KEY = re.compile(rb'"routing_key"\s*:\s*"([\x21-\x7e]{32})"')


class RefusalError(Exception):
    """An answer that is not 2xx. `known`: whose event it was; then it is kept as a record."""

    def __init__(
        self,
        status: int,
        reason: str,
        *,
        known: KnownSource | None = None,
        body: bytes = b"",
        size: int = 0,
        kept: bytes = b"",
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.known = known
        self.body = body or json.dumps({"error": reason}).encode()
        self.size = size
        self.kept = kept[:REFUSED_BODY_MAX]
        self.headers = headers


class Lane:
    """Raw ASGI: what is not the lane's goes to `behind`."""

    def __init__(self, writer: Writer, keys: SourceKeys, sources: Mapping[str, Source], behind: App) -> None:
        self.writer = writer
        self._keys = keys
        self._behind = behind
        self._limits = {name: source.BODY_MAX for name, source in sources.items()}
        self._replies: dict[str, Callable[[bytes], Accept | Refuse]] = {
            name: source.reply for name, source in sources.items() if hasattr(source, "reply")
        }
        self._upload_max = max(PAGE_BODY_MAX, settings().file_max_mib * 1024 * 1024 + UPLOAD_ROOM)
        self._pagerduty = sources.get(PAGERDUTY)
        self._reading: dict[asyncio.Task[Any], float] = {}
        self._overdue: set[asyncio.Task[Any]] = set()
        self.arriving: dict[PlainEvent, float] = {}  # on the short way, whose bodies are not complete: until when

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        try:
            if path.startswith("/in/"):
                await self._event(scope, receive, send, path[4:].rstrip("/"))
            elif path.startswith("/ping/"):
                await self._ping(scope, receive, send, path[6:])
            elif path == "/v2/enqueue" and self._pagerduty is not None:
                await self._enqueue(scope, receive, send, EVENT, "reply")
            elif path == "/v2/change/enqueue" and self._pagerduty is not None:
                await self._enqueue(scope, receive, send, CHANGE, "reply_change")
            elif path == "/healthz":
                await answer(send, 200, b"ok\n", (TEXT_TYPE,), is_head=scope["method"] == "HEAD")
            else:
                await self._pass_on(scope, receive, send)
        except RefusalError as refusal:
            await self._refuse(send, refusal)
        except GoneError:
            pass  # nobody is there to be answered, and nothing was promised

    def plain_source(self, key: str) -> int | None:
        """Whose event this is, when it is plain: a key in memory, of a source without words of its own."""
        known = self._keys.hit(key) or self._keys.hit(key.rstrip("/"))
        return None if known is None or known.type in self._replies else known.id

    # --- the three ways in ---

    async def _event(self, scope: Scope, receive: Receive, send: Send, key: str) -> None:
        known = self._keys.hit(key) or await self._known(key)
        if scope["method"] != "POST":
            self._wrong_method(scope, known, "POST")
        head = read_head(scope["headers"])
        body = await self._body(receive, head, self._limits.get(known.type, BODY_MAX_DEFAULT), known)
        await self._check(body, known)
        reply = self._replies.get(known.type)
        if reply is None:
            kind = CANARY if known.id == CANARY_SOURCE else EVENT
            token = await self._keep(known.id, kind, head.content_type, "", body)
            await answer(send, 202, b'{"status":"accepted","event_id":"%s"}' % token.encode())
        else:
            await self._accept(send, known, EVENT, head.content_type, body, reply)

    async def _enqueue(self, scope: Scope, receive: Receive, send: Send, kind: Kind, reply_name: str) -> None:
        if scope["method"] != "POST":
            self._wrong_method(scope, None, "POST")
        head = read_head(scope["headers"])
        reply: Callable[[bytes], Accept | Refuse] = getattr(self._pagerduty, reply_name)
        body = await self._body(receive, head, self._limits[PAGERDUTY], None)
        key = await self._routing_key(body)
        if len(key) != 32:  # the protocol's own words for a missing or wrong key
            refused = reply(body)
            if isinstance(refused, Refuse):
                raise RefusalError(refused.status, "no routing_key", body=refused.body)
        known = await self._known(key)
        if known.type != PAGERDUTY:
            _unknown_key()
        await self._accept(send, known, kind, head.content_type, body, reply)

    async def _ping(self, scope: Scope, receive: Receive, send: Send, rest: str) -> None:
        key, _, word = rest.rstrip("/").partition("/")
        known = await self._known(key)
        if scope["method"] not in {"GET", "HEAD", "POST"}:
            self._wrong_method(scope, known, "GET, HEAD, POST")
        minted: dict[str, Any] = {"ping": "success", "exit": None}
        if word in {"start", "fail"}:
            minted["ping"] = word
        elif EXIT_CODE.fullmatch(word) and int(word) <= 255:
            minted = {"ping": "success" if int(word) == 0 else "fail", "exit": int(word)}
        elif word:
            reason = f"/ping/KEY/{word[:40]}: give /start, /fail or an exit code from 0 to 255 after the key"
            raise RefusalError(400, reason, known=known)
        head = read_head(scope["headers"])
        body = await self._body(receive, head, BODY_MAX_DEFAULT, known)
        await self._keep(known.id, PING, head.content_type, minted_text(minted), body[:PING_BODY_MAX])
        await answer(send, 200, b"OK", (TEXT_TYPE,), is_head=scope["method"] == "HEAD")

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """To Django, with the whole body in hand: a slow sender must not keep one of its few threads waiting.

        WSGI knows no chunked bodies (the length is told), takes a header with an underscore for the one with a dash
        (such are dropped, or anybody could forge X-Forwarded-For), and wants an ASCII query.
        """
        headers = [(name, value) for name, value in scope["headers"] if b"_" not in name]
        names = {name for name, _ in headers}
        if b"content-length" in names or b"transfer-encoding" in names:
            head = read_head(headers)
            head.encoding = b""
            is_upload = head.content_type.startswith("multipart/form-data")
            limit = self._upload_max if is_upload else PAGE_BODY_MAX
            body = await self._body(receive, head, limit, None, UPLOAD_SECONDS if is_upload else None)
            headers = [pair for pair in headers if pair[0] not in {b"content-length", b"transfer-encoding"}]
            headers.append((b"content-length", b"%d" % len(body)))
            receive = replayed(body, receive)
        passed = {**scope, "headers": headers}
        if not scope["query_string"].isascii():
            passed["query_string"] = quote(scope["query_string"], safe="%&=+;/?:@!$'()*,~").encode()
        await self._behind(passed, receive, send)

    # --- steps ---

    async def _known(self, key: str) -> KnownSource:
        try:
            known = await self._keys.find(key)
        except UnreadableError as error:
            raise busy(str(error)) from error
        if known is None:
            _unknown_key()
        return known

    async def _body(
        self, receive: Receive, head: Head, limit: int, known: KnownSource | None, seconds: float | None = None
    ) -> bytes:
        seconds = seconds or READ_SECONDS
        task = asyncio.current_task()
        assert task is not None, "a request is a task of its own"
        self._reading[task] = time.monotonic() + seconds
        try:
            return await read_body(receive, head, limit)
        except asyncio.CancelledError:
            if task not in self._overdue:
                raise  # the server ends
            self._overdue.discard(task)
            task.uncancel()
            reason = f"the body did not arrive within {seconds:g} s"
            raise RefusalError(408, reason, known=known, size=head.length, headers=(CLOSE,)) from None
        except TooLargeError as error:
            reason = f"the body is larger than {limit} bytes"
            headers = () if error.is_at_end else (CLOSE,)
            if known is None:
                known = await self._named_in(error.start)
            raise RefusalError(413, reason, known=known, size=error.size, headers=headers) from None
        except EncodingError as error:
            raise RefusalError(error.status, str(error), known=known) from None
        finally:
            del self._reading[task]

    async def watch(self) -> NoReturn:
        """Ends the wait for bodies that do not arrive. One look at all of them costs less than a timer for each."""
        while True:
            await asyncio.sleep(1.0)
            now = time.monotonic()
            for event in [event for event, until in self.arriving.items() if until < now]:
                del self.arriving[event]
                event.protocol.hand_over(event)
            for task in [task for task, until in self._reading.items() if until < now]:
                if task not in self._overdue:
                    self._overdue.add(task)
                    task.cancel()

    async def _check(self, body: bytes, known: KnownSource) -> None:
        """Well-formed JSON, an object; the rest is the parser's, later."""
        try:
            if len(body) < LARGE_BODY:
                decode_object(body)
            else:
                await asyncio.to_thread(decode_object, body)
        except BrokenError as error:
            reply = self._replies.get(known.type)
            refused = reply(body) if reply is not None else None
            words = refused.body if isinstance(refused, Refuse) else b""
            raise RefusalError(400, str(error), known=known, body=words, size=len(body), kept=body) from None

    async def _routing_key(self, body: bytes) -> str:
        """ "" when there is none. A body that is no JSON may still say whose it is."""
        try:
            payload = decode_object(body) if len(body) < LARGE_BODY else await asyncio.to_thread(decode_object, body)
        except BrokenError:
            found = _ROUTING_KEY.search(body)
            return found.group(1).decode() if found else ""
        key = payload.get("routing_key")
        return key if isinstance(key, str) else ""

    async def _named_in(self, start: bytes) -> KnownSource | None:
        """Whose broken or too large body this is, if its beginning says so."""
        found = _ROUTING_KEY.search(start)
        try:
            return await self._keys.find(found.group(1).decode()) if found else None
        except UnreadableError:
            return None

    async def _accept(
        self, send: Send, known: KnownSource, kind: Kind, content_type: str, body: bytes,
        reply: Callable[[bytes], Accept | Refuse],
    ) -> None:  # fmt: skip
        """The source answers in its own words."""
        match reply(body):
            case Refuse(status=status, body=words):
                reason = _said(words)
                raise RefusalError(status, reason, known=known, body=words, size=len(body), kept=body)
            case Accept(body=words, minted=minted, status=status):
                await self._keep(known.id, kind, content_type, minted_text(minted), body)
                await answer(send, status, words)

    async def _keep(self, source_id: int, kind: Kind, content_type: str, minted: str, body: bytes) -> str:
        """On disk when this returns. Returns the event's token."""
        token = os.urandom(16).hex()
        try:
            await self.writer.submit((token, source_id, kind, microseconds(clock.now()), content_type, minted, body))
        except (FullError, LogError) as error:
            raise busy(str(error)) from error
        return token

    async def _refuse(self, send: Send, refusal: RefusalError) -> None:
        if refusal.known is not None:
            minted = {"status": refusal.status, "reason": refusal.reason, "size": refusal.size}
            try:
                await self._keep(refusal.known.id, REFUSED, "", minted_text(minted), refusal.kept)
            except RefusalError as busy:
                refusal = busy  # the sender comes again, and is refused for the record then
        metrics.refused.labels(str(refusal.status)).inc()
        await answer(send, refusal.status, refusal.body, (JSON_TYPE, *refusal.headers))

    @staticmethod
    def _wrong_method(scope: Scope, known: KnownSource | None, allowed: str) -> NoReturn:
        """A browser's look is no lost event; another method may be a sender's wrong setting."""
        is_lost = scope["method"] not in {"GET", "HEAD", "OPTIONS"}
        reason = f"{scope['method']} is not understood here: use {allowed}"
        headers = ((b"allow", allowed.encode()),)
        raise RefusalError(405, reason, known=known if is_lost else None, headers=headers)


def _said(words: bytes) -> str:
    """What a source's own answer complains of, for people: `errors` of its JSON, or all of it."""
    try:
        errors = json.loads(words)["errors"]
        return "; ".join(str(error) for error in errors)[:500]
    except (ValueError, TypeError, KeyError):
        return words[:500].decode("utf-8", "replace")


def _unknown_key() -> NoReturn:
    raise RefusalError(401, "this key is not known")


def busy(why: str) -> RefusalError:
    """Not now: the sender shall come again."""
    reason = f"events cannot be taken now ({why}): send it again"
    return RefusalError(503, reason, headers=(RETRY_AFTER,))
