"""The page of an execution and the lists around it, read."""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction
from django.test import Client

from api_world import World
from midwatch.core import clock
from midwatch.people.models import User
from midwatch.prepare.runbooks.models import LogChunk, StepRun, StepState
from runbook_world import make_execution, make_runbook

As = Callable[[User], Client]
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


def words(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.content.decode()


def test_it_lands_on_the_step_that_runs_with_what_it_writes(world: World, as_: As) -> None:
    execution = make_execution(world)
    page = words(as_(world.vi), f"/executions/{execution.number}")
    assert 'aria-current="step"' in page.partition("2. Restart it")[0].rpartition("<li")[2]
    assert "Step 2 of 3" in page
    assert '<span class="ansi-2">begun</span> &lt;script&gt;' in page
    assert "half a li" in page
    first = words(as_(world.vi), f"/executions/{execution.number}?step=look")
    assert "Step 1 of 3" in first
    assert "it is red" in first
    assert "Go to the step that matters now" in first
    assert as_(world.vi).get("/executions/99").status_code == 404
    assert as_(world.vi).get(f"/executions/{2**70}").status_code == 404
    assert Client().get(f"/executions/{execution.number}").status_code == 302


def test_parts_are_asked_for_again_and_say_when_nothing_changed(world: World, as_: As) -> None:
    execution = make_execution(world)
    cy = as_(world.cy)
    for part in ("head", "steps", "stage"):
        path = f"/executions/{execution.number}?part={part}"
        answer = cy.get(path, headers=PARTIAL)
        assert answer.status_code == 200
        assert "<html" not in answer.content.decode()
        assert cy.get(path, headers={**PARTIAL, "HX-PTag": answer["HX-PTag"]}).status_code == 304, part


def test_what_is_new_comes_once(world: World, as_: As) -> None:
    execution = make_execution(world)
    step = StepRun.objects.get(step="restart")
    cy, base = as_(world.cy), f"/executions/{execution.number}/steps/{step.pk}"
    end = cy.get(f"{base}/output?after=nonsense").json()
    assert "begun" in end["html"]
    assert "half a li" in end["open"]
    again = cy.get(f"{base}/output?after={end['next']}").json()
    assert (again["html"].strip(), again["next"], again["is_over"]) == ("", end["next"], False)
    with transaction.atomic():
        LogChunk.objects.create(step_run=step, seq=2, at=clock.now(), text="ne\ndone\n")
        StepRun.objects.filter(pk=step.pk).update(state=StepState.OK)
    more = cy.get(f"{base}/output?after={end['next']}").json()
    assert "half a line\ndone\n" in more["html"]
    assert cy.get(f"{base}/output?after={more['next']}").json()["is_over"]
    whole = cy.get(f"{base}/output.txt")
    assert whole["Content-Disposition"].startswith("attachment")
    assert b"".join(whole.streaming_content).decode() == "begun <script>\nhalf a line\ndone\n"
    assert cy.get(f"/executions/99/steps/{step.pk}/output.txt").status_code == 404
    found = words(cy, f"/executions/{execution.number}?step=restart&q=LINE")
    assert "half a <mark>line</mark>" in found
    assert "No line has it" in words(cy, f"/executions/{execution.number}?step=restart&q=<x>")


def test_the_lists(world: World, as_: As) -> None:
    runbook = make_runbook(world)
    make_runbook(world, "wiki", title="How the shop is rebuilt", url="https://wiki.example/shop")
    execution = make_execution(world, runbook, incident_number=7)
    with transaction.atomic():
        StepRun.objects.filter(step="check").update(state=StepState.WAITING_APPROVAL)
    vi = as_(world.vi)
    page = words(vi, "/runbooks")
    assert "never run" in page
    assert 'href="https://wiki.example/shop"' in page
    assert "at: Restart it" in page
    assert "No runbook is like that" in words(vi, "/runbooks?q=zebra&state=all&type=playbook&page=x")
    assert "Restart checkout" in words(vi, "/runbooks?q=checkout&team=payments&service=checkout")
    rows = words(vi, "/executions?state=under-way&kind=real&team=payments&q=restart")
    assert f'href="/executions/{execution.number}"' in rows
    assert "incident 7" in rows
    assert "None here" in words(vi, f"/executions?before={execution.number}&state=x")
    assert "Check it" in words(vi, "/approvals")
