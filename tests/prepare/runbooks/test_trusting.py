"""Trust out of the tables: promotion, rot, drills, the calendar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from midwatch.catalog.models import ChangeEvent, Service
from midwatch.core import clock, net
from midwatch.core.actor import Actor
from midwatch.core.models import AuditEntry
from midwatch.core.net import HttpAnswer, HttpRequest, NetError, addresses
from midwatch.people.models import User
from midwatch.prepare.runbooks.actions import drilling, probing, promoting
from midwatch.prepare.runbooks.actions.documents import revise
from midwatch.prepare.runbooks.document import parse
from midwatch.prepare.runbooks.models import DecisionState, Drill, Probe, Promotion, Round, Runbook
from midwatch.prepare.runbooks.queries import trusting
from midwatch.prepare.runbooks.references import references
from prepare.runbooks.test_proving import execution, runbook, step

pytestmark = pytest.mark.django_db
ANA = Actor("Ana Novak", "web", 1)
TEXT = """---
title: Restart the checkout
service: checkout
owner: bo
options:
  - {name: key, type: secret, values: [deploy-key]}
---
Read https://wiki.example/checkout (and `https://wiki.example/${option.x}`) first.

```sh {"name": "drain", "kind": "copy"}
nothingctl --all
```

```sh {"name": "look", "kind": "run", "executor": "local"}
# drainctl
VALUE=1
drainctl --all
echo done
```

