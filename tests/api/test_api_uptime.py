"""The calculator for scripts: without a token, JSON numbers, problems that say what to write."""

from __future__ import annotations

import pytest

from api_world import Api

PERIODS = {"day", "week", "month", "quarter", "year"}


@pytest.fixture
def nobody() -> Api:
    return Api(None)


def test_what_an_sla_allows(nobody: Api) -> None:
    answer = nobody.get("/uptime/downtime?sla=99.9").json()
    assert {name: answer[name] for name in PERIODS} == pytest.approx(
        {"day": 86.4, "week": 604.8, "month": 2629.746, "quarter": 7889.238, "year": 31556.952}, abs=1e-6
    )
    assert answer["convention"] == "gregorian-average"
    assert answer["words"]["month"] == "43m 50s"
    assert answer["nines"] == pytest.approx(3)


def test_with_service_hours_there_is_no_day(nobody: Api) -> None:
    answer = nobody.get("/uptime/downtime?sla=99.9&hours=8,8,8,8,8,0,0").json()
    assert PERIODS - answer.keys() == {"day"}
    assert answer["week"] == 144
    assert nobody.get("/uptime/downtime?sla=99.9&hours=iiiiiaa").json()["week"] == 144


def test_what_a_downtime_leaves(nobody: Api) -> None:
    answer = nobody.get("/uptime/sla?downtime=1h20m").json()
    assert answer["day"] == pytest.approx(94.44444444444444, abs=1e-9)
    assert answer["downtime"] == 4800
    assert PERIODS - nobody.get("/uptime/sla?downtime=4800&hours=8,8,8,8,8,0,0").json().keys() == {"day"}


def test_parts_that_are_shared_count_once(nobody: Api) -> None:
    answer = nobody.get("/uptime/composition?structure=(web%26db)%7C(api%26db)&parts=web=99.9,api=99.9,db=99.95").json()
    assert answer["sla"] == pytest.approx(99.94990005)
    assert answer["naive"] == pytest.approx(99.999775149975)


@pytest.mark.parametrize(
    ("asked", "field", "words"),
    [
        ("downtime", "query.sla", "is missing"),
        ("downtime?sla=none", "query.sla", "write a percentage"),
        ("downtime?sla=99&hours=9,9", "", ""),
        ("downtime?sla=99&hours=x", "query.hours", "write seven numbers"),
        ("downtime?sla=99&convention=lunar", "query.convention", "write gregorian-average"),
        ("downtime?sla=99&on=soon", "query.on", ""),
        ("sla?downtime=soon", "query.downtime", "write 1h20m"),
        ("composition?structure=a%26&parts=a=99", "query.structure", "missing at the end"),
        ("composition?structure=a&parts=b=99", "query.parts", "for a"),
    ],
)
def test_what_is_wrong_is_said(nobody: Api, asked: str, field: str, words: str) -> None:
    answer = nobody.get(f"/uptime/{asked}")
    if not field:
        assert answer.status_code == 200
        return
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert words in error["message"]
