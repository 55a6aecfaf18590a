"""What the database holds, in the normal form of the documents: a constant number of queries for each kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Prefetch

from midwatch.catalog.models import Service
from midwatch.core.written.values import duration_text, optional_duration_text
from midwatch.gitops import incidents
from midwatch.gitops.schema.common import NOBODY
from midwatch.people.models import ContactMethod, Managed, NotificationRule, Team, User
from midwatch.people.queries import people
from midwatch.prepare.runbooks.actions.written import spec_of
from midwatch.prepare.runbooks.models import Runbook
from midwatch.respond.alerts.models import Source
from midwatch.respond.escalation.models import EscalationPolicy, ServicePolicy, StepTarget, TeamPolicy
from midwatch.respond.oncall.models import Layer, Schedule
from midwatch.respond.statuspage.models import Component, Page

UNIT_LETTERS = {"hours": "h", "days": "d", "weeks": "w"}


@dataclass(frozen=True, slots=True)
class Current:
    """One object as it is. `from_code`: for fields that may be the person's own, whether code gave them."""

    found: Managed
    spec: dict[str, Any]
    from_code: Mapping[str, bool] = field(default_factory=dict)


State = dict[tuple[str, str], Current]


def read_state() -> State:
    state: State = {}
    for kind, read in (
        ("User", _users),
        ("Team", _teams),
        ("Schedule", _schedules),
        ("EscalationPolicy", _policies),
        ("Service", _services),
        ("Source", _sources),
        ("StatusPage", _status_pages),
        ("Runbook", _runbooks),
    ):
        for name, current in read():
            state[kind, name] = current
    state |= {(kind, name): Current(found, spec) for kind, name, found, spec in incidents.read()}
    return state


Found = Iterable[tuple[str, Current]]


def _users() -> Found:
    for user in people().prefetch_related("contact_methods", "notification_rules__contact"):
        yield user.name, Current(user, user_spec(user), _from_code(user))


def _from_code(user: User) -> dict[str, bool]:
    return {
        "contactMethods": user.are_contacts_from_code,
        "notificationRules": user.are_rules_from_code,
        "role": False,
        "notifyOn": False,
    }


def user_spec(user: User) -> dict[str, Any]:
    rules = list(user.notification_rules.all())
    return {
        "displayName": user.display_name,
        "email": user.email,
        "timeZone": user.time_zone,
        "isActive": user.is_active,
        "role": user.role,
        "contactMethods": [_contact(contact) for contact in user.contact_methods.all()],
        "notificationRules": {
            "high": _rules(rules, "high"),
            "low": _rules(rules, "low"),
            "repeatAfter": duration_text(user.repeat_after_seconds),
        },
        "notifyOn": user.notify_on,
    }


def _contact(contact: ContactMethod) -> dict[str, Any]:
    return {
        "name": contact.name,
        "type": contact.type,
        "address": contact.address,
        "secretFrom": contact.secret_reference,
        "secret": contact.secret or None,
    }


def _rules(rules: Iterable[NotificationRule], urgency: str) -> list[dict[str, Any]]:
    found = []
    for rule in rules:
        if rule.urgency != urgency:
            continue
        between = f"{rule.opens_at:%H:%M}-{rule.closes_at:%H:%M}" if rule.opens_at and rule.closes_at else None
        found.append({"after": duration_text(rule.after_seconds), "contact": rule.contact.name, "between": between})
    return found


def _teams() -> Found:
    policies = dict(TeamPolicy.objects.values_list("team_id", "policy__name"))
    for team in Team.objects.prefetch_related("memberships__user"):
        members = [
            {"user": member.user.name, "role": member.role, "isPaged": member.is_paged}
            for member in team.memberships.all()
        ]
        yield (
            team.name,
            Current(
                team,
                {
                    "displayName": team.display_name,
                    "members": members,
                    "escalationPolicy": policies.get(team.pk),
                    "mode": team.mode,
                },
            ),
        )


def _schedules() -> Found:
    for schedule in Schedule.objects.select_related("team").prefetch_related("layers__turn_members__user"):
        yield (
            schedule.name,
            Current(
                schedule,
                {
                    "team": schedule.team.name,
                    "timeZone": schedule.time_zone,
                    "combine": schedule.combine,
                    "layers": [_layer(layer) for layer in schedule.layers.all()],
                },
            ),
        )


