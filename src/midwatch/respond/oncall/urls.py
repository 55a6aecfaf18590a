"""Addresses of the on-call pages and of the calendar feed."""

from __future__ import annotations

import importlib

from django.http import HttpRequest, HttpResponse
from django.urls import path

from midwatch.respond.oncall.views import creating, editing, overrides, schedule, who


def calendar_feed(request: HttpRequest, token: str) -> HttpResponse:
    """Loaded when the first calendar asks: what renders it costs 10 MB."""
    answer: HttpResponse = importlib.import_module("midwatch.respond.oncall.views.feed").feed(request, token)
    return answer


app_name = "oncall"
urlpatterns = [
    path("oncall", who.who, name="who"),
    path("new-schedule", creating.create, name="create"),
    path("schedules/<slug:name>", schedule.schedule_detail, name="schedule"),
    path("schedules/<slug:name>/take-over", overrides.take_over, name="take_over"),
    path("schedules/<slug:name>/overrides", overrides.create, name="override"),
    path("schedules/<slug:name>/overrides/<int:pk>/cancel", overrides.cancel, name="cancel_override"),
    path("schedules/<slug:name>/edit", editing.edit, name="edit"),
    path("schedules/<slug:name>/delete", editing.delete, name="delete"),
    path("ical/<str:token>.ics", calendar_feed, name="calendar"),
]
