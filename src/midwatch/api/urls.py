"""Addresses of the API, below `/api/`."""

from __future__ import annotations

from django.urls import include, path, re_path
from django.views.decorators.csrf import csrf_exempt

from midwatch.api import docs, endpoints, runner_views
from midwatch.api.application import api, describe, nothing_here, wrapped

app_name = "api"

endpoints.register(api)
_patterns, _, _ = api.urls

urlpatterns = [
    path("v1/openapi.json", describe, name="openapi"),
    path("v1/runners/<slug:act>", runner_views.ask, name="runner"),
    path("v1/", include((wrapped(_patterns), "v1"))),
    re_path(r"^v1(?:/.*)?$", csrf_exempt(nothing_here)),
    path("docs", docs.page, name="docs"),
    path("docs/<str:name>", docs.asset, name="docs-asset"),
]
