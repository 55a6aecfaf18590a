"""Who is told what by when: R2, R3, R5, R6, R7, R8, and evidence (N2)."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import transaction
from django.test import Client

from midwatch.catalog.models import ChangeEvent, Service
from midwatch.core import clock, net
from midwatch.respond.incidents import actions
from midwatch.respond.incidents.actions import Composed, Declaration
from midwatch.respond.incidents.actions.evidence import digest
from midwatch.respond.incidents.duties import CM, DC, IC
from midwatch.respond.incidents.models import (
    Channel,
    Entry,
    Evidence,
    Incident,
    Promise,
    Stakeholder,
    Task,
    Update,
    UpdateDelivery,
)
from midwatch.respond.incidents.queries import commander_of
from midwatch.respond.incidents.queries.room import heard_of
from midwatch.settings import settings
from stories.phones import refuses, unreachable
from stories.story import Phone, Story

PAGES = ("statuspage:public",)


def declared(story: Story, phone: Phone, severity: str = "SEV1", **more: object) -> Incident:
    incident = actions.declare_incident(
        Declaration("checkout is down", severity, service=story.service(), **more),
        phone.actor,  # type: ignore[arg-type]
    )
    story.settle()
    return incident


def on_call(story: Story) -> list[Phone]:
    phones = story.phones("ana", "ben", "cy", "dora")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    return phones


def words(incident: Incident) -> str:
    return "\n".join(f"{entry.kind}: {entry.text}" for entry in Entry.objects.filter(incident=incident).order_by("id"))


def hears(story: Story) -> list[tuple[str, str]]:
    """(who, words) of what arrived since the last time, without the pages."""
    found = [(heard.who, heard.text) for heard in story.network.heard if heard.kind == "update"]
    story.network.heard.clear()
    return found


def test_a_broken_promise_goes_from_the_cm_to_the_ic_to_level_2(story: Story) -> None:
    ana, _, cy, _ = on_call(story)
    incident = declared(story, ana)
    actions.assign_role(incident, CM, cy.user, ana.actor)
    actions.assign_role(incident, DC, ana.user, ana.actor)
    story.settle()
    hears(story)
    story.forward(minutes=4)
    assert [who for who, text in hears(story) if "due at 02:05" in text] == ["cy"]
    story.forward(minutes=1)
    assert [who for who, text in hears(story) if "has not gone out" in text] == ["cy"]
    story.forward(minutes=5)
    assert [who for who, text in hears(story) if "has not gone out" in text] == ["ana"]
    story.forward(minutes=5)
    assert [who for who, text in hears(story) if "has not gone out" in text] == ["ben"]
    story.forward(minutes=5)
    assert not [text for _, text in hears(story) if "external" in text]
    promise = Promise.objects.get(incident=incident, audience="external")
    actions.compose_update(incident, Composed("investigating", external_text="We look.", targets=PAGES), ana.actor)
    promise.refresh_from_db()
    assert (promise.kept_count, promise.broken_count) == (0, 1)
    assert promise.promised_at == clock.now() + timedelta(minutes=20)


def test_what_a_person_promised_counts_before_the_rhythm(story: Story) -> None:
    ana, *_ = on_call(story)
    incident = declared(story, ana)
    at = clock.now() + timedelta(minutes=45)
    actions.compose_update(
        incident, Composed("identified", external_text="Found it.", targets=PAGES, next_at=at), ana.actor
    )
    promise = Promise.objects.get(incident=incident, audience="external")
    assert (promise.promised_at, promise.kept_count) == (at, 1)
    actions.change_severity(incident, "SEV2", ana.actor)
    promise.refresh_from_db()
    assert promise.promised_at == at
    with pytest.raises(ValueError, match="24 hours"):
        actions.compose_update(incident, Composed("identified", "x", next_at=clock.now()), ana.actor)


def test_a_long_incident_needs_somebody_to_say_so(story: Story) -> None:
    ana, *_ = on_call(story)
    incident = declared(story, ana)
    for _ in range(8):
        story.forward(minutes=15)
        actions.compose_update(incident, Composed("identified", "Still.", "Still.", targets=PAGES), ana.actor)
        story.settle()
    assert [text for _, text in hears(story) if "long incident" in text]
    actions.decide_on_long(incident, ana.actor, is_long=True)
    promise = Promise.objects.get(incident=incident, audience="external")
    assert promise.promised_at is not None
    assert promise.last_at is not None
    assert promise.promised_at - promise.last_at == timedelta(hours=1)


def test_words_for_clients_wait_for_the_ic_and_any_change_voids_the_approval(story: Story) -> None:
    ana, _, cy, _ = on_call(story)
    incident = declared(story, ana)
    actions.assign_role(incident, CM, cy.user, ana.actor)
    update = actions.compose_update(
        incident, Composed("investigating", external_text="We look into it.", targets=PAGES), cy.actor
    )
    story.settle()
    assert update.state == "waiting"
    ana.is_told("read and approve")
    seen = update.text_digest
    with pytest.raises(ValueError, match="Ana is the IC"):
        actions.approve_update(update, cy.actor, digest=seen)
    changed = actions.change_update(
        update, Composed("investigating", external_text="All is lost.", targets=PAGES), cy.actor
    )
    with pytest.raises(ValueError, match="read it again"):
        actions.approve_update(update, ana.actor, digest=seen)
    actions.refuse_update(changed, ana.actor, "too dark")
    story.settle()
    cy.is_told("too dark")
    again = actions.change_update(changed, Composed("investigating", external_text="We look.", targets=PAGES), cy.actor)
    done = actions.approve_update(again, ana.actor, digest=again.text_digest)
    assert (done.state, done.answered_by) == ("published", "Ana")
    with pytest.raises(ValueError, match="write another one"):
        actions.change_update(done, Composed("resolved", "x"), cy.actor)


def test_what_the_ic_writes_themselves_goes_out_at_once(story: Story) -> None:
    ana, *_ = on_call(story)
    incident = declared(story, ana)
    update = actions.compose_update(
        incident, Composed("monitoring", external_text="It works.", targets=PAGES), ana.actor
    )
    assert update.state == "published"
    assert "update: monitoring: It works." in words(incident)


def test_the_room_says_how_clients_were_kept_informed(story: Story) -> None:
    ana, *_ = on_call(story)
    incident = declared(story, ana)
    assert heard_of(incident, clock.now()) == []
    for minutes in (7, 31):
        clock.forward(timedelta(minutes=minutes))
        actions.compose_update(incident, Composed("monitoring", external_text="It works.", targets=PAGES), ana.actor)
    clock.forward(timedelta(minutes=5))
    ((audience, kept),) = heard_of(incident, clock.now())
    assert (audience, kept.updates) == ("external", 2)
    assert (kept.first_after, kept.longest) == (timedelta(minutes=7), timedelta(minutes=31))
    client = Client()
    with transaction.atomic():
        client.force_login(ana.user)
    page = client.get(f"/incidents/{incident.number}").content.decode()
    assert "Clients: 2 updates, the first after 7 min, longest silence 31 min" in page


def test_stakeholders_hear_by_mail_and_webhook_each_in_the_words_for_them(story: Story) -> None:
    ana, *_ = on_call(story)
    for audience, kind, address in (
        ("internal", "email", "ceo@example.com"),
        ("external", "webhook", "http://phones.example/client"),
    ):
        actions.add_stakeholder(ana.actor, kind=kind, address=address, audience=audience, severity_at_most="SEV2")
    incident = declared(story, ana)
    composed = Composed("identified", "The pool is **empty**.", "Payments fail.", targets=("stakeholders",))
    actions.compose_update(incident, composed, ana.actor)
    story.settle()
    mail = next(heard for heard in story.network.heard if heard.who == "ceo")
    assert "The pool is empty." in mail.text
    assert "/incidents/1" in mail.text
    hook = next(heard for heard in story.network.heard if heard.who == "client")
    assert "Payments fail." in hook.body["text"]
    assert "empty" not in hook.everything
    quiet = declared(story, ana, severity="SEV3")
    actions.compose_update(quiet, composed, ana.actor)
    assert not UpdateDelivery.objects.filter(update__incident=quiet).exists()


def test_a_stakeholder_that_cannot_be_reached_is_tried_again_and_stops_nothing(story: Story) -> None:
    ana, *_ = on_call(story)
    actions.add_stakeholder(ana.actor, kind="webhook", address="http://phones.example/client")
    incident = declared(story, ana)
    story.network.broken["client"] = unreachable
    actions.compose_update(incident, Composed("identified", "Found.", targets=("stakeholders",)), ana.actor)
    story.settle()
    story.forward(minutes=1)
    row = UpdateDelivery.objects.get()
    assert (row.state, row.problem) == ("waiting", "connection refused")
    del story.network.broken["client"]
    story.forward(minutes=10)
    row.refresh_from_db()
    assert row.state == "handed over"
    story.network.broken["client"] = refuses(410)
    actions.compose_update(incident, Composed("monitoring", "Better.", targets=("stakeholders",)), ana.actor)
    story.settle()
    assert "did not reach" in words(incident)
    assert Stakeholder.objects.get().failing_since == clock.now()


def test_private_incidents_and_drills_reach_no_client(story: Story) -> None:
    ana, *_ = on_call(story)
    actions.add_stakeholder(ana.actor, kind="webhook", address="http://phones.example/client", audience="external")
    actions.add_stakeholder(ana.actor, kind="email", address="boss@example.com")
    hidden, drill = declared(story, ana, is_private=True), declared(story, ana, is_drill=True)
    for incident, what in ((hidden, "private"), (drill, "drill")):
        with pytest.raises(ValueError, match=what):
            actions.compose_update(incident, Composed("identified", external_text="x", targets=PAGES), ana.actor)
        actions.compose_update(incident, Composed("identified", "In.", "Out.", targets=("stakeholders",)), ana.actor)
        assert Promise.objects.get(incident=incident, audience="external").promised_at is None
    story.settle()
    reached = [row.stakeholder.address for row in UpdateDelivery.objects.select_related("stakeholder")]
    assert reached == ["boss@example.com"]
    assert next(heard for heard in story.network.heard if heard.who == "boss").text.startswith("DRILL")


def test_prompts_name_what_is_missing_once_and_wake_nobody(story: Story) -> None:
    ana = story.person("ana", methods=("voice", "email"))
    story.policy(steps=[("ana", "0m")])
    incident = declared(story, ana, severity="SEV2")
    story.forward(minutes=11)
    asked = [heard for heard in story.network.heard if "Communication Manager" in heard.text]
    assert [heard.channel for heard in asked] == ["email"]
    story.forward(minutes=30)
    assert words(incident).count("prompt: Ana: nobody is a Communication Manager") == 1


def test_when_the_shift_of_the_ic_ends_the_next_one_is_offered_the_role(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.schedule("primary", "ana", "ben", every=1, unit="days", start="2026-03-02T08:00")
    story.policy(steps=[("schedule:primary", "0m")])
    incident = declared(story, ana)
    assert commander_of(incident).name == "ana"
    story.forward(hours=6, minutes=1)
    offer = incident.hand_overs.get()
    assert (offer.role, offer.taking.name, offer.state) == (IC, "ben", "offered")
    assert commander_of(incident).name == "ana"
    ben.is_told("offers you Incident Commander")
    actions.answer_offer(offer, ben.actor, is_accepted=True)
    assert commander_of(incident).name == "ben"
    story.forward(hours=5)
    assert incident.hand_overs.count() == 1


def test_the_end_of_a_time_box_is_asked_about_once(story: Story) -> None:
    ana, ben, *_ = on_call(story)
    incident = declared(story, ana, severity="SEV3")
    with transaction.atomic():
        Task.objects.create(
            incident=incident, title="look at the pool", doer=ben.user, created_by="Ana", created_at=clock.now(),
            due_at=clock.now() + timedelta(minutes=15),
        )  # fmt: skip
    story.forward(minutes=20)
    assert [who for who, text in hears(story) if "look at the pool" in text] == ["ben"]


def test_after_the_end_clients_are_told_and_looked_for(story: Story) -> None:
    ana, *_ = on_call(story)
    incident = declared(story, ana)
    actions.compose_update(incident, Composed("identified", external_text="Found.", targets=PAGES), ana.actor)
    actions.set_phase(incident, "resolved", ana.actor)
    story.forward(minutes=2)
    assert [text for _, text in hears(story) if "tell those who were told" in text]
    story.forward(hours=1)
    assert [text for _, text in hears(story) if "which clients were affected" in text]
    actions.clients_checked(incident, ana.actor)
    assert "none affected" in words(incident)
    story.forward(days=1, look_every=timedelta(hours=12))
    assert [text for _, text in hears(story) if "close it" in text]


def test_evidence_is_kept_at_declaration_with_its_hash(story: Story) -> None:
    ana, *_ = on_call(story)
    service = story.service()
    link = {"title": "prometheus: errors", "url": "http://prometheus.example", "query": 'rate(errors{job="x"}[5m])'}
    with transaction.atomic():
        Service.objects.filter(pk=service.pk).update(links=[link])
        ChangeEvent.objects.create(
            service=service, at=clock.now() - timedelta(minutes=9), received_at=clock.now(), summary="deploy 42"
        )
    asked: list[net.HttpRequest] = []
    series = [{"metric": {"job": "x"}, "values": [[1, "2"]]}]

    def prometheus(request: net.HttpRequest) -> net.HttpAnswer:
        asked.append(request)
        return net.HttpAnswer(200, {}, json.dumps({"status": "success", "data": {"result": series}}).encode())

    story.network.answers["prometheus.example"] = prometheus
    alert = story.fires(labels={"pod": "checkout-7"})
    incident = declared(story, ana, alert=alert)
    kept = {evidence.kind: evidence for evidence in Evidence.objects.filter(incident=incident)}
    assert kept["alerts"].content[0]["labels"] == {"pod": "checkout-7"}
    assert kept["changes"].content[0]["summary"] == "deploy 42"
    assert kept["series"].content == series
    assert all(evidence.sha256 == digest(evidence.content) for evidence in kept.values())
    query = parse_qs(urlsplit(asked[0].url).query)
    assert query["query"] == ['rate(errors{job="x"}[5m])']
    assert float(query["end"][0]) == clock.now().timestamp()


def test_evidence_that_cannot_be_fetched_says_so_and_stops_nothing(story: Story) -> None:
    ana, *_ = on_call(story)
    link = {"title": "Prometheus", "url": "http://prometheus.example", "query": "up"}
    with transaction.atomic():
        Service.objects.filter(pk=story.service().pk).update(links=[link])
    story.network.answers["prometheus.example"] = lambda request: net.HttpAnswer(200, {}, b"<html>")
    incident = declared(story, ana)
    row = Evidence.objects.get(incident=incident, kind="series")
    assert (row.attempts, row.problem) == (1, "the answer is not JSON: is this Prometheus?")
    story.forward(hours=24, look_every=timedelta(hours=12))
    assert "could not be kept" in words(incident)


def test_a_call_is_made_without_an_account_and_its_name_is_not_guessed(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDWATCH_JITSI_URL", "https://meet.example.com")
    monkeypatch.setenv("MIDWATCH_JITSI_SECRET", "s" * 20)
    settings.cache_clear()
    ana, *_ = on_call(story)
    incident = declared(story, ana)
    channel = Channel.objects.get(incident=incident)
    assert channel.state == "ready"
    assert channel.url.startswith("https://meet.example.com/incident-1-")
    assert "channel: Jitsi call" in words(incident)
    before = channel.url
    actions.change_severity(incident, "SEV2", ana.actor)
    story.settle()
    channel.refresh_from_db()
    assert channel.url == before


def test_without_any_provider_the_built_in_room_is_all_there_is(story: Story) -> None:
    ana, *_ = on_call(story)
    incident = declared(story, ana)
    assert not Channel.objects.filter(incident=incident).exists()
    assert not Update.objects.exists()
    story.forward(hours=3)
    assert "channel" not in words(incident)
