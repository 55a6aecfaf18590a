"""Reads of incidents longer than a line."""

from __future__ import annotations

from midwatch.respond.incidents.queries.brief import brief_of
from midwatch.respond.incidents.queries.finding import (
    commander_of,
    incident_number,
    may_see,
    open_incident_of,
    visible_to,
)
from midwatch.respond.incidents.queries.holders import (
    Seat,
    custom_duties,
    duties_of,
    holdings_of,
    participants_of,
    seats_of,
)
from midwatch.respond.incidents.queries.listing import IncidentFilter, active_incidents, commanders_of, incidents
from midwatch.respond.incidents.queries.rules import alerts_that_declare
from midwatch.respond.incidents.queries.severities import demands_postmortem, severity_rule, severity_rules

__all__ = [
    "IncidentFilter",
    "Seat",
    "active_incidents",
    "alerts_that_declare",
    "brief_of",
    "commander_of",
    "commanders_of",
    "custom_duties",
    "demands_postmortem",
    "duties_of",
    "holdings_of",
    "incident_number",
    "incidents",
    "may_see",
    "open_incident_of",
    "participants_of",
    "seats_of",
    "severity_rule",
    "severity_rules",
    "visible_to",
]
