"""Issues by Jira's REST API 2, which Cloud and Data Center both speak.

https://developer.atlassian.com/cloud/jira/platform/rest/v2/ A workflow is the project's own, so "done" is whatever its status
category says, and closing takes the first transition that leads there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from midwatch.core import net
from midwatch.core.integration import ChannelConfig
from midwatch.core.text import clean
from midwatch.core.tracking import Issue, IssueWish, TrackerError

PROVIDER = "jira"
TITLE = "Jira"
PLACE_HELP = "the project's key (OPS), or OPS/Task to name the type of issue"
SETTINGS: Sequence[str] = ("JIRA_BASE_URL", "JIRA_USER", "JIRA_TOKEN")

SUMMARY_MAX = 250
BODY_MAX = 30_000  # a description takes 32,767 characters
TYPE_USUAL = "Task"
RETRY_AFTER_SECONDS_MAX = 3_600
_PLACE = re.compile(r"([A-Z][A-Z0-9_]{1,29})(?:/([^/<>\"]{1,60}))?")
_KEY = re.compile(r"[A-Z][A-Z0-9_]{1,29}-\d{1,12}")
WHY: Mapping[int, str] = {
    401: "Jira does not take the token: set MIDWATCH_JIRA_USER and MIDWATCH_JIRA_TOKEN anew",
    403: "Jira does not let this user do that: give it Browse, Create, Transition and Resolve in the project",
    404: "there is no such project or issue, or this user may not see it",
}


def missing_settings(config: ChannelConfig) -> str:
    missing = [name for name in ("JIRA_BASE_URL", "JIRA_TOKEN") if not config.values.get(name)]
    return f"MIDWATCH_{missing[0]} is not set" if missing else ""


def place_of(given: str) -> str:
    said = clean(given, 100, is_one_line=True).strip()
    project, _, kind = said.partition("/")
    place = f"{project.strip().upper()}/{kind.strip()}" if kind.strip() else project.strip().upper()
    if not _PLACE.fullmatch(place):
        raise ValueError(f"give {PLACE_HELP}")
    return place


def create(wish: IssueWish, config: ChannelConfig) -> Issue:
    if wish.may_exist and (found := _made_before(wish, config)) is not None:
        return found
    project, _, kind = wish.place.partition("/")
    fields = {
        "project": {"key": project},
        "issuetype": {"name": kind or TYPE_USUAL},
        "summary": wish.title[:SUMMARY_MAX],
        "description": wish.body[:BODY_MAX],
        "labels": [_label(wish.mark)],
    }
    made = _call("POST", "/rest/api/2/issue", config, {"fields": fields})
    return look({"key": _key(made)}, config)


def _label(mark: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", mark)[:200]


def _made_before(wish: IssueWish, config: ChannelConfig) -> Issue | None:
    """Cloud has a search of its own since 2025; Data Center has the older one."""
    path = "/rest/api/2/search/jql" if config.values.get("JIRA_USER") else "/rest/api/2/search"
    query = quote(f'labels = "{_label(wish.mark)}"')
    told = _call("GET", f"{path}?jql={query}&fields=status&maxResults=1", config)
    found = told.get("issues") if isinstance(told, dict) else None
    return look({"key": _key(found[0])}, config) if isinstance(found, list) and found else None


def look(external: Mapping[str, Any], config: ChannelConfig) -> Issue:
    key = _key(external)
    told = _call("GET", f"/rest/api/2/issue/{key}?fields=status", config)
    try:
        is_closed = told["fields"]["status"]["statusCategory"]["key"] == "done"
    except (KeyError, TypeError):
        raise TrackerError("Jira answered in another shape than its API promises") from None
    return Issue({"key": key}, f"{_base(config)}/browse/{key}", key, is_closed)


def set_closed(
    external: Mapping[str, Any], is_closed: bool, config: ChannelConfig, *, is_dropped: bool = False
) -> Issue:
    path = f"/rest/api/2/issue/{_key(external)}/transitions"
    told = _call("GET", path, config)
    ways = told.get("transitions") if isinstance(told, dict) else None
    fitting = [one for one in ways or [] if isinstance(one, dict) and _leads(one, is_closed)]
    if not fitting:
        word = "done" if is_closed else "open again"
        raise TrackerError(
            f"the workflow has no way from here to a status that is {word}: move it there", permanent=True
        )
    _call("POST", path, config, {"transition": {"id": str(fitting[0].get("id"))}})
    return look(external, config)


def _leads(way: Mapping[str, Any], is_closed: bool) -> bool:
    to = way.get("to")
    category = to.get("statusCategory") if isinstance(to, dict) else None
    key = category.get("key") if isinstance(category, dict) else None
    return (key == "done") == is_closed if isinstance(key, str) else False


def _key(told: Any) -> str:
    key = told.get("key") if isinstance(told, Mapping) else None
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise TrackerError("Jira answered in another shape than its API promises")
    return key


def _base(config: ChannelConfig) -> str:
    return config.values["JIRA_BASE_URL"].rstrip("/")


def _call(method: str, path: str, config: ChannelConfig, content: object = None) -> Any:
    user, token = config.values.get("JIRA_USER", ""), config.values["JIRA_TOKEN"]
    headers = {"accept": "application/json", "content-type": "application/json"}
    if not user:  # a personal access token of Data Center
        headers["authorization"] = f"Bearer {token}"
    try:
        answer = net.http(
            method,
            _base(config) + path,
            is_trusted=True,  # the address is a setting
            headers=headers,
            basic_auth=(user, token) if user else None,
            body=b"" if content is None else json.dumps(content).encode(),
            timeout_seconds=config.timeout_seconds,
        )
    except net.NetError as error:
        raise TrackerError(str(error)) from None
    if answer.is_ok:
        return answer.json()
    if answer.status == 429:
        after = answer.headers.get("retry-after", "")
        seconds = int(after) if after.isascii() and after.isdecimal() else 60
        raise TrackerError(
            "Jira asks to wait", retry_after_seconds=float(min(max(seconds, 1), RETRY_AFTER_SECONDS_MAX))
        )
    why = WHY.get(answer.status, f"Jira answered {answer.status}")
    is_permanent = 300 <= answer.status < 500 and answer.status != 408
    raise TrackerError(f"{why}{_said(answer.json())}", permanent=is_permanent)


def _said(told: Any) -> str:
    """What Jira says is wrong, by field: {"errorMessages": [], "errors": {"issuetype": "..."}}."""
    if not isinstance(told, dict):
        return ""
    messages, errors = told.get("errorMessages"), told.get("errors")
    lines = [*(messages if isinstance(messages, list) else [])]
    lines += [f"{name}: {text}" for name, text in errors.items()] if isinstance(errors, dict) else []
    said = clean("; ".join(str(line) for line in lines[:5]), 300, is_one_line=True)
    return f" ({said})" if said else ""
