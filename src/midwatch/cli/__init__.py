"""Command line: `midwatch VERB ...`. Starts light: a verb's module is imported when the verb is used.

Comes after every room it calls; before nothing. It talks to the database by itself, beside a running `serve` or without
one; exit code 0 is ok, 1 refused or failed, 2 wrong usage. `docs/reference/cli.md` is the manual.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from types import TracebackType

from midwatch.cli.parser import parser as the_parser
from midwatch.settings import settings


def main(argv: Sequence[str] | None = None) -> int:
    """The entry point. Returns the exit code; a usage error ends the process with 2, a wrong setting with 1."""
    args = the_parser().parse_args(argv)
    if args.data is not None:
        os.environ["MIDWATCH_DATA_DIR"] = str(args.data)
        settings.cache_clear()
    sys.excepthook = _in_one_line
    if args.verb.is_short:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `midwatch alerts | head` ends quietly
    if args.verb.needs != "nothing":
        ground = importlib.import_module("midwatch.cli.ground")
        return int(ground.run(args))
    module, _, function = args.verb.call.partition(":")
    return int(getattr(importlib.import_module(module), function)(args))


def _in_one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What nobody foresaw: one line for people; the traceback when it is asked for."""
    if issubclass(kind, KeyboardInterrupt):
        sys.exit(130)
    if os.environ.get("MIDWATCH_LOG_LEVEL", "").lower() == "debug":
        sys.__excepthook__(kind, error, trace)
        return
    print(
        f"midwatch: {kind.__name__}: {' '.join(str(error).split())} "
        "(a fault in Midwatch; MIDWATCH_LOG_LEVEL=debug shows where)",
        file=sys.stderr,
    )
