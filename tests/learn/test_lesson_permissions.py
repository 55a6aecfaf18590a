"""Who may see and do what with action items, insights and post-mortems, as one table: in the open and of a private incident."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from django.db import transaction
from django.test import Client

from api_world import BY, NOW, Api
from midwatch.core import clock
from midwatch.learn.actions import queries
from midwatch.learn.actions.actions import NewItem, note_item
from midwatch.learn.actions.models import ActionItem
from midwatch.people import actions as people
from midwatch.people.models import User
from midwatch.respond.incidents import actions as incidents
from midwatch.respond.incidents.actions import Declaration
from postmortem_world import Lesson, make_lesson

# vi looks; sam is a member of nothing; oz too, and owns the items; cy led; bo manages the team; ana is an administrator.
PEOPLE = ("vi", "sam", "oz", "cy", "bo", "ana")
GONE = 404  # what one may not see is not there
GET, POST = "get", "post"
WORDS = {"words": "done by hand", "text": "slow", "revision": "0"}


@dataclass(frozen=True)
class Row:
    """`open`, `private`: the status for each of `PEOPLE`, in their order."""

    method: str
    path: str
    open: tuple[int, ...]
    private: tuple[int, ...]


READS = (200,) * 6
SEEN = (GONE, GONE, GONE, 200, 200, 200)  # by who took part, managers, administrators
SEEN_BY_OWNER = (GONE, GONE, 200, 200, 200, 200)
ACTS = (403, 302, 302, 302, 302, 302)
PRIVATE_ACTS = (403, GONE, GONE, 302, 302, 302)
PRIVATE_ITEM_ACTS = (403, GONE, 302, 302, 302, 302)
LEADS = (403, 403, 403, 302, 302, 302)
PRIVATE_LEADS = (403, GONE, GONE, 302, 302, 302)
TABLE = (
    Row(GET, "/actions", READS, READS),
    Row(GET, "/actions/{item}", READS, SEEN_BY_OWNER),
    Row(POST, "/actions/{item}/done", ACTS, PRIVATE_ITEM_ACTS),
    Row(POST, "/actions/{item}/drop", ACTS, PRIVATE_ITEM_ACTS),
    Row(GET, "/actions/new?incident={incident}", (403, 200, 200, 200, 200, 200), (403, GONE, GONE, 200, 200, 200)),
    Row(GET, "/insights", READS, READS),
    Row(GET, "/insights.csv", READS, READS),
    Row(GET, "/insights/shifts/payments-primary", READS, READS),
    Row(GET, "/postmortems", READS, READS),
    Row(GET, "/postmortems/{incident}", READS, SEEN),
    Row(GET, "/postmortems/{incident}/print", READS, SEEN),
    Row(GET, "/postmortems/{incident}/export.json", READS, SEEN),
    Row(GET, "/postmortems/{incident}/export.md", READS, SEEN),
    Row(POST, "/postmortems/{incident}/comments", ACTS, PRIVATE_ACTS),
    Row(POST, "/postmortems/{incident}/held", LEADS, PRIVATE_LEADS),
    Row(POST, "/postmortems/{incident}/waive", LEADS, PRIVATE_LEADS),
)
API = (
    Row(GET, "/actions/{item}", READS, SEEN_BY_OWNER),
    Row(POST, "/actions/{item}/done", (403, 200, 200, 200, 200, 200), (403, GONE, 200, 200, 200, 200)),
    Row(GET, "/postmortems/{incident}", READS, SEEN),
    Row(GET, "/insights", READS, READS),
)


@dataclass
class Place:
    lesson: Lesson
    people: dict[str, User]
    item: ActionItem

    def path(self, row: Row) -> str:
        return row.path.format(item=self.item.number, incident=self.lesson.incident.number)


def _place(*, is_private: bool) -> Place:
    lesson = make_lesson(is_private=is_private)
    world = lesson.world
    known = {"vi": world.vi, "cy": world.cy, "bo": world.bo, "ana": world.ana}
    with transaction.atomic():
        for name in ("sam", "oz"):
            profile = people.Profile(name.title(), f"{name}@example.com", "Europe/Prague", "member")
            known[name] = people.create_user(name, profile, BY)
    wanted = NewItem("watch the pool of checkout", owner=known["oz"], incident=lesson.incident, due_on=date(2026, 1, 2))
    return Place(lesson, {name: known[name] for name in PEOPLE}, note_item(wanted, BY))


@pytest.fixture(autouse=True)
def noon(db: None) -> Iterator[None]:
    clock.freeze(NOW)
    yield
    clock.thaw()


def _asked(client: Client | Api, row: Row, path: str) -> int:
    """The status, and nothing of it stays."""
    point = transaction.savepoint()
    if isinstance(client, Api):
        answer = client.get(path) if row.method == GET else client.post(path, {"text": "done by hand"})
    else:
        answer = client.get(path) if row.method == GET else client.post(path, {**WORDS, "why": "nothing new is here"})
    transaction.savepoint_rollback(point)
    return int(answer.status_code)


@pytest.mark.parametrize("is_private", [False, True])
def test_the_table_in_the_browser(is_private: bool) -> None:
    place = _place(is_private=is_private)
    wrong = []
    for index, (name, user) in enumerate(place.people.items()):
        client = Client()
        client.force_login(user)
        for row in TABLE:
            wanted = (row.private if is_private else row.open)[index]
            if (got := _asked(client, row, place.path(row))) != wanted:
                wrong.append(f"{name} {row.method} {row.path}: {got}, expected {wanted}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("is_private", [False, True])
def test_the_table_of_the_api(is_private: bool) -> None:
    place = _place(is_private=is_private)
    wrong = []
    for index, (name, user) in enumerate(place.people.items()):
        client = Api(user)
        for row in API:
            wanted = (row.private if is_private else row.open)[index]
            if (got := _asked(client, row, place.path(row))) != wanted:
                wrong.append(f"{name} {row.method} {row.path}: {got}, expected {wanted}")
    assert not wrong, "\n".join(wrong)


def test_lists_and_pages_name_nothing_private_to_outsiders() -> None:
    """The debts beside another incident too: they come from the same service."""
    place = _place(is_private=True)
    clock.forward(timedelta(hours=1))

    other = incidents.declare_incident(
        Declaration("checkout is slow again", "SEV3", service=place.lesson.world.service), BY
    )
    hidden = (place.item.title, place.lesson.incident.title)
    for name, user in place.people.items():
        client = Client()
        client.force_login(user)
        pages = [
            "/actions?show=open",
            "/actions?show=overdue",
            "/postmortems",
            f"/incidents/{other.number}",
            "/insights",
        ]
        text = "".join(client.get(page).content.decode() for page in pages)
        is_item_shown = hidden[0] in text
        assert is_item_shown == (name not in {"vi", "sam"}), name
        assert ("checkout is slow<" in text) == (name in {"cy", "bo", "ana"}), name
        debts = queries.debts_of(other, date(2026, 1, 14), user)
        assert bool(debts) == (name not in {"vi", "sam"}), name
