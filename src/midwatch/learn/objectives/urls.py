"""Addresses of the objectives."""

from __future__ import annotations

from django.urls import path

from midwatch.learn.objectives import views

app_name = "objectives"
urlpatterns = [
    path("uptime", views.calculator, name="calculator"),
]
