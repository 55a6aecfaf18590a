"""Is somebody on call whenever somebody should be?"""

from __future__ import annotations

from datetime import timedelta

from midwatch.core import clock
from midwatch.core.contribute import Check
from midwatch.respond.oncall.queries import resolvables, schedules, unplanned_gaps

LOOK = timedelta(days=14)
NAMED_MAX = 5


def gaps_ahead() -> Check:
    question = f"Is somebody on call in the next {LOOK.days} days?"
    now = clock.now()
    wanted = list(schedules())
    values = resolvables(wanted, since=now)
    found = [
        (schedule.name, start)
        for schedule in wanted
        for start, _ in unplanned_gaps(values[schedule.pk], now, now + LOOK)[:1]
    ]
    if found:
        named = "; ".join(f"{name} from {start:%Y-%m-%d %H:%M} UTC" for name, start in found[:NAMED_MAX])
        more = f" and {len(found) - NAMED_MAX} more" if len(found) > NAMED_MAX else ""
        remedy = "fill the rotation, or let somebody cover: midwatch override SCHEDULE PERSON --for 4h"
        return Check("oncall.gaps", question, "warning", f"nobody is on call: {named}{more}", remedy)
    text = f"no gap in {len(wanted)} schedules" if wanted else "there is no schedule"
    return Check("oncall.gaps", question, "ok", text)


CHECKS = (gaps_ahead,)
