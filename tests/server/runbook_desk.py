"""Run beside a server, on its data directory: a desk that makes runbooks, runners and secrets, starts executions, and says
how they stand. A line of JSON in, a line of JSON out."""

from __future__ import annotations

import json
import sys
from typing import Any

import django


class Desk:
    def __init__(self) -> None:
        from django.db import transaction

        from midwatch.core import clock
        from midwatch.core.actor import Actor
        from midwatch.people import actions as people
        from midwatch.people.models import User

        self.by = Actor("Desk", "cli")
        with transaction.atomic():
            self.team = people.create_team("payments", "Payments", self.by)
            self.ana = User.objects.create(
                name="ana", display_name="Ana", role="administrator", time_zone="UTC", created_at=clock.now()
            )

    def runner(self, name: str, tags: list[str]) -> str:
        from midwatch.prepare.runbooks.actions.runners import create_runner

        return create_runner(name, self.by, tags=tags, team=self.team)[1]

    def secret(self, name: str, value: str) -> None:
        from midwatch.prepare.runbooks.actions.secrets import set_secret

        set_secret(name, self.team, value, self.by)

    def start(self, name: str, body: str) -> int:
        from midwatch.people.queries import actor_of
        from midwatch.prepare.runbooks import actions

        made = actions.save_runbook(name, actions.RunbookFields(team=self.team, title=name), self.by)
        actions.revise(made, body, self.by, is_trusted=True)
        made.refresh_from_db()
        return actions.start(made, {}, actor_of(self.ana, "web")).number

    def steps(self, number: int) -> list[list[Any]]:
        from midwatch.prepare.runbooks.models import StepRun

        rows = StepRun.objects.filter(execution__number=number).order_by("position")
        return [[row.state, row.claimed_by, row.exit_code, row.sentence] for row in rows]

    def output(self, number: int) -> str:
        from midwatch.prepare.runbooks.models import LogChunk

        rows = LogChunk.objects.filter(step_run__execution__number=number).order_by("step_run", "seq")
        return "".join(rows.values_list("text", flat=True))

    def runners(self) -> dict[str, list[Any]]:
        from midwatch.prepare.runbooks.queries.runners import runners_seen

        return {one.runner.name: [one.state, one.steps] for one in runners_seen()}

    def pages(self, paths: list[str]) -> dict[str, list[Any]]:
        from django.db import transaction
        from django.test import Client

        client = Client(SERVER_NAME="127.0.0.1")
        with transaction.atomic():
            client.force_login(self.ana)
        found = {}
        for path in paths:
            answer = client.get(path)
            body = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]
            found[path] = [answer.status_code, body.decode("utf-8", "replace")]
        return found


def main() -> None:
    django.setup()
    desk = Desk()
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        said = json.loads(line)
        print(json.dumps(getattr(desk, said[0])(*said[1:])), flush=True)


if __name__ == "__main__":
    main()
