"""`/catalog-info.yaml`: what Backstage reads of services, teams and people, behind a token."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from django.test import Client

from api_world import World
from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.people import tokens
from midwatch.people.models import ApiToken, User

NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")


def token_of(user: User) -> str:
    text = tokens.new_api_token()
    ApiToken.objects.create(user=user, name="backstage", digest=tokens.digest(text), created_at=clock.now())
    return text


def read(token: str) -> dict[tuple[str, str], dict[str, Any]]:
    answer = Client().get("/catalog-info.yaml", {"token": token})
    assert answer.status_code == 200
    assert token not in answer.content.decode()
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(answer.content)}


def test_services_teams_and_people_with_references_that_lead_somewhere(world: World) -> None:
    database = Service.objects.create(
        name="orders-db", display_name="Orders", team=world.team, created_at=clock.now(), tier=1,
        links=[{"title": "Dashboard", "url": "https://grafana.example.com/d/1"}, {"title": "x", "url": "javascript:1"}],
    )  # fmt: skip
    checkout = Service.objects.get(name="checkout")
    checkout.depends_on.add(database)
    found = read(token_of(world.vi))
    component = found["Component", "checkout"]
    assert component["spec"]["owner"] == "group:default/payments"
    assert component["spec"]["dependsOn"] == ["component:default/orders-db"]
    assert component["metadata"]["annotations"]["midwatch.dev/service-id"] == "checkout"
    links = found["Component", "orders-db"]["metadata"]["links"]
    assert links[1] == {"url": "https://grafana.example.com/d/1", "title": "Dashboard"}
    assert links[0]["url"] == "http://midwatch.example/services/orders-db"
    assert len(links) == 2
    assert world.cy.name in found["Group", "payments"]["spec"]["members"]
    assert found["User", world.cy.name]["spec"]["memberOf"] == ["payments"]
    assert ("User", "midwatch-canary") not in found
    for (kind, name), entity in found.items():
        assert NAME.fullmatch(name)
        assert entity["apiVersion"] == "backstage.io/v1alpha1"
        for reference in [entity["spec"].get("owner", ""), *entity["spec"].get("dependsOn", [])]:
            if reference:
                of_kind, _, of_name = reference.partition(":default/")
                assert (of_kind.capitalize(), of_name) in found, (kind, name, reference)


def test_words_of_people_stay_words(world: World) -> None:
    Service.objects.filter(name="checkout").update(display_name="a: !!python/object x", description="--- \n- no\u2028")
    metadata = read(token_of(world.vi))["Component", "checkout"]["metadata"]
    assert (metadata["title"], metadata["description"]) == ("a: !!python/object x", "--- \n- no\u2028")


@pytest.mark.parametrize("token", ["", "wrong", "x" * 5_000])
def test_without_a_token_nothing_is_said(world: World, token: str) -> None:
    answer = Client().get("/catalog-info.yaml", {"token": token} if token else {})
    assert answer.status_code == 401
    assert b"checkout" not in answer.content


def test_what_did_not_change_is_not_sent_again(world: World) -> None:
    token = token_of(world.vi)
    answer = Client().get("/catalog-info.yaml", {"token": token})
    again = Client().get("/catalog-info.yaml", {"token": token}, headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
