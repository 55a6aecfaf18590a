"""What each figure means, written beside it wherever it is shown: a number without its definition is a rumour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Definition:
    """`key`: in CSV and API. `meaning`: one sentence, with what is left out."""

    key: str
    title: str
    meaning: str
    is_less_better: bool = True


DEFINITIONS: Mapping[str, Definition] = {
    one.key: one
    for one in (
        Definition("alerts", "Alerts", "alerts that opened in the period; tests are not counted"),
        Definition(
            "alert_time_to_acknowledge",
            "Alerts: time to acknowledge",
            "from the opening of an alert to the first acknowledgement by a person; alerts that nobody acknowledged are left out",
        ),
        Definition(
            "alert_time_to_resolve",
            "Alerts: time to resolve",
            "from the opening of an alert to its end, by whomever; open alerts are left out",
        ),
        Definition(
            "noise",
            "Noise",
            "share of the period's ended alerts that no person acknowledged or resolved",
        ),
        Definition(
            "repeats", "Repeats", "share of alerts that follow an earlier one of the same condition within ten minutes"
        ),
        Definition("pages", "Pages", "people being called for an alert, once for each round and step"),
        Definition(
            "pages_out_of_hours",
            "Pages out of hours",
            "pages before 8, after 18 or on a weekend, in the time of whoever was called",
        ),
        Definition("pages_at_night", "Pages at night", "pages from 22 to 7, in the time of whoever was called"),
        Definition(
            "alerts_per_shift",
            "Alerts per shift",
            "alerts of high urgency, divided by shifts of twelve hours; "
            "more than two a shift leave no time to learn from any (SRE book)",
        ),
        Definition(
            "incidents", "Incidents", "incidents declared in the period; drills and merged duplicates are not counted"
        ),
        Definition(
            "time_to_detect", "Time to detect", "from the start of the impact to the first alert or declaration"
        ),
        Definition("time_to_acknowledge", "Time to acknowledge", "from detection to the first answer by a person"),
        Definition(
            "time_to_mitigate",
            "Time to mitigate",
            "from detection to the end of the bleeding; incidents without that moment are left out",
        ),
        Definition(
            "time_to_resolve",
            "Time to resolve",
            "from detection to the restored service; active incidents are left out",
        ),
        Definition(
            "time_to_public_notice",
            "Time to public notice",
            "from the declaration (of a back-filled incident: from when it was detected) to the first published words for "
            "clients; incidents without any are left out",
        ),
        Definition(
            "postmortems_in_time",
            "Post-mortems within a week",
            "share of the post-mortems whose meeting was held within seven days after the incident was resolved; "
            "those that still have time, and those that were waived, are left out",
            is_less_better=False,
        ),
        Definition(
            "promises_kept",
            "Updates in time",
            "share of the promised updates that went out by the promised moment",
            is_less_better=False,
        ),
        Definition("items_open", "Open action items", "action items that somebody has and that are not done, now"),
        Definition("items_overdue", "Overdue action items", "open action items whose date has passed, now"),
        Definition("item_age", "Age of open action items", "from the day somebody took an item to now, for open ones"),
        Definition(
            "items_done_in_time",
            "Action items in time",
            "share of the items finished in the period that were finished by their date",
            is_less_better=False,
        ),
        Definition(
            "debts",
            "Incidents an open item would have prevented",
            "answers “yes” to “would this item have prevented it?” in the period",
        ),
    )
}
