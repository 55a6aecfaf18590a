"""Chats that are reached by a socket that we open, beside `/hooks/PROVIDER/chat`: for an installation nobody can call.

One web process holds the socket, by a lease; when it dies another one takes over. An envelope is acknowledged in time whatever
the act takes: what is not done by then is told to who asked when it is.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from django.db import close_old_connections, transaction
from django.db.models import Q

from midwatch.api import chat
from midwatch.core import clock
from midwatch.core.guard import guarded
from midwatch.core.integration import ChannelConfig, Rejected
from midwatch.core.net import NetError
from midwatch.core.net.websocket import WebSocket, open_websocket
from midwatch.core.talking import Asked, Envelope, Stream, Talk, TalkError, chore_of, streams, talks
from midwatch.engine.models import Chore
from midwatch.settings import channel_values

log = logging.getLogger(__name__)
LEASE = timedelta(seconds=30)
RENEW_SECONDS = 10.0
LOOK_SECONDS = 1.0
ANSWER_SECONDS = 2.0  # Slack waits 3 s, as it does at the hook
PAUSE_SECONDS_MAX = 60.0
HELLO_SECONDS = 15.0
HANDLERS = 4
Respond = Callable[[Talk, Asked, ChannelConfig], tuple[str, bytes]]


class Held(Protocol):
    def keep(self) -> bool:
        """Take or renew it. False: another one has it."""

    def give_back(self) -> None: ...


class Lease:
    """One row of the engine's chores; whoever moved its time last has it."""

    def __init__(self, provider: str) -> None:
        self._name = chore_of(provider)
        self._until: datetime | None = None

    def keep(self) -> bool:
        now = clock.now()
        with transaction.atomic():
            Chore.objects.bulk_create([Chore(name=self._name, due_at=now)], ignore_conflicts=True)
            free = Q(claimed_until=None) | Q(claimed_until__lte=now)
            mine = free if self._until is None else free | Q(claimed_until=self._until)
            is_mine = bool(Chore.objects.filter(mine, name=self._name).update(claimed_until=now + LEASE))
        self._until = now + LEASE if is_mine else None
        return is_mine

    def give_back(self) -> None:
        if self._until is not None:
            with transaction.atomic():
                Chore.objects.filter(name=self._name, claimed_until=self._until).update(claimed_until=None)
            self._until = None


def responded(talk: Talk, asked: Asked, config: ChannelConfig) -> tuple[str, bytes]:
    """Do what was asked and render the answer, as the hook does. Raises `TalkError`."""
    said = chat.respond(talk, asked, config)
    if said.form is not None:
        talk.open_form(asked, said.form, config)
    return talk.answer(asked, said.words, config, is_refused=said.is_refused)


class Conversation:
    """What comes over one socket, answered over it."""

    def __init__(
        self, stream: Stream, socket: WebSocket, config: ChannelConfig, handlers: Executor, respond: Respond = responded
    ) -> None:
        self._stream, self._socket, self._config = stream, socket, config
        self._handlers, self._respond = handlers, respond
        self._talk = talks()[stream.PROVIDER]

    def take(self, text: str) -> str:
        """Returns the frame's kind."""
        try:
            envelope = self._stream.read(text)
        except Rejected as refusal:
            log.warning("%s: %s", self._stream.PROVIDER, refusal)
            return "other"
        if envelope.asked is not None:
            self._handlers.submit(self._answer, envelope, envelope.asked)
        elif envelope.id:
            self._acknowledge(envelope)
        return envelope.kind

    def _answer(self, envelope: Envelope, asked: Asked) -> None:
        """In time without words, when the words are not there in time."""
        once = threading.Lock()

        def acknowledge_bare() -> None:
            if once.acquire(blocking=False):
                self._acknowledge(envelope)

        late = threading.Timer(ANSWER_SECONDS, acknowledge_bare)
        late.daemon = True
        late.start()
        close_old_connections()
        body = guarded("a chat's envelope", partial(self._body, asked), otherwise=b"")
        close_old_connections()
        late.cancel()
        if once.acquire(blocking=False):
            self._acknowledge(envelope, body)
        elif body:
            guarded("a chat's late answer", partial(self._tell_late, asked, body), otherwise=None)

    def _body(self, asked: Asked) -> bytes:
        try:
            kind, body = self._respond(self._talk, asked, self._config)
        except TalkError as error:
            log.warning("%s: %s", self._stream.PROVIDER, error)
            return b""
        return body if kind.startswith("application/json") else b""

    def _tell_late(self, asked: Asked, body: bytes) -> None:
        self._talk.answer(replace(asked, verb="late"), self._stream.words_of(body), self._config)

    def _acknowledge(self, envelope: Envelope, body: bytes = b"") -> None:
        try:
            self._socket.send(self._stream.acknowledgement(envelope, body))
        except NetError:
            log.warning("%s: the socket closed before an answer; it is asked again", self._stream.PROVIDER)


