"""Addresses of the source pages."""

from __future__ import annotations

from django.urls import path

from midwatch.respond.alerts.views import sources

app_name = "sources"
urlpatterns = [
    path("sources", sources.source_list, name="list"),
    path("new-source", sources.create, name="create"),
    path("sources/<slug:name>", sources.source_detail, name="source"),
    path("sources/<slug:name>/edit", sources.edit, name="edit"),
    path("sources/<slug:name>/test", sources.send_test, name="test"),
    path("sources/<slug:name>/rotate", sources.rotate, name="rotate"),
    path("sources/<slug:name>/end-rotation", sources.finish_rotation, name="end_rotation"),
    path("sources/<slug:name>/delete", sources.delete, name="delete"),
]
