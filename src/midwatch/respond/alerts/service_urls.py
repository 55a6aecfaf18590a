"""Addresses of what alerts do to a service: maintenance, and letting it go."""

from __future__ import annotations

from django.urls import path

from midwatch.respond.alerts.views import services

app_name = "service_alerts"
urlpatterns = [
    path("services/<slug:name>/maintenance", services.start, name="start_maintenance"),
    path("services/<slug:name>/delete", services.delete, name="delete"),
    path("maintenance/<int:pk>/end", services.end, name="end_maintenance"),
]
