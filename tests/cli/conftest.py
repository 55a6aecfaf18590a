"""The command line, called in this process: what it prints, what it returns, and nothing left behind."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator

import pytest

from api_world import NOW, World, make_world
from cli_run import Run, Said
from midwatch.cli import main
from midwatch.core import clock, logs
from midwatch.settings import settings


@pytest.fixture
def world(db: None) -> Iterator[World]:
    clock.freeze(NOW)
    yield make_world()
    clock.thaw()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    hook, pipe, environment = sys.excepthook, signal.getsignal(signal.SIGPIPE), dict(os.environ)

    def call(*argv: str) -> Said:
        capsys.readouterr()
        try:
            code = main(argv)
        except SystemExit as ended:
            if isinstance(ended.code, str):
                print(ended.code, file=sys.stderr)
            code = ended.code if isinstance(ended.code, int) else 1
        found = capsys.readouterr()
        return Said(code, found.out, found.err)

    yield call
    sys.excepthook = hook
    signal.signal(signal.SIGPIPE, pipe)
    os.environ.clear()
    os.environ.update(environment)
    settings.cache_clear()
    root = logging.getLogger()
    root.handlers = [one for one in root.handlers if not isinstance(one.formatter, logs.OneLine)]
    root.setLevel(logging.WARNING)
