"""Is it getting better? Figures over what really happened, the shift report, the weekly digest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.test import Client

from midwatch.core import clock
from midwatch.learn.actions.actions import NewItem, note_item
from midwatch.learn.actions.models import ActionItem
from midwatch.learn.insights.queries import Report, Scope, report, shift_report
from midwatch.respond.incidents import actions as incident_actions
from midwatch.respond.incidents.actions import Composed, Declaration, Past, Said
from stories.story import Phone, Story

SELDOM = timedelta(hours=12)


def logged_in(phone: Phone) -> Client:
    client = Client()
    with transaction.atomic():
        client.force_login(phone.user)
    return client


def figures(**scope: object) -> Report:
    now = clock.now()
    return report(Scope(**scope), now - timedelta(days=7), now + timedelta(seconds=1), now)  # type: ignore[arg-type]


def lived(story: Story) -> Phone:
    """One alert acknowledged after four minutes, one that nobody touched, one incident and a drill."""
    ana = story.person("ana", zone="Europe/Prague")
    story.policy(steps=[("ana", "0m")])
    story.team("payments", managers=["ana"])
    first = story.fires(title="disk full")
    story.forward(minutes=4)
    ana.acknowledges(first)
    story.resolves(title="disk full")
    story.fires(title="noise")
    story.resolves(title="noise")
    incident = incident_actions.declare_incident(
        Declaration("checkout is down", "SEV1", service=story.service()), ana.actor
    )
    incident_actions.declare_incident(Declaration("a drill", "SEV1", service=story.service(), is_drill=True), ana.actor)
    story.forward(minutes=3)
    composed = Composed("investigating", "We look.", "We look into it.", targets=("statuspage:public",))
    incident_actions.compose_update(incident, composed, ana.actor)
    story.forward(minutes=27)
    incident_actions.set_phase(incident, "resolved", ana.actor)
    story.settle()
    return ana


def test_figures_over_what_happened(story: Story) -> None:
    lived(story)
    found = figures(team=story.team("payments"))
    shown = {figure.definition.key: figure.shown for figure in found.figures}
    assert shown["alerts"] == "2"
    assert shown["alert_time_to_acknowledge"] == "4 min"
    assert shown["noise"] == "50%"
    assert shown["incidents"] == "1"
    assert shown["time_to_resolve"] == "30 min"
    assert shown["time_to_public_notice"] == "3 min"
    assert shown["pages_at_night"] == "2"
    assert found.of("promises_kept").detail == "2 of 2"
    assert found.by_severity == [("SEV1", 1, "30 min")]
    assert figures(service=story.service("search", team="other")).of("alerts").value == 0
    assert figures().of("alerts").value == 2


def test_a_back_filled_incident_counts_when_it_began(story: Story) -> None:
    ana = story.person("ana")
    began = clock.now() - timedelta(days=20)
    past = Past(
        "archive/1",
        "checkout was down",
        "SEV2",
        began,
        began + timedelta(hours=1),
        updates=[Said(began + timedelta(minutes=5), "investigating", "We look.")],
        service=story.service(),
    )
    assert incident_actions.import_incident(past, ana.user, ana.actor) is not None
    assert incident_actions.import_incident(past, ana.user, ana.actor) is None
    assert figures().of("incidents").value == 0
    found = report(Scope(), began - timedelta(days=1), began + timedelta(days=6), clock.now())
    assert found.of("time_to_public_notice").shown == "5 min"
    assert sum(found.series[2].values) == 1


def test_the_shift_report_names_what_nobody_acted_on_and_one_press_makes_an_item(story: Story) -> None:
    ana = story.person("ana", zone="Europe/Prague")
    schedule = story.schedule("primary", "ana", every=1, unit="days", start="2026-03-02T08:00")
    story.policy(steps=[("schedule:primary", "0m")])
    alert = story.fires(title="noise")
    story.resolves(title="noise")
    story.forward(hours=1)
    start = clock.now() - timedelta(hours=2)
    found = shift_report(schedule, start, clock.now())
    assert [woken.user.name for woken in found.woken] == ["ana"]
    assert (found.nights, found.untouched) == (1, [alert])
    client = logged_in(ana)
    page = client.get("/insights/shifts/primary", {"from": start.isoformat(), "to": clock.now().isoformat()})
    assert b"noise" in page.content
    assert client.post("/insights/shifts/primary/suggest", {"alert": alert.number, "do": "low"}).status_code == 302
    item = ActionItem.objects.get()
    assert (item.owner, item.type, item.origin) == (ana.user, "process", "shift report")
    assert item.title == "Make it low urgency at its source: noise"
    assert client.post("/insights/shifts/primary/suggest", {"alert": "9" * 30, "do": "low"}).status_code == 404


def test_the_digest_comes_on_monday_morning_once(story: Story) -> None:
    mo = story.person("mo", methods=("webhook", "email"), zone="Europe/Prague")
    team = story.team("payments", managers=["mo"])
    note_item(NewItem("late", owner=mo.user, team=team, due_on=clock.now().date() - timedelta(days=9)), mo.actor)
    mo.forgets()
    story.forward(to=datetime(2026, 3, 9, 6, 59, tzinfo=UTC), look_every=SELDOM)
    digests = [heard for heard in story.network.heard if "The week of Payments" in heard.text]
    assert not digests
    story.forward(hours=3)
    digests = [heard for heard in story.network.heard if "The week of Payments" in heard.text]
    assert [heard.channel for heard in digests] == ["email"]
    assert "AI-1 late (Mo, 2026-02-22)" in digests[0].text


def test_the_page_and_the_csv_explain_themselves(story: Story) -> None:
    ana = lived(story)
    client = logged_in(ana)
    page = client.get("/insights", {"team": "payments"})
    assert page.status_code == 200
    text = page.content.decode()
    assert "share of the period&#x27;s ended alerts" in text
    assert "Ana" not in text.split("<main", 1)[1].split("</main")[0]  # by team, never by person
    csv = client.get("/insights.csv", {"days": "7"}).content.decode()
    assert csv.splitlines()[1].startswith("alerts,2.0,2,")
    assert client.get("/insights", {"days": "12"}).status_code == 404


def test_whoever_begins_a_shift_hears_how_the_last_one_was(story: Story) -> None:
    _, ben = story.phones("ana", "ben")
    story.schedule("primary", "ana", "ben", every=1, unit="days", start="2026-03-02T08:00")
    story.policy(steps=[("schedule:primary", "0m")])
    story.fires(title="noise")
    story.resolves(title="noise")
    story.forward(to=datetime(2026, 3, 3, 8, 0, 30, tzinfo=UTC))
    ben.rings_with("Last shift: 1 call (1 at night), 1 nobody acted on.", kind="handoff")
