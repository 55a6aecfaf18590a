"""The demo's week: what went wrong, who had it, what fixed it; and what is open now.

Everything is relative to now: a happening is so many hours ago, an answer so many minutes after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from midwatch.catalog.actions import record_change
from midwatch.core import clock, wake
from midwatch.core.actor import Actor
from midwatch.demo.cases import CASES, Case, payload, storm
from midwatch.demo.company import Company, found
from midwatch.demo.incidents import RESOLVED_BEFORE, SEARCH_BEFORE, plan_incidents
from midwatch.demo.postmortems import plan_lesson, plan_postmortem
from midwatch.demo.replay import Replay, newest
from midwatch.demo.runbooks import plan_executions, write_runbooks
from midwatch.intake.records import PING
from midwatch.people.models import Role, User
from midwatch.people.queries import actor_of
from midwatch.respond.alerts.actions import (
    acknowledge_alert,
    add_note,
    resolve_alert,
    snooze_alert,
    start_maintenance,
)
from midwatch.respond.alerts.models import Alert, AlertStatus, Source
from midwatch.respond.availability.actions import open_outage
from midwatch.respond.escalation.actions import act_on_landing, decline, page_somebody, reassign
from midwatch.respond.notify.actions import send_test_page
from midwatch.respond.notify.models import Delivery, DeliveryKind, DeliveryState, Page
from midwatch.respond.notify.tokens import token_of
from midwatch.respond.oncall.actions import create_override
from midwatch.respond.oncall.models import Override
from midwatch.respond.statuspage.actions import (
    ComponentFields,
    NewNotice,
    NewUpdate,
    PageFields,
    Schedule,
    add_component,
    create_page,
    open_notice,
    post_update,
)
from midwatch.respond.statuspage.models import Component, Notice
from midwatch.settings import settings

CARDS = "payments-api"
OUTAGES = (
    ("checkout", 8, "partial", 22),
    ("search", 13, "degraded", 95),
    ("payments-api", 24, "major", 11),
    ("search", 24, "major", 41),
)  # service, days ago, level, minutes
FOUNDED_BEFORE = timedelta(days=30)
STORM_SIZE = 6
LINK, TEXT, CALL, WEB, HEALS, LATE, DECLINED, HANDED, MACHINE = range(9)


@dataclass(frozen=True, slots=True)
class Happening:
    """`answer`: how the first (LATE: the last) one who was paged took it; `after` minutes; over after `lasted` minutes.

    `note`: what fixed it. `repeats`: how often the source said it again, each 4 minutes. `is_closed_by_hand`: the one
    who had it resolved it, before its source did.
    """

    case: str
    hours_ago: float
    answer: int
    after: float = 2
    lasted: float = 20
    note: str = ""
    repeats: int = 0
    is_closed_by_hand: bool = False


ROLLED_BACK = "Rolled back to 2026.46.3: the new cart query had no index. Index comes with the next release."
VACUUM = "A report held db2's vacuum back: cancelled its query (pg_cancel_backend), lag gone in a minute."
ARCHIVE = "WAL archive was stuck since the failover. Restarted pg_receivewal, space came back."
ROUTED = "Acquirer north confirmed trouble on their side. Routed cards to acquirer south until they say all is well."
DRAINED = "Drained and rebooted worker-7. Its disk controller logs errors: replacement ordered."
WARMED = "Fixture had run out of gift cards. Topped up; the probe should say so itself."
SCALED = "Two more payments-api pods. The autoscaler waits for CPU, but we wait for connections: raise the pool."
REINDEX = "Indexer had no memory left. Doubled its limit, index is fresh again."
RETRAINED = "Training job had failed for want of space on the model bucket. Cleaned up, trained again."

WEEK: Sequence[Happening] = (
    Happening("probe-slow", 167.2, HEALS, lasted=3),
    Happening("connections", 165.5, WEB, 38, 70),
    Happening("pod", 163.0, WEB, 2, 45, REINDEX),
    Happening("errors", 160.4, LINK, 1.6, 19, ROLLED_BACK, repeats=3),
    Happening("lag", 158.9, CALL, 3.2, 16, VACUUM),
    Happening("index", 155.0, WEB, 4.7, 66, REINDEX, is_closed_by_hand=True),
    Happening("queue", 152.2, HEALS, lasted=48),
    Happening("fraud", 149.7, WEB, 55, 130, RETRAINED),
    Happening("probe", 147.1, TEXT, 2.7, 12, WARMED),
    Happening("tls", 144.8, LINK, 1.2, 21, "lb2 ran out of session cache after the update. Rolled lb2 back."),
    Happening("report", 141.5, WEB, 3.6, 160, "Report ran at last, half an hour late: the warehouse was slow."),
    Happening("slow", 139.9, HEALS, lasted=4.8, repeats=1),
    Happening("disk", 137.3, LATE, 7.4, 27, ARCHIVE, repeats=4),
    Happening("latency", 133.6, LINK, 2.1, 23, SCALED),
    Happening("probe-slow", 130.2, HEALS, lasted=2.5),
    Happening("declined", 127.5, TEXT, 1.9, 24, ROUTED),
    Happening("connections", 121.8, WEB, 2, 30, "Raised pgbouncer's pool instead of the limit."),
    Happening("search", 118.4, DECLINED, 3.5, 22, "A synonym list of 40,000 entries was deployed. Removed it."),
    Happening("node", 115.0, LINK, 1.4, 25, DRAINED),
    Happening("queue", 110.0, WEB, 3.6, 55, "Refund worker waited for a lock of the nightly batch. Moved the batch."),
    Happening("certificate", 107.0, WEB, 120, 300, "Renewed by hand. The DNS token of the renewal had run out."),
    Happening("fraud-down", 103.3, LINK, 1.1, 15, "Out of memory after the model grew by half. Limit raised to 4 GiB."),
    Happening("probe", 100.8, HEALS, lasted=4),
    Happening("lag", 97.7, CALL, 2.4, 13, VACUUM, repeats=1),
    Happening("index", 95.1, WEB, 1.5, 40, REINDEX),
    Happening(
        "errors", 89.0, HANDED, 4.0, 24, "One checkout pod kept a stale session key after the rotation. Restarted."
    ),
    Happening("report", 86.2, WEB, 4.2, 80),
    Happening("pod", 83.5, WEB, 2, 35, REINDEX),
    Happening("disk", 80.1, LINK, 2.2, 20, ARCHIVE),
    Happening("tls", 75.3, HEALS, lasted=3),
    Happening("latency", 72.9, TEXT, 3.3, 18, SCALED),
    Happening("declined", 70.4, MACHINE, 2.0, 26),
    Happening("fraud", 65.0, WEB, 1.5, 95, RETRAINED),
    Happening("probe", 62.2, LINK, 1.3, 9, WARMED),
    Happening("node", 57.1, LATE, 6.6, 28, DRAINED),
    Happening("probe-slow", 54.9, WEB, 4.2, 50, "The CDN's cache was cold after the purge of last night."),
    Happening("search", 51.2, LINK, 2.9, 17, "A crawler asked for 300 pages a second. Blocked at the edge."),
    Happening("slow", 48.8, WEB, 2, 33, "Recommendations were slow. Time-out lowered from 3 s to 400 ms."),
    Happening("errors", 42.3, LINK, 1.8, 22, "Payments API's certificate was renewed without the chain. Put it in."),
    Happening("lag", 37.0, CALL, 2.6, 14, VACUUM),
    Happening("queue", 34.4, WEB, 1.5, 44, is_closed_by_hand=True),
    Happening("fraud-down", 29.6, LINK, 1.5, 11, "Node drain met no budget for disruption. Budget added."),
    Happening("latency", 23.9, LINK, 2.3, 21, SCALED),
    Happening("connections", 21.0, WEB, 2, 26),
    Happening("probe", 17.8, TEXT, 2.1, 8, WARMED),
    Happening("tls", 14.6, LINK, 1.9, 16, "Handshakes are slow while lb1 is being patched. Patched."),
    Happening("slow", 11.3, HEALS, lasted=2.5),
    Happening("pod", 7.7, WEB, 3.6, 31, REINDEX),
    Happening(
        "disk", 4.6, LINK, 2.5, 18, "Archive again. Disk is too small since the shop doubled: larger one ordered."
    ),
)
CHANGES = (
    ("checkout", 161.0, "Deploy checkout 2026.47.0"),
    ("payments-api", 134.2, "Deploy payments-api 812"),
    ("search", 118.9, "Deploy search 3.14.0 with new synonyms"),
    ("checkout", 42.6, "Rotate the certificate of payments-api"),
    ("edge", 14.9, "Patch lb1"),
    ("checkout", 0.3, "Deploy checkout 2026.47.2"),
)


def live(password: str, phones_url: str) -> None:
    """Everything, up to the machine's clock of now."""
    ends_at = clock.machine_now().replace(microsecond=0)
    with wake.using(wake.LocalBus()):
        clock.freeze(ends_at - FOUNDED_BEFORE)
        company = found(password, phones_url)
        write_runbooks(company)
        _open_page(company, ends_at)
        replay = Replay()
        for happening in WEEK:
            _plan(replay, company, happening, ends_at - timedelta(hours=happening.hours_ago))
        _plan_the_rest(replay, company, ends_at)
        _plan_what_is_open(replay, company, ends_at)
        plan_incidents(replay, company, ends_at, lambda case: _alert(company, CASES[case]))
        plan_executions(replay, company, ends_at, lambda case: _alert(company, CASES[case]))
        _plan_what_clients_read(replay, company, ends_at)
        plan_lesson(replay, company, ends_at - SEARCH_BEFORE)
        plan_postmortem(replay, company, ends_at - RESOLVED_BEFORE, ends_at)
        replay.run(ends_at)
    clock.thaw()


