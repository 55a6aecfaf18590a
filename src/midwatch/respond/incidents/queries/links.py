"""Addresses of an incident's pages, for messages."""

from __future__ import annotations

from midwatch.respond.incidents.models import Incident
from midwatch.settings import settings


def room_url(incident: Incident) -> str:
    return f"{settings().base_url}/incidents/{incident.number}"
