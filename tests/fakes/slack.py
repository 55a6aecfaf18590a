"""A Slack workspace: channels, members, topics, pins, messages with their `ts`, forms that were opened.

`Workspace.api` is its Web API; `FakeSlack` serves it on a port, and a story answers from it without one. The end of the
token chooses what goes wrong, as in Slack's own tests of its libraries: `-ratelimited`, `-fatal`, `-disconnected`.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from websockets.sync.server import ServerConnection, serve

from midwatch.core import net

from .server import FakeServer, Recorded, Reply, json_reply

TOKEN = "xoxb-1-tests"
APP_TOKEN = "xapp-1-tests"
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
NAME = re.compile(r"[a-z0-9_-]{1,80}")


class Refused(Exception):  # noqa: N818 - says what happened
    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.body = {"ok": False, "error": error, **more}


@dataclass
class FakeChannel:
    id: str
    name: str
    creator: str
    is_private: bool
    members: set[str]
    topic: str = ""
    purpose: str = ""
    is_archived: bool = False
    pins: list[str] = field(default_factory=list)
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)  # by ts


class Workspace:
    """`people`: user id -> users.info's user. `calls`: (method, arguments) in order. `breaks`: method -> error."""

    me = "UBOT"
    socket_url = ""
    team = "T1"

    def __init__(self, token: str = TOKEN, secret: str = SECRET) -> None:
        self.token, self.secret = token, secret
        self.people: dict[str, dict[str, Any]] = {}
        self.channels: dict[str, FakeChannel] = {}
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.breaks: dict[str, str] = {}
        self.views: list[dict[str, Any]] = []
        self.whispers: list[dict[str, Any]] = []  # what only one person sees
        self.cannot_be_invited: set[str] = set()
        self._count = itertools.count(1)

    def person(self, name: str, **more: Any) -> str:
        """A member with the address NAME@example.com. Returns the id."""
        identity = f"U{name.upper()}"
        profile = {"email": f"{name}@example.com", "real_name": name.title()}
        self.people[identity] = {
            "id": identity, "team_id": self.team, "name": name, "deleted": False, "is_bot": False,
            "is_email_confirmed": True, "profile": profile, **more,
        }  # fmt: skip
        return identity

    def opened(self, name: str) -> FakeChannel:
        """A channel that people made, with the app in it."""
        made = FakeChannel(f"C{next(self._count):08d}", name, "UBO", False, {"UBO", self.me})
        self.channels[made.id] = made
        return made

    def channel(self, name: str) -> FakeChannel:
        return next(one for one in self.channels.values() if one.name == name)

    def asked(self, method: str) -> list[dict[str, str]]:
        return [arguments for name, arguments in self.calls if name == method]

    # --- the Web API

    def api(self, method: str, arguments: dict[str, str], authorization: str) -> tuple[int, dict[str, str], Any]:
        """(status, headers, JSON)."""
        self.calls.append((method, arguments))
        token = authorization.removeprefix("Bearer ")
        if method == "apps.connections.open":
            if token != APP_TOKEN:
                return 200, {}, {"ok": False, "error": "not_allowed_token_type" if token else "not_authed"}
            return 200, {}, {"ok": True, "url": self.socket_url}
        if not token.startswith("xoxb-"):
            return 200, {}, {"ok": False, "error": "invalid_auth" if token else "not_authed"}
        if token.endswith("-ratelimited"):
            return 429, {"Retry-After": "30"}, {"ok": False, "error": "ratelimited"}
        if token.endswith("-fatal"):
            return 200, {}, {"ok": False, "error": "fatal_error"}
        if token != self.token:
            return 200, {}, {"ok": False, "error": "invalid_auth"}
        does = getattr(self, "_" + re.sub(r"[.A-Z]", lambda found: "_" + found[0].strip(".").lower(), method), None)
        try:
            if method in self.breaks:
                raise Refused(self.breaks[method])
            if does is None:
                raise Refused("unknown_method")
            return 200, {}, {"ok": True, **does(arguments)}
        except Refused as no:
            return 200, {}, no.body

    def transport(self, request: net.HttpRequest) -> net.HttpAnswer:
        """For a story's network."""
        if self.token.endswith("-disconnected"):
            raise net.NetError("the connection was cut")
        arguments = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        method = urlsplit(request.url).path.rpartition("/")[2]
        status, headers, body = self.api(method, arguments, request.headers.get("authorization", ""))
        return net.HttpAnswer(
            status, {name.lower(): value for name, value in headers.items()}, json.dumps(body).encode()
        )

    def _auth_test(self, given: dict[str, str]) -> dict[str, Any]:
        return {"url": "https://acme.slack.example/", "team_id": self.team, "user_id": self.me, "bot_id": "B1"}

    def _conversations_create(self, given: dict[str, str]) -> dict[str, Any]:
        name = given["name"]
        if not NAME.fullmatch(name):
            raise Refused("invalid_name_specials" if len(name) <= 80 else "invalid_name_maxlength")
        if any(one.name == name for one in self.channels.values()):
            raise Refused("name_taken")
        made = FakeChannel(f"C{next(self._count):08d}", name, self.me, given.get("is_private") == "true", {self.me})
        self.channels[made.id] = made
        return {"channel": self._shown(made)}

    def _conversations_list(self, given: dict[str, str]) -> dict[str, Any]:
        start = int(given.get("cursor") or 0)
        shown = [one for one in self.channels.values() if not (one.is_archived and given.get("exclude_archived"))]
        shown = [one for one in shown if not one.is_private or self.me in one.members]
        end = start + min(int(given.get("limit", 100)), 2)  # small pages, so that a client must turn them
        after = str(end) if end < len(shown) else ""
        return {"channels": [self._shown(one) for one in shown[start:end]], "response_metadata": {"next_cursor": after}}

    def _conversations_set_topic(self, given: dict[str, str]) -> dict[str, Any]:
        if len(given["topic"]) > 250:
            raise Refused("too_long")
        self._open(given).topic = given["topic"]
        return {}

    def _conversations_set_purpose(self, given: dict[str, str]) -> dict[str, Any]:
        if len(given["purpose"]) > 250:
            raise Refused("too_long")
        self._open(given).purpose = given["purpose"]
        return {}

    def _conversations_invite(self, given: dict[str, str]) -> dict[str, Any]:
        channel, users = self._open(given), given["users"].split(",")
        if len(users) > 100:
            raise Refused("too_many_users")
        errors = []
        for user in users:
            why = (
                "cant_invite_self" if user == self.me
                else "already_in_channel" if user in channel.members
                else "user_not_found" if user not in self.people
                else "cant_invite" if user in self.cannot_be_invited
                else ""
            )  # fmt: skip
            if why:
                errors.append({"user": user, "ok": False, "error": why})
        good = [user for user in users if user not in {one["user"] for one in errors}]
        if errors and (not good or given.get("force") != "true"):
            raise Refused(errors[0]["error"], errors=errors)
        channel.members |= set(good)
        return {"channel": self._shown(channel), **({"errors": errors} if errors else {})}

    def _conversations_archive(self, given: dict[str, str]) -> dict[str, Any]:
        channel = self._of(given)
        if channel.is_archived:
            raise Refused("already_archived")
        channel.is_archived = True
        return {}

    def _conversations_history(self, given: dict[str, str]) -> dict[str, Any]:
        return {"messages": list(reversed(self._of(given).messages.values()))[: int(given.get("limit", 100))]}

    def _chat_post_message(self, given: dict[str, str]) -> dict[str, Any]:
        self._check(given)
        ts = f"1500000000.{next(self._count):06d}"
        message = self._message(given) | {"ts": ts, "metadata": json.loads(given.get("metadata", "{}"))}
        if given["channel"] in self.people:
            self.whispers.append({"user": given["channel"], **message})
            return {"channel": "D1", "ts": ts}
        channel = self._open(given)
        if self.me not in channel.members:
            raise Refused("not_in_channel")
        channel.messages[ts] = message
        return {"channel": channel.id, "ts": ts, "message": message}

    def _chat_update(self, given: dict[str, str]) -> dict[str, Any]:
        self._check(given)
        channel = self._open(given)
        if given["ts"] not in channel.messages:
            raise Refused("message_not_found")
        channel.messages[given["ts"]] |= self._message(given)
        return {"channel": channel.id, "ts": given["ts"]}

    def _chat_post_ephemeral(self, given: dict[str, str]) -> dict[str, Any]:
        self._check(given)
        self.whispers.append({**given, **self._message(given)})
        return {"message_ts": "1"}

    def _pins_add(self, given: dict[str, str]) -> dict[str, Any]:
        channel = self._open(given)
        if given["timestamp"] not in channel.messages:
            raise Refused("message_not_found")
        if given["timestamp"] in channel.pins:
            raise Refused("already_pinned")
        channel.pins.append(given["timestamp"])
        return {}

    def _users_lookup_by_email(self, given: dict[str, str]) -> dict[str, Any]:
        for one in self.people.values():
            if one["profile"]["email"] == given["email"] and not one["deleted"]:
                return {"user": one}
        raise Refused("users_not_found")

    def _users_info(self, given: dict[str, str]) -> dict[str, Any]:
        if given["user"] not in self.people:
            raise Refused("user_not_found")
        return {"user": self.people[given["user"]]}

    def _views_open(self, given: dict[str, str]) -> dict[str, Any]:
        view = json.loads(given["view"])
        if not given.get("trigger_id"):
            raise Refused("invalid_trigger")
        if view["type"] != "modal" or len(view["title"]["text"]) > 24 or len(view["blocks"]) > 100:
            raise Refused("invalid_arguments")
        self.views.append(view)
        return {"view": {"id": f"V{next(self._count)}"}}

    def _of(self, given: dict[str, str]) -> FakeChannel:
        if given["channel"].startswith("#"):  # chat.postMessage takes a name; what else does not answer by it
            named = [one for one in self.channels.values() if f"#{one.name}" == given["channel"]]
            given = {**given, "channel": named[0].id if named else ""}
        if given["channel"] not in self.channels:
            raise Refused("channel_not_found")
        return self.channels[given["channel"]]

    def _open(self, given: dict[str, str]) -> FakeChannel:
        channel = self._of(given)
        if channel.is_archived:
            raise Refused("is_archived")
        return channel

    def _shown(self, one: FakeChannel) -> dict[str, Any]:
        return {
            "id": one.id, "name": one.name, "creator": one.creator, "is_private": one.is_private,
            "is_archived": one.is_archived, "topic": {"value": one.topic}, "purpose": {"value": one.purpose},
        }  # fmt: skip

    def _message(self, given: dict[str, str]) -> dict[str, Any]:
        return {"text": given.get("text", ""), "blocks": json.loads(given.get("blocks", "[]"))}

    def _check(self, given: dict[str, str]) -> None:
        """Slack's limits: https://docs.slack.dev/reference/block-kit/blocks/"""
        if not given.get("text") and not given.get("blocks"):
            raise Refused("no_text")
        for block in json.loads(given.get("blocks", "[]")):
            fields, text = block.get("fields", []), block.get("text", {}).get("text", "x")
            too_long = len(text) > (150 if block["type"] == "header" else 3_000)
            if too_long or not text or len(fields) > 10 or len(block.get("elements", [])) > 25:
                raise Refused("invalid_blocks")
            if any(not 0 < len(one["text"]) <= 2_000 for one in fields):
                raise Refused("invalid_blocks")

    # --- what people do, as the signed requests that Slack makes

    def signed(self, body: bytes, at: int, secret: str = "") -> dict[str, str]:
        text = b"v0:%d:%s" % (at, body)
        digest = hmac.new((secret or self.secret).encode(), text, hashlib.sha256).hexdigest()
        return {"X-Slack-Signature": f"v0={digest}", "X-Slack-Request-Timestamp": str(at)}

    def command(self, user: str, text: str, channel: str = "C0") -> bytes:
        return urlencode(
            {
                "team_id": self.team, "channel_id": channel, "user_id": user, "command": "/midwatch", "text": text,
                "response_url": "https://hooks.slack.example/commands/1", "trigger_id": "trigger-1",
            }
        ).encode()  # fmt: skip

    def press(self, user: str, action: str, value: str, channel: str = "C0") -> bytes:
        payload = {
            "type": "block_actions", "user": {"id": user, "team_id": self.team}, "team": {"id": self.team},
            "channel": {"id": channel}, "trigger_id": "trigger-1",
            "actions": [{"type": "button", "action_id": action, "block_id": "b", "value": value, "action_ts": "1"}],
        }  # fmt: skip
        return urlencode({"payload": json.dumps(payload)}).encode()

    def submit(self, user: str, view: dict[str, Any], values: dict[str, Any]) -> bytes:
        """`values`: block id -> what its element holds."""
        state = {block: {"value": element} for block, element in values.items()}
        payload = {
            "type": "view_submission", "user": {"id": user, "team_id": self.team}, "team": {"id": self.team},
            "view": {**view, "state": {"values": state}},
        }  # fmt: skip
        return urlencode({"payload": json.dumps(payload)}).encode()

    def shortcut(self, user: str, action: str, text: str, channel: str) -> bytes:
        """A message's own menu: "add to the timeline"."""
        payload = {
            "type": "message_action", "callback_id": action, "user": {"id": user, "team_id": self.team},
            "channel": {"id": channel}, "message": {"text": text, "ts": "1"}, "trigger_id": "trigger-1",
        }  # fmt: skip
        return urlencode({"payload": json.dumps(payload)}).encode()


