"""`midwatch plan`, `apply` and `export`. Exit code 0, or 1 with every error on standard error."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from midwatch.core.actor import Actor
from midwatch.core.written.problems import ConfigurationError
from midwatch.gitops.actions import apply, plan
from midwatch.gitops.exporting import export, export_text
from midwatch.gitops.plan import Plan
from midwatch.prepare.runbooks.offline import write_offline

COMMAND_LINE = Actor("Configuration as code", "cli")


def run_plan(args: Namespace) -> int:
    """`args`: directory, owner, prune, json."""
    return _show(args, lambda: plan(Path(args.directory), args.owner, prune=args.prune))


def run_apply(args: Namespace) -> int:
    """`args`: directory, owner, prune, json."""
    return _show(args, lambda: apply(Path(args.directory), args.owner, prune=args.prune, by=COMMAND_LINE))


def run_export(args: Namespace) -> int:
    """`args`: directory (None or "-": standard output), with_contacts, offline (all runbooks as pages)."""
    if args.offline:
        return _offline(args)
    if args.directory is None or str(args.directory) == "-":
        sys.stdout.write(export_text(with_contacts=args.with_contacts))
        return 0
    try:
        written = export(Path(args.directory), with_contacts=args.with_contacts)
    except (OSError, ValueError) as error:
        why = f"{args.directory}: {error.strerror}" if isinstance(error, OSError) else str(error)
        return _fail(why)
    for path in written:
        sys.stderr.write(f"{path}\n")
    return 0


def _offline(args: Namespace) -> int:
    if args.directory is None or str(args.directory) == "-":
        return _fail("--offline writes several files: give a directory")
    try:
        written = write_offline(Path(args.directory))
    except OSError as error:
        return _fail(f"{args.directory}: {error.strerror}")
    sys.stderr.write(f"{len(written)} pages in {args.directory}: open {written[0]}\n")
    return 0


def _show(args: Namespace, work: Callable[[], Plan]) -> int:
    try:
        found = work()
    except (ConfigurationError, ValueError) as error:
        return _fail(str(error))
    if args.json:
        sys.stdout.write(json.dumps(found.as_json(), ensure_ascii=False, indent=2) + "\n")
        for gone in found.gone:
            sys.stderr.write(f"gone from the documents: {gone}\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in found.lines()))
    return 0


def _fail(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return 1
