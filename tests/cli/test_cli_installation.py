"""Verbs of the installation itself: configuration as code, upgrade, and what `serve` is told. In processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from unittest import mock

import pytest

import installation
from cli_run import Run, Said

DOCUMENTS = """
apiVersion: midwatch.dev/v1
kind: User
metadata: {name: ana}
spec:
  displayName: Ana Novak
---
apiVersion: midwatch.dev/v1
kind: Team
metadata: {name: payments}
spec:
  displayName: Payments
  members: [{user: ana, role: manager}]
"""


def call(data: Path, *argv: str, **environment: str) -> Said:
    env = {**installation.environment(data), **environment}
    done = subprocess.run(
        [sys.executable, "-m", "midwatch.cli", *argv], env=env, check=False, capture_output=True, text=True
    )
    return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("installation") / "data"
    said = call(made, "upgrade", "--json")
    assert said.code == 0, said.err
    assert len(json.loads(said.out)["applied"]) > 10
    return made


def test_upgraded_once_is_upgraded(data: Path) -> None:
    said = call(data, "upgrade")
    assert (said.code, said.out) == (0, "The database is of this version already.\n")


def test_only_the_data_directory_has_to_be_known(data: Path, tmp_path: Path) -> None:
    assert call(data, "user", "create", "zoe", "--role", "administrator", "--password-stdin").code == 1
    said = call(data, "alerts", "--json")
    assert (said.code, said.out, said.err) == (0, "[]\n", "")
    elsewhere = call(tmp_path / "nothing", "alerts", "--data", str(data), "--json")
    assert (elsewhere.code, elsewhere.out) == (0, "[]\n")


def test_plan_apply_export(data: Path, tmp_path: Path) -> None:
    directory = tmp_path / "config"
    directory.mkdir()
    (directory / "all.yaml").write_text(DOCUMENTS)
    planned = call(data, "plan", str(directory), "--json")
    assert planned.code == 0, planned.err
    assert [(one["action"], one["name"]) for one in planned.json["changes"]] == [
        ("create", "ana"),
        ("create", "payments"),
    ]
    assert call(data, "apply", str(directory)).code == 0
    assert call(data, "plan", str(directory), "--json").json == {"changes": []}
    exported = call(data, "export")
    assert "kind: Team" in exported.out
    assert call(data, "export", str(tmp_path / "out")).code == 0
    assert list((tmp_path / "out").rglob("*.yaml"))
    (directory / "all.yaml").write_text(DOCUMENTS.replace("user: ana", "user: anna"))
    wrong = call(data, "plan", str(directory), "--json")
    assert (wrong.code, wrong.out) == (1, "")
    assert "all.yaml:" in wrong.err
    assert "Traceback" not in wrong.err
    assert call(data, "plan", str(tmp_path / "nothing")).code == 1


def test_a_database_of_another_version(data: Path, tmp_path: Path) -> None:
    import pysqlite3.dbapi2 as sqlite

    older = tmp_path / "older"
    older.mkdir()
    sqlite.connect(older / "midwatch.sqlite3").close()
    said = call(older, "alerts")
    assert said.code == 1
    assert "midwatch upgrade" in said.err
    assert said.err.count("\n") == 1


def test_a_database_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "midwatch.sqlite3").write_bytes(b"no database" * 1000)
    said = call(tmp_path, "alerts")
    assert said.code == 1
    assert said.err.startswith("midwatch: ")
    assert said.err.count("\n") == 1


def test_a_fault_is_one_line_too_and_a_traceback_when_asked_for(data: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import midwatch.cli.output\n\ndef broken(*a):\n    raise KeyError('inside')\n\nmidwatch.cli.output.table = broken\n"
    )
    path = f"{tmp_path}:{installation.environment(data)['PYTHONPATH']}"
    said = call(data, "user", "list", PYTHONPATH=path)
    assert said.code == 1
    assert said.err.count("\n") == 1
    assert "MIDWATCH_LOG_LEVEL=debug" in said.err
    asked = call(data, "user", "list", PYTHONPATH=path, MIDWATCH_LOG_LEVEL="debug")
    assert "Traceback" in asked.err


def test_the_light_verbs_load_no_django(data: Path) -> None:
    program = (
        "import sys, midwatch.cli.parser as p\n"
        "p.parser().parse_args(['serve', '--port', '1'])\n"
        "import midwatch.supervisor\n"
        "assert 'django' not in sys.modules, 'Django is loaded'\n"
    )
    done = subprocess.run([sys.executable, "-c", program], env=installation.environment(data), check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("argv", "function", "wanted"),
    [
        (("serve",), "serve", {"host": "127.0.0.1", "port": 8000, "config": None, "data": None}),
        (
            ("serve", "--host", "0.0.0.0", "--port", "8123", "--data", "/tmp/x", "--config", "c"),
            "serve",
            {"host": "0.0.0.0", "port": 8123, "data": Path("/tmp/x"), "config": Path("c")},
        ),
        (("web", "--port", "81"), "web", {"port": 81}),
        (("engine", "--health-port", "9464"), "engine", {"health_port": 9464}),
        (("engine",), "engine", {"health_port": None}),
    ],
)
def test_what_the_supervisor_is_told(run: Run, argv: tuple[str, ...], function: str, wanted: dict[str, object]) -> None:
    with mock.patch(f"midwatch.supervisor.{function}", return_value=3) as called:
        assert run(*argv).code == 3
    (args,) = called.call_args.args
    assert isinstance(args, Namespace)
    assert wanted.items() <= vars(args).items()


def test_links_lead_to_where_serve_listens(data: Path) -> None:
    (data / "address").write_text("http://127.0.0.1:8123\n")
    try:
        assert call(data, "user", "create", "lena", "--json").json["invitation"].startswith("http://127.0.0.1:8123/")
        told = call(data, "user", "reset", "lena", "--json", MIDWATCH_BASE_URL="https://midwatch.example.com")
        assert told.json["link"].startswith("https://midwatch.example.com/")
    finally:
        (data / "address").unlink()
