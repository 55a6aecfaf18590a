"""The API's addresses, a file a room."""

from __future__ import annotations

from ninja import NinjaAPI

from midwatch.api.endpoints import (
    actions,
    alerts,
    catalog,
    hold,
    incident_course,
    incident_updates,
    incidents,
    maintenance,
    oncall,
    people,
    policies,
    postmortems,
    runbook_trust,
    runbooks,
    stakeholders,
    uptime,
)

_registered: set[int] = set()


def register(api: NinjaAPI) -> None:
    """Once an API, however often the addresses are read."""
    if id(api) in _registered:
        return
    _registered.add(id(api))
    api.add_router("", alerts.router, tags=["alerts"])
    api.add_router("", oncall.router, tags=["on call"])
    api.add_router("", people.router, tags=["people"])
    api.add_router("", catalog.router, tags=["teams, services, sources"])
    api.add_router("", policies.router, tags=["escalation policies"])
    api.add_router("", maintenance.router, tags=["maintenance"])
    api.add_router("", postmortems.router, tags=["post-mortems"])
    api.add_router("", hold.router, tags=["paging on hold"])
    api.add_router("", incidents.router, tags=["incidents"])
    api.add_router("", incident_course.router, tags=["incidents"])
    api.add_router("", incident_updates.router, tags=["incidents"])
    api.add_router("", actions.router, tags=["action items and insights"])
    api.add_router("", runbook_trust.router, tags=["runbooks"])  # before: `calendar` is no name
    api.add_router("", runbooks.router, tags=["runbooks"])
    api.add_router("", stakeholders.router, tags=["incidents"])
    api.add_router("", uptime.router, tags=["uptime"])
