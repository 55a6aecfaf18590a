"""An execution from its start page to its end, by forms alone: two people do it, a third one only looks."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.db import transaction
from django.test import Client

from api_world import World
from midwatch.core.integration import Outcome
from midwatch.people.models import User
from midwatch.people.queries import actor_of
from midwatch.prepare.runbooks.actions import Piece, claim, finish, write_output
from midwatch.prepare.runbooks.actions.secrets import set_secret
from midwatch.prepare.runbooks.models import Approval, Execution, StepRun, StepState
from midwatch.respond.incidents.actions import Declaration, declare_incident
from runbook_world import FULL_BODY, make_runbook

As = Callable[[User], Client]


def step_of(execution: Execution, name: str) -> StepRun:
    return StepRun.objects.get(execution=execution, step=name)


def post(client: Client, execution: Execution, name: str, do: str, **given: str) -> str:
    step = step_of(execution, name)
    body = {"digest": step.digest, **given}
    answer = client.post(f"/executions/{execution.number}/steps/{step.pk}/{do}", body, follow=True)
    return answer.content.decode()


def start(client: Client, **given: str) -> Execution:
    """By the page: what will run is shown, then it is started."""
    page = client.post(
        "/runbooks/restart-checkout/start", {"option.host": "db1", "do": "show", **given}
    ).content.decode()
    found = re.search(r'name="shown" value="([0-9a-f]+)"', page)
    assert found is not None
    answer = client.post(
        "/runbooks/restart-checkout/start", {"option.host": "db1", "shown": found[1], "do": "start", **given}
    )
    assert answer.status_code == 302, answer.content.decode()
    return Execution.objects.latest("number")


def test_what_will_run_is_shown_before_it_runs(world: World, as_: As) -> None:
    make_runbook(world, body=FULL_BODY)
    set_secret("deploy-key", world.team, "correct-horse", actor_of(world.bo, "web"))
    cy = as_(world.cy)
    first = cy.get("/runbooks/restart-checkout/start").content.decode()
    assert 'name="option.host"' in first
    assert "This will run" not in first, "the host is asked for"
    refused = cy.post("/runbooks/restart-checkout/start", {"option.host": "two words", "do": "start"})
    assert refused.status_code == 422
    shown = cy.post("/runbooks/restart-checkout/start", {"option.host": "db1", "do": "show"}).content.decode()
    assert "OPTION_HOST=db1" in shown
    assert "curl -fsS https://db1/health" in shown
    assert "(secret deploy-key)" in shown
    assert "correct-horse" not in shown
    unseen = cy.post("/runbooks/restart-checkout/start", {"option.host": "db2", "shown": "x", "do": "start"})
    assert "Look at it, then press again" in unseen.content.decode()
    assert not Execution.objects.exists()
    assert as_(world.vi).get("/runbooks/restart-checkout/start").status_code == 403
    assert cy.get("/runbooks/restart-checkout/start?incident=77").status_code == 404
    dry = start(cy, kind="dry_run", **{"from": "restart"})
    assert (dry.kind, dry.start_at_step) == ("dry_run", "restart")


def test_by_two_people_to_its_end(world: World, as_: As) -> None:
    make_runbook(world, body=FULL_BODY)
    cy, bo, vi = as_(world.cy), as_(world.bo), as_(world.vi)
    execution = start(cy)
    url = f"/executions/{execution.number}"
    page = cy.get(url).content.decode()
    assert "What does the dashboard show?" in page
    assert page.count("btn btn-primary is-main") == 1
    assert "btn-primary is-main" not in vi.get(url).content.decode()
    assert vi.post(f"{url}/steps/{step_of(execution, 'look').pk}/done").status_code == 403
    page = post(cy, execution, "look", "done", seen="one host alone")

    assert "sudo systemctl restart checkout" in page, "an approval shows what it opens"
    assert "Approve" in page
    old = post(bo, execution, "agree", "approve", digest="0" * 64)
    assert "has changed since it was shown" in old
    page = post(bo, execution, "agree", "approve", reason="go")
    assert Approval.objects.get().by == world.bo

    assert "OPTION_HOST=db1" in page
    page = post(cy, execution, "restart", "run")
    assert "Queued" in page
    [taken] = claim("node-1", limit=5)
    write_output(taken.pk, taken.fence, [Piece("\x1b[32mrestarted\x1b[0m\n")])
    assert '<span class="ansi-2">restarted' in vi.get(url).content.decode()
    finish(taken.pk, taken.fence, Outcome("ok", "exit 0", 0))
    assert "Its verify looks whether it was done" in cy.get(url).content.decode()
    [taken] = claim("node-1", limit=5)
    finish(taken.pk, taken.fence, Outcome("ok", "exit 0", 0))
    page = cy.get(url).content.decode()
    assert "curl -fsS https://db1/health" in page
    assert "<copy-text" in page
    page = post(cy, execution, "check", "done", seen="ok")
    execution.refresh_from_db()
    assert execution.state == "ok"
    assert "one host alone" in cy.get(f"{url}?step=look").content.decode()


def test_changed_skipped_refused_cancelled_and_resumed(world: World, as_: As) -> None:
    make_runbook(world, body=FULL_BODY)
    cy, bo = as_(world.cy), as_(world.bo)
    first = start(cy)
    assert "say why" in post(cy, first, "look", "skip")
    assert step_of(first, "look").state == StepState.WAITING_PERSON
    post(cy, first, "look", "skip", reason="seen on the phone")
    post(bo, first, "agree", "approve")
    page = post(cy, first, "restart", "edit", body="sudo systemctl restart checkout@2", reason="the second one hangs")
    assert "checkout@2" in page
    assert step_of(first, "agree").state == StepState.WAITING_APPROVAL, "what was approved is void"
    refused = post(bo, first, "agree", "refuse", reason="not now")
    assert "Again, from the step that stopped it" in refused
    again = cy.post(f"/executions/{first.number}/resume")
    second = Execution.objects.latest("number")
    assert again["Location"] == f"/executions/{second.number}"
    assert second.resumed_from == first
    cy.post(f"/executions/{second.number}/cancel", {"reason": "enough"})
    second.refresh_from_db()
    assert second.state == "cancelled"
    assert cy.post(f"/executions/{second.number}/steps/{step_of(second, 'look').pk}/dance").status_code == 404


def test_when_nobody_knows_three_answers(world: World, as_: As) -> None:
    make_runbook(world, body=FULL_BODY)
    cy = as_(world.cy)
    execution = start(cy, **{"from": "restart"})
    post(cy, execution, "restart", "run")
    [taken] = claim("node-1", limit=5)
    finish(taken.pk, taken.fence, Outcome("unknown", "the connection was lost"))
    page = cy.get(f"/executions/{execution.number}").content.decode()
    for words in ("Nobody knows whether this was done", "Let it look", "It was done", "Run it again", "It failed"):
        assert words in page, words
    assert "systemctl is-active checkout" in page
    post(cy, execution, "restart", "again")
    assert step_of(execution, "restart").state == StepState.QUEUED


def test_the_incident_s_commander_of_another_team_may(world: World, as_: As) -> None:
    make_runbook(world, body=FULL_BODY)
    with transaction.atomic():
        world.team.memberships.filter(user=world.cy).delete()
    incident = declare_incident(Declaration("down", "SEV2", service=world.service), actor_of(world.cy, "web"))
    cy = as_(world.cy)
    assert cy.get("/runbooks/restart-checkout/start").status_code == 403
    execution = start(cy, incident=str(incident.number))
    assert execution.incident_number == incident.number
    post(cy, execution, "look", "done", seen="yes")
    assert step_of(execution, "look").state == StepState.OK