def landing_link() -> str:
    """Of the message that reached the administrator's phone about what burns now."""
    page = Delivery.objects.filter(kind=DeliveryKind.PAGE, user__role=Role.ADMINISTRATOR).order_by("-alert_id", "id")[0]
    return f"{settings().public_url}/p/{token_of(page.idempotency_key)}"


def _plan(replay: Replay, company: Company, happening: Happening, starts_at: datetime) -> None:
    case = CASES[happening.case]
    ends_at = starts_at + timedelta(minutes=happening.lasted)
    _say(replay, company, [case], starts_at, starts_at)
    for number in range(1, happening.repeats + 1):
        _say(replay, company, [case], starts_at + timedelta(minutes=4 * number), starts_at)
    answered_at = starts_at + timedelta(minutes=happening.after)
    if happening.answer == MACHINE:
        _say(replay, company, [case], answered_at, starts_at, status="acknowledged")
    elif happening.answer != HEALS:
        replay.at(answered_at, partial(_answer, company, case, happening.answer))
        if happening.answer in {DECLINED, HANDED}:
            replay.at(answered_at + timedelta(minutes=1.5), partial(_answer, company, case, LATE))
        replay.at(ends_at - timedelta(minutes=1), partial(_tell, company, case, happening))
    _say(replay, company, [case], ends_at, starts_at, status="resolved")


