"""Addresses of the service pages."""

from __future__ import annotations

from django.urls import path

from midwatch.catalog import views

app_name = "catalog"
urlpatterns = [
    path("services", views.service_list, name="services"),
    path("new-service", views.create, name="create"),
    path("services/<slug:name>", views.service_detail, name="service"),
    path("services/<slug:name>/edit", views.edit, name="edit"),
]
