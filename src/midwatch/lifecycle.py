"""The loop as one ordered list. Read this first.

Each step knows the steps before it, never the steps after it. Installed apps, navigation and the documentation's index
are built from this list; import-linter's layers and the README's table are checked against it by `tests/test_tidy.py`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """`package`: dotted below `midwatch`. `question`: what it answers. `wing`: ground, prepare, respond, learn or roof."""

    package: str
    title: str
    question: str
    wing: str
    has_models: bool = True


LIFECYCLE: tuple[Step, ...] = (
    Step("core", "Core", "What does every room stand on?", "ground"),
    Step("people", "People", "Who are we, in which teams, and how is each of us reached?", "ground"),
    Step("catalog", "Services", "What do we run, and who owns it?", "ground"),
    Step("prepare.runbooks", "Runbooks", "What do we do when it breaks, and is it proven?", "prepare"),
    Step("respond.oncall", "On call", "Who answers now, until when, and who is next?", "respond"),
    Step("respond.alerts", "Alerts", "What is wrong, since when, and who has it?", "respond"),
    Step("respond.notify", "Notifications", "Did the message reach the person, and how do we know?", "respond"),
    Step("respond.escalation", "Escalation", "Who is paged next when nobody answers?", "respond"),
    Step("respond.availability", "Availability", "When was it up, when was it down, and how do we know?", "respond"),
    Step("respond.incidents", "Incidents", "Who leads, what was done, and who is told when?", "respond"),
    Step("respond.statuspage", "Status pages", "What do the people who depend on us know?", "respond"),
    Step("learn.postmortems", "Post-mortems", "What happened, why did it make sense, what do we learn?", "learn"),
    Step("learn.actions", "Action items", "Who does what by when, and is it proven?", "learn"),
    Step(
        "learn.objectives", "Objectives", "What did we promise, and how much of it is left?", "learn", has_models=False
    ),
    Step("learn.insights", "Insights", "Is it getting better, and what costs us sleep?", "learn", has_models=False),
    Step("intake", "Intake", "Is what a machine told us safely written down?", "roof"),
    Step("engine", "Engine", "What is due, and is anything late?", "roof"),
    Step("gitops", "Configuration as code", "Does what runs agree with what was reviewed?", "roof"),
    Step("api", "API", "What can scripts ask and do?", "roof", has_models=False),
    Step("web", "Web", "What do people see?", "roof", has_models=False),
)


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the navigation. `url_name` is reversed by the web; `icon` is a name of the icon sprite.

    `also`: first words of further addresses that belong to this place.
    """

    title: str
    url_name: str
    icon: str
    is_on_phone: bool = True
    also: tuple[str, ...] = ()


NAVIGATION: tuple[Place, ...] = (
    Place("Now", "web:now", "activity"),
    Place("Alerts", "alerts:list", "bell"),
    Place("Incidents", "incidents:list", "ambulance"),
    Place("On call", "oncall:who", "phone-call", also=("schedules", "new-schedule", "policies", "page")),
    Place("Services", "catalog:services", "server", also=("sources", "new-service", "new-source")),
    Place(
        "Runbooks",
        "runbooks:list",
        "notebook",
        is_on_phone=False,
        also=("new-runbook", "executions", "approvals", "secrets", "runners"),
    ),
    Place("Status pages", "statuspage:pages", "broadcast", is_on_phone=False, also=("new-status-page",)),
    Place("Improve", "postmortems:list", "bulb", is_on_phone=False, also=("postmortems", "actions", "insights")),
    Place("Settings", "web:settings", "settings", also=("people", "teams", "audit")),
)


def installed_apps() -> list[str]:
    """Dotted app names for Django, lowest first."""
    return [f"midwatch.{step.package}" for step in LIFECYCLE]
