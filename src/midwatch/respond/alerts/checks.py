"""Do the sources speak, and are they understood?"""

from __future__ import annotations

from datetime import timedelta

from django.db import connection

from midwatch.core import clock, integration
from midwatch.core.contribute import Check
from midwatch.respond.alerts.models import Source, SourceProblem
from midwatch.respond.alerts.queries import silent_sources

LATELY = timedelta(days=1)
NAMED_MAX = 10


def sources_speak() -> list[Check]:
    question = "Do the sources speak?"
    active = Source.objects.filter(is_active=True)
    if not active.exists():
        remedy = "connect one: Settings, Sources; or configuration as code"
        return [Check("sources", question, "warning", "no source is connected, so no alert can come", remedy)]
    checks = []
    silent = silent_sources(clock.now())
    if silent:
        text = f"silent for longer than they should be: {_named([source.name for source in silent])}"
        remedy = "look at what sends, and at the way from it to here; `midwatch source test NAME` tries our part"
        checks.append(Check("sources.silent", question, "failed", text, remedy))
    never = list(active.filter(last_event_at=None).order_by("name").values_list("name", flat=True)[: NAMED_MAX + 1])
    if never:
        text = f"nothing came yet from {_named(never)}"
        remedy = "finish connecting them (each source's page has the lines to copy), or turn them off"
        checks.append(Check("sources.unheard", question, "warning", text, remedy))
    return checks or [Check("sources", question, "ok", f"{active.count()} sources, all heard from")]


def sources_are_understood() -> Check:
    question = "Is everything understood that sources send?"
    since = clock.now() - LATELY
    rows = SourceProblem.objects.filter(at__gte=since).order_by("-id").values_list("source__name", "kind", "reason")
    found = list(rows[:1_000])
    if found:
        names = sorted({name for name, _, _ in found})
        is_lost = any(
            kind in {SourceProblem.Kind.REFUSED_AT_THE_DOOR, SourceProblem.Kind.TRUNCATED} for _, kind, _ in found
        )
        text = f"{len(found)} problems in a day from {_named(names)}; the last: {found[0][2]}"
        return Check(
            "sources.problems",
            question,
            "failed" if is_lost else "warning",
            text,
            "the source's page shows what was sent",
        )
    return Check("sources.problems", question, "ok", "no problem in a day")


def types_are_known() -> Check:
    question = "Is there a vendor's folder for every source?"
    known = set(integration.sources())
    missing = sorted(set(Source.objects.filter(is_active=True).values_list("type", flat=True)) - known)
    if missing:
        text = f"no integration reads {_named(missing)}"
        return Check("sources.types", question, "failed", text, f"use one of {', '.join(sorted(known))}")
    return Check("sources.types", question, "ok", f"{len(known)} kinds of source can be read")


def titles_are_indexed() -> Check:
    question = "Can old alerts be searched quickly?"
    if connection.vendor != "postgresql":
        return Check("alerts.search", question, "ok", "their titles have a table of their own")
    with connection.cursor() as cursor:
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('alert_title_trigrams')")
        if cursor.fetchone() == (True,):
            return Check("alerts.search", question, "ok", "their titles are indexed")
    text = "the titles have no index: a search reads every alert there is"
    remedy = (
        "as the owner of the database: CREATE EXTENSION IF NOT EXISTS pg_trgm; CREATE INDEX CONCURRENTLY alert_title_trigrams "
        "ON alerts_alert USING gin (upper(title::text) gin_trgm_ops);"
    )
    return Check("alerts.search", question, "warning", text, remedy)


def _named(names: list[str]) -> str:
    return ", ".join(names[:NAMED_MAX]) + (" and more" if len(names) > NAMED_MAX else "")


CHECKS = (sources_speak, sources_are_understood, types_are_known, titles_are_indexed)
