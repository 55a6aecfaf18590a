"""Issues by GitHub's REST API: https://docs.github.com/en/rest/issues/issues (version 2022-11-28)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from midwatch.core import net
from midwatch.core.integration import ChannelConfig
from midwatch.core.text import clean
from midwatch.core.tracking import Issue, IssueWish, TrackerError

PROVIDER = "github"
TITLE = "GitHub"
PLACE_HELP = "the repository: owner/name"
SETTINGS: Sequence[str] = ("GITHUB_TOKEN", "GITHUB_BASE_URL")

TITLE_MAX = 256
BODY_MAX = 60_000
LOOKED_AT = 50  # newest issues, when a try before may have made it
RETRY_AFTER_SECONDS_MAX = 3_600
_PLACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")
WHY: Mapping[int, str] = {
    401: "the token is not valid: set MIDWATCH_GITHUB_TOKEN anew",
    404: "there is no such repository or issue, or the token may not see it (it needs Issues: read and write)",
    410: "issues are switched off there, or the issue was deleted",
    301: "the issue or the repository has moved: make the issue anew at its new place",
}


def missing_settings(config: ChannelConfig) -> str:
    return "" if config.values.get("GITHUB_TOKEN") else "MIDWATCH_GITHUB_TOKEN is not set"


def place_of(given: str) -> str:
    said = clean(given, 200, is_one_line=True).strip().removeprefix("https://github.com/").strip("/")
    if not _PLACE.fullmatch(said) or said.endswith(("/.", "/..")):
        raise ValueError(f"give {PLACE_HELP}")
    return said


def create(wish: IssueWish, config: ChannelConfig) -> Issue:
    if wish.may_exist and (found := _made_before(wish, config)) is not None:
        return found
    body = f"{wish.body[:BODY_MAX]}\n\n<!-- {wish.mark} -->"
    made = _call("POST", f"/repos/{wish.place}/issues", config, {"title": wish.title[:TITLE_MAX], "body": body})
    return _issue(wish.place, made)


def _made_before(wish: IssueWish, config: ChannelConfig) -> Issue | None:
    path = f"/repos/{wish.place}/issues?state=all&sort=created&direction=desc&per_page={LOOKED_AT}"
    listed = _call("GET", path, config)
    mine = (one for one in listed if isinstance(one, dict) and f"<!-- {wish.mark} -->" in str(one.get("body")))
    return next((_issue(wish.place, one) for one in mine), None)


def look(external: Mapping[str, Any], config: ChannelConfig) -> Issue:
    return _issue(external["place"], _call("GET", _path(external), config))


def set_closed(
    external: Mapping[str, Any], is_closed: bool, config: ChannelConfig, *, is_dropped: bool = False
) -> Issue:
    reason = "not_planned" if is_dropped else "completed"
    wanted = {"state": "closed", "state_reason": reason} if is_closed else {"state": "open"}
    return _issue(external["place"], _call("PATCH", _path(external), config, wanted))


def _path(external: Mapping[str, Any]) -> str:
    return f"/repos/{external['place']}/issues/{int(external['number'])}"


def _issue(place: str, told: Any) -> Issue:
    if not isinstance(told, dict) or not isinstance(told.get("number"), int):
        raise TrackerError("GitHub answered in another shape than its API promises")
    url = told.get("html_url")
    return Issue(
        {"place": place, "number": told["number"]},
        url if isinstance(url, str) and url.startswith(("https://", "http://")) else "",
        f"{place}#{told['number']}",
        told.get("state") == "closed",
    )


def _call(method: str, path: str, config: ChannelConfig, content: object = None) -> Any:
    try:
        answer = net.http(
            method,
            config.values["GITHUB_BASE_URL"].rstrip("/") + path,
            is_trusted=True,  # the address is a setting
            headers={
                "accept": "application/vnd.github+json",
                "authorization": f"Bearer {config.values['GITHUB_TOKEN']}",
                "content-type": "application/json",
                "user-agent": "midwatch",
                "x-github-api-version": "2022-11-28",
            },
            body=b"" if content is None else json.dumps(content).encode(),
            timeout_seconds=config.timeout_seconds,
        )
    except net.NetError as error:
        raise TrackerError(str(error)) from None
    if answer.is_ok:
        return answer.json()
    told = answer.json()
    said = clean(told.get("message", ""), 200, is_one_line=True) if isinstance(told, dict) else ""
    after = _wait(answer)
    if after:
        raise TrackerError(f"GitHub asks to wait {after:g} s", retry_after_seconds=after)
    why = WHY.get(answer.status, f"GitHub answered {answer.status}")
    is_permanent = answer.status in {301, 400, 401, 403, 404, 410, 422}
    raise TrackerError(f"{why}{f' ({said})' if said else ''}", permanent=is_permanent)


def _wait(answer: net.HttpAnswer) -> float:
    """Of a rate limit: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api"""
    after = answer.headers.get("retry-after", "")
    if answer.status in {403, 429} and after.isascii() and after.isdecimal():
        return float(min(max(int(after), 1), RETRY_AFTER_SECONDS_MAX))
    if answer.status == 429 or (answer.status == 403 and answer.headers.get("x-ratelimit-remaining") == "0"):
        return 900.0  # the hourly limit; when it ends says a clock that is not ours
    return 0.0
