"""An incident's channel in Slack: made once, then kept as the wish says. What was done is in `external`, step by step, so
that a try that failed half-way goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from midwatch.core.integration import ChannelConfig, ChatError, ChatRoom, ChatWish
from midwatch.integrations.slack.web import SlackError, call
from midwatch.integrations.slack.words import channel_name, escaped, headline, topic

PROVIDER = "slack"
TITLE = "Slack channel"
SETTINGS: Sequence[str] = ("SLACK_BOT_TOKEN", "SLACK_BASE_URL")

INVITED_AT_ONCE = 100
LOOKUPS_MAX = 25  # of people in one call: each is a request, and the errand has a lease
NAME_ATTEMPTS = 5
LIST_PAGES_MAX = 10
LIST_PAGE = 1_000
HISTORY = 100
KIND = "midwatch_headline"
ALREADY_THERE = frozenset({"already_in_channel", "cant_invite_self"})
NOT_REACHED = frozenset({"users_not_found", "user_not_found", "user_is_restricted", "cant_invite", "user_disabled"})


def missing_settings(config: ChannelConfig) -> str:
    if not config.values.get("SLACK_BOT_TOKEN"):
        return "MIDWATCH_SLACK_BOT_TOKEN is not set: give the bot token of your Slack app, xoxb-..."
    return ""


def tend(wish: ChatWish, config: ChannelConfig) -> ChatRoom:
    """Create, tell, invite, archive: each step looks whether it was done. Raises `ChatError` with what was achieved."""
    room = _Room(wish, config)
    try:
        if not room.kept.get("channel"):
            if wish.is_closed:
                return ChatRoom("", "no channel was made", room.kept)  # it is over: nobody needs one now
            room.make()
        if not room.kept.get("archived"):
            room.set_topic()
            room.show_headline()
            room.invite()
        if wish.is_closed and not room.missing_people:
            room.archive()
    except SlackError as error:
        raise ChatError(
            str(error),
            permanent=error.permanent,
            external=room.kept,
            retry_after_seconds=error.retry_after_seconds,
        ) from None
    except (KeyError, TypeError, AttributeError):
        raise ChatError("Slack answered in another shape than its API promises", external=room.kept) from None
    unknown = [email for email in room.unknown if email not in room.kept.get("named", [])]
    if unknown:
        room.kept["named"] = sorted({*room.kept.get("named", []), *unknown})
    notes = [f"nobody in Slack has the e-mail address {email}: they were not invited" for email in unknown]
    return ChatRoom(
        str(room.kept.get("url", "")),
        f"#{room.kept['name']}",
        room.kept,
        notes=[*notes, *room.notes],
        is_complete=not room.missing_people,
    )


class _Room:
    """One channel during one call. `kept`: what goes back as `external`."""

    def __init__(self, wish: ChatWish, config: ChannelConfig) -> None:
        self.wish, self.config = wish, config
        self.kept: dict[str, Any] = dict(wish.external)
        self.unknown: list[str] = []
        self.notes: list[str] = []
        self.missing_people = False
        self.is_found = "channel" in self.kept  # it was there before, so a headline may be, too

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        return call(self.config, method, arguments)

    # --- the channel

    def make(self) -> None:
        me = self.call("auth.test")
        for attempt in range(NAME_ATTEMPTS):
            name = channel_name(self.wish, attempt)
            try:
                made = self.call("conversations.create", name=name, is_private=self.wish.is_private)["channel"]
            except SlackError as error:
                if error.code != "name_taken":
                    raise
                found = self._ours(name, str(me.get("user_id", "")))
                if found is None:
                    continue
                made, self.is_found = found, True
            self.kept |= {"channel": str(made["id"]), "name": str(made.get("name", name))}
            self.kept["url"] = f"{str(me.get('url', 'https://slack.com/')).rstrip('/')}/archives/{made['id']}"
            return
        raise SlackError("name_taken", f"{NAME_ATTEMPTS} channels of this name exist already", permanent=True)

    def _ours(self, name: str, me: str) -> Mapping[str, Any] | None:
        """The channel of this name, when a try before this one made it and could not write that down."""
        cursor = ""
        for _ in range(LIST_PAGES_MAX):
            page = self.call(
                "conversations.list",
                types="public_channel,private_channel",
                exclude_archived=True,
                limit=LIST_PAGE,
                cursor=cursor,
            )
            for one in page.get("channels", []):
                if one.get("name") == name:
                    said = str((one.get("purpose") or {}).get("value", ""))
                    is_same_kind = bool(one.get("is_private")) == self.wish.is_private
                    is_mine = bool(me) and one.get("creator") == me
                    return one if is_mine and is_same_kind and said in {"", self._purpose()} else None
            cursor = str((page.get("response_metadata") or {}).get("next_cursor", ""))
            if not cursor:
                break
        return None

    def _purpose(self) -> str:
        return escaped(f"Midwatch: {self.wish.url}", 250)

    def set_topic(self) -> None:
        """Purpose once, topic whenever it differs: it is what people see without scrolling."""
        if not self.kept.get("purpose"):
            self.call("conversations.setPurpose", channel=self.kept["channel"], purpose=self._purpose())
            self.kept["purpose"] = True
        wanted = topic(self.wish)
        if self.kept.get("topic") != wanted:
            self.call("conversations.setTopic", channel=self.kept["channel"], topic=wanted)
            self.kept["topic"] = wanted

    # --- the headline

    def show_headline(self) -> None:
        text, blocks = headline(self.wish)
        digest = hashlib.sha256(json.dumps([text, blocks]).encode()).hexdigest()
        if not self.kept.get("ts") and self.is_found:
            self.kept["ts"] = self._posted()
        if self.kept.get("ts") and self.kept.get("shown") != digest:
            try:
                self.call(
                    "chat.update",
                    channel=self.kept["channel"],
                    ts=self.kept["ts"],
                    text=text,
                    blocks=blocks,
                    parse="none",
                )
            except SlackError as error:
                if error.code not in {"message_not_found", "cant_update_message", "edit_window_closed"}:
                    raise
                self.kept["ts"] = ""  # somebody took it away: there is a new one
        if not self.kept.get("ts"):
            self.kept["pinned"] = False
            posted = self.call(
                "chat.postMessage",
                channel=self.kept["channel"],
                text=text,
                blocks=blocks,
                parse="none",
                link_names=False,
                unfurl_links=False,
                metadata={"event_type": KIND, "event_payload": {"incident": self.wish.number}},
            )
            self.kept["ts"] = str(posted["ts"])
        self.kept["shown"] = digest
        if not self.kept.get("pinned"):
            self._pin()

    def _posted(self) -> str:
        """The headline that a try before this one posted and could not write down."""
        try:
            found = self.call(
                "conversations.history", channel=self.kept["channel"], limit=HISTORY, include_all_metadata=True
            )
        except SlackError as error:
            if error.code != "missing_scope":  # without channels:history a crash may repeat it, once
                raise
            return ""
        mine = (one for one in found.get("messages", []) if (one.get("metadata") or {}).get("event_type") == KIND)
        return next((str(one["ts"]) for one in mine), "")

    def _pin(self) -> None:
        try:
            self.call("pins.add", channel=self.kept["channel"], timestamp=self.kept["ts"])
        except SlackError as error:
            if error.code != "already_pinned":
                raise
        self.kept["pinned"] = True

    # --- people

    def invite(self) -> None:
        """Whom we know of and have not invited. Somebody who left on purpose is not pulled back."""
        users: dict[str, str] = dict(self.kept.get("users", {}))
        self.kept["users"] = users
        named = self.kept.get("named", [])
        unseen = [email for email in dict.fromkeys(self.wish.emails) if email not in users]
        # Those never asked for come first, so that people without Slack do not stand in their way.
        unseen.sort(key=lambda email: email in named)
        self.missing_people = any(email not in named for email in unseen[LOOKUPS_MAX:])
        for email in unseen[:LOOKUPS_MAX]:
            if user := self._user(email):
                users[email] = user
            else:
                self.unknown.append(email)
        wanted = [users[email] for email in dict.fromkeys(self.wish.emails) if email in users]
        invited: list[str] = list(self.kept.get("invited", []))
        new = [user for user in dict.fromkeys(wanted) if user not in invited]
        for start in range(0, len(new), INVITED_AT_ONCE):
            batch = new[start : start + INVITED_AT_ONCE]
            self._invite(batch)
            invited += batch
            self.kept["invited"] = list(invited)

    def _user(self, email: str) -> str:
        try:
            return str(self.call("users.lookupByEmail", email=email)["user"]["id"])
        except SlackError as error:
            if error.code not in {"users_not_found", "user_not_found"}:
                raise
            return ""

    def _invite(self, batch: Sequence[str]) -> None:
        """`force` lets those in who can be invited when some cannot; those are named."""
        try:
            told: Mapping[str, Any] = self.call(
                "conversations.invite", channel=self.kept["channel"], users=",".join(batch), force=True
            )
        except SlackError as error:
            if error.code not in ALREADY_THERE | NOT_REACHED:
                raise
            told = error.answer if error.answer.get("errors") else {"errors": [{"error": error.code}]}
        for one in told.get("errors") or ():
            code = str(one.get("error", ""))
            if not one.get("ok") and code not in ALREADY_THERE:
                who = next((email for email, user in self.kept["users"].items() if user == one.get("user")), "somebody")
                self.notes.append(f"{who} could not be invited: Slack says {escaped(code, 80)}")

    def archive(self) -> None:
        if self.kept.get("archived"):
            return
        try:
            self.call("conversations.archive", channel=self.kept["channel"])
        except SlackError as error:
            if error.code != "already_archived":
                raise
        self.kept["archived"] = True
