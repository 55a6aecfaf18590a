"""Slack's Web API over our own door out: one POST a method, 200 with `ok: false` when it says no, 429 when it is too much.

https://docs.slack.dev/apis/web-api/
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from midwatch.core import net
from midwatch.core.integration import ChannelConfig
from midwatch.core.text import clean

TIMEOUT_SECONDS_MAX = 5.0  # several calls make one errand, and its lease is 60 s
RETRY_AFTER_SECONDS_MAX = 3_600
READS = frozenset(
    {"users.lookupByEmail", "users.info", "conversations.list", "conversations.history", "conversations.info"}
)
# What no later try makes better; everything else may be over soon.
PERMANENT: Mapping[str, str] = {
    "not_authed": "MIDWATCH_SLACK_BOT_TOKEN is empty",
    "invalid_auth": "the token is not valid: give the bot token of the installed app, xoxb-...",
    "account_inactive": "the app was removed from the workspace: install it again and give its new token",
    "token_revoked": "the token was revoked: install the app again and give its new token",
    "token_expired": "the token has run out: give a bot token without rotation",
    "not_allowed_token_type": "this is no bot token: it begins with xoxb-",
    "missing_scope": "the app lacks a scope: compare the list in its README and install it again",
    "no_permission": "the app may not do this in this workspace",
    "restricted_action": "the workspace does not let the app make channels: ask its administrators",
    "ekm_access_denied": "the workspace's administrators have suspended it",
    "team_access_not_granted": "the app is not installed in this workspace",
    "channel_not_found": "the channel is gone, or the app was removed from it: invite the app again",
    "is_archived": "somebody archived the channel in Slack: unarchive it there to have it kept up to date",
    "not_in_channel": "the app was removed from the channel: invite it again",
}


class SlackError(Exception):
    """Slack said no, or nothing. `code`: its word ("name_taken"), "" when nobody answered. The text holds no secret."""

    def __init__(
        self, code: str, words: str, *, permanent: bool = False, retry_after_seconds: float = 0.0, answer: object = None
    ) -> None:
        super().__init__(words)
        self.code = code
        self.permanent = permanent
        self.retry_after_seconds = retry_after_seconds
        self.answer: Mapping[str, Any] = answer if isinstance(answer, Mapping) else {}


def call(config: ChannelConfig, method: str, arguments: Mapping[str, Any], *, seconds: float = 0.0) -> dict[str, Any]:
    """One method; what is no text goes as JSON inside the form, as Slack takes it. Raises `SlackError`."""
    form = urlencode({name: _text(value) for name, value in arguments.items()}).encode("ascii")
    url = f"{config.values['SLACK_BASE_URL'].rstrip('/')}/{method}"
    try:
        answer = net.http(
            "POST",
            url,
            is_trusted=True,  # the address is a setting
            headers={
                "authorization": f"Bearer {config.values['SLACK_BOT_TOKEN']}",
                "content-type": "application/x-www-form-urlencoded",
            },
            body=form,
            timeout_seconds=seconds or min(config.timeout_seconds, TIMEOUT_SECONDS_MAX),
            keeps_connection=True,
            is_repeatable=method in READS,
        )
    except net.NetError as error:
        raise SlackError("", str(error), permanent=error.permanent) from None
    return _read(method, answer)


def _read(method: str, answer: net.HttpAnswer) -> dict[str, Any]:
    if answer.status == 429:
        after = _seconds(answer.headers.get("retry-after", ""))
        raise SlackError("ratelimited", f"Slack asks to wait {after:g} s", retry_after_seconds=after)
    told = answer.json()
    if not isinstance(told, dict) or not isinstance(told.get("ok"), bool):
        permanent = 300 <= answer.status < 500 and answer.status != 408
        raise SlackError("", f"Slack answered {answer.status} without a word of its own", permanent=permanent)
    if told["ok"]:
        return told
    code = clean(told.get("error", ""), 80, is_one_line=True)
    why = PERMANENT.get(code)
    if code == "missing_scope":
        why = f"{why} (needed: {clean(told.get('needed', '?'), 80, is_one_line=True)})"
    raise SlackError(code, why or f"Slack's {method} says {code}", permanent=why is not None, answer=told)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _seconds(given: str) -> float:
    return float(min(max(int(given), 1), RETRY_AFTER_SECONDS_MAX)) if given.isascii() and given.isdecimal() else 30.0