class FakeSlack(FakeServer):
    """The workspace on a port; `settings` is the environment of a Midwatch that uses it."""

    def __init__(self, workspace: Workspace | None = None, port: int = 0) -> None:
        self.workspace = workspace or Workspace()
        super().__init__(port)

    @property
    def settings(self) -> dict[str, str]:
        return {
            "MIDWATCH_SLACK_BOT_TOKEN": self.workspace.token,
            "MIDWATCH_SLACK_SIGNING_SECRET": self.workspace.secret,
            "MIDWATCH_SLACK_BASE_URL": f"{self.url}/api",
        }

    def respond(self, request: Recorded) -> Reply:
        is_json = request.headers.get("content-type", "").startswith("application/json")
        sent = (request.json if is_json else request.form) if request.body else {}
        given = dict(parse_qsl(request.query))
        given |= {name: value if isinstance(value, str) else json.dumps(value) for name, value in sent.items()}
        if request.headers.get("authorization", "").endswith("-disconnected"):
            return Reply(502, b"<html>")
        method = request.path.rpartition("/")[2]
        status, headers, body = self.workspace.api(method, given, request.headers.get("authorization", ""))
        return json_reply(status, body, **headers)


class FakeSockets:
    """Socket mode's other end: `opened` sockets in order, what was `said` on each, and frames sent by the test.

    https://docs.slack.dev/apis/events-api/using-socket-mode/
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._changed = threading.Condition()
        self.opened: list[ServerConnection] = []
        self.said: list[tuple[int, dict[str, Any]]] = []  # (which socket, frame)
        self._server = serve(self._talk, "127.0.0.1", 0)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> FakeSockets:
        self._thread.start()
        port = self._server.socket.getsockname()[1]
        self._workspace.socket_url = f"ws://127.0.0.1:{port}/link?ticket=secret&app_id=A1"
        return self

    def __exit__(self, *failure: object) -> None:
        for one in self.opened:
            one.close()
        self._server.shutdown()
        self._thread.join()

    def _talk(self, socket: ServerConnection) -> None:
        with self._changed:
            number = len(self.opened)
            self.opened.append(socket)
            self._changed.notify_all()
        self.send({"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A1"}}, number)
        for text in socket:
            with self._changed:
                self.said.append((number, json.loads(text)))
                self._changed.notify_all()

    def send(self, frame: dict[str, Any], number: int = -1) -> None:
        self.opened[number].send(json.dumps(frame))

    def wait(self, until: Callable[[], Any]) -> Any:
        with self._changed:
            assert self._changed.wait_for(until, 20), f"{len(self.opened)} opened, said: {self.said}"
            return until()

    def envelope(self, kind: str, body: bytes, identity: str, *, takes_answer: bool = True) -> dict[str, Any]:
        """What `Workspace.command`, `press` and `submit` made, in an envelope."""
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
        payload = json.loads(fields["payload"]) if "payload" in fields else fields
        return {
            "type": kind, "envelope_id": identity, "payload": payload, "accepts_response_payload": takes_answer,
        }  # fmt: skip
