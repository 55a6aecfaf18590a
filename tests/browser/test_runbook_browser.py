"""Runbooks in a real Chromium: each page on all screens, a run with two people and a third who looks, without scripts,
by keys, and what a step writes as it comes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import transaction
from harness import DESKTOP_DARK, DESKTOP_LIGHT, PHONE_DARK, PHONE_LIGHT, audit, axe, looking
from playwright.sync_api import Browser, Page, expect
from serving import Streaming, session, streaming

from api_world import World, make_world
from midwatch.core.integration import Outcome
from midwatch.people.queries import actor_of
from midwatch.prepare.runbooks import actions
from midwatch.prepare.runbooks.actions import Piece, claim, finish, write_output
from midwatch.prepare.runbooks.actions.secrets import set_secret
from midwatch.prepare.runbooks.models import Execution, StepRun, StepState
from runbook_world import FULL_BODY, make_execution, make_runbook

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
BOTH = (PHONE_LIGHT, DESKTOP_DARK)
OUTPUT = "\x1b[1;32mPLAY [web]\x1b[0m\n" + "".join(
    f"\x1b[3{n % 8}mline {n}\x1b[0m of \x1b[4{n % 8}mmany\x1b[0m\n" for n in range(60)
)


@pytest.fixture
def world(transactional_db: None) -> World:
    return make_world()


@pytest.fixture
def live(transactional_db: None) -> Iterator[Streaming]:
    with streaming() as running:
        yield running


def change(step: StepRun, **values: object) -> None:
    with transaction.atomic():
        StepRun.objects.filter(pk=step.pk).update(**values)


def begin(world: World) -> Execution:
    runbook = make_runbook(world, body=FULL_BODY)
    return actions.start(runbook, {"host": "db1"}, actor_of(world.cy, "web"))


def step_of(execution: Execution, name: str) -> StepRun:
    return StepRun.objects.get(execution=execution, step=name)


@pytest.mark.slow  # twenty screens, twice
def test_every_page_on_every_screen(browser: Browser, url: str, world: World) -> None:
    execution = begin(world)
    cy, bo = actor_of(world.cy, "web"), actor_of(world.bo, "web")
    make_runbook(world, "wiki", title="How the shop is rebuilt", url="https://wiki.example/shop")
    set_secret("deploy-key", world.team, "correct-horse", bo)
    actions.change_step_switch(
        make_runbook(world, body=FULL_BODY + "\nMore.\n"), "check", bo, is_on=False, reason="why"
    )
    running = make_execution(world, make_runbook(world, "other"))
    change(step_of(running, "look"), state=StepState.UNKNOWN, rendered={"verify": {"body": "x"}})
    taken = step_of(running, "restart")
    change(taken, fence=1, targets={"db1": "ok", "db2": "failed"})
    write_output(taken.pk, 1, [Piece(OUTPUT), Piece("warning\n", "stderr", "db2")])
    actions.answer(step_of(execution, "look"), cy, "done", seen="one host alone")
    step = step_of(execution, "agree")
    faults = []
    for path in (
        "/runbooks", "/runbooks/restart-checkout", "/runbooks/wiki", "/runbooks/restart-checkout/edit", "/new-runbook",
        "/runbooks/restart-checkout/history", "/runbooks/restart-checkout/start", "/executions", "/approvals", "/secrets",
        "/runners", "/settings/runbooks", "/",
        "/runbooks/restart-checkout/start?option.host=db1&kind=dry_run",
        f"/executions/{execution.number}", f"/executions/{execution.number}?step=look",
        f"/executions/{running.number}", f"/executions/{running.number}?step=look", f"/executions/{running.number}?step=check",
        f"/executions/{running.number}?step=restart&q=line",
    ):  # fmt: skip
        faults += audit(browser, url, path, session(world.bo), screens=BOTH)
    actions.approve(step, bo, "approved", digest=step.digest)
    faults += audit(browser, url, f"/executions/{execution.number}", session(world.vi), screens=BOTH)
    assert not faults, "\n".join(faults)


def test_two_people_do_it_and_a_third_one_looks(browser: Browser, live: Streaming, world: World) -> None:
    """On a phone, on a desktop, and from a chair; what one does, the others see without touching anything."""
    make_runbook(world, body=FULL_BODY)
    with (
        looking(browser, PHONE_LIGHT, live.url, session(world.cy)) as starts,
        looking(browser, DESKTOP_LIGHT, live.url, session(world.bo)) as approves,
        looking(browser, PHONE_DARK, live.url, session(world.vi)) as looks,
    ):
        page = starts.page
        page.goto("/runbooks/restart-checkout")
        page.get_by_role("link", name="Start", exact=True).click()
        page.get_by_label("Which machine").fill("db1")
        page.get_by_role("button", name="Show what will run").click()
        expect(page.get_by_role("heading", name="This will run")).to_be_visible()
        page.get_by_role("button", name="Start", exact=True).click()
        page.wait_for_url("**/executions/*")
        execution = Execution.objects.get()
        path = f"/executions/{execution.number}"
        looks.page.goto(path)
        expect(looks.page.get_by_text("Somebody of its team is waited for")).to_be_visible()
        page.get_by_label("What does the dashboard show?").fill("one host alone")
        page.get_by_role("button", name="Done", exact=True).click()
        expect(page.get_by_role("heading", name="Agree on it")).to_be_visible()
        approves.page.goto("/approvals")
        approves.page.get_by_role("link", name="Agree on it").click()
        expect(approves.page.get_by_text("sudo systemctl restart checkout")).to_be_visible()
        approves.page.get_by_role("button", name="Approve").click()
        expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible(timeout=15_000)
        page.get_by_role("button", name="Run", exact=True).click()
        expect(looks.page.locator("#stage-title")).to_contain_text("Restart it", timeout=15_000)
        [taken] = claim("node-1", limit=5)
        write_output(taken.pk, taken.fence, [Piece(OUTPUT)])
        expect(looks.page.locator(".log-box")).to_contain_text("line 59", timeout=15_000)
        page.reload()  # in the middle of it
        expect(page.locator(".log-box")).to_contain_text("line 59")
        write_output(taken.pk, taken.fence, [Piece("half a"), Piece(" line\nand more\n")])
        for sight in (starts, looks):
            expect(sight.page.locator(".log-box")).to_contain_text("half a line\nand more", timeout=15_000)
        finish(taken.pk, taken.fence, Outcome("ok", "exit 0", 0))
        [taken] = claim("node-1", limit=5)
        finish(taken.pk, taken.fence, Outcome("ok", "exit 0", 0))
        expect(page.locator("copy-text code")).to_contain_text("curl -fsS https://db1/health", timeout=15_000)
        page.get_by_role("button", name="Done", exact=True).click()
        for sight in (starts, looks):
            expect(sight.page.locator("#run-head .badges")).to_contain_text("Done", timeout=15_000)
            assert not sight.faults()
        assert not approves.faults()


def test_play_and_pause_in_words(browser: Browser, live: Streaming, world: World) -> None:
    execution = make_execution(world)
    step = step_of(execution, "restart")
    change(step, fence=1)
    with looking(browser, DESKTOP_LIGHT, live.url, session(world.cy)) as sight:
        page = sight.page
        page.goto(f"/executions/{execution.number}")
        box = page.locator(".log-box")
        write_output(step.pk, 1, [Piece("i line\n" + OUTPUT)])
        expect(box).to_contain_text("half a li", timeout=15_000)
        expect(box).to_contain_text("line 59", timeout=15_000)
        assert box.evaluate("e => e.scrollHeight - e.scrollTop - e.clientHeight") < 30, "it follows the end"
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_text("Paused: nothing new is shown")).to_be_visible()
        write_output(step.pk, 1, [Piece("unseen\n")])
        page.wait_for_timeout(500)
        expect(box).not_to_contain_text("unseen")
        page.get_by_role("button", name="Play").click()
        expect(box).to_contain_text("unseen")
        page.get_by_role("searchbox", name="Search the output").fill("LINE 5")
        page.get_by_role("button", name="Search").click()
        expect(page.locator(".log-matches li")).to_have_count(11)
        assert not sight.faults()


def tab_to(page: Page, name: str) -> None:
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("(document.activeElement.innerText || document.activeElement.name || '').trim()") == name:
            return
    raise AssertionError(f"Tab does not reach {name!r}")


def test_by_keys_alone(browser: Browser, url: str, world: World) -> None:
    execution = begin(world)
    with looking(browser, DESKTOP_LIGHT, url, session(world.cy)) as sight:
        page = sight.page
        page.goto(f"/executions/{execution.number}")
        tab_to(page, "seen")
        page.keyboard.type("one host alone")
        tab_to(page, "Done")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Agree on it")).to_be_visible()
        assert step_of(execution, "look").seen == "one host alone"
        assert not sight.faults()


def test_without_scripts(browser: Browser, url: str, world: World) -> None:
    with looking(browser, PHONE_LIGHT, url, session(world.cy), with_scripts=False) as sight:
        page = sight.page
        page.goto("/new-runbook")
        page.get_by_role("textbox", name="Text").fill("---\ntitle: Wrong\ncolour: red\n---\n")
        page.get_by_role("button", name="Preview").click()
        expect(page.locator("#preview")).to_contain_text("line 3")
        page.get_by_role("textbox", name="Text").fill(FULL_BODY)
        page.get_by_role("button", name="Save").click()
        page.get_by_role("link", name="Start", exact=True).click()
        page.get_by_label("Which machine").fill("db1")
        page.get_by_role("button", name="Show what will run").click()
        page.get_by_role("button", name="Start", exact=True).click()
        page.get_by_text("Skip", exact=True).click()
        page.get_by_label("Why is it passed by?").fill("seen on the phone")
        page.get_by_role("button", name="Skip this step").click()
        expect(page.get_by_role("heading", name="Agree on it")).to_be_visible()
        page.get_by_role("button", name="Approve").click()
        page.get_by_role("button", name="Run", exact=True).click()
        [taken] = claim("node-1", limit=5)
        write_output(taken.pk, taken.fence, [Piece(OUTPUT)])
        page.goto(f"/executions/{Execution.objects.get().number}")
        expect(page.locator(".log-box")).to_contain_text("line 59")
        assert not sight.faults()


def test_preview_beside_the_text(browser: Browser, url: str, world: World) -> None:
    with looking(browser, DESKTOP_LIGHT, url, session(world.cy)) as sight:
        page = sight.page
        page.goto("/new-runbook")
        page.get_by_role("textbox", name="Text").fill(FULL_BODY)
        page.get_by_role("button", name="Preview").click()
        expect(page.locator("#preview .step-card")).to_have_count(4)
        assert page.url.endswith("/new-runbook")
        assert not axe(page)
        page.get_by_role("textbox", name="Text").fill('```sh {"name": "a", "kind": "magic"}\ntrue\n```\n')
        page.get_by_role("button", name="Preview").click()
        expect(page.locator("#preview")).to_contain_text("line 1")
        assert not sight.faults()
