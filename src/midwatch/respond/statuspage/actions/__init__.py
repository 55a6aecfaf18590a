"""Every write of status pages, by intent. A refusal is a `ValueError` whose text says what to do instead."""

from __future__ import annotations

from midwatch.respond.statuspage.actions.components import (
    ComponentFields,
    add_component,
    change_component,
    outage_changed,
    remove_component,
    set_status,
)
from midwatch.respond.statuspage.actions.following import incident_said
from midwatch.respond.statuspage.actions.laying import Laid, lay_out
from midwatch.respond.statuspage.actions.notices import (
    NewNotice,
    NewUpdate,
    NoticeChange,
    Schedule,
    amend_update,
    change_notice,
    delete_notice,
    draft_postmortem,
    open_notice,
    post_update,
    publish_postmortem,
    revert_postmortem,
)
from midwatch.respond.statuspage.actions.pages import (
    PageFields,
    change_page,
    create_page,
    delete_page,
    new_access_link,
)
from midwatch.respond.statuspage.actions.publishing import Publication, publish_update
from midwatch.respond.statuspage.actions.subscribers import (
    Wish,
    ask_again,
    confirm,
    reactivate,
    subscribe,
    unsubscribe,
)
from midwatch.respond.statuspage.actions.timed import move_maintenances

__all__ = [
    "ComponentFields",
    "Laid",
    "NewNotice",
    "NewUpdate",
    "NoticeChange",
    "PageFields",
    "Publication",
    "Schedule",
    "Wish",
    "add_component",
    "amend_update",
    "ask_again",
    "change_component",
    "change_notice",
    "change_page",
    "confirm",
    "create_page",
    "delete_notice",
    "delete_page",
    "draft_postmortem",
    "incident_said",
    "lay_out",
    "move_maintenances",
    "new_access_link",
    "open_notice",
    "outage_changed",
    "post_update",
    "publish_postmortem",
    "publish_update",
    "reactivate",
    "remove_component",
    "revert_postmortem",
    "set_status",
    "subscribe",
    "unsubscribe",
]
