"""Incidents at Statuspage by its management API v1: made by POST, told on by PATCH. Calling twice says it twice at worst."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from midwatch.core import net
from midwatch.core.integration import ChannelConfig, PublishedUpdate, PublishError

PROVIDER = "statuspage"
TITLE = "Statuspage"
SETTINGS: Sequence[str] = ("STATUSPAGE_API_KEY", "STATUSPAGE_BASE_URL")
AGAIN = {408, 420, 425, 429}
REASON_CHARACTERS_MAX = 200


def missing_settings(config: ChannelConfig) -> str:
    if not config.values.get("STATUSPAGE_API_KEY"):
        return "MIDWATCH_STATUSPAGE_API_KEY is not set: give a key of your account's API info"
    return ""


def publish(page: str, update: PublishedUpdate, config: ChannelConfig) -> str:
    """The incident's id there: of a new one, or the one that the update names."""
    missing = missing_settings(config)
    if missing:
        raise PublishError(missing, permanent=True)
    root = f"{config.values.get('STATUSPAGE_BASE_URL', '').rstrip('/')}/v1/pages/{quote(page, safe='')}"
    incident: dict[str, Any] = {
        "name": update.name,
        "status": update.status,
        "body": update.body,
        "deliver_notifications": update.is_told,
        "impact_override": update.impact,
        "components": _components(root, update.components, config) if update.components else {},
    }
    if update.scheduled_for is not None and update.scheduled_until is not None:
        incident["scheduled_for"] = update.scheduled_for.isoformat()
        incident["scheduled_until"] = update.scheduled_until.isoformat()
    if update.external_id:
        path = f"{root}/incidents/{quote(update.external_id, safe='')}"
        _ask("PATCH", path, config, {"incident": incident})
        return update.external_id
    found = _ask("POST", f"{root}/incidents", config, {"incident": incident})
    made = found.get("id") if isinstance(found, dict) else None
    if not isinstance(made, str) or not made:
        raise PublishError("Statuspage took the incident and gave it no id", permanent=True)
    return made


def _components(root: str, wanted: Mapping[str, str], config: ChannelConfig) -> dict[str, str]:
    """Those of the same name."""
    listed = _ask("GET", f"{root}/components", config)
    found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    by_name = {one.get("name"): one.get("id") for one in found if not one.get("group")}
    return {str(by_name[name]): status for name, status in wanted.items() if by_name.get(name)}


def _ask(method: str, url: str, config: ChannelConfig, body: Mapping[str, Any] | None = None) -> Any:
    headers = {
        "Authorization": f"OAuth {config.values['STATUSPAGE_API_KEY']}",
        "Content-Type": "application/json",
        "Accept": "application/json",
    }
    data = json.dumps(body).encode() if body is not None else b""
    try:
        answer = net.http(
            method, url, is_trusted=True, headers=headers, body=data, timeout_seconds=config.timeout_seconds
        )
    except net.NetError as error:
        raise PublishError(str(error), permanent=error.permanent) from None
    if answer.is_ok:
        return answer.json()
    said = answer.json()
    reason = said.get("message") or said.get("error") if isinstance(said, dict) else ""
    is_passing = answer.status in AGAIN or answer.status >= 500
    words = f"Statuspage answered {answer.status}: {str(reason)[:REASON_CHARACTERS_MAX]}".rstrip(": ")
    raise PublishError(words, permanent=not is_passing)