def _layer(layer: Layer) -> dict[str, Any]:
    turns: dict[int, list[str]] = {}
    for member in layer.turn_members.all():
        turns.setdefault(member.turn, []).append(member.user.name)
    participants: list[str | list[str]] = []
    for number in range(layer.turn_count):
        people_ = turns.get(number, [])
        participants.append(people_ if len(people_) > 1 else (people_[0] if people_ else NOBODY))
    return {
        "name": layer.name,
        "start": layer.start,
        "end": layer.end,
        "every": f"{layer.every}{UNIT_LETTERS[layer.unit]}",
        "participants": participants,
        "restrictions": layer.restrictions,
    }


def _policies() -> Found:
    wanted = EscalationPolicy.objects.select_related("team").prefetch_related(
        "steps__targets__schedule", "steps__targets__team", "steps__targets__user"
    )
    for policy in wanted:
        steps = [
            {
                "name": step.name,
                "targets": [_target(target) for target in step.targets.all()],
                "after": duration_text(step.after_seconds),
                "if": step.condition,
                "runbook": step.runbook or None,
                "holdPage": duration_text(step.hold_page_seconds) if step.hold_page_seconds else None,
            }
            for step in policy.steps.all()
        ]
        yield (
            policy.name,
            Current(
                policy,
                {
                    "team": policy.team.name,
                    "repeat": policy.repeat,
                    "repeatAfter": duration_text(policy.repeat_after_seconds),
                    "ackTimeout": optional_duration_text(policy.ack_timeout_seconds),
                    "steps": steps,
                },
            ),
        )


def _target(target: StepTarget) -> dict[str, Any]:
    if target.schedule is not None:
        return {"schedule": target.schedule.name, "notify": target.notify}
    if target.team is not None:
        return {"team": target.team.name, "notify": target.notify}
    return {"user": target.user.name if target.user else ""}


def _services() -> Found:
    policies = dict(ServicePolicy.objects.values_list("service_id", "policy__name"))
    for service in Service.objects.select_related("team").prefetch_related("depends_on"):
        yield (
            service.name,
            Current(
                service,
                {
                    "displayName": service.display_name,
                    "description": service.description,
                    "team": service.team.name,
                    "escalationPolicy": policies.get(service.pk),
                    "tier": service.tier,
                    "dependsOn": sorted(other.name for other in service.depends_on.all()),
                    "urgency": service.urgency,
                    "supportHours": service.support_hours,
                    "pageAfter": duration_text(service.page_after_seconds),
                    "autoResolveAfter": optional_duration_text(service.auto_resolve_after_seconds),
                    "links": service.links,
                },
            ),
        )


def _sources() -> Found:
    for source in Source.objects.select_related("service"):
        yield (
            source.name,
            Current(
                source,
                {
                    "type": source.type,
                    "key": source.key,
                    "keyFrom": source.key_reference,
                    "previousKey": source.previous_key,
                    "service": source.service.name,
                    "serviceLabel": source.service_label,
                    "priorityLabel": source.priority_label,
                    "priorities": source.priorities,
                    "groupBy": source.group_by,
                    "resolveAfter": optional_duration_text(source.resolve_after_seconds),
                    "expectEvery": optional_duration_text(source.expect_every_seconds),
                    "isActive": source.is_active,
                },
            ),
        )


def _status_pages() -> Found:
    parts = Prefetch("components", queryset=Component.objects.select_related("service").order_by("position", "id"))
    for page in Page.objects.select_related("team").prefetch_related(parts):
        components = list(page.components.all())
        yield (
            page.name,
            Current(
                page,
                {
                    "title": page.title,
                    "team": page.team.name,
                    "description": page.description,
                    "access": page.access,
                    "url": page.url,
                    "supportUrl": page.support_url,
                    "timeZone": page.time_zone,
                    "takesSubscribers": page.takes_subscribers,
                    "isHiddenFromSearch": page.is_hidden_from_search,
                    "alsoPublishedAt": page.outward,
                    "components": [_component(one, components) for one in components if one.parent_id is None],
                },
            ),
        )


def _component(one: Component, components: Iterable[Component]) -> dict[str, Any]:
    inside = [_part(child) for child in components if child.parent_id == one.pk] if one.is_group else None
    return {**_part(one), "components": inside}


def _part(one: Component) -> dict[str, Any]:
    return {
        "name": one.name,
        "description": one.description,
        "service": one.service.name if one.service is not None else None,
        "isAutomatic": one.is_automatic,
        "isShowcased": one.is_showcased,
        "isShownOnlyWhenDegraded": one.is_shown_only_when_degraded,
        "startedOn": one.started_on.isoformat(),
    }


def _runbooks() -> Found:
    for runbook in Runbook.objects.select_related("team", "service", "owner", "current"):
        yield runbook.name, Current(runbook, spec_of(runbook))