def _say(
    replay: Replay, company: Company, cases: list[Case], at: datetime, starts_at: datetime, status: str = "firing"
) -> None:
    source = company.sources[cases[0].source]
    ended_at = at if status == "resolved" else None
    replay.at(at, partial(replay.send, source, payload(cases, status, starts_at, ended_at, source.key)))


def _alert(company: Company, case: Case) -> Alert:
    return newest(company.sources[case.source], case.key)


def _paged(alert: Alert, *, is_last: bool = False) -> User | None:
    """Who was paged first, or last."""
    pages = list(Page.objects.filter(alert=alert).select_related("user").order_by("id"))
    return (pages[-1] if is_last else pages[0]).user if pages else None


def _answer(company: Company, case: Case, how: int) -> None:
    """Somebody who was paged takes it, by what their phone showed if it showed anything."""
    alert = _alert(company, case)
    person = _paged(alert, is_last=how == LATE)
    if person is None or alert.status != AlertStatus.FIRING:
        return
    by = actor_of(person, "web")
    if how == DECLINED:
        decline(alert, person, by)
        return
    if how == HANDED:
        add_note(alert, by, "This is session keys: Dana wrote them.")
        reassign(alert, company.people["dana"], by)
        return
    via = {TEXT: "sms", CALL: "voice", LINK: "link", LATE: "link"}.get(how, "web")
    token = _link(alert, person, via)
    if token:
        act_on_landing(token, "acknowledge", via=via)
    else:
        acknowledge_alert(alert, by)


