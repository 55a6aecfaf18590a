"""From specs to rows, by the actions of the rooms: whoever edits by hand goes the same way.

Called by `actions.py` inside its one transaction, kind after kind, so that what is referred to is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, TypeVar

from midwatch.catalog import actions as catalog
from midwatch.catalog.models import Service
from midwatch.core.actor import Actor
from midwatch.core.written.values import seconds_of
from midwatch.gitops import incidents
from midwatch.gitops.schema.common import NOBODY
from midwatch.people import actions as people
from midwatch.people.managed import Mark
from midwatch.people.models import Managed, Role, Team, User
from midwatch.prepare.runbooks.actions.written import write
from midwatch.prepare.runbooks.models import Runbook
from midwatch.respond.alerts.actions import sources
from midwatch.respond.alerts.models import Source
from midwatch.respond.escalation.actions import policies
from midwatch.respond.escalation.models import EscalationPolicy
from midwatch.respond.oncall import actions as oncall
from midwatch.respond.oncall.models import Schedule
from midwatch.respond.statuspage import actions as statuspage
from midwatch.respond.statuspage.models import Page

UNITS = {"h": "hours", "d": "days", "w": "weeks"}
Spec = Mapping[str, Any]
Model = TypeVar("Model", bound=Managed)


@dataclass(slots=True)
class Writer:
    """`objects`: every object by kind and name, new ones too. `directory`: for secrets that are files. `verbatim`: texts of
    runbooks that are Markdown files, by name."""

    by: Actor
    directory: Path | None
    objects: dict[tuple[str, str], Managed] = field(default_factory=dict)
    turned_off: list[tuple[User, Mark]] = field(default_factory=list)  # done last: see `actions.py`
    verbatim: Mapping[str, str] = field(default_factory=dict)
    dependencies: dict[Service, list[str]] = field(default_factory=dict)

    def write(self, kind: str, name: str, spec: Spec, names: Sequence[str], mark: Mark) -> None:
        """`names`: the fields that differ; all of them for a new object. Raises `ValueError`."""
        writers: Mapping[str, Callable[[str, Spec, Sequence[str], Mark], Managed]] = {
            "User": self._write_user,
            "Team": self._write_team,
            "Schedule": self._write_schedule,
            "EscalationPolicy": self._write_policy,
            "Service": self._write_service,
            "Source": self._write_source,
            "StatusPage": self._write_status_page,
            "Runbook": self._write_runbook,
        }
        if kind in incidents.KINDS:
            self.objects[kind, name] = incidents.write(kind, name, spec, self._any, self.by, mark)
            return
        self.objects[kind, name] = writers[kind](name, spec, names, mark)

    def _any(self, kind: str, name: str) -> Managed:
        return self.objects[kind, name]

    def bind(self, kind: str, name: str, spec: Spec, names: Sequence[str], mark: Mark) -> None:
        """What can only be written when policies and services are all there."""
        if "escalationPolicy" in names and kind in {"Team", "Service"}:
            wanted = spec["escalationPolicy"]
            policy = None if wanted is None else self._named("EscalationPolicy", wanted, EscalationPolicy)
            if kind == "Team":
                policies.bind_team(self._team(name), policy, self.by, mark=mark)
            else:
                policies.bind_service(self._service(name), policy, self.by, mark=mark)
        if "dependsOn" in names:
            self.dependencies[self._service(name)] = spec["dependsOn"]

    def write_dependencies(self) -> None:
        lists = {service: [self._service(name) for name in names] for service, names in self.dependencies.items()}
        if lists:
            catalog.set_dependency_lists(lists, self.by, mark=Mark("", ""))  # any mark: it is code that writes

    def _named(self, kind: str, name: str, model: type[Model]) -> Model:
        found = self.objects[kind, name]
        assert isinstance(found, model), f"{kind}/{name} is a {type(found).__name__}"
        return found

    def _user(self, name: str) -> User:
        return self._named("User", name, User)

    def _team(self, name: str) -> Team:
        return self._named("Team", name, Team)

    def _service(self, name: str) -> Service:
        return self._named("Service", name, Service)

    def _write_user(self, name: str, spec: Spec, names: Sequence[str], mark: Mark) -> User:
        known = self.objects.get(("User", name))
        role = spec["role"] or (known.role if isinstance(known, User) else Role.MEMBER)
        profile = people.Profile(spec["displayName"], spec["email"], spec["timeZone"], role)
        if isinstance(known, User):
            user = people.change_user(known, profile, self.by, mark=mark)
            if user.is_active and not spec["isActive"]:
                self.turned_off.append((user, mark))
            elif spec["isActive"] and not user.is_active:
                user = people.activate_user(user, self.by, mark=mark)
        else:
            user = people.create_user(name, profile, self.by, mark=mark)
            if not spec["isActive"]:
                self.turned_off.append((user, mark))
        if "contactMethods" in names:
            self.write_contacts(user, spec["contactMethods"])
        if "notificationRules" in names:
            self.write_rules(user, spec["notificationRules"])
        if "notifyOn" in names and spec["notifyOn"] is not None:
            people.change_preferences(user, self.by, notify_on=spec["notifyOn"])
        user.refresh_from_db()
        return user

    def write_contacts(self, user: User, contacts: Sequence[Spec] | None) -> None:
        if contacts is None:
            if user.are_contacts_from_code:
                people.release_contacts(user, self.by)
            return
        given = [
            people.Contact(
                contact["name"],
                contact["type"],
                contact["address"],
                contact["secret"] or "",
                contact["secretFrom"],
                str(self.directory or "") if contact["secretFrom"] else "",
            )
            for contact in contacts
        ]
        people.set_contacts_from_code(user, given, self.by)

    def write_rules(self, user: User, rules: Spec | None) -> None:
        if rules is None:
            if user.are_rules_from_code:
                people.release_rules(user, self.by)
            return
        given = [
            people.Rule(urgency, seconds_of(rule["after"]), rule["contact"], *_window(rule["between"]))
            for urgency in ("high", "low")
            for rule in rules[urgency]
        ]
        repeat = seconds_of(rules["repeatAfter"])
        people.set_rules(user, given, self.by, repeat_after_seconds=repeat, is_from_code=True)

    def _write_team(self, name: str, spec: Spec, names: Sequence[str], mark: Mark) -> Team:
        known = self.objects.get(("Team", name))
        if isinstance(known, Team):
            team = people.change_team(known, spec["displayName"], self.by, mode=spec["mode"], mark=mark)
        else:
            team = people.create_team(name, spec["displayName"], self.by, mode=spec["mode"], mark=mark)
        if "members" in names:
            members = [people.Member(self._user(one["user"]), one["role"], one["isPaged"]) for one in spec["members"]]
            people.set_members(team, members, self.by, mark=mark)
        return team

    def _write_schedule(self, name: str, spec: Spec, names: Sequence[str], mark: Mark) -> Schedule:
        team, zone, combine = self._team(spec["team"]), spec["timeZone"], spec["combine"]
        known = self.objects.get(("Schedule", name))
        if isinstance(known, Schedule):
            schedule = oncall.change_schedule(known, team, zone, self.by, combine=combine, mark=mark)
        else:
            schedule = oncall.create_schedule(name, team, zone, self.by, combine=combine, mark=mark)
        if "layers" in names:
            oncall.set_layers(schedule, [self._layer(layer) for layer in spec["layers"]], self.by, mark=mark)
        return schedule

    def _layer(self, layer: Spec) -> oncall.LayerFields:
        return oncall.LayerFields(
            name=layer["name"],
            start=datetime.fromisoformat(layer["start"]),
            end=datetime.fromisoformat(layer["end"]) if layer["end"] else None,
            every=int(layer["every"][:-1]),
            unit=UNITS[layer["every"][-1]],
            turns=[self._turn(turn) for turn in layer["participants"]],
            restrictions=layer["restrictions"],
        )

    def _turn(self, turn: str | Sequence[str]) -> list[User]:
        if turn == NOBODY:
            return []
        return [self._user(name) for name in ([turn] if isinstance(turn, str) else turn)]

    def _write_policy(self, name: str, spec: Spec, names: Sequence[str], mark: Mark) -> EscalationPolicy:
        fields = policies.PolicyFields(
            team=self._team(spec["team"]),
            steps=[
                policies.StepFields(
                    name=step["name"],
                    targets=[self._target(target) for target in step["targets"]],
                    after_seconds=seconds_of(step["after"]),
                    condition=step["if"],
                    runbook=step["runbook"] or "",
                    hold_page_seconds=_seconds(step["holdPage"]) or 0,
                )
                for step in spec["steps"]
            ],
            repeat=spec["repeat"],
            repeat_after_seconds=seconds_of(spec["repeatAfter"]),
            ack_timeout_seconds=_seconds(spec["ackTimeout"]),
        )
        known = self.objects.get(("EscalationPolicy", name))
        if isinstance(known, EscalationPolicy):
            return policies.change_policy(known, fields, self.by, mark=mark)
        return policies.create_policy(name, fields, self.by, mark=mark)

    def _target(self, target: Spec) -> policies.TargetFields:
        if "schedule" in target:
            schedule = self._named("Schedule", target["schedule"], Schedule)
            return policies.TargetFields(schedule=schedule, notify=target["notify"])
        if "team" in target:
            return policies.TargetFields(team=self._team(target["team"]), notify=target["notify"])
        return policies.TargetFields(user=self._user(target["user"]))

    def _write_service(self, name: str, spec: Spec, names: Sequence[str], mark: Mark) -> Service:
        fields = catalog.ServiceFields(
            team=self._team(spec["team"]),
            display_name=spec["displayName"],
            description=spec["description"],
            tier=spec["tier"],
            urgency=spec["urgency"],
            support_hours=spec["supportHours"],
            page_after_seconds=seconds_of(spec["pageAfter"]),
            auto_resolve_after_seconds=_seconds(spec["autoResolveAfter"]),
            links=spec["links"],
        )
        known = self.objects.get(("Service", name))
        if isinstance(known, Service):
            return catalog.change_service(known, fields, self.by, mark=mark)
        return catalog.create_service(name, fields, self.by, mark=mark)

    def _write_source(self, name: str, spec: Spec, names: Sequence[str], mark: Mark) -> Source:
        fields = sources.SourceFields(
            type=spec["type"],
            service=self._service(spec["service"]),
            service_label=spec["serviceLabel"],
            priority_label=spec["priorityLabel"],
            priorities=spec["priorities"],
            group_by=spec["groupBy"],
            resolve_after_seconds=_seconds(spec["resolveAfter"]),
            expect_every_seconds=_seconds(spec["expectEvery"]),
            is_active=spec["isActive"],
        )
        known = self.objects.get(("Source", name))
        keys: dict[str, Any] = {"previous_key": spec["previousKey"], "key_reference": spec["keyFrom"], "mark": mark}
        if not isinstance(known, Source):
            return sources.create_source(name, fields, self.by, key=spec["key"] or "", **keys)
        source = sources.change_source(known, fields, self.by, mark=mark)
        if {"key", "keyFrom", "previousKey"} & set(names):
            source = sources.set_keys(source, spec["key"], self.by, **keys)
        return source

    def _write_status_page(self, name: str, spec: Spec, names: Sequence[str], mark: Mark) -> Page:
        fields = statuspage.PageFields(
            team=self._team(spec["team"]),
            title=spec["title"],
            description=spec["description"],
            access=spec["access"],
            url=spec["url"],
            support_url=spec["supportUrl"],
            time_zone=spec["timeZone"],
            takes_subscribers=spec["takesSubscribers"],
            is_hidden_from_search=spec["isHiddenFromSearch"],
            outward=spec["alsoPublishedAt"],
        )
        known = self.objects.get(("StatusPage", name))
        if isinstance(known, Page):
            page = statuspage.change_page(known, fields, self.by, mark=mark)
        else:
            page = statuspage.create_page(name, fields, self.by, mark=mark)
        if "components" in names:
            statuspage.lay_out(page, [self._component(one) for one in spec["components"]], self.by, mark=mark)
        return page

    def _component(self, one: Spec) -> statuspage.Laid:
        inside = one.get("components")
        fields = statuspage.ComponentFields(
            name=one["name"],
            description=one["description"],
            is_group=inside is not None,
            service=self._service(one["service"]) if one["service"] else None,
            is_automatic=one["isAutomatic"],
            is_showcased=one["isShowcased"],
            is_shown_only_when_degraded=one["isShownOnlyWhenDegraded"],
            started_on=date.fromisoformat(one["startedOn"]),
        )
        return statuspage.Laid(fields, [self._component(child) for child in inside or ()])

    def _write_runbook(self, name: str, spec: Spec, names: Sequence[str], mark: Mark) -> Runbook:
        owner = self._user(spec["owner"]) if spec["owner"] else None
        service = self._service(spec["service"]) if spec["service"] else None
        text = self.verbatim.get(name, "")
        return write(
            name, spec, self.by, team=self._team(spec["team"]), service=service, owner=owner, text=text, mark=mark
        )


def _seconds(duration: str | None) -> int | None:
    return None if duration is None else seconds_of(duration)


def _window(between: str | None) -> tuple[time | None, time | None]:
    if between is None:
        return None, None
    start, _, end = between.partition("-")
    return time.fromisoformat(start), time.fromisoformat(end)
