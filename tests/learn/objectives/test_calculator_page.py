"""The page of the calculator: for anybody, without JavaScript, and what is typed comes back as text."""

from __future__ import annotations

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def test_anybody_reads_what_an_sla_allows() -> None:
    page = Client().get("/uptime?sla=99.9").content.decode()
    assert "43m 50s" in page
    assert "a year of 365.2425 days" in page
    assert "3 nines" in page


def test_a_downtime_and_parts() -> None:
    assert "94.4444 %" in Client().get("/uptime?kind=downtime&downtime=1h20m").content.decode()
    page = Client().get(
        "/uptime", {"kind": "parts", "structure": "(w & d) | (a & d)", "parts": "w=99.9,a=99.9,d=99.95"}
    )
    assert "99.94990005 %" in page.content.decode()
    assert "99.99977514 %" in page.content.decode()


@pytest.mark.parametrize("name", ["sla", "hours", "convention"])
def test_hostile_words_are_shown_and_refused(name: str) -> None:
    answer = Client().get("/uptime", {name: "<script>1</script>\x00"})
    assert answer.status_code == 400
    assert b"<script>1" not in answer.content
    assert b'role="alert"' in answer.content
