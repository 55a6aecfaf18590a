"""What keeps the house habitable, checked: sizes, words, one clock, one catch-all, docs that agree with the code."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from midwatch.lifecycle import LIFECYCLE
from midwatch.settings import SETTINGS

ROOT = Path(__file__).resolve().parents[1]
SRC = ROOT / "src" / "midwatch"
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 500
OWN_JAVASCRIPT_LINES_MAX = 2_500

# A second look was taken, and the reason stands here.
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}
IMPORTS_INSIDE: dict[str, str] = {}


def modules() -> list[Path]:
    return [path for path in sorted(SRC.rglob("*.py")) if "migrations" not in path.parts]


def name_of(path: Path) -> str:
    return str(path.relative_to(SRC))


@cache
def trees() -> list[tuple[Path, ast.Module]]:
    return [(path, ast.parse(path.read_text("utf-8"))) for path in modules()]


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_functions_are_short() -> None:
    long = [
        f"{name_of(path)}:{node.lineno} {node.name} ({(node.end_lineno or 0) - node.lineno + 1} lines)"
        for path, tree in trees()
        for node in functions(tree)
        if (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES_MAX
        and f"{name_of(path)}:{node.name}" not in LONG_FUNCTIONS
    ]
    assert not long, "split these:\n" + "\n".join(long)


def test_files_are_short() -> None:
    long = [
        f"{name_of(path)} ({lines} lines)"
        for path in modules()
        if (lines := len(path.read_text("utf-8").splitlines())) > FILE_LINES_MAX and name_of(path) not in LONG_FILES
    ]
    assert not long, "these want to be folders:\n" + "\n".join(long)


def test_imports_stand_at_the_top() -> None:
    inside = [
        f"{name_of(path)}:{node.lineno}"
        for path, tree in trees()
        for function in functions(tree)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom) and name_of(path) not in IMPORTS_INSIDE
    ]
    assert not inside, "imports inside functions hide arrows:\n" + "\n".join(inside)


def test_one_catch_all() -> None:
    broad = []
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and name_of(path) != "core/guard.py":
                names = (
                    [n.id for n in ast.walk(node.type) if isinstance(n, ast.Name)]
                    if node.type is not None
                    else ["Exception"]
                )
                if {"Exception", "BaseException"} & set(names):
                    broad.append(f"{name_of(path)}:{node.lineno}")
    assert not broad, "name what can go wrong, or use core.guard:\n" + "\n".join(broad)


def test_one_clock() -> None:
    asked = []
    for path, tree in trees():
        if name_of(path) == "core/clock.py":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
                if (owner, node.func.attr) in {
                    ("datetime", "now"),
                    ("datetime", "utcnow"),
                    ("timezone", "now"),
                    ("date", "today"),
                    ("time", "time"),
                }:
                    asked.append(f"{name_of(path)}:{node.lineno}")
    assert not asked, "time comes from core.clock:\n" + "\n".join(asked)


def test_rows_are_saved_by_column() -> None:
    bare = []
    for path, tree in trees():
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "save"
                and not node.args
                and not any(keyword.arg in {"update_fields", "force_insert", "commit"} for keyword in node.keywords)
                and not (isinstance(node.func.value, ast.Call) and getattr(node.func.value.func, "id", "") == "super")
            ):
                bare.append(f"{name_of(path)}:{node.lineno}")
    assert not bare, "a bare save() on a loaded row is a lost update waiting:\n" + "\n".join(bare)


def test_no_string_foreign_keys_and_no_signals() -> None:
    """A table further down in the same file may be named by its name: two that point at each other cannot do without."""
    found = []
    for path, tree in trees():
        here = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)} | {"self"}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if called in {"ForeignKey", "OneToOneField", "ManyToManyField"} and node.args:
                    first = node.args[0]
                    if isinstance(first, ast.Constant) and isinstance(first.value, str) and first.value not in here:
                        found.append(f"{name_of(path)}:{node.lineno} string foreign key")
            if isinstance(node, ast.ImportFrom) and (node.module or "") in {
                "django.dispatch",
                "django.db.models.signals",
            }:
                found.append(f"{name_of(path)}:{node.lineno} signals")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("step", LIFECYCLE, ids=lambda step: step.package)
def test_packages_say_what_comes_before_and_after(step: object) -> None:
    path = SRC / step.package.replace(".", "/") / "__init__.py"  # type: ignore[attr-defined]
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    assert re.search(r"\b(after|before)\b", text), f"{name_of(path)}: say what comes before and after"


def test_readme_table_agrees_with_the_lifecycle() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    rows = re.findall(r"^\|\s*`([\w.]+)`\s*\|\s*([^|]+?)\s*\|\s*([^|]+?)\s*\|", readme, re.M)
    assert [(step.package, step.title, step.question) for step in LIFECYCLE] == rows


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
    missing = [setting.name for setting in SETTINGS if f"MIDWATCH_{setting.name}" not in page]
    assert not missing, missing


def test_every_metric_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text("utf-8")
    names = set()
    for path in modules():
        names |= set(re.findall(r'(?:Counter|Gauge|Histogram)\(\s*"(midwatch_\w+)"', path.read_text("utf-8")))
    missing = sorted(name for name in names if name not in page)
    assert names, "no metric was found"
    assert not missing, missing


def test_every_event_of_the_outbox_has_a_reaction_and_is_documented() -> None:
    reactions = (SRC / "engine" / "reactions.py").read_text("utf-8")
    page = (ROOT / "docs" / "reference" / "events.md").read_text("utf-8")
    emitted = set()
    for path in modules():
        emitted |= set(re.findall(r'(?:emit|emit_many)\(\s*"([\w.]+)"', path.read_text("utf-8")))
    assert emitted, "no event was found"
    for name in sorted(emitted):
        assert f'"{name}"' in reactions, f"{name} has no reaction"
        assert name in page, f"{name} is not documented"


def test_no_view_takes_the_name_of_what_every_page_has() -> None:
    """`page` is who looks, where they are and the navigation; a list of that name leaves a page without any."""
    views = [path for path in modules() if "views" in (*path.parts, path.stem)]
    taking = [name_of(path) for path in views if re.search(r'"page": (?!PageContext|\()', path.read_text())]
    assert not taking, f"call it something else in {taking}"


def test_our_javascript_stays_small() -> None:
    files = [path for path in (SRC / "web" / "static").rglob("*.js") if "vendor" not in path.parts]
    assert sum(len(path.read_text("utf-8").splitlines()) for path in files) <= OWN_JAVASCRIPT_LINES_MAX


NEVER_SAID = re.compile(r"\b(roster|assignee|culprit|alert group|channel filter|escalation chain)\b", re.I)


KNOWS_THEM = SRC / "learn" / "postmortems" / "blameless" / "words.py"  # the linter flags what nobody should say


def test_the_words_of_the_field() -> None:
    """house.md's glossary: what the screen says, the code says, and the other way round."""
    said = []
    for path in {*modules(), *SRC.rglob("*.html")} - {KNOWS_THEM}:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if NEVER_SAID.search(line):
                said.append(f"{name_of(path)}:{number}: {line.strip()[:80]}")
    assert not said, "\n".join(said)


def test_nothing_third_party_and_no_registry_is_committed() -> None:
    tracked = (
        subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
        .stdout.decode()
        .split("\0")
    )
    if tracked == [""]:
        pytest.skip("not a git checkout")
    assert not [path for path in tracked if "static/vendor/" in path or "node_modules" in path]
    lock = (ROOT / "frontend" / "package-lock.json").read_text("utf-8")
    assert '"resolved"' not in lock
    assert "://" not in (ROOT / "constraints.txt").read_text("utf-8")


def test_dependencies_have_upper_bounds_and_reasons() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    reasons = (ROOT / "docs" / "reference" / "dependencies.md").read_text("utf-8").lower()
    for requirement in project["dependencies"]:
        name = re.split(r"[\[<>=;! ]", requirement)[0]
        assert name.lower() in reasons, f"{name}: write the reason in docs/reference/dependencies.md"
        if name != "tzdata":  # a newer tzdata is always the better one
            assert "<" in requirement, f"{requirement}: give an upper bound"
