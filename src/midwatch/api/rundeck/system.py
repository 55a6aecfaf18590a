"""The installation, what it counts, and its people's tokens."""

from __future__ import annotations

import os
import threading
from datetime import timedelta

from django.db.models import Count
from django.http import HttpResponse

from midwatch import __version__
from midwatch.api.rundeck import words
from midwatch.api.rundeck.door import VERSION, Asked, Json, Refused, answered, no_such
from midwatch.core import clock
from midwatch.core.durations import parse
from midwatch.people import actions
from midwatch.people.models import ApiToken
from midwatch.prepare.runbooks.models import Execution, ExecutionState
from midwatch.prepare.runbooks.queries import rails
from midwatch.settings import settings

BEGAN_AT = clock.now()
# Its clients choose addresses by the first number: from 6 on metrics are asked for as Prometheus' text.
RUNDECK_VERSION = "6.1.0"
TOKEN_LIFE_MAX = timedelta(days=3650)


def about(asked: Asked) -> HttpResponse:
    return answered({"apiversion": VERSION, "href": asked.root, "name": "Midwatch"})


def info(asked: Asked) -> HttpResponse:
    now = clock.now()
    began = {"epoch": int(BEGAN_AT.timestamp() * 1000), "unit": "ms", "datetime": words.moment(BEGAN_AT)}
    page = os.sysconf("SC_PAGE_SIZE")
    running = Execution.objects.filter(state__in=(ExecutionState.RUNNING, ExecutionState.WAITING)).count()
    return answered(
        {
            "system": {
                "timestamp": {"epoch": int(now.timestamp() * 1000), "unit": "ms", "datetime": words.moment(now)},
                "rundeck": {
                    "version": RUNDECK_VERSION,
                    "build": f"midwatch-{__version__}",
                    "buildGit": "",
                    "node": "midwatch",
                    "base": "",
                    "apiversion": VERSION,
                    "serverUUID": words.SERVER,
                },
                "executions": _mode(),
                "os": {"arch": os.uname().machine, "name": os.uname().sysname, "version": ""},
                "stats": {
                    "uptime": {"duration": int((now - BEGAN_AT).total_seconds() * 1000), "unit": "ms", "since": began},
                    "cpu": {
                        "loadAverage": {"unit": "percent", "average": os.getloadavg()[0]},
                        "processors": os.cpu_count(),
                    },
                    "memory": {
                        "unit": "byte",
                        "max": page * os.sysconf("SC_PHYS_PAGES"),
                        "free": page * os.sysconf("SC_AVPHYS_PAGES"),
                        "total": page * os.sysconf("SC_PHYS_PAGES"),
                    },
                    "scheduler": {"running": running, "threadPoolSize": 0},
                    "threads": {"active": threading.active_count()},
                },
                "metrics": {"href": f"{asked.root}/metrics/metrics", "contentType": "application/json"},
                "healthcheck": {"href": f"{settings().base_url}/readyz", "contentType": "application/json"},
                "ping": {"href": f"{settings().base_url}/healthz", "contentType": "text/plain"},
            }
        }
    )


def mode(asked: Asked) -> HttpResponse:
    return answered(_mode())


def _mode() -> Json:
    """Passive while somebody has stopped everything: nothing that is queued begins."""
    is_active = rails.brake() is None
    return {"active": is_active, "executionMode": "active" if is_active else "passive"}


def change_mode(asked: Asked) -> HttpResponse:
    raise Refused(409, "executions are stopped by the switch on the runbooks' page, which asks for a reason")


def metrics(asked: Asked) -> HttpResponse:
    """As Dropwizard writes them."""
    counts = dict(Execution.objects.values_list("state").annotate(count=Count("id")).order_by())
    under_way = counts.get(ExecutionState.RUNNING, 0) + counts.get(ExecutionState.WAITING, 0)
    failed = counts.get(ExecutionState.FAILED, 0) + counts.get(ExecutionState.UNKNOWN, 0)
    service = "rundeck.services.ExecutionService"
    return answered(
        {
            "version": "4.0.0",
            "gauges": {"rundeck.scheduler.quartz.runningExecutions": {"value": under_way}},
            "counters": {"rundeck.scheduler.quartz.scheduledJobs": {"count": 0}},
            "histograms": {},
            "meters": {
                f"{service}.executionStartMeter": {"count": sum(counts.values())},
                f"{service}.executionSuccessMeter": {"count": counts.get(ExecutionState.OK, 0)},
                f"{service}.executionFailureMeter": {"count": failed},
            },
            "timers": {},
        }
    )


def tokens(asked: Asked) -> HttpResponse:
    """Whose they are stands in each; administrators see all, everybody else their own."""
    found = ApiToken.objects.select_related("user").filter(revoked_at=None).order_by("-created_at")
    if not asked.user.is_administrator:
        found = found.filter(user=asked.user)
    if asked.ids:
        found = found.filter(user__name=asked.ids[0])
    return answered([_token(one) for one in found[:1_000]])


def token(asked: Asked) -> HttpResponse:
    return answered(_token(_own(asked)))


def create_token(asked: Asked) -> HttpResponse:
    """For yourself alone. Roles are not asked about: a token may what its person may."""
    name = asked.ids[0] if asked.ids else asked.text("user", most=63) or asked.user.name
    if name != asked.user.name:
        raise Refused(403, "everybody makes their own tokens: send your own name", "unauthorized")
    ends_at = clock.now() + _life(asked.text("duration", most=20)) if asked.text("duration") else None
    text = actions.create_token(
        asked.user, asked.text("name", most=100) or "Rundeck's API", asked.by, expires_at=ends_at
    )
    made = ApiToken.objects.select_related("user").filter(user=asked.user).latest("id")
    return answered({**_token(made), "token": text}, 201)


def delete_token(asked: Asked) -> HttpResponse:
    actions.revoke_token(_own(asked), asked.by)
    return HttpResponse(status=204)


def _life(text: str) -> timedelta:
    try:
        return min(parse(text), TOKEN_LIFE_MAX)
    except ValueError as error:
        raise Refused(400, f"duration: {error}") from error


def _own(asked: Asked) -> ApiToken:
    name = asked.ids[0]
    rows = ApiToken.objects.select_related("user").filter(revoked_at=None)
    found = rows.filter(pk=int(name)).first() if name.isascii() and name.isdigit() and len(name) < 19 else None
    if found is None or not (asked.user.is_administrator or found.user_id == asked.user.pk):
        raise no_such("Token", name[:8])
    return found


def _token(one: ApiToken) -> Json:
    return {
        "user": one.user.name,
        "id": str(one.pk),
        "name": one.name,
        "creator": one.user.name,
        "expiration": words.moment(one.expires_at) if one.expires_at else None,
        "expired": one.expires_at is not None and one.expires_at <= clock.now(),
        "roles": [str(one.user.role)],
    }


def user(asked: Asked) -> HttpResponse:
    """Yourself."""
    if asked.ids and asked.ids[0] != asked.user.name:
        raise no_such("User", asked.ids[0])
    first, _, last = asked.user.display_name.partition(" ")
    return answered({"login": asked.user.name, "firstName": first, "lastName": last, "email": asked.user.email})


def roles(asked: Asked) -> HttpResponse:
    return answered({"roles": [str(asked.user.role), *sorted(team.name for team in asked.user.teams.all())]})
