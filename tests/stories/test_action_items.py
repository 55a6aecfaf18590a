"""What we said we would do is done, or somebody hears of it: R16, R17, proofs, debts (N4)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.db import IntegrityError, transaction

from midwatch.core import clock, contribute
from midwatch.core.contribute import Check
from midwatch.learn.actions import actions, queries
from midwatch.learn.actions.actions import NewItem
from midwatch.learn.actions.conditions import ownerless
from midwatch.learn.actions.models import ActionItem, ItemState
from midwatch.people.models import User
from midwatch.respond.incidents import actions as incident_actions
from midwatch.respond.incidents.actions import Declaration
from midwatch.respond.incidents.models import Incident
from stories.story import Phone, Story

SELDOM = timedelta(days=2)  # what is due is stopped at anyway


def incident_of(story: Story, phone: Phone, **more: object) -> Incident:
    wanted = Declaration("checkout is down", "SEV3", service=story.service(), **more)  # type: ignore[arg-type]
    incident = incident_actions.declare_incident(wanted, phone.actor)
    story.settle()
    return incident


def noted(phone: Phone, title: str = "alert on the pool's size", **more: object) -> ActionItem:
    return actions.note_item(NewItem(title, **more), phone.actor)  # type: ignore[arg-type]


def told(story: Story, phone: Phone) -> list[str]:
    found = [heard.text for heard in story.network.heard if heard.who == phone.user.name]
    phone.forgets()
    return found


def test_an_open_item_without_an_owner_cannot_be_written(story: Story) -> None:
    ana = story.person("ana")
    item = noted(ana)
    assert (item.state, item.owner) == (ItemState.DRAFT, None)
    with pytest.raises(IntegrityError), transaction.atomic():
        ActionItem.objects.filter(pk=item.pk).update(state=ItemState.OPEN)
    with pytest.raises(ValueError, match="give it an owner"):
        actions.finish_item(item, ana.actor, "done")


def test_an_ownerless_item_stands_in_the_way_of_the_post_mortem(story: Story) -> None:
    ana = story.person("ana")
    incident = incident_of(story, ana)

    class Written:
        incident_id = incident.pk

    item = noted(ana, incident=incident)
    assert [sentence for sentence in ownerless(Written()) if f"{item}" in sentence]
    assert contribute.obstacles("postmortem.approve", Written())
    actions.open_item(item, ana.user, ana.actor)
    assert ownerless(Written()) == []


def test_reminders_go_on_after_the_incident_is_closed_and_reach_the_lead(story: Story) -> None:
    ana, mo = story.phones("ana", "mo")
    story.team("payments", "ana", managers=["mo"])
    incident = incident_of(story, ana)
    item = noted(ana, owner=ana.user, incident=incident, due_on=clock.now().date() + timedelta(days=10))
    incident_actions.set_phase(incident, "resolved", ana.actor)
    incident_actions.close_incident(incident, ana.actor)
    story.settle()
    ana.forgets()
    story.forward(days=4, look_every=SELDOM)
    assert [text for text in told(story, ana) if "is due in 7 days" in text]
    story.forward(days=7, look_every=SELDOM)
    assert [text for text in told(story, ana) if "is due today" in text]
    mo.is_silent()
    story.forward(days=7, look_every=SELDOM)
    assert [text for text in told(story, mo) if f"{item}" in text and "7 days overdue (owner: Ana)" in text]
    story.forward(days=14, look_every=SELDOM)
    assert len([text for text in told(story, mo) if "overdue" in text]) == 2
    actions.finish_item(item, ana.actor, "the alert is there")
    ana.forgets()
    story.forward(days=14, look_every=SELDOM)
    ana.is_silent()


def test_when_the_owner_is_gone_the_lead_has_it(story: Story) -> None:
    ana, mo = story.phones("ana", "mo")
    story.team("payments", "ana", managers=["mo"])
    item = noted(ana, owner=ana.user, team=story.team("payments"))
    with transaction.atomic():
        User.objects.filter(pk=ana.user.pk).update(is_active=False)
    story.forward(minutes=2)
    item.refresh_from_db()
    assert item.owner == mo.user
    mo.is_told("is yours: Ana is gone")


def test_whoever_gets_an_item_hears_of_it(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    item = noted(ana, owner=ana.user, priority="high")
    assert item.due_on == clock.now().date() + timedelta(days=14)
    story.settle()
    ana.is_silent()
    actions.change_item(item, ana.actor, owner=ben.user, due_on=date(2026, 4, 1))
    story.settle()
    ben.is_told("is yours, until 2026-04-01")


def test_closed_by_proof_and_opened_again_when_the_proof_breaks(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    ana = story.person("ana")
    state = ["warning"]

    def pools() -> Check:
        return Check("pools.watched", "?", state[0], f"the pool is {state[0]}")  # type: ignore[arg-type]

    monkeypatch.setattr(contribute, "askers", lambda: iter([("core", pools)]))
    item = noted(ana, owner=ana.user, proof={"kind": "check", "name": "pools.watched"})
    story.forward(minutes=1)
    item.refresh_from_db()
    assert (item.state, item.proof_said) == (ItemState.OPEN, "pools.watched: the pool is warning")
    state[0] = "ok"
    story.forward(hours=2)
    item.refresh_from_db()
    assert (item.state, item.is_proven, item.done_by) == (ItemState.DONE, True, "Its proof")
    state[0] = "unknown"
    story.forward(hours=2)
    item.refresh_from_db()
    assert item.state == ItemState.DONE
    state[0] = "failed"
    story.forward(hours=2)
    item.refresh_from_db()
    assert item.state == ItemState.OPEN
    ana.is_told("is open again")


def test_an_alert_that_fires_in_a_drill_proves_it(story: Story) -> None:
    ana = story.person("ana")
    story.policy(steps=[("ana", "0m")])
    item = noted(ana, owner=ana.user, proof={"kind": "alert", "words": "pool exhausted"})
    alert = story.fires(title="Pool exhausted on db3")
    ana.resolves(alert)
    story.forward(hours=2)
    item.refresh_from_db()
    assert item.state == ItemState.OPEN
    incident_of(story, ana, is_drill=True, alert=alert)
    story.forward(hours=2)
    item.refresh_from_db()
    assert (item.state, item.is_proven) == (ItemState.DONE, True)
    with pytest.raises(ValueError, match="no kind of proof"):
        noted(ana, proof={"kind": "wish"})
    with pytest.raises(ValueError, match="needs words"):
        noted(ana, proof={"kind": "alert"})


def test_a_new_incident_is_shown_the_debts_that_may_have_prevented_it(story: Story) -> None:
    ana = story.person("ana")
    other = story.service("search", team="search-team")
    match = noted(
        ana, "alert on the size of the checkout pool", owner=ana.user, service=story.service(), due_on=date(2026, 2, 1)
    )
    noted(ana, "rename the logo", owner=ana.user, service=other)
    story.forward(minutes=1)
    incident = incident_of(story, ana)
    debts = queries.debts_of(incident, clock.now().date(), ana.user)
    assert [(debt.item, debt.days_overdue) for debt in debts] == [(match, 30)]
    assert debts[0].why == "same service (Checkout), same words: checkout"
    actions.answer_debt(incident, match, ana.actor, would_have_prevented=True)
    again = queries.debts_of(incident, clock.now().date(), ana.user)[0].answer
    assert again is not None
    assert (again.would_have_prevented, again.days_overdue) == (True, 30)


def test_items_of_private_incidents_are_seen_by_those_who_take_part(story: Story) -> None:
    ana, zoe = story.phones("ana", "zoe")
    incident = incident_of(story, ana, is_private=True)
    hidden, plain = noted(ana, incident=incident), noted(ana)
    assert set(queries.visible_items(ana.user)) == {hidden, plain}
    assert set(queries.visible_items(zoe.user)) == {plain}
