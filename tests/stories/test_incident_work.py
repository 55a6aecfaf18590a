"""Tasks with names and time boxes (R8), and the IC's powers, which end with the incident."""

from __future__ import annotations

from datetime import timedelta

import pytest

from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.core.models import AuditEntry
from midwatch.respond.alerts.models import Maintenance
from midwatch.respond.incidents import actions
from midwatch.respond.incidents.actions import Declaration
from midwatch.respond.incidents.duties import DC
from midwatch.respond.incidents.models import Entry, Incident
from stories.story import Story


def declared(story: Story, by: Actor) -> Incident:
    incident = actions.declare_incident(Declaration("checkout is down", "SEV2"), by)
    story.settle()
    return incident


def words(incident: Incident) -> str:
    return "\n".join(entry.text for entry in Entry.objects.filter(incident=incident).order_by("id"))


def test_one_person_is_asked_says_yes_and_says_what_came_of_it(story: Story) -> None:
    ana, ben, cy = story.phones("ana", "ben", "cy")
    incident = declared(story, ana.actor)
    task = actions.open_task(incident, ana.actor, "look at the replica", doer=ben.user, minutes=15)
    story.settle()
    ben.is_told("asks you: look at the replica, 15 min")
    with pytest.raises(ValueError, match="Ben's"):
        actions.acknowledge_task(task, cy.user, cy.actor)
    actions.acknowledge_task(task, ben.user, ben.actor)
    actions.acknowledge_task(task, ben.user, ben.actor)
    actions.finish_task(task, ben.actor, outcome="lag is gone")
    actions.finish_task(task, ben.actor, outcome="twice")
    task.refresh_from_db()
    assert (task.outcome, task.due_at) == ("lag is gone", None)
    assert words(incident).count("Ben has it") == 1
    assert "done: look at the replica (lag is gone)" in words(incident)


def test_a_task_of_a_role_is_taken_by_whoever_says_so(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    incident = declared(story, ana.actor)
    task = actions.open_task(incident, ana.actor, "look at the logs", minutes=10)
    assert (task.doer, task.due_at) == (None, None)
    actions.acknowledge_task(task, ben.user, ben.actor)
    task.refresh_from_db()
    assert task.doer == ben.user
    assert task.acknowledged_at is not None
    assert task.due_at == clock.now() + timedelta(minutes=10)


def test_the_ic_is_warned_of_taking_the_repair_while_others_are_there(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    incident = declared(story, ana.actor)
    assert actions.warning_of(incident, DC, ana.user) == ""  # nobody else is there
    actions.assign_role(incident, DC, ben.user, ana.actor)
    assert "keeps the overview" in actions.warning_of(incident, DC, ana.user)
    assert actions.warning_of(incident, DC, ben.user) == ""
    assert actions.warning_of(incident, "ic", ana.user) == ""


def test_a_task_has_a_sentence_and_a_whole_time_box(story: Story) -> None:
    ana = story.person("ana")
    incident = declared(story, ana.actor)
    with pytest.raises(ValueError, match="what is to be done"):
        actions.open_task(incident, ana.actor, "  ")
    with pytest.raises(ValueError, match="whole minutes"):
        actions.open_task(incident, ana.actor, "x", minutes=0)
    with pytest.raises(ValueError, match="no role"):
        actions.open_task(incident, ana.actor, "x", role="king")


def test_what_the_ics_powers_set_ends_with_the_incident(story: Story) -> None:
    ana, ben = story.phones("ana", "ben")
    story.policy(steps=[("ana", "0m")])
    incident = declared(story, ben.actor)
    actions.silence(incident, story.service(), ben.actor, until=clock.now() + timedelta(hours=2))
    story.fires(title="noise")
    story.forward(minutes=1)
    ana.is_silent()
    window = Maintenance.objects.get()
    assert window.reason == f"incident {incident.number}: checkout is down"
    assert AuditEntry.objects.filter(verb="use power: silence", object_name=str(incident)).exists()
    assert "Ben silenced" in words(incident)
    actions.set_phase(incident, "resolved", ben.actor)
    story.settle()
    incident.refresh_from_db()
    actions.set_lesson(incident, "waived", ben.actor, why="a test")  # type: ignore[arg-type]
    actions.close_incident(incident, ben.actor)
    story.settle()
    window.refresh_from_db()
    assert window.ends_at <= clock.now()
    assert "had set ended with it: 1" in words(incident)
    ana.rings_with("noise")
    with pytest.raises(ValueError, match="powers ended"):
        actions.silence(incident, story.service(), ben.actor, until=clock.now() + timedelta(hours=2))