class Holder:
    """Keeps one provider's socket open while it has the lease; a thread of a web process."""

    def __init__(self, stream: Stream, lease: Held | None = None, respond: Respond = responded) -> None:
        self._stream, self._respond = stream, respond
        self._lease: Held = lease or Lease(stream.PROVIDER)
        self._config = ChannelConfig(values=channel_values(tuple(stream.SETTINGS)))
        self._stop = threading.Event()
        self._handlers = ThreadPoolExecutor(HANDLERS, thread_name_prefix=f"{stream.PROVIDER}-socket")
        self._thread = threading.Thread(target=self.run, name=f"{stream.PROVIDER}-socket", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Asks it to end; the lease is given back, so that another one need not wait for it."""
        self._stop.set()

    def run(self) -> None:
        pause = 1.0
        while not self._stop.is_set():
            close_old_connections()
            if not guarded("a chat's lease", self._lease.keep, otherwise=False):
                self._stop.wait(RENEW_SECONDS)
                continue
            was_well = guarded("a chat's socket", self._hold, otherwise=False)
            pause = 1.0 if was_well else min(pause * 2, PAUSE_SECONDS_MAX)
            self._stop.wait(pause)
        guarded("a chat's lease", self._lease.give_back, otherwise=None)
        self._handlers.shutdown(wait=False, cancel_futures=True)

    def _hold(self) -> bool:
        """Until it closes, is lost or is to end. True: it was well, so open the next one soon."""
        try:
            socket = self._open()
        except (TalkError, NetError) as error:
            log.warning("%s: %s", self._stream.PROVIDER, error)
            return False
        was_well, is_replaced = False, True
        while is_replaced and not self._stop.is_set():
            is_replaced = False
            kind = self._converse(socket)
            was_well = was_well or kind != "never"
            if kind == "closing":  # Slack warns before it closes: the next one is open before this one ends
                try:
                    following = self._open()
                except (TalkError, NetError) as error:
                    log.warning("%s: %s", self._stream.PROVIDER, error)
                else:
                    socket.close()
                    socket, is_replaced = following, True
            elif kind == "disabled":
                log.warning("%s: socket mode is switched off in the app's settings", self._stream.PROVIDER)
                was_well = False
        socket.close()
        return was_well

    def _open(self) -> WebSocket:
        return open_websocket(self._stream.address(self._config), is_trusted=True)

    def _converse(self, socket: WebSocket) -> str:
        """Why it ended: closing, disabled, closed, lost (the lease), stopped; never: it did not even say hello."""
        talk = Conversation(self._stream, socket, self._config, self._handlers, self._respond)
        opened = renewed = clock.monotonic()
        has_greeted = False
        while not self._stop.is_set():
            now = clock.monotonic()
            if now - renewed >= RENEW_SECONDS:
                renewed = now
                if not guarded("a chat's lease", self._lease.keep, otherwise=False):
                    return "lost"
            if not has_greeted and now - opened > HELLO_SECONDS:
                return "never"
            try:
                text = socket.receive(LOOK_SECONDS)
            except NetError:
                return "closed" if has_greeted else "never"
            kind = talk.take(text) if text is not None else ""
            has_greeted = has_greeted or kind == "hello"
            if kind in {"closing", "disabled"}:
                return kind
        return "stopped"


def holders() -> list[Holder]:
    """One for each provider whose socket is wanted."""
    wanted = []
    for stream in streams().values():
        if stream.is_wanted(ChannelConfig(values=channel_values(tuple(stream.SETTINGS)))):
            wanted.append(Holder(stream))
    return wanted
