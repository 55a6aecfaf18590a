"""What a page and an answer of the API cost the server: CPU time of the web process, from /proc, through real HTTP.

    python benchmarks/pages.py [--rows 50] [--requests 40] [--postgresql URL] [--json] [--quick]

One keep-alive connection asks one thing at a time, so what is measured is the whole way: the event loop, the thread,
middleware, session, queries, template. Medians of three rounds.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from measuring import rig
from measuring.figures import Figure, parser, report

import installation  # isort: skip - rig puts it on the path

# The real server, with two views more that do nothing: one for anybody, one for who is logged in.
SERVER = """
import django, sys
django.setup()
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.urls import path
from midwatch.web import urls

def empty(request):
    return HttpResponse("")

urls.urlpatterns[:0] = [path("empty", empty), path("empty-mine", login_required(empty))]
from midwatch.server import Address, run
sys.exit(run(Address(port=int(sys.argv[1]))))
"""

# Fifty alerts in all shapes: some call the viewer, some are the viewer's, the rest is open.
WORLD = """
import json
from datetime import timedelta
from django.db import transaction
from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.people import tokens
from midwatch.people.models import ApiToken, Membership, Team, User
from midwatch.respond.alerts.models import Alert, Source
from midwatch.respond.escalation.models import Escalation
from midwatch.respond.notify.models import Page
from midwatch.respond.oncall.models import Schedule

rows, people, password = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
now = clock.now()
with transaction.atomic():
    team = Team.objects.get(name="payments")
    service = Service.objects.get(name="checkout")
    source = Source.objects.first()
    users = []
    for index in range(people):
        user = User(name=f"p{index}", display_name=f"Person {index}", created_at=now, role="administrator")
        if index == 0:
            user.set_password(password)
        else:
            user.password = users[0].password  # a hash each would take longer than the benchmark
        user.save()
        users.append(user)
        Membership.objects.create(team=team, user=user)
    me = users[0]
    text = tokens.new_api_token()
    ApiToken.objects.create(user=me, name="bench", digest=tokens.digest(text), created_at=now, last_used_at=now)
    for index in range(rows):
        is_mine = index % 5 < 2
        alert = Alert.objects.create(
            number=index + 1, source=source, dedup_key=f"k{index}", service=service, team=team, count=index + 1,
            title=f"Disk of db{index} is 97 % full and grows", priority=f"P{index % 5 + 1}", urgency="high",
            status="acknowledged" if is_mine else "firing", acknowledged_by=me if is_mine else None,
            acknowledged_at=now if is_mine else None, created_at=now - timedelta(minutes=index), last_seen_at=now,
            labels={"instance": f"db{index}:9100", "severity": "critical"},
        )
        Escalation.objects.create(
            alert=alert, state="acknowledged" if is_mine else "paging", round_started_at=now, due_at=now + timedelta(hours=2),
        )
        if index % 5 == 4:
            Page.objects.create(
                alert=alert, user=me, origin=f"{index}/1/0", step_name="level 1", urgency="high", started_at=now,
                cycle_started_at=now,
            )
print(json.dumps({"token": text}))
"""


def world(env: dict[str, str], rows: int, people: int = 1) -> str:
    """Fill the installation; the API token of its first person."""
    installation.prepare(env)
    return str(json.loads(rig.in_installation(WORLD, env, str(rows), str(people), rig.PASSWORD))["token"])


def measure(env: dict[str, str], rows: int, count: int, token: str) -> list[Figure]:
    with rig.server(SERVER, env) as (pid, port):
        browser = rig.Browser(port)
        browser.log_in("p0", rig.PASSWORD)
        nobody = rig.Browser(port)
        script = {"Authorization": f"Bearer {token}"}

        def figure(what: str, aim: str, do: Any, weight: int = 1) -> Figure:
            answer = do()
            assert answer[0] in {200, 304}, (what, answer[0], answer[2][:500])
            return Figure(what, rig.cpu_each(pid, count * weight, do), "ms CPU", aim or None)

        tag = browser.partial("/")[1]["HX-PTag"]
        return [
            figure("/healthz (the lane, no Django)", "", lambda: nobody.ask("/healthz"), 20),
            figure("an empty view, nobody logged in", "<= 0.5", lambda: nobody.ask("/empty"), 20),
            figure("an empty view, logged in", "", lambda: browser.ask("/empty-mine"), 10),
            figure(f"Now, {rows} open alerts, the whole page", "<= 15", lambda: browser.ask("/")),
            figure("Now, what a poll renders anew", "<= 15", lambda: browser.partial("/")),
            figure("Now, a poll when nothing changed", "", lambda: browser.partial("/", tag), 4),
            figure("Now, who covers", "", lambda: browser.partial("/?part=cover")),
            figure("the badge of every page's head", "", lambda: browser.partial("/calls"), 4),
            figure(f"the alert list, {rows} rows", "<= 15", lambda: browser.ask("/alerts?status=firing&status=acknowledged")),
            figure(f"API: the alert list, {rows} rows", "<= 15", lambda: nobody.ask(f"/api/v1/alerts?limit={rows}", headers=script)),
            figure("API: one alert", "", lambda: nobody.ask("/api/v1/alerts/1", headers=script)),
            figure("an alert's page", "", lambda: browser.ask("/alerts/1")),
        ]  # fmt: skip


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--rows", type=int, default=50)
    options.add_argument("--requests", type=int, default=40)
    options.add_argument("--postgresql", metavar="URL", help="an empty database; its tables are made")
    given = options.parse_args()
    requests = 5 if given.quick else given.requests
    directory = Path(tempfile.mkdtemp(prefix="midwatch-bench-"))
    try:
        env = installation.environment(directory, given.postgresql or "")
        token = world(env, given.rows)
        kind = "PostgreSQL" if given.postgresql else "SQLite"
        report(f"pages, {kind}", measure(env, given.rows, requests, token), as_json=given.json)
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
