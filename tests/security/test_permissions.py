"""Who may do what, asked at every address there is."""

from __future__ import annotations

import copy
import json

import pytest
from django.db import transaction
from doors import (
    ADMINISTRATOR,
    ADMINISTRATORS_ACTS,
    ADMINISTRATORS_READS,
    ANYONE,
    API_ACTS,
    API_OPEN,
    API_READS,
    DELETES,
    MANAGER,
    MEMBER,
    ONLY,
    OPEN_TO_READ,
    OWN,
    PERSON,
    READ,
    TEAM,
    WEB,
    Address,
    Doors,
    api_addresses,
    web_addresses,
)

from api_world import Api

MAY = {
    PERSON: {"vi", "stranger", "cy", "bo", "ana"},
    MEMBER: {"stranger", "cy", "bo", "ana"},
    OWN: {"cy", "ana"},
    TEAM: {"cy", "bo", "ana"},
    MANAGER: {"bo", "ana"},
    ADMINISTRATOR: {"ana"},
    ONLY: {"cy"},
}
NEEDS_MORE = {"escalation:create": {"team": "payments"}}  # whose it is stands in the form
TESTS_ONESELF = {"people:test", "people:test-contact"}


def test_every_address_says_who_may() -> None:
    names = {address.name for address in web_addresses()}
    assert not names - set(WEB), f"say in tests/security/doors.py who may POST: {sorted(names - set(WEB))}"
    of_api = {address.name for address in api_addresses()}
    known = set(API_ACTS) | API_READS | API_OPEN
    assert not of_api - known, f"say in tests/security/doors.py what it does: {sorted(of_api - known)}"


def _posted(doors: Doors, who: str, address: Address) -> int:
    """The status of an empty form, and nothing of it stays."""
    client = doors.clients[who]
    cookies, point = copy.deepcopy(client.cookies), transaction.savepoint()
    answer = client.post(address.path, NEEDS_MORE.get(address.name, {}))
    transaction.savepoint_rollback(point)
    client.cookies = cookies
    if answer.status_code == 302 and answer["Location"].startswith("/login"):
        return 401
    return int(answer.status_code)


@pytest.mark.parametrize("who", ["nobody", "vi", "stranger", "cy"])
def test_posts_of_the_web(doors: Doors, who: str) -> None:
    wrong: list[str] = []
    for address in web_addresses():
        right = WEB.get(address.name, READ)
        if right in {READ, ANYONE}:
            continue
        status = _posted(doors, who, address)
        may = who in MAY[right] or (who == "cy" and address.name in TESTS_ONESELF)
        expected = "neither 401 nor 403" if may else "401" if who == "nobody" else "403"
        if (status not in {401, 403}) if may else (str(status) == expected):
            continue
        wrong.append(f"{who} POST {address.path} ({address.name}, for {right}): {status}, expected {expected}")
    assert not wrong, "\n".join(wrong)


def test_pages_are_for_those_who_are_logged_in(doors: Doors) -> None:
    wrong: list[str] = []
    for address in web_addresses():
        answer = doors.clients["nobody"].get(address.path)
        is_shown = answer.status_code == 200 or "/login" not in answer.headers.get("Location", "")
        is_shown = is_shown and answer.status_code != 401  # what scripts ask for
        if address.name not in OPEN_TO_READ and is_shown and answer.status_code != 405:
            wrong.append(f"{address.path}: {answer.status_code}")
        if answer.status_code == 302:
            assert answer["Location"].startswith("/login?next=/"), address.path
    assert not wrong, "\n".join(wrong)


def test_the_api_takes_nothing_from_nobody_and_no_act_from_a_viewer(doors: Doors) -> None:
    nobody, viewer, member = Api(None), Api(doors.world.vi), Api(doors.world.cy)
    wrong: list[str] = []
    for address in api_addresses():
        body = API_ACTS.get(address.name)
        path = address.path.removeprefix("/api/v1")
        if address.name in API_OPEN:
            statuses = [(nobody.get(path).status_code, 422)]  # it asks what to work out, not who asks
        elif body is None:
            asked = [(nobody, 401), (viewer, 403 if address.name in ADMINISTRATORS_READS else 200)]
            statuses = [(one.get(path).status_code, expected) for one, expected in asked]
        elif address.name in DELETES:
            statuses = [(one.delete(path).status_code, expected) for one, expected in ((nobody, 401), (viewer, 403))]
        else:
            statuses = [
                (one.post(path, body).status_code, expected) for one, expected in ((nobody, 401), (viewer, 403))
            ]
            status = member.post(path, body).status_code
            if address.name in ADMINISTRATORS_ACTS:
                statuses.append((status, 403))
            elif status in {401, 403} and address.name != "send_test_page":
                statuses.append((403, 200))
        wrong += [f"{address.name}: {got}, expected {expected}" for got, expected in statuses if got != expected]
    assert not wrong, "\n".join(wrong)


def test_acts_in_the_browser_want_the_csrf_token(doors: Doors) -> None:
    """A form on somebody else's site sends our cookie too."""
    wrong: list[str] = []
    client = doors.clients["ana"]
    client.handler.enforce_csrf_checks = True
    for address in web_addresses():
        exempt = {"escalation:landing", "escalation:hook_root", "escalation:hook"}  # a token or a signature says who
        exempt |= {
            "oncall:calendar",
            "incidents:declare-by-link",
            "status:subscribe",
            "status:confirm",
            "status:unsubscribe",
            "status:management",
            "rundeck:api",
            "chat:hook",
            "api:runner",
            "runbook_hooks:run",
        }  # nobody is logged in there
        if WEB.get(address.name, READ) == READ or address.name in exempt:
            continue
        status = client.post(address.path).status_code
        if status != 403:
            wrong.append(f"{address.path}: {status}")
    for address in api_addresses():
        if address.name in API_ACTS and address.name not in DELETES:
            answer = client.post(address.path, json.dumps(API_ACTS[address.name]), content_type="application/json")
            if answer.status_code != 403 or answer.json()["code"] != "csrf":
                wrong.append(f"{address.path}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)