def _link(alert: Alert, person: User, via: str) -> str:
    """The token in the last message that reached them by such a method; "" for the web."""
    if via == "web":
        return ""
    got = Delivery.objects.filter(
        alert=alert, user=person, kind=DeliveryKind.PAGE, state=DeliveryState.HANDED_OVER
    ).order_by("-id")
    wanted = got.filter(channel=via) if via != "link" else got
    found = wanted.first() or got.first()
    return token_of(found.idempotency_key) if found else ""


def _tell(company: Company, case: Case, happening: Happening) -> None:
    """A minute before the end: who has it writes what fixed it."""
    alert = _alert(company, case)
    if alert.acknowledged_by is None:
        return
    by = actor_of(alert.acknowledged_by, "web")
    if happening.note:
        add_note(alert, by, happening.note)
    if happening.is_closed_by_hand:
        resolve_alert(alert, by)


def _plan_the_rest(replay: Replay, company: Company, now: datetime) -> None:
    """Pings, deployments, overrides, a page by hand, a test page, a payload that nobody understands."""
    backup = company.sources["nightly-backup"]
    last_night = now - timedelta(hours=9)
    for night in range(6, -1, -1):
        at = last_night - timedelta(days=night)
        if night == 3:
            replay.at(at, partial(replay.send, backup, {}, kind=PING, ping="fail", exit="2"))
            replay.at(at + timedelta(minutes=3), partial(_take_newest, company, backup))
            at += timedelta(minutes=24)
        replay.at(at, partial(replay.send, backup, {}, kind=PING, ping="success"))
    for name, hours_ago, summary in CHANGES:
        at = now - timedelta(hours=hours_ago)
        replay.at(at, partial(record_change, company.services[name], summary, origin="deploys"))
    replay.at(now - timedelta(hours=76), partial(_page_by_hand, company))
    replay.at(now - timedelta(hours=75.96), partial(_take_newest, company, None))
    replay.at(now - timedelta(hours=75.6), partial(_close_by_hand, company))
    replay.at(now - timedelta(hours=69), partial(_misunderstand, replay, company))
    replay.at(now - timedelta(hours=30), partial(_test_own_phone, company))
    replay.at(now - timedelta(hours=50), partial(_plan_absences, company, now))


def _page_by_hand(company: Company) -> None:
    page_somebody(
        "Customers are charged twice: three mails to support in ten minutes",
        company.actor("eli"),
        priority="P1",
        service=company.services["payments-api"],
    )


def _take_newest(company: Company, source: Source | None) -> None:
    alert = Alert.objects.filter(source=source).order_by("-id")[0]
    acknowledge_alert(alert, actor_of(_paged(alert) or company.people["ana"], "web"))


def _close_by_hand(company: Company) -> None:
    alert = Alert.objects.filter(source=None).order_by("-id")[0]
    by = actor_of(alert.acknowledged_by or company.people["ana"], "web")
    add_note(alert, by, "A retry without an idempotency key. Retries are off, the charges are being given back.")
    resolve_alert(alert, by)


def _misunderstand(replay: Replay, company: Company) -> None:
    """A colleague tried the probe's source with a wrong body: kept, shown on its page, and told to its team."""
    probe = company.sources["shop-probe"]
    replay.send(probe, {"titel": "gift card", "status": "down"})
    alert = Alert.objects.filter(source=probe).order_by("-id")[0]
    resolve_alert(alert, company.actor("cy"))


def _test_own_phone(company: Company) -> None:
    ana = company.people["ana"]
    sent = send_test_page(ana, company.actor("ana"), ana.contact_methods.get(name="push"))
    act_on_landing(token_of(sent[0].idempotency_key), "acknowledge")


def _plan_absences(company: Company, now: datetime) -> None:
    """Dana covers an evening of whoever is on call; one night nobody covers for Tokyo's holiday, and it shows."""
    evening = (now + timedelta(days=1)).replace(hour=17, minute=0, second=0, microsecond=0)
    create_override(
        company.schedules["payments-primary"],
        company.actor("dana"),
        starts_at=evening,
        ends_at=evening + timedelta(hours=4),
        user=company.people["dana"],
        reason="A concert: I can take the evening",
    )
    night = (now + timedelta(days=4)).replace(hour=22, minute=0, second=0, microsecond=0)
    create_override(
        company.schedules["platform-primary"],
        company.actor("fay"),
        starts_at=night,
        ends_at=night + timedelta(hours=6),
        kind=Override.Kind.REMOVE,
        replaces=company.people["fay"],
        reason="Labour Thanksgiving: who can take this night?",
    )


