"""Verbs about sources: what sends alerts here."""

from __future__ import annotations

from argparse import Namespace

from django.db.models import Count

from midwatch.api import shapes
from midwatch.cli.ground import shown_time
from midwatch.cli.output import VerbError, show, table
from midwatch.cli.people import acting
from midwatch.respond.alerts.actions import send_test_alert
from midwatch.respond.alerts.models import Source, SourceProblem


def list_sources(args: Namespace) -> int:
    found = list(Source.objects.select_related("service").order_by("name"))
    counts = dict(
        SourceProblem.objects.order_by()
        .values_list("source_id")
        .annotate(Count("pk"))
        .values_list("source_id", "pk__count")
    )
    rows = [
        (one.name, one.type, one.service.name, shown_time(one.last_event_at) or "never", counts.get(one.pk, 0))
        for one in found
    ]
    data = [
        {**shapes.SourceOut.of(one, shows_key=True).model_dump(mode="json"), "problems": counts.get(one.pk, 0)}
        for one in found
    ]
    heads = ("SOURCE", "TYPE", "SERVICE", "LAST HEARD", "PROBLEMS")
    show(args, data, table(rows, heads) if rows else ["There is no source."])
    return 0


def test(args: Namespace) -> int:
    by, _ = acting(args)
    source = Source.objects.select_related("service").filter(name=args.name).first()
    if source is None:
        raise VerbError(f"there is no source {args.name!r}: `midwatch source list` shows them")
    send_test_alert(source, by)
    line = f"A test alert went through {source.name}; it is on the source's page."
    show(args, {"source": source.name, "sentence": line}, [line])
    return 0
