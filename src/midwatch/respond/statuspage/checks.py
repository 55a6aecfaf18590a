"""Do the status pages reach whom they are for?"""

from __future__ import annotations

from django.db.models import Count

from midwatch.core.contribute import Check
from midwatch.respond.statuspage.models import OutwardNotice, Page, Subscriber, SubscriberState

NAMED_MAX = 10
QUARANTINED_PERCENT_MAX = 20  # of a page's subscribers; a few dead addresses are usual
QUARANTINED_MIN = 5


def subscribers_are_reached() -> Check:
    question = "Do the status pages' letters reach their subscribers?"
    counted = Subscriber.objects.filter(state__in=[SubscriberState.ACTIVE, SubscriberState.QUARANTINED])
    found: dict[str, dict[str, int]] = {}
    for page, state, count in counted.values_list("page__name", "state").annotate(count=Count("pk")).order_by("page"):
        found.setdefault(page, {})[state] = count
    bad = []
    for page, states in found.items():
        out = states.get(SubscriberState.QUARANTINED, 0)
        if out >= QUARANTINED_MIN and out * 100 > sum(states.values()) * QUARANTINED_PERCENT_MAX:
            bad.append(f"{page}: {out} of {sum(states.values())} in quarantine")
    if bad:
        remedy = "is the mail relay refused by others? The page's subscribers show what it said; reactivate them there"
        return Check("statuspage.subscribers", question, "warning", "; ".join(bad[:NAMED_MAX]), remedy)
    return Check("statuspage.subscribers", question, "ok", f"{Page.objects.count()} pages")


def pages_elsewhere_are_told() -> Check:
    question = "Was everything said at the status pages elsewhere, too?"
    failing = list(OutwardNotice.objects.exclude(problem="").select_related("notice__page").order_by("pk")[:NAMED_MAX])
    if failing:
        said = "; ".join(f"{one.notice.page.name}: {one.problem}" for one in failing)
        remedy = "set it right there or in the settings; the next update is said together with what is missing"
        return Check("statuspage.elsewhere", question, "warning", said, remedy)
    return Check("statuspage.elsewhere", question, "ok", "yes, or there are none")


CHECKS = (subscribers_are_reached, pages_elsewhere_are_told)