def _plan_what_is_open(replay: Replay, company: Company, now: datetime) -> None:
    """One to take, one that is had, one asleep, one in maintenance, and a storm that pages once."""

    def ago(minutes: float) -> datetime:
        return now - timedelta(minutes=minutes)

    replay.at(ago(95), partial(_maintain, company, now))
    _say(replay, company, [CASES["search"]], ago(40), ago(40))
    _say(replay, company, [CASES["certificate"]], ago(71), ago(71))
    replay.at(ago(58), partial(_sleep_on, company, now))
    _say(replay, company, [CASES["latency"]], ago(16), ago(16))
    replay.at(ago(14), partial(_answer, company, CASES["latency"], LINK))
    replay.at(
        ago(9), partial(_note_on, company, "latency", "Connections wait for the acquirer's pool. Trying a larger one.")
    )
    rack = storm(STORM_SIZE)
    _say(replay, company, rack[:1], ago(6.5), ago(6.5))
    _say(replay, company, rack[1:], ago(6), ago(6.5))
    _say(replay, company, [CASES["errors"]], ago(1.5), ago(3))


def _maintain(company: Company, now: datetime) -> None:
    start_maintenance(
        company.services["search"],
        company.actor("hana"),
        starts_at=clock.now(),
        ends_at=now + timedelta(hours=2),
        reason="Search moves to new machines",
    )


def _open_page(company: Company, now: datetime) -> None:
    """The public page: three components that stand for services, and one that stands for none."""
    by = company.actor("ana")
    fields = PageFields(company.teams["payments"], "Example Shop", "How the shop is doing.", time_zone="Europe/Prague")
    page = create_page("shop", fields, by)
    known_since = (now - timedelta(days=120)).date()
    shop = add_component(page, ComponentFields("Shop", is_group=True), by)
    for name, title in (("checkout", "Checkout"), (CARDS, "Card payments"), ("search", "Product search")):
        service = company.services[name]
        part = ComponentFields(title, parent=shop, service=service, started_on=known_since, is_automatic=True)
        add_component(page, part, by)
    add_component(page, ComponentFields("Mail", started_on=known_since), by)


def _plan_what_clients_read(replay: Replay, company: Company, now: datetime) -> None:
    """What was down last month, an incident that is over, maintenance to come."""
    for name, days_ago, level, minutes in OUTAGES:
        start = now - timedelta(days=days_ago)
        end = start + timedelta(minutes=minutes)
        down = partial(
            open_outage, company.services[name], company.actor("ana"), level=level, starts_at=start, ends_at=end
        )
        replay.at(max(end, now - timedelta(days=6)), down)
    begun = now - timedelta(hours=26)
    replay.at(begun, partial(_tell_clients, company))
    second = NewUpdate("identified", "One of our acquirers answers late. We send cards **by another one**.")
    replay.at(begun + timedelta(minutes=14), partial(_tell_on, company, second))
    replay.at(
        begun + timedelta(minutes=33), partial(_tell_on, company, NewUpdate("resolved", "Cards go through again."))
    )
    replay.at(now - timedelta(hours=20), partial(_announce, company, now))


def _tell_clients(company: Company) -> None:
    part = Component.objects.get(service=company.services[CARDS])
    open_notice(part.page, NewNotice("Card payments fail", components={part: "partial_outage"}), company.actor("cy"))


def _tell_on(company: Company, update: NewUpdate) -> None:
    post_update(Notice.objects.get(name="Card payments fail"), update, company.actor("cy"))


def _announce(company: Company, now: datetime) -> None:
    part = Component.objects.get(service=company.services["checkout"])
    moves = Schedule(now + timedelta(days=2), now + timedelta(days=2, hours=1), reminds_before=True)
    new = NewNotice("Database upgrade", components={part: None}, schedule=moves)
    open_notice(part.page, new, company.actor("ana"))


def _sleep_on(company: Company, now: datetime) -> None:
    """Snoozed until the next morning."""
    alert = _alert(company, CASES["certificate"])
    snooze_alert(alert, company.actor("eli"), until=now + timedelta(hours=12))


def _note_on(company: Company, case: str, text: str) -> None:
    alert = _alert(company, CASES[case])
    add_note(alert, actor_of(alert.acknowledged_by, "web") if alert.acknowledged_by else Actor("Ana", "web"), text)
