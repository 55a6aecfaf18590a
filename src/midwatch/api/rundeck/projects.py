"""Projects, which are teams, and their nodes, which are the targets that steps name."""

from __future__ import annotations

from django.db.models import ProtectedError
from django.http import HttpResponse

from midwatch.api.rundeck import words
from midwatch.api.rundeck.door import ALL, Asked, Json, Refused, answered, no_such
from midwatch.people import actions
from midwatch.people.models import Team
from midwatch.prepare.runbooks.models import Runbook, StepRun
from midwatch.prepare.runbooks.queries import visible_to

STEPS_READ_MAX = 5_000


def team_of(asked: Asked, name: str) -> Team:
    """Rundeck's projects may have capitals; names of ours have none. Raises `Refused`."""
    team = Team.objects.filter(name=name.lower()[:63]).first()
    if team is None:
        raise no_such("Project", name)
    return team


def runbooks_of(asked: Asked, name: str) -> list[Runbook]:
    """Those with steps, of a project or of all (`*`), as far as the caller may see them."""
    found = visible_to(asked.user).filter(url="")
    return list(found if name == ALL else found.filter(team=team_of(asked, name)))


def index(asked: Asked) -> HttpResponse:
    return answered([words.project(asked, team) for team in Team.objects.order_by("name")])


def show(asked: Asked) -> HttpResponse:
    team = team_of(asked, asked.ids[0])
    return answered({**words.project(asked, team), "config": _config(team)})


def create(asked: Asked) -> HttpResponse:
    """A team without members: who is in it says the team's page, or configuration as code."""
    asked.only_administrators()
    name = asked.text("name", most=200)
    if Team.objects.filter(name=name.lower()).exists():
        raise Refused(409, f"Project already exists: {name}", "api.error.item.alreadyexists")
    team = actions.create_team(name.lower(), name, asked.by)
    return answered({**words.project(asked, team), "config": _config(team)}, 201)


def delete(asked: Asked) -> HttpResponse:
    asked.only_administrators()
    team = team_of(asked, asked.ids[0])
    try:
        actions.delete_team(team, asked.by)
    except ProtectedError as error:
        raise Refused(
            409, f"{team.name} owns services, runbooks or schedules: give them to another team first"
        ) from error
    return HttpResponse(status=204)


def config(asked: Asked) -> HttpResponse:
    return answered(_config(team_of(asked, asked.ids[0])))


def _config(team: Team) -> dict[str, str]:
    return {"project.name": team.name, "project.label": team.display_name}


def nodes_of(asked: Asked, name: str) -> dict[str, Json]:
    """What executions reached, by name. `localhost` is Midwatch's own machine."""
    ids = [one.pk for one in runbooks_of(asked, name)]
    rows = StepRun.objects.filter(execution__runbook__in=ids).exclude(targets={}).order_by("-id")
    found = {words.LOCAL: _node(words.LOCAL)}
    for targets in rows.values_list("targets", flat=True)[:STEPS_READ_MAX]:
        for target in targets:
            found.setdefault(target, _node(target))
    return found


def _node(target: str) -> Json:
    user, _, host = target.rpartition("@")
    return {"nodename": target, "hostname": host, "tags": "", **({"username": user} if user else {})}


def resources(asked: Asked) -> HttpResponse:
    return answered(nodes_of(asked, asked.ids[0]))


def resource(asked: Asked) -> HttpResponse:
    found = nodes_of(asked, asked.ids[0]).get(asked.ids[1])
    if found is None:
        raise no_such("Node", asked.ids[1])
    return answered({asked.ids[1]: found})
