"""The description: valid OpenAPI 3.1 in its structure, and true of the addresses that are there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from midwatch.api.problems import CODES

METHODS = {"get", "put", "post", "delete", "patch"}
DOCS = Path(__file__).resolve().parents[2] / "docs" / "reference" / "api.md"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    answer = Client().get("/api/v1/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = json.loads(answer.content)
    return found


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in schema["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_the_document(schema: dict[str, Any]) -> None:
    assert schema["openapi"] == "3.1.0"
    assert schema["info"]["title"] == "Midwatch"
    assert schema["info"]["version"]
    assert len(schema["paths"]) >= 30


def test_every_reference_leads_somewhere(schema: dict[str, Any]) -> None:
    for reference in references(schema):
        assert reference.startswith("#/")
        found: Any = schema
        for part in reference.removeprefix("#/").split("/"):
            assert part in found, reference
            found = found[part]


def test_operations_are_named_once_and_say_what_they_take(schema: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(schema)]
    assert len(names) == len(set(names))
    for path, method, operation in operations(schema):
        assert method in METHODS
        assert operation["summary"]
        assert operation["tags"]
        assert operation.get("security") or "/uptime/" in path, path
        in_path = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", path))
        for one in operation["parameters"]:
            assert one["in"] in {"path", "query"}
            assert one["schema"]
            assert one["required"] is True or one["in"] == "query"


def test_responses_are_described_and_problems_are_problems(schema: dict[str, Any]) -> None:
    for path, method, operation in operations(schema):
        statuses = {str(status) for status in operation["responses"]}
        assert any(status.startswith("2") for status in statuses), path
        assert {"422", "503"} <= statuses
        assert ("401" in statuses) == ("/uptime/" not in path), "what needs a token says so, and nothing else"
        if method != "get":
            assert {"403", "409"} <= statuses, path
        for status, response in operation["responses"].items():
            assert response["description"]
            if not str(status).startswith("2"):
                assert list(response["content"]) == ["application/problem+json"]
    codes = schema["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    assert codes == sorted(CODES)


def test_lists_have_items_and_a_cursor(schema: dict[str, Any]) -> None:
    lists = [name for name in schema["components"]["schemas"] if name.endswith("List")]
    assert len(lists) >= 9
    for name in lists:
        assert set(schema["components"]["schemas"][name]["properties"]) == {"items", "next_cursor"}


def test_every_address_is_in_the_manual(schema: dict[str, Any]) -> None:
    text = DOCS.read_text("utf-8")
    missing = [
        f"{method.upper()} {path}"
        for path, method, _ in operations(schema)
        if f"`{method.upper()} {path.removeprefix('/api/v1')}`" not in text
    ]
    assert not missing


@pytest.mark.django_db
def test_the_documentation_s_page_loads_from_our_own_address_alone() -> None:
    client = Client()
    page = client.get("/api/docs")
    assert page.status_code == 200
    text = page.content.decode()
    assert "<script>" not in text
    assert " style=" not in text
    addresses = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert all(address.startswith(("/", "data:,")) for address in addresses)
    assert "script-src 'self'" in page["Content-Security-Policy"]
    assert "unsafe-eval" not in page["Content-Security-Policy"]
    for address in addresses:
        if address.startswith("/api/docs/"):
            found = client.get(address, headers={"Accept-Encoding": "gzip"})
            assert found.status_code == 200
            assert found["Content-Encoding"] == "gzip"
            assert "sourceMappingURL" not in client.get(address).content.decode()[-200:]
    assert client.get("/api/docs/../settings.py").status_code == 404
    assert client.get("/api/docs/secret-key").status_code == 404
