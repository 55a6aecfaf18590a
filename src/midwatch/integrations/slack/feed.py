"""A team's alert channel in Slack: one message for each alert, edited in place, with buttons to answer it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from midwatch.core.feeds import ACKNOWLEDGE, RESOLVE, FeedPost
from midwatch.core.integration import ChannelConfig, ChatError
from midwatch.core.text import clean
from midwatch.integrations.slack import words
from midwatch.integrations.slack.chat import HISTORY, missing_settings
from midwatch.integrations.slack.web import SlackError, call
from midwatch.integrations.slack.words import escaped

__all__ = ["PLACE_HELP", "PROVIDER", "SETTINGS", "TITLE", "missing_settings", "place_of", "show"]

PROVIDER = "slack"
TITLE = "Slack channel"
PLACE_HELP = 'its ID (C0123456789, at the end of "About" in Slack) or #name; invite the app into it'
SETTINGS: Sequence[str] = ("SLACK_BOT_TOKEN", "SLACK_BASE_URL")

KIND = "midwatch_post"
TITLE_MAX = 300
LINES_MAX = 8
LINE_MAX = 400
MARKS: Mapping[str, str] = {"danger": ":red_circle:", "warn": ":large_yellow_circle:", "ok": ":large_green_circle:"}
LABELS: Mapping[str, tuple[str, str]] = {
    ACKNOWLEDGE: ("Acknowledge", words.ACKNOWLEDGE),
    RESOLVE: ("Resolve", words.RESOLVE),
}
_ID = re.compile(r"[CG][A-Z0-9]{7,19}")
_NAME = re.compile(r"[^\s#@<>&/\\]{1,80}")


def place_of(given: str) -> str:
    said = clean(given, 100, is_one_line=True).strip()
    if _ID.fullmatch(said):
        return said
    if _NAME.fullmatch(said.removeprefix("#")):
        return "#" + said.removeprefix("#").lower()
    raise ValueError(f"give the channel as {PLACE_HELP}")


def show(post: FeedPost, config: ChannelConfig) -> Mapping[str, Any]:
    kept: dict[str, Any] = dict(post.external)
    text, blocks = message(post)
    digest = hashlib.sha256(json.dumps([text, blocks]).encode()).hexdigest()
    try:
        if not kept.get("ts") and post.may_exist:
            kept |= _posted(post, config)
        if kept.get("ts") and kept.get("shown") != digest:
            _edit(kept, text, blocks, config)
        if not kept.get("ts"):
            kept |= _post(post, text, blocks, config)
    except SlackError as error:
        raise ChatError(
            str(error), permanent=error.permanent, external=kept, retry_after_seconds=error.retry_after_seconds
        ) from None
    except (KeyError, TypeError, AttributeError):
        raise ChatError("Slack answered in another shape than its API promises", external=kept) from None
    return kept | {"shown": digest}


def message(post: FeedPost) -> tuple[str, list[dict[str, Any]]]:
    """(plain text for notifications, blocks). What others wrote stands in plain text, or escaped."""
    title = escaped(post.title, TITLE_MAX)
    mark = f"{MARKS[post.tone]} " if post.tone in MARKS else ""
    lines = [escaped(line, LINE_MAX) for line in post.lines[:LINES_MAX]]
    said = "\n".join([f"{mark}*<{post.url}|{title.replace('|', '/').replace('*', '')}>*", *lines])
    blocks: list[dict[str, Any]] = [{"type": "section", "text": {"type": "mrkdwn", "text": said, "verbatim": True}}]
    if post.acts and post.number is not None:
        buttons = [_button(*LABELS[act], post.number) for act in post.acts]
        blocks.append({"type": "actions", "block_id": f"alert-{post.number}", "elements": buttons})
    return title, blocks


def _button(label: str, act: str, number: int) -> dict[str, Any]:
    text = {"type": "plain_text", "text": label}
    return {"type": "button", "text": text, "action_id": act, "value": str(number)}


def _edit(kept: dict[str, Any], text: str, blocks: list[dict[str, Any]], config: ChannelConfig) -> None:
    said = {"channel": kept["channel"], "ts": kept["ts"], "text": text, "blocks": blocks, "parse": "none"}
    try:
        call(config, "chat.update", said)
    except SlackError as error:
        if error.code not in {"message_not_found", "cant_update_message", "edit_window_closed"}:
            raise
        kept["ts"] = ""  # somebody took it away: there is a new one


def _post(post: FeedPost, text: str, blocks: list[dict[str, Any]], config: ChannelConfig) -> dict[str, Any]:
    posted = call(
        config,
        "chat.postMessage",
        {
            "channel": post.place,
            "text": text,
            "blocks": blocks,
            "parse": "none",
            "link_names": False,
            "unfurl_links": False,
            "metadata": {"event_type": KIND, "event_payload": {"key": post.key}},
        },
    )
    return {"channel": str(posted["channel"]), "ts": str(posted["ts"])}


def _posted(post: FeedPost, config: ChannelConfig) -> dict[str, Any]:
    """The message that a try before this one posted and could not write down. Only a channel's ID can be asked."""
    if post.place.startswith("#"):
        return {}
    try:
        asked = {"channel": post.place, "limit": HISTORY, "include_all_metadata": True}
        found = call(config, "conversations.history", asked)
    except SlackError as error:
        if error.code != "missing_scope":  # without channels:history a crash may repeat it, once
            raise
        return {}
    for one in found.get("messages", []):
        marked = one.get("metadata") or {}
        if marked.get("event_type") == KIND and (marked.get("event_payload") or {}).get("key") == post.key:
            return {"channel": post.place, "ts": str(one["ts"])}
    return {}
