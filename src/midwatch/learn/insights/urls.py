"""Addresses of the insights."""

from __future__ import annotations

from django.urls import path

from midwatch.learn.insights import views

app_name = "insights"
urlpatterns = [
    path("insights", views.overview, name="overview"),
    path("insights.csv", views.as_csv, name="csv"),
    path("insights/shifts/<slug:name>", views.shift, name="shift"),
    path("insights/shifts/<slug:name>/suggest", views.suggest, name="suggest"),
]
