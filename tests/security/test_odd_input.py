"""What people type who want to see whether it breaks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from doors import Doors

from midwatch.core.written.documents import read_directory
from midwatch.people.queries import SecretUnreadableError, resolve_reference
from midwatch.settings import BY_NAME

ODD_NUMBERS = ["\u00b2", "\u0663", "9" * 5_000, "-1", "", "1e3", "\x00"]


@pytest.mark.parametrize("text", ODD_NUMBERS)
def test_what_looks_like_a_number_and_is_none(doors: Doors, text: str) -> None:
    ana = doors.clients["ana"]
    assert ana.get("/alerts", {"q": text}).status_code == 200
    assert ana.get("/alerts", {"q": f"#{text}", "cursor": text}).status_code == 200
    steps = {"do": "add", "step-TOTAL_FORMS": text, "step-INITIAL_FORMS": "0"}
    assert ana.post("/policies/payments/edit", steps).status_code == 200
    layers = {"do": "layer", "layer-TOTAL_FORMS": text, "layer-INITIAL_FORMS": "0"}
    assert ana.post("/schedules/payments-primary/edit", layers).status_code in {200, 422}


def test_a_pipe_in_the_configuration_directory_stops_no_start(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    [problem] = read_directory(tmp_path).problems
    assert "no ordinary file" in problem.text
    with pytest.raises(SecretUnreadableError, match="no ordinary file"):
        resolve_reference({"file": "pipe.yaml"}, tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("TRUSTED_PROXIES", "10.0.0.1 proxy"), ("TRUSTED_PROXIES", "10.0.0.0/99"), ("OUTBOUND_ALLOW", "10.0.0.0/99"),
        ("LOG_LEVEL", "loud"), ("EMAIL_URL", "smtp://mail.example.com:99999"), ("BASE_URL", "http://[::1"),
        ("BASE_URL", "https://midwatch.example.com:99999"), ("PUBLIC_URL", "javascript:alert(1)"),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_be_meant_is_refused_at_the_start(name: str, text: str) -> None:
    """Not at the first request, or at the first page that should have gone out."""
    with pytest.raises(ValueError, match=r"give|write"):
        BY_NAME[name].read(text)


def test_settings_that_are_meant() -> None:
    assert BY_NAME["TRUSTED_PROXIES"].read("10.0.0.1, fd00::/8") == ("10.0.0.1", "fd00::/8")
    assert BY_NAME["OUTBOUND_ALLOW"].read("10.0.0.0/8 *.corp.example ntfy") == ("10.0.0.0/8", "*.corp.example", "ntfy")
    assert BY_NAME["LOG_LEVEL"].read("INFO") == "info"