```sh {"name": "restart", "kind": "run", "executor": "ssh", "targets": "db1.example"}
systemctl restart checkout
```
"""


def written(text: str = TEXT) -> Runbook:
    found = runbook()
    revise(found, text, ANA)
    found.refresh_from_db()
    return Runbook.objects.select_related("current", "owner", "service").get(pk=found.pk)


def ran(of: Runbook, count: int, state: str = "ok", kind: str = "copy", name: str = "drain") -> None:
    for at in range(count):
        made = execution(of, state, days=count - at)
        row = step(made, name, state)
        type(row).objects.filter(pk=row.pk).update(kind=kind)


def last(of: Runbook) -> int:
    return int(of.executions.order_by("-number").values_list("pk", flat=True)[0])


# -- promotion -----------------------------------------------------------------------------------------------------------


def test_five_clean_runs_propose_a_rung_and_a_person_writes_it_into_the_text() -> None:
    found = written()
    ran(found, 4)
    assert promoting.consider(last(found)) == 0
    ran(found, 1)
    assert promoting.consider(last(found)) == 1
    assert promoting.consider(last(found)) == 0  # once
    (proposal,) = trusting.open_proposals(found)
    assert (proposal.step, proposal.from_kind, proposal.to_kind) == ("drain", "copy", "run")
    assert proposal.evidence == {"executions": [5, 4, 3, 2, 1]}
    with pytest.raises(ValueError, match="say why"):
        promoting.decide(proposal, ANA, accept=True, reason="")
    promoting.decide(proposal, ANA, accept=True, reason="a year without surprise")
    found.refresh_from_db()
    assert found.current is not None
    assert parse(found.current.body).steps[0].kind == "run"
    assert found.current.number == 3
    assert AuditEntry.objects.filter(verb="promote step").exists()
    with pytest.raises(ValueError, match="decided already: accepted by Ana Novak"):
        promoting.decide(proposal, ANA, accept=False, reason="no")


def test_declined_it_is_not_proposed_again_on_the_same_runs_but_on_new_ones() -> None:
    found = written()
    ran(found, 5)
    promoting.consider(last(found))
    promoting.decide(trusting.open_proposals(found)[0], ANA, accept=False, reason="it wakes clients")
    ran(found, 4)
    assert promoting.consider(last(found)) == 0
    ran(found, 1)
    assert promoting.consider(last(found)) == 1
    assert [one.state for one in trusting.decisions(found)] == [DecisionState.DECLINED]


def test_a_failure_takes_a_proposal_back_and_says_so() -> None:
    found = written()
    ran(found, 5)
    promoting.consider(last(found))
    ran(found, 1, "failed")
    promoting.consider(last(found))
    assert trusting.open_proposals(found) == []
    superseded = Promotion.objects.get()
    assert (superseded.state, superseded.who) == (DecisionState.SUPERSEDED, "Midwatch")


def test_of_a_runbook_from_code_the_decision_is_recorded_and_the_text_is_left() -> None:
    found = written()
    ran(found, 5)
    promoting.consider(last(found))
    Runbook.objects.filter(pk=found.pk).update(code_owner="ops", code_file="runbooks/restart.md:1")
    proposal = promoting.decide(trusting.open_proposals()[0], ANA, accept=True, reason="well proven")
    assert 'In runbooks/restart.md:1, step drain: write "kind": "run"' in promoting.word_for_code(proposal)
    found.refresh_from_db()
    assert found.current is not None
    assert found.current.number == 2


def test_a_machine_decides_nothing() -> None:
    found = written()
    ran(found, 5)
    promoting.consider(last(found))
    with pytest.raises(ValueError, match="a person decides"):
        promoting.decide(trusting.open_proposals()[0], Actor("Midwatch", "engine"), accept=True, reason="why not")


# -- rot -----------------------------------------------------------------------------------------------------------------


class Wire:
    def __init__(self) -> None:
        self.answer: Callable[[HttpRequest], HttpAnswer] = lambda request: HttpAnswer(200)
        self.asked: list[HttpRequest] = []

    def http(self, request: HttpRequest) -> HttpAnswer:
        self.asked.append(request)
        return self.answer(request)

    def smtp(self, request: object) -> None:
        raise AssertionError("no mail leaves here")


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    monkeypatch.setattr(addresses, "resolve", lambda host, port, seconds: ())
    monkeypatch.setattr(probing.shutil, "which", lambda name: f"/bin/{name}")
    made = Wire()
    with net.installed(made):
        yield made


def look() -> int:
    done = 0
    while rows := probing.claim(4):
        for row in rows:
            probing.probe(row)
        done += len(rows)
    return done


def test_what_a_text_refers_to_is_found_and_placeholders_are_not() -> None:
    found = {(one.kind, one.subject) for one in references(parse(TEXT))}
    assert found == {
        ("person", "bo"),
        ("service", "checkout"),
        ("secret", "deploy-key"),
        ("url", "https://wiki.example/checkout"),
        ("program", "drainctl"),
        ("host", "db1.example"),
    }


def test_what_is_gone_is_named_with_its_day_and_makes_it_stale(wire: Wire) -> None:
    found = written()
    bo = User.objects.create(name="bo", display_name="Bo", created_at=clock.now())
    wire.answer = lambda request: HttpAnswer(404)
    assert probing.check_now(found, ANA) == 6
    assert look() == 6
    reasons = " | ".join(trusting.freshness_of(found).reasons)
    assert "link https://wiki.example/checkout answers 404 since " in reasons
    assert "service checkout is not in the catalog" in reasons
    assert "secret deploy-key is not in the store" in reasons
    assert "Bo" not in reasons
    assert trusting.freshness_of(found).state == "stale"
    first = Probe.objects.get(kind="url").since
    clock.freeze(clock.now() + timedelta(days=1))
    try:
        User.objects.filter(pk=bo.pk).update(is_active=False)
        probing.check_now(found, ANA)
        look()
        assert Probe.objects.get(kind="url").since == first  # as long as it lasts
        assert "Bo left" in trusting.freshness_of(found).sentence
        wire.answer = lambda request: HttpAnswer(403)
        probing.check_now(found, ANA)
        look()
        assert Probe.objects.get(kind="url").state == "ok"  # something is there, behind a log-in
    finally:
        clock.thaw()


def test_a_link_that_may_not_be_asked_is_unknown_and_one_that_is_dead_is_broken(wire: Wire) -> None:
    found = written()
    wire.answer = lambda request: (_ for _ in ()).throw(net.AddressRefused("wiki.example is not a public address"))
    probing.check_now(found, ANA)
    look()
    assert Probe.objects.get(kind="url").state == "unknown"
    assert "1 of what it refers to could not be looked at" in trusting.freshness_of(found).reasons
    wire.answer = lambda request: (_ for _ in ()).throw(NetError("wiki.example: no answer"))
    probing.check_now(found, ANA)
    look()
    assert Probe.objects.get(kind="url").state == "broken"
    assert [request.is_trusted for request in wire.asked] == [False, False]


def test_each_runbook_has_its_round_once_a_night_and_its_errands_are_spread(wire: Wire) -> None:
    found = written()
    probing.begin_rounds()
    due = Round.objects.get(runbook=found).due_at
    assert due is not None
    assert 1 <= due.hour < 5
    assert due - clock.now() <= timedelta(days=1)
    clock.freeze(due)
    try:
        assert probing.begin_rounds() == 1
        assert probing.begin_rounds() == 0
        again = Round.objects.get(runbook=found).due_at
        assert again is not None
        assert timedelta(hours=20) < again - due <= timedelta(hours=28)
        moments = set(Probe.objects.values_list("due_at", flat=True))
        assert len(moments) == 6
        assert max(at for at in moments if at) - due <= probing.SPREAD
        revise(found, "Nothing more to do.", ANA)
        found.refresh_from_db()
        probing.check_now(Runbook.objects.select_related("current").get(pk=found.pk), ANA)
        assert Probe.objects.count() == 0
    finally:
        clock.thaw()


def test_deploys_since_the_last_proof_age_it() -> None:
    found = written()
    service = Service.objects.create(name="checkout", display_name="C", team=found.team, created_at=clock.now())
    Runbook.objects.filter(pk=found.pk).update(service=service)
    execution(found, days=3)
    for at in range(7):
        moment = clock.now() - timedelta(days=at + 0.5)
        ChangeEvent.objects.create(service=service, at=moment, received_at=moment, summary="deploy")
    fresh = Runbook.objects.select_related("current").get(pk=found.pk)
    assert trusting.freshness_of(fresh).reasons == ("3 deploys since last proof",)


# -- drills --------------------------------------------------------------------------------------------------------------


def test_a_drill_is_scored_when_it_ends_and_a_real_run_is_not() -> None:
    found = written()
    ran(found, 3)
    real = execution(found)
    assert drilling.score(real.pk) is None
    drill = execution(found, kind="drill", seconds=600)
    step(drill, "drain")
    step(drill, "restart", "skipped", position=1, answered_by="Bo")
    made = drilling.score(drill.pk)
    assert made is not None
    assert made.sentence == "35 of 100: exercised 1 of 2 parts, 1 deviation, slow: drain"
    assert made.steps[0]["expected"] == 60
    assert made.steps[1]["deviation"] == "skipped"
    drilling.score(drill.pk)
    assert Drill.objects.count() == 1
    assert trusting.drills(found) == [made]


def test_a_dry_run_counts_what_it_could_not_exercise() -> None:
    found = written()
    dry = execution(found, kind="dry_run")
    step(dry, "play", coverage=[1, 6])
    made = drilling.score(dry.pk)
    assert made is not None
    assert (made.exercised, made.of) == (1, 6)


def test_the_calendar_begins_with_what_hurts_and_was_never_proven() -> None:
    first, second = runbook("failover"), runbook("restart")
    execution(second, days=10)
    found = trusting.calendar()
    assert [one.runbook.name for one in found] == ["failover", "restart"]
    assert found[0].why == "never proven"
    assert found[1].why == "proven 10 days ago"
    assert first.pk == found[0].runbook.pk
