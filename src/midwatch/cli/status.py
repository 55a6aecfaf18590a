"""Verbs about status pages."""

from __future__ import annotations

from argparse import Namespace

from midwatch.cli.output import VerbError, show, table
from midwatch.respond.statuspage import queries
from midwatch.respond.statuspage.exporting import export_page
from midwatch.respond.statuspage.links import public_url


def list_pages(args: Namespace) -> int:
    data = []
    for page in queries.pages():
        standing = queries.standing_of(queries.shown_statuses(page.components.all()), queries.open_notices(page))
        data.append(
            {
                "name": page.name,
                "title": page.title,
                "access": str(page.access),
                "url": public_url(page),
                "indicator": standing.indicator,
                "description": standing.description,
            }
        )
    rows = [(one["name"], one["access"], one["description"], one["url"]) for one in data]
    show(args, data, table(rows, ("PAGE", "ACCESS", "SAYS", "ADDRESS")) if rows else ["There is no status page."])
    return 0


def export(args: Namespace) -> int:
    page = queries.pages().filter(name=args.page).first()
    if page is None:
        raise VerbError(f"there is no status page {args.page!r}: `midwatch status list` shows them")
    try:
        written = export_page(page, args.directory)
    except OSError as error:
        raise VerbError(f"{args.directory} cannot be written ({error.strerror}): give a directory of yours") from error
    line = f"{len(written)} files of {page.title} are in {args.directory}."
    show(args, {"page": page.name, "directory": str(args.directory), "files": len(written)}, [line])
    return 0
