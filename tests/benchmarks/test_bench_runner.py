"""The benchmarks' common ground: what a figure says, how it is drawn and written down. Nothing here measures anything."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module("measuring.figures")


@pytest.mark.parametrize(
    ("value", "unit", "aim", "is_reached"),
    [
        (149, "ms", "<= 150", True),
        (151, "ms", "<= 150", False),
        (0.5, "ratio", ">= 0.45", True),
        (0.4, "ratio", "0.45", False),  # a bare number: rates and ratios are to be reached, lengths not to be passed
        (1_999, "alerts/s", "at least 2,000", False),
        (3, "lost", "== 0", False),
        (12, "ms", None, None),
        (12, "ms", "as little as possible", None),
    ],
)
def test_an_aim_says_which_way(measuring: Any, value: float, unit: str, aim: str | None, is_reached: bool) -> None:
    assert measuring.Figure("x", value, unit, aim).is_reached is is_reached


def test_a_chart_is_a_picture_that_can_be_read_aloud(measuring: Any) -> None:
    charts = importlib.import_module("measuring.charts")
    bars = measuring.Chart(
        "a", "List < detail", "ms", rows=[["list", 12.5, 150, False], ["detail & all", 200, 150, True]]
    )
    lines = measuring.Chart("b", "Memory", "MB", "lines", lines=[{"name": "web", "points": [[0, 80], [60, 81.5]]}])
    for chart, said in ((bars, "list: 12.5 ms, aim 150"), (lines, "web: from 80 to 81.5 MB")):
        drawn = ET.fromstring(charts.draw(chart))
        assert drawn.attrib["role"] == "img"
        texts = {child.tag.rpartition("}")[2]: child.text or "" for child in drawn}
        assert texts["title"] == chart.title
        assert said in texts["desc"]
        assert "prefers-color-scheme:dark" in texts["style"]


def test_only_what_stands_between_the_markers_is_written(
    measuring: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = importlib.import_module("measuring.document")
    page = tmp_path / "page.md"
    page.write_text(f"# By hand\n{document.BEGIN}\nold\n{document.END}\nby hand too\n")
    monkeypatch.setattr(document, "PAGE", page)
    monkeypatch.setattr(document, "IMAGES", tmp_path)
    figures = [{"what": f"page {n}", "value": 10.0 * n, "unit": "ms", "aim": "<= 25"} for n in range(1, 4)]
    kept = {"said": {"name": "x", "figures": figures}, "machine": document.machine(), "seconds": 3, "command": "x"}
    document.write({"x": kept})
    text = page.read_text()
    assert text.startswith("# By hand\n")
    assert text.endswith(f"{document.END}\nby hand too\n")
    assert "old" not in text
    assert "| page 3 | 30 ms | <= 25 ms | **no** |" in text
    assert "![x: ms](../img/bench-x.svg)" in text
    assert (tmp_path / "bench-x.svg").exists()


def test_what_is_kept_is_what_the_page_shows() -> None:
    root = HERE.parent
    results = HERE / "results.json"
    kept = json.loads(results.read_text()) if results.exists() else {}
    page = (root / "docs" / "reference" / "performance.md").read_text()
    for name, one in kept.items():
        assert f"### {name}\n" in page
        for figure in one["said"]["figures"]:
            assert f"| {figure['what'].replace('|', '/')} |" in page
    shown = set(page.split("../img/bench-")[1:])
    assert all((root / "docs/img" / f"bench-{one.partition(')')[0]}").exists() for one in shown)


@pytest.mark.slow
def test_every_script_says_what_it_takes() -> None:
    """So that the runner can ask it. A script that cannot be imported, or takes no --json, is not in the table."""
    for path in sorted(HERE.glob("*.py")):
        done = subprocess.run([sys.executable, str(path), "--help"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{path.name}: {done.stderr[-500:]}"
        assert "--quick" in done.stdout, path.name
        assert "--json" in done.stdout or path.name == "run.py", path.name
