"""What each kind of happening does: an event at the door, trouble, an edit, somebody's act."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.core.actor import Actor
from midwatch.intake.records import Row, Store, microseconds
from midwatch.people.actions.users import activate_user, deactivate_user
from midwatch.people.models import Team, User
from midwatch.people.queries import actor_of
from midwatch.respond.alerts import actions as alert_actions
from midwatch.respond.alerts.models import OPEN, Alert, Source
from midwatch.respond.escalation import actions as escalation_actions
from midwatch.respond.escalation.actions.policies import PolicyFields, StepFields, TargetFields, change_policy
from midwatch.respond.escalation.models import EscalationPolicy
from midwatch.respond.oncall.actions import LayerFields, create_override, set_layers
from midwatch.respond.oncall.models import Schedule
from midwatch.respond.oncall.queries import resolvable
from midwatch.simulation.fresh import TEAM, step_name, target_values
from midwatch.simulation.record import Accepted, Edit, Record
from midwatch.simulation.world import PolicySpec, SourceSpec

FOR_GOOD = timedelta(days=400)  # no longer what the world says
Do = Callable[[str, Callable[[], object]], None]  # to be done by a web worker: words, work


@dataclass
class Door:
    """The lane's writing end: what it has written is accepted."""

    store: Store
    record: Record
    source_ids: Mapping[str, int]
    count: int = 0

    def write(self, source: SourceSpec, requests: Sequence[tuple[bytes, str, Sequence[tuple[str, str]], str]]) -> None:
        """`requests`: body, kind, (key, status) of each item, fate. One group commit."""
        now = clock.now()
        rows: list[Row] = []
        for body, kind, items, fate in requests:
            self.count += 1
            token = f"{self.count:032x}"
            minted = json.dumps({"status": 413, "reason": "too large"}) if kind == "refused" else ""
            rows.append(
                (token, self.source_ids[source.name], kind, microseconds(now), "application/json", minted, body)
            )
            self.record.accepted.append(Accepted(token, source.name, now, tuple(items), fate))
        self.store.write(rows)


def fire(
    source: SourceSpec, key: str, priority: str, status: str, count: int = 0
) -> tuple[bytes, str, Sequence[tuple[str, str]], str]:
    """A request as this kind of source sends it."""
    if source.type == "alertmanager":
        names = [f"{key}-{number}" for number in range(count)] if count else [key]
        severity = {"P1": "critical", "P2": "error", "P3": "warning", "P5": "info"}[priority]
        alerts = [
            {
                "status": status,
                "fingerprint": name,
                "labels": {"alertname": key, "instance": name, "severity": severity},
            }
            for name in names
        ]
        body = {"version": "4", "groupKey": key, "status": status, "alerts": alerts}
        return json.dumps(body).encode(), "event", [(name, status) for name in names], "alerts"
    body = {"key": key, "title": f"{key} is wrong", "status": status, "priority": priority}
    return json.dumps(body).encode(), "event", [(key, status)], "alerts"


