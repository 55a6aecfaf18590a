"""The demo's incidents: one that is closed with its lesson, one whose post-mortem is due, and one that runs now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.demo.company import Company
from midwatch.demo.replay import Replay
from midwatch.learn.actions.actions import NewItem, note_item
from midwatch.people.models import User
from midwatch.people.queries import actor_of
from midwatch.respond.alerts.models import Alert
from midwatch.respond.incidents import actions
from midwatch.respond.incidents.actions import Composed, Declaration
from midwatch.respond.incidents.models import Entry, Incident, Task
from midwatch.respond.incidents.queries import commander_of

RESOLVED_BEFORE = timedelta(hours=42.3) - timedelta(minutes=22)  # the incident whose post-mortem is written
SEARCH_BEFORE = timedelta(hours=118.4) - timedelta(minutes=23)  # the one whose post-mortem is published
Find = Callable[[str], Alert]  # the newest alert of a case


def plan_incidents(replay: Replay, company: Company, now: datetime, find: Find) -> None:
    """Moments fit those of the week's alerts: each was answered before its incident is declared."""
    synonyms = now - SEARCH_BEFORE - timedelta(minutes=23)
    replay.at(
        synonyms + timedelta(minutes=7),
        partial(_declare, find, "search", "Search finds nothing for half the words", "SEV3"),
    )
    replay.at(
        synonyms + timedelta(minutes=9),
        partial(_write, "The synonym list of this morning has 40,000 entries.", "observation"),
    )
    replay.at(
        synonyms + timedelta(minutes=12),
        partial(_write, "We take the list out; the old one is in the last release.", "decision"),
    )
    replay.at(synonyms + timedelta(minutes=20), partial(_phase, "mitigated"))
    replay.at(synonyms + timedelta(minutes=23), partial(_phase, "resolved"))
    replay.at(
        synonyms + timedelta(hours=2),
        partial(_item, company, "Refuse a synonym list that is ten times as long as the last", "dana", 3, "prevent"),
    )
    replay.at(synonyms + timedelta(hours=3), _check_and_close)
    chain = now - RESOLVED_BEFORE - timedelta(minutes=22)
    replay.at(chain + timedelta(minutes=4), partial(_declare, find, "errors", "Nobody can pay in Europe", "SEV1"))
    replay.at(chain + timedelta(minutes=5), partial(_name, company, "cm", "eli"))
    replay.at(
        chain + timedelta(minutes=6),
        partial(
            _say,
            "investigating",
            "Payments in Europe fail. We are looking at it, and will write again within 20 minutes.",
        ),
    )
    replay.at(
        chain + timedelta(minutes=8),
        partial(
            _write, "`openssl s_client` shows the leaf alone: the chain is missing since the rotation.", "observation"
        ),
    )
    replay.at(
        chain + timedelta(minutes=10),
        partial(_write, "Put the chain back by hand, repair the rotation tomorrow.", "decision"),
    )
    replay.at(chain + timedelta(minutes=14), partial(_phase, "mitigated"))
    replay.at(
        chain + timedelta(minutes=15),
        partial(_client, "Bookshop Lind", "41 failed payments", "their ticket, and our log"),
    )
    replay.at(chain + timedelta(minutes=22), partial(_phase, "resolved"))
    replay.at(
        chain + timedelta(minutes=24),
        partial(
            _say, "resolved", "Payments in Europe work again. They failed for 20 minutes; nobody was charged twice."
        ),
    )
    replay.at(
        chain + timedelta(hours=1),
        partial(_item, company, "Alert on a payments certificate whose chain is not whole", "eli", 14, "detect"),
    )
    replay.at(
        chain + timedelta(hours=1.1),
        partial(_item, company, "Rotate certificates one region at a time", "", 0, "mitigate"),
    )
    _plan_what_runs(replay, company, now, find)


def _plan_what_runs(replay: Replay, company: Company, now: datetime, find: Find) -> None:
    def ago(minutes: float) -> datetime:
        return now - timedelta(minutes=minutes)

    replay.at(ago(13), partial(_declare, find, "latency", "Payments are slow: every third one times out", "SEV2"))
    replay.at(ago(12), partial(_name, company, "cm", "eli"))
    replay.at(ago(11.5), partial(_name, company, "dc", "dana"))
    replay.at(ago(11), partial(_write, "p99 is 2.4 s, the acquirers answer in 300 ms: it is **us**.", "observation"))
    replay.at(ago(10), partial(_task, company, "Why do connections wait in the pool?", "dana", 20))
    replay.at(ago(9), partial(_say, "investigating", "Some payments are slow or fail. We are working on it."))
    replay.at(ago(8.8), partial(_write, "Try a larger pool on one pod before all of them.", "decision"))
    replay.at(ago(6), partial(_client, "Bookshop Lind", "slow payments since noon", "their ticket"))


def _running() -> tuple[Incident, Actor]:
    incident = Incident.objects.order_by("-number")[0]
    return incident, actor_of(commander_of(incident), "web")


def _declare(find: Find, case: str, title: str, severity: str) -> None:
    alert = Alert.objects.select_related("service__team", "team", "acknowledged_by").get(pk=find(case).pk)
    who: User | None = alert.acknowledged_by
    by = actor_of(who, "web") if who is not None else Actor("Midwatch", "engine")
    actions.declare_incident(Declaration(title, severity, alert=alert), by)


def _write(text: str, kind: str) -> None:
    incident, by = _running()
    entry = actions.add_note(incident, by, text, kind=kind)
    if kind == "decision":
        actions.star(Entry.objects.select_related("incident").get(pk=entry.pk), by, is_starred=True)


def _name(company: Company, role: str, name: str) -> None:
    incident, by = _running()
    actions.assign_role(incident, role, company.people[name], by)


def _task(company: Company, title: str, name: str, minutes: int) -> None:
    incident, by = _running()
    actions.open_task(incident, by, title, doer=company.people[name], minutes=minutes)
    task = Task.objects.select_related("incident", "doer").get(incident=incident)
    actions.acknowledge_task(task, company.people[name], company.actor(name))


def _say(stage: str, text: str) -> None:
    """By the IC, so that nothing waits for an approval."""
    incident, by = _running()
    actions.compose_update(incident, Composed(stage, text, text, incident.title, ["stakeholders"]), by)


def _client(name: str, impact: str, evidence: str) -> None:
    incident, by = _running()
    actions.register_client(incident, by, name=name, impact=impact, evidence=evidence)


def _phase(phase: str) -> None:
    incident, by = _running()
    actions.set_phase(incident, phase, by, at=clock.now())


def _check_and_close() -> None:
    incident, by = _running()
    actions.clients_checked(incident, by)
    actions.close_incident(incident, by)


def _item(company: Company, title: str, owner: str, days: int, kind: str) -> None:
    """What was decided; without an owner it is a draft, and stands in the way of the post-mortem's approval."""
    incident, by = _running()
    person = company.people[owner] if owner else None
    due_on = clock.now().date() + timedelta(days=days) if person else None
    note_item(NewItem(title, type=kind, owner=person, due_on=due_on, incident=incident, origin="post-mortem"), by)
