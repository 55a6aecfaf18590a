"""Is what machines told us safely written down, and read?"""

from __future__ import annotations

import pysqlite3.dbapi2 as sqlite

from midwatch.core.contribute import Check
from midwatch.intake.log import event_log
from midwatch.settings import settings

BACKLOG_WARNING = 1_000
BACKLOG_FAILED = 100_000


def backlog() -> Check:
    question = "Are accepted events turned into alerts?"
    waiting = event_log().backlog()
    text = f"{waiting} accepted events are not alerts yet"
    remedy = "is an engine running, and how late is it? `midwatch_intake_backlog` in /metrics shows whether it shrinks"
    if waiting >= BACKLOG_WARNING:
        return Check("intake.backlog", question, "failed" if waiting >= BACKLOG_FAILED else "warning", text, remedy)
    return Check("intake.backlog", question, "ok", text)


def log_is_whole() -> Check:
    question = "Is the event log whole?"
    path = settings().event_log
    if not settings().is_sqlite:
        return Check("intake.log", question, "ok", "it is a table of PostgreSQL")
    if not path.is_file():
        return Check("intake.log", question, "ok", "nothing was ever received")
    try:
        opened = sqlite.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
        try:
            said = str(opened.execute("PRAGMA quick_check(1)").fetchone()[0])
        finally:
            opened.close()
    except sqlite.Error as error:
        said = str(error)
    if said != "ok":
        remedy = "stop Midwatch, move the file away and start again: a new one is made, and alerts stay as they are"
        return Check("intake.log", question, "failed", f"{path.name} is damaged: {said}", remedy)
    return Check("intake.log", question, "ok", f"{path.stat().st_size / 1e6:.1f} MB, every page well")


CHECKS = (backlog, log_is_whole)
