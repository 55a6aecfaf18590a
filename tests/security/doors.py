"""Every address of the web and the API, and who may POST there. A new address has to say so here, or a test fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from api_world import World
from midwatch.people.models import User

# Who may POST. Each word includes those after it, but for OWN: that page is cy's, so cy and administrators.
ANYONE = "anyone"  # needs no log-in: getting in, what phones and providers open, the theme
PERSON = "person"  # whoever is logged in, for themselves
MEMBER = "member"  # acts on alerts of any team; viewers may not
OWN = "own"  # cy's own page, and administrators
TEAM = "team"  # members of the owning team
MANAGER = "manager"  # managers of the owning team
ADMINISTRATOR = "administrator"
ONLY = "only"  # nobody does it for somebody else: cy alone
READ = "read"  # takes no POST at all

WEB: dict[str, str] = {
    "web:now": READ, "web:live": READ, "web:theme": ANYONE, "web:login": ANYONE, "web:logout": ANYONE, "web:access-link": ANYONE,
    "web:setup": ANYONE, "web:wizard": READ, "web:wizard-you": PERSON, "web:wizard-reach": PERSON,
    "web:wizard-team": ADMINISTRATOR, "web:wizard-source": ADMINISTRATOR, "web:wizard-check": ADMINISTRATOR,
    "web:settings": READ, "web:audit": READ, "web:health": READ, "web:configuration": READ, "web:tokens": READ,
    "web:revoke-token": ADMINISTRATOR, "web:calls": READ, "web:hold": READ, "web:hold-release": ADMINISTRATOR,
    "web:hold-drop": ADMINISTRATOR,
    "alerts:list": READ, "alerts:bulk": MEMBER, "alerts:detail": READ, "alerts:acknowledge": MEMBER,
    "alerts:unacknowledge": MEMBER, "alerts:resolve": MEMBER, "alerts:snooze": MEMBER, "alerts:note": MEMBER,
    "alerts:priority": MEMBER, "alerts:runbook-feedback": MEMBER,
    "sources:list": READ, "sources:create": MEMBER, "sources:source": READ, "sources:edit": TEAM,
    "sources:test": MEMBER, "sources:rotate": TEAM, "sources:end_rotation": TEAM, "sources:delete": TEAM,
    "service_alerts:start_maintenance": MEMBER, "service_alerts:delete": TEAM,
    "service_alerts:end_maintenance": MEMBER,
    "escalation:escalate": MEMBER, "escalation:reassign": MEMBER, "escalation:add_responder": MEMBER,
    "escalation:decline": MEMBER, "escalation:page": MEMBER, "escalation:policies": READ,
    "escalation:create": TEAM, "escalation:policy": READ, "escalation:edit": TEAM, "escalation:delete": TEAM,
    "escalation:bind_service": TEAM, "escalation:team_channel": TEAM,
    "escalation:duty": ADMINISTRATOR, "escalation:landing": ANYONE, "escalation:hook_root": ANYONE,
    "escalation:hook": ANYONE, "chat:hook": ANYONE, "runbook_hooks:run": ANYONE,
    "oncall:who": READ, "oncall:create": MEMBER, "oncall:schedule": READ, "oncall:take_over": MEMBER,
    "oncall:override": MEMBER, "oncall:cancel_override": MEMBER, "oncall:edit": TEAM, "oncall:delete": TEAM,
    "oncall:calendar": ANYONE,
    "incidents:list": READ, "incidents:declare": MEMBER, "incidents:declare-by-link": ANYONE, "incidents:room": READ,
    "incidents:file": READ, "incidents:note": MEMBER, "incidents:amend": MEMBER, "incidents:star": MEMBER,
    "incidents:give-role": OWN, "incidents:end-role": OWN, "incidents:leave-role": TEAM, "incidents:offer-role": TEAM,
    "incidents:accept-role": MEMBER, "incidents:decline-role": MEMBER, "incidents:withdraw-offer": TEAM,
    "incidents:open-task": MEMBER, "incidents:acknowledge-task": MEMBER, "incidents:assign-task": MEMBER,
    "incidents:finish-task": MEMBER, "incidents:drop-task": MEMBER, "incidents:ask-responder": MEMBER,
    "incidents:change": TEAM, "incidents:severity": TEAM, "incidents:phase": TEAM, "incidents:resolve": TEAM,
    "incidents:reopen": TEAM, "incidents:close": OWN, "incidents:merge": OWN, "incidents:add-impact": MEMBER,
    "incidents:change-impact": MEMBER, "incidents:add-client": MEMBER, "incidents:clients-checked": MEMBER,
    "incidents:remove-client": MEMBER, "incidents:link-alert": MEMBER, "incidents:unlink-alert": MEMBER,
    "incidents:link-incident": MEMBER, "incidents:silence": OWN, "incidents:put-on-call": OWN, "incidents:rhythm": OWN,
    "incidents:settings": READ, "incidents:change-severity-rule": ADMINISTRATOR, "incidents:add-type": ADMINISTRATOR,
    "incidents:type-tasks": ADMINISTRATOR,
    "incidents:remove-type": ADMINISTRATOR, "incidents:add-role": ADMINISTRATOR, "incidents:remove-role": ADMINISTRATOR,
    "incidents:add-rule": ADMINISTRATOR, "incidents:add-stakeholder": ADMINISTRATOR,
    "incidents:remove-stakeholder": ADMINISTRATOR, "incidents:remove-rule": ADMINISTRATOR, "incidents:evidence": READ,
    "incidents:update": OWN, "incidents:one-update": READ, "incidents:change-update": OWN,
    "incidents:approve-update": OWN, "incidents:refuse-update": OWN,
    "catalog:services": READ, "catalog:create": MEMBER, "catalog:service": READ, "catalog:edit": TEAM,
    "people:profile": READ, "people:list": READ, "people:invite": ADMINISTRATOR, "people:person": READ,
    "people:about": OWN, "people:shortcuts": OWN, "people:notify-on": OWN, "people:rules": OWN,
    "people:usual-rules": OWN, "people:test": MANAGER, "people:add-contact": OWN, "people:contact": OWN,
    "people:test-contact": MANAGER, "people:confirm-contact": OWN, "people:turn-contact": OWN,
    "people:remove-contact": OWN, "people:access": READ, "people:password": ONLY, "people:sign-out": OWN,
    "people:create-token": ONLY, "people:revoke-token": OWN, "people:make-link": ADMINISTRATOR,
    "people:deactivate": ADMINISTRATOR, "people:activate": ADMINISTRATOR,
    "people:teams": READ, "people:new-team": ADMINISTRATOR, "people:team": READ, "people:edit-team": MANAGER,
    "people:test-team": MANAGER, "people:delete-team": ADMINISTRATOR,
    # More exactly in tests/learn/postmortems/test_postmortem_doors.py; here cy led the incident of the team.
    "postmortems:list": READ, "postmortems:detail": READ, "postmortems:open": MEMBER, "postmortems:save": MEMBER,
    "postmortems:preview": MEMBER, "postmortems:conflict": MEMBER, "postmortems:history": READ,
    "postmortems:add_moment": MEMBER, "postmortems:import": MEMBER, "postmortems:change_moment": MEMBER,
    "postmortems:add_why": MEMBER, "postmortems:remove_why": MEMBER, "postmortems:comment": MEMBER,
    "postmortems:settle_comment": MEMBER, "postmortems:meeting": TEAM, "postmortems:held": TEAM,
    "postmortems:calendar": READ, "postmortems:facilitator": TEAM, "postmortems:answer": MEMBER,
    "postmortems:owner": TEAM, "postmortems:template": TEAM, "postmortems:review": TEAM,
    "postmortems:draft": TEAM, "postmortems:approve": MEMBER, "postmortems:external": READ,
    "postmortems:make_external": TEAM, "postmortems:decide": MEMBER, "postmortems:waive": TEAM,
    "postmortems:reopen": TEAM, "postmortems:print": READ, "postmortems:markdown": READ,
    "postmortems:json": READ,
    "api:openapi": READ, "api:docs": READ, "api:docs-asset": READ,
    "statuspage:pages": READ, "statuspage:create": MEMBER, "statuspage:page": READ, "statuspage:edit": TEAM,
    "statuspage:delete": TEAM, "statuspage:new_link": TEAM, "statuspage:add_component": TEAM,
    "statuspage:component": TEAM, "statuspage:remove_component": TEAM, "statuspage:subscribers": READ,
    "statuspage:subscriber": TEAM, "statuspage:new_notice": TEAM, "statuspage:new_maintenance": TEAM,
    "statuspage:notice": TEAM, "statuspage:postmortem": TEAM, "statuspage:delete_notice": TEAM,
    "status:home": READ, "status:home_slash": READ, "status:look": READ, "status:history": READ, "status:atom": READ,
    "status:rss": READ, "status:badge": READ, "status:notice": READ, "status:api": READ, "status:subscribe": ANYONE,
    "status:confirm": ANYONE, "status:unsubscribe": ANYONE, "status:management": ANYONE,
    "actions:list": READ, "actions:create": MEMBER, "actions:detail": READ, "actions:change": MEMBER,
    "actions:act": MEMBER, "actions:issue": MEMBER,
    "actions:debt": MEMBER, "insights:overview": READ, "insights:csv": READ, "insights:shift": READ,
    "insights:suggest": MEMBER, "objectives:calculator": READ, "backstage:catalog": READ,
    "runbooks:list": READ, "runbooks:executions": READ, "runbooks:approvals": READ, "runbooks:execution": READ,
    "runbooks:runbook": READ, "runbooks:create": MEMBER, "runbooks:preview": MEMBER, "runbooks:edit": TEAM,
    "runbooks:start": TEAM, "runbooks:cancel": TEAM, "runbooks:resume": TEAM, "runbooks:act": TEAM,
    "runbooks:rails": READ, "runbooks:stop": MEMBER, "runbooks:release": ADMINISTRATOR, "runbooks:add-freeze": ADMINISTRATOR,
    "runbooks:end-freeze": ADMINISTRATOR, "runbooks:runners": READ, "runbooks:create-runner": ADMINISTRATOR,
    "runbooks:change-runner": ADMINISTRATOR,
    "runbooks:history": READ, "runbooks:switch": TEAM,
    "runbooks:output": READ, "runbooks:whole-output": READ, "runbooks:secrets": READ, "runbooks:create-secret": MANAGER,
    "runbooks:rotate-secrets": ADMINISTRATOR, "runbooks:change-secret": MANAGER, "runbooks:remove-secret": MANAGER,
    "rundeck:api": ANYONE,  # by a token: tests/rundeck/test_rundeck_api.py
    "rundeck/monitoring/prometheus": READ, "healthz": READ, "readyz": READ, "metrics": READ,
    "api:runner": ANYONE,
}  # fmt: skip
OPEN_TO_READ = {
    "web:login", "web:access-link", "web:setup", "escalation:landing", "escalation:hook_root", "escalation:hook",
    "chat:hook", "runbook_hooks:run",
    "status:home", "status:home_slash", "status:look", "status:history", "status:atom", "status:rss", "status:badge",
    "status:notice", "status:api", "status:subscribe", "status:confirm", "status:unsubscribe", "status:management",
    "objectives:calculator", "backstage:catalog",
    "incidents:declare-by-link", "oncall:calendar", "api:openapi", "api:docs", "api:docs-asset", "healthz", "readyz",
    "metrics", "rundeck:api", "rundeck/monitoring/prometheus",
}  # fmt: skip
ENDS = "2026-01-09T12:00:00Z"
# Every operation of the API that changes something: its method is POST unless it says so, with a body that is right.
API_ACTS: dict[str, dict[str, Any]] = {
    "page_somebody": {"title": "look", "user": "cy"},
    "acknowledge_alert": {}, "unacknowledge_alert": {}, "resolve_alert": {}, "snooze_alert": {"for": "1h"},
    "escalate_alert": {}, "note_alert": {"text": "seen"}, "prioritise_alert": {"priority": "P2"},
    "reassign_alert": {"user": "bo"}, "add_responder": {"user": "bo"}, "decline_alert": {},
    "create_override": {"user": "bo", "ends_at": ENDS}, "cancel_override": {}, "send_test_page": {}, "send_test_pages": {},
    "send_test_to_source": {}, "start_maintenance": {"service": "checkout", "ends_at": ENDS}, "end_maintenance": {},
    "release_hold": {}, "drop_hold": {},
    "declare_incident": {"title": "down", "severity": "SEV2"}, "change_incident": {"title": "down"},
    "add_note": {"text": "seen"}, "amend_entry": {"text": "seen"}, "star_entry": {}, "unstar_entry": {},
    "give_role": {"role": "cm", "user": "bo"}, "end_role": {"role": "cm", "user": "bo"}, "offer_role": {"user": "bo"},
    "accept_role": {}, "decline_role": {}, "withdraw_offer": {}, "open_task": {"title": "look"}, "acknowledge_task": {},
    "finish_task": {}, "drop_task": {}, "set_phase": {"phase": "mitigated"}, "reopen": {"why": "again"},
    "close_incident": {}, "change_severity": {"severity": "SEV1"}, "ask_responder": {"user": "bo"},
    "add_impact": {"service": "checkout"}, "change_impact": {"level": "major", "starts_at": ENDS},
    "add_client": {"name": "ACME", "impact": "no orders"}, "clients_checked": {}, "remove_client": {},
    "link_alert": {"alert": 1}, "unlink_alert": {"alert": 1}, "link_incident": {"incident": 1},
    "merge_incident": {"into": 1},
    "write_section": {"text": "slow", "revision": 0}, "waive_postmortem": {"why": "nothing new is to be learned"},
    "write_update": {"stage": "investigating", "internal": "we look"}, "approve_update": {"digest": ""},
    "refuse_update": {"why": "shorter"}, "decide_on_rhythm": {"is_long": True},
    "silence_service": {"service": "checkout", "until": ENDS},
    "put_on_call": {"schedule": "payments-primary", "user": "bo", "until": ENDS},
    "note_action": {"title": "watch the pool"}, "change_action": {"title": "watch"}, "finish_action": {"text": "done"},
    "drop_action": {"text": "no"}, "reopen_action": {"text": "again"},
    "answer_debt": {"incident": 1, "would_have_prevented": True},
    "save_runbook": {"name": "new", "team": "payments", "body": "# New"}, "start_execution": {},
    "act_on_step": {"reason": "seen"}, "cancel_execution": {}, "resume_execution": {},
    "add_stakeholder": {"kind": "email", "address": "desk@example.com"}, "remove_stakeholder": {},
    "stop_runbooks": {"reason": "it got worse"}, "release_runbooks": {"reason": "found"}, "end_freeze": {"reason": "over"},
    "add_freeze": {"reason": "busy", "ends_at": ENDS, "team": "payments"}, "check_runbook": {},
    "add_trigger": {"name": "nightly", "kind": "schedule", "every_seconds": 3600}, "remove_trigger": {},
    "override_freeze": {"incident": 1, "reason": "clients wait"}, "allow_automatic": {"is_allowed": True, "reason": "clean"},
    "decide_proposal": {"accept": False, "reason": "not yet"},
}  # fmt: skip
DELETES = {"cancel_override", "remove_trigger"}
ADMINISTRATORS_ACTS = {"release_hold", "drop_hold", "add_stakeholder", "remove_stakeholder", "release_runbooks"}
ADMINISTRATORS_READS = {"list_stakeholders"}  # addresses of people outside
API_READS = {
    "list_alerts", "get_alert", "list_on_call", "list_schedules", "get_schedule", "list_shifts", "list_overrides",
    "list_users", "get_me", "get_user", "list_teams", "get_team", "list_services", "get_service", "list_sources",
    "get_source", "list_policies", "get_policy", "dry_run_policy", "list_maintenance",
    "get_hold", "list_incidents", "get_incident", "list_timeline",
    "list_postmortems", "get_postmortem_of",
    "list_updates",
    "list_runbooks", "get_runbook", "list_executions", "get_execution", "get_output",
    "list_actions", "get_action", "insights", "list_stakeholders",
    "runbook_calendar", "runbooks_stopped", "list_freezes", "runbook_trust", "list_triggers",
}  # fmt: skip
API_OPEN = {"downtime", "sla", "composed"}  # the calculator: no token, and nothing of this installation
NAMES = {
    "services": "checkout", "shifts": "payments-primary",
    "sources": "prometheus", "schedules": "payments-primary", "policies": "payments",
    "runbooks": "restart-checkout", "people": "cy", "teams": "payments", "users": "cy", "status-pages": "shop", "status": "shop",
}  # fmt: skip
VALUES = {
    "<int:number>": "1", "<int:pk>": "1", "<int:id>": "1", "<slug:key>": "summary", "<slug:method>": "hook",
    "<str:token>": "unknown", "<step>": "look", "<act>": "done", "<slug:trigger>": "nightly",

    "<str:provider>": "twilio", "<path:rest>": "sms", "<str:name>": "none.css",
    "<slug:wire_id>": "one", "<slug:provider>": "slack", "<slug:do>": "done", "<path:what>": "summary.json",
    "<slug:act>": "claim",
}  # fmt: skip


@dataclass
class Doors:
    """`stranger`: a member of another team. `clients`: who is logged in, by name; "nobody" is not."""

    world: World
    stranger: User
    clients: dict[str, Client]


@dataclass(frozen=True, slots=True)
class Address:
    name: str
    path: str


def addresses() -> Iterator[Address]:
    """All of them, with the names of the small world filled in."""
    for route, name in _walk(get_resolver().url_patterns, "", ""):
        if "^" in route or route.endswith("api/v1/"):
            continue  # what is nowhere else, and Ninja's own root
        path = "/" + route
        for holder, value in VALUES.items():
            path = path.replace(holder, value)
        for holder in ("<slug:name>", "<name>"):
            before = path.partition(f"/{holder}")[0].rpartition("/")[2]
            path = path.replace(holder, NAMES.get(before, "unknown"))
        yield Address(name or route, path)


def _walk(patterns: list[Any], prefix: str, namespace: str) -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = ":".join(part for part in (namespace, pattern.namespace or "") if part)
            yield from _walk(pattern.url_patterns, prefix + str(pattern.pattern), inner)
        elif isinstance(pattern, URLPattern):
            yield prefix + str(pattern.pattern), f"{namespace}:{pattern.name}" if pattern.name else ""


def web_addresses() -> list[Address]:
    return [one for one in addresses() if not one.name.startswith("api:v1:")]


def api_addresses() -> list[Address]:
    return [
        Address(one.name.removeprefix("api:v1:"), one.path) for one in addresses() if one.name.startswith("api:v1:")
    ]
