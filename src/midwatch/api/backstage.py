"""`/catalog-info.yaml?token=TOKEN`: our services, teams and people as Backstage reads them, with links back to us.

One `catalog.locations` entry of a Backstage (its host in `backend.reading.allow`), and no plugin. The format is that of its
descriptor files: one document a thing, references as `group:default/payments`.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from midwatch.api.authentication import TOKEN_MAX
from midwatch.catalog.queries import dependency_edges, services
from midwatch.people.actions import authenticate_token
from midwatch.people.models import Membership, Team, User
from midwatch.people.queries import active_people
from midwatch.prepare.runbooks.models import Runbook
from midwatch.respond.escalation.models import ServicePolicy
from midwatch.settings import settings

API = "backstage.io/v1alpha1"
DOMAIN = "midwatch.dev"
EACH_MAX = 5_000  # of services, teams and people: a catalog of more is split by Backstage's own users
LINKS_MAX = 20
WEB = ("http://", "https://")


@require_safe
def catalog(request: HttpRequest) -> HttpResponse:
    token = request.GET.get("token", "") or request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    if not 0 < len(token) <= TOKEN_MAX or authenticate_token(token) is None:
        words = "give a token of yours as ?token=TOKEN; the settings make one\n"
        return HttpResponse(
            words, status=401, content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"}
        )
    text = yaml.safe_dump_all(entities(), sort_keys=False, allow_unicode=True, width=10_000)
    tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if tag in request.headers.get("If-None-Match", ""):
        return HttpResponse(status=304, headers=headers)
    return HttpResponse(text, content_type="application/yaml; charset=utf-8", headers=headers)


def entities() -> Iterator[dict[str, Any]]:
    """Groups, then users, then components: what is referred to comes first."""
    seats: dict[int, list[str]] = defaultdict(list)
    teams_of: dict[int, list[str]] = defaultdict(list)
    known = {user.pk: user for user in active_people()[:EACH_MAX]}
    for team_id, user_id, team_name in Membership.objects.order_by("team__name", "position", "id").values_list(
        "team_id", "user_id", "team__name"
    ):
        if user_id in known:
            seats[team_id].append(known[user_id].name)
            teams_of[user_id].append(team_name)
    for team in Team.objects.order_by("name")[:EACH_MAX]:
        yield _group(team, seats[team.pk])
    for user in sorted(known.values(), key=lambda one: one.name):
        yield _user(user, teams_of[user.pk])
    yield from _components()


def _group(team: Team, members: list[str]) -> dict[str, Any]:
    return {
        "apiVersion": API,
        "kind": "Group",
        "metadata": {
            "name": team.name,
            "title": str(team),
            "annotations": {f"{DOMAIN}/team": team.name},
            "links": [_link("people:team", team.name, "Midwatch: who is on call", "group")],
        },
        "spec": {"type": "team", "profile": {"displayName": str(team)}, "children": [], "members": members},
    }


def _user(user: User, teams: list[str]) -> dict[str, Any]:
    profile = {"displayName": str(user), **({"email": user.email} if user.email else {})}
    return {
        "apiVersion": API,
        "kind": "User",
        "metadata": {"name": user.name, "title": str(user), "annotations": {f"{DOMAIN}/user": user.name}},
        "spec": {"profile": profile, "memberOf": teams},
    }


def _components() -> Iterator[dict[str, Any]]:
    shown = list(services()[:EACH_MAX])
    names = {service.pk: service.name for service in shown}
    policies = dict(ServicePolicy.objects.values_list("service_id", "policy__name"))
    edges = dependency_edges()
    runbooks: dict[int | None, list[str]] = defaultdict(list)
    for service_id, name in Runbook.objects.filter(is_active=True).order_by("name").values_list("service_id", "name"):
        runbooks[service_id].append(name)
    for service in sorted(shown, key=lambda one: one.name):
        annotations = {
            f"{DOMAIN}/service-id": service.name,
            f"{DOMAIN}/tier": str(service.tier),
            **({f"{DOMAIN}/escalation-policy": policies[service.pk]} if service.pk in policies else {}),
            **({f"{DOMAIN}/runbooks": ",".join(runbooks[service.pk])} if runbooks[service.pk] else {}),
        }
        needs = sorted(names[one] for one in edges.get(service.pk, ()) if one in names)
        yield {
            "apiVersion": API,
            "kind": "Component",
            "metadata": {
                "name": service.name,
                "title": str(service),
                **({"description": service.description} if service.description else {}),
                "annotations": annotations,
                "tags": [f"tier-{service.tier}"],
                "links": [
                    _link("catalog:service", service.name, "Midwatch: on call, alerts, runbooks", "dashboard"),
                    *(_own_link(one) for one in service.links[:LINKS_MAX] if str(one.get("url", "")).startswith(WEB)),
                ],
            },
            "spec": {
                "type": "service",
                "lifecycle": "production",
                "owner": f"group:default/{service.team.name}",
                **({"dependsOn": [f"component:default/{one}" for one in needs]} if needs else {}),
            },
        }


def _link(url_name: str, name: str, title: str, icon: str) -> dict[str, str]:
    return {"url": settings().base_url.rstrip("/") + reverse(url_name, args=[name]), "title": title, "icon": icon}


def _own_link(link: Mapping[str, Any]) -> dict[str, str]:
    return {"url": str(link["url"]), "title": str(link.get("title") or link["url"])[:200]}