@dataclass
class Happenings:
    """`do` hands an act to a web worker; what the door takes is written at once."""

    record: Record
    door: Door
    do: Do
    later: Callable[[datetime, Callable[[], None]], None]
    sources: Mapping[str, SourceSpec] = field(default_factory=dict)

    def event(self, kind: str, facts: Mapping[str, Any]) -> None:
        source = self.sources[facts["source"]]
        match kind:
            case "fire" | "resolve":
                status = "firing" if kind == "fire" else "resolved"
                self.door.write(
                    source, [fire(source, facts["key"], facts["priority"], status, int(facts.get("count", 0)))]
                )
            case "poison":
                self.door.write(source, [(b"{broken", "event", (), "quarantined")])
            case "misunderstood":
                body = b'{"alerts": 7}' if source.type == "alertmanager" else b'{"title": ["no"]}'
                self.door.write(source, [(body, "event", (), "not-understood")])
            case "refused":
                self.door.write(source, [(b"", "refused", (), "refused")])
            case "large":
                self.door.write(source, [fire(source, facts["key"], "P2", "firing", facts["count"])])
            case "truncated":
                body, kind_, items, _ = fire(source, facts["key"], "P2", "firing", 2)
                told = json.dumps({**json.loads(body), "truncatedAlerts": 5}).encode()
                self.door.write(source, [(told, kind_, items, "truncated")])
            case "storm":
                requests = [
                    fire(source, f"storm-{number}", facts["priority"], "firing") for number in range(facts["count"])
                ]
                self.door.write(source, requests)
            case "burst":
                self.door.write(source, [fire(source, facts["key"], "P2", "firing")] * facts["count"])

    # -- edits -------------------------------------------------------------------------------------------------------------

    def edit(self, kind: str, facts: Mapping[str, Any]) -> None:
        match kind:
            case "edit-policy":
                spec: PolicySpec = facts["policy"]
                self._edit(f"policy {spec.name}", partial(self._policy, spec))
            case "edit-rota":
                self._edit(f"rota {facts['rota']}", partial(_one_more, facts["rota"], facts["add"]), FOR_GOOD)
            case "override":
                length = timedelta(seconds=facts["seconds"])
                self._edit(f"rota {facts['rota']}", partial(_override, facts["rota"], facts["user"], length), length)
            case "turn-off":
                self._edit(f"user {facts['user']}", partial(_turn_off, facts["user"]), FOR_GOOD)
            case "turn-on":
                self._edit(f"user {facts['user']}", lambda: activate_user(_user(facts["user"]), _by("ana")))
            case "maintenance":
                length = timedelta(seconds=facts["seconds"])
                self._edit(f"service {facts['service']}", partial(_maintain, facts["service"], length), length)

    def _edit(self, what: str, work: Callable[[], object], length: timedelta = timedelta(0)) -> None:
        since = clock.now()

        def tracked() -> None:
            work()

        self.record.edits.append(Edit(what, since, since + length + timedelta(minutes=2)))
        self.do(f"edits {what}", tracked)

    def _policy(self, spec: PolicySpec) -> None:
        team = Team.objects.get(name=TEAM)
        users = {user.name: user for user in User.objects.all()}
        schedules = {schedule.name: schedule for schedule in Schedule.objects.all()}
        steps = [
            StepFields(
                step_name(position),
                [
                    TargetFields(**target_values(target, team, users, schedules))  # type: ignore[arg-type]
                    for target in step.targets
                ],
                step.after_seconds,
                "unresolved" if step.is_unresolved else "unacknowledged",
            )
            for position, step in enumerate(spec.steps)
        ]
        fields = PolicyFields(team, steps, spec.repeat, spec.repeat_after_seconds, spec.ack_timeout_seconds)
        change_policy(EscalationPolicy.objects.get(name=spec.name), fields, _by("ana"))
        self.record.policies[spec.name] = spec

    # -- acts --------------------------------------------------------------------------------------------------------------

    def act(self, kind: str, facts: Mapping[str, Any]) -> None:
        work = partial(_act, kind, facts)
        self.do(f"{facts['who']}: {kind}", work)
        if kind == "race":
            self.do(f"{facts['other']}: {kind}", partial(_act, kind, {**facts, "who": facts["other"]}))


def _act(kind: str, facts: Mapping[str, Any]) -> object:
    if kind == "page":
        return escalation_actions.page_somebody("please look", _by(facts["who"]), user=_user(facts["other"]))
    found = list(Alert.objects.filter(status__in=OPEN).order_by("pk"))
    if not found:
        return None
    alert, by, other = found[facts["pick"] % len(found)], _by(facts["who"]), _user(facts["other"])
    match kind:
        case "unacknowledge":
            return alert_actions.unacknowledge_alert(alert, by)
        case "snooze":
            return alert_actions.snooze_alert(alert, by, until=clock.now() + timedelta(seconds=facts["seconds"]))
        case "escalate":
            return escalation_actions.escalate_now(alert, by)
        case "add":
            return escalation_actions.add_responder(alert, other, by)
        case "reassign":
            return escalation_actions.reassign(alert, other, by)
        case "raise" | "lower":
            return alert_actions.change_priority(alert, by, "P1" if kind == "raise" else "P5")
        case "note":
            return alert_actions.add_note(alert, by, "looked at it")
        case "close":
            return alert_actions.resolve_alert(alert, by)
        case "race":
            return alert_actions.acknowledge_alert(alert, by)
    raise AssertionError(f"nobody does {kind}")


def _user(name: str) -> User:
    return User.objects.get(name=name)


def _by(name: str) -> Actor:
    return actor_of(_user(name), "web")


def _turn_off(name: str) -> object:
    return deactivate_user(_user(name), _by("ana"), needed_by=("a step",), is_forced=True)


def _override(rota: str, user: str, length: timedelta) -> object:
    now = clock.now()
    schedule = Schedule.objects.get(name=rota)
    return create_override(schedule, _by("ana"), starts_at=now, ends_at=now + length, user=_user(user))


def _maintain(service: str, length: timedelta) -> object:
    now = clock.now()
    return alert_actions.start_maintenance(
        Service.objects.get(name=service), _by("ana"), starts_at=now, ends_at=now + length
    )


def _one_more(rota: str, name: str) -> object:
    """One more person on a rota: who is on call now stays until the hand-off."""
    schedule = Schedule.objects.get(name=rota)
    users = {user.name: user for user in User.objects.all()}
    (layer,) = resolvable(schedule).layers
    turns = [[users[one] for one in turn] for turn in layer.participants]
    fields = LayerFields(layer.name, layer.start, layer.every, layer.unit, [*turns, [users[name]]])
    set_layers(schedule, [fields], _by("ana"))
    return None


def source_ids() -> dict[str, int]:
    return dict(Source.objects.values_list("name", "pk"))


def resolve_by_hand(alert: int) -> object:
    return alert_actions.resolve_alert(Alert.objects.get(pk=alert), _by("ana"))
