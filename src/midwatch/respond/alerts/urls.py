"""Addresses of the alert pages."""

from __future__ import annotations

from django.urls import path

from midwatch.respond.alerts.views import acts, detail, listing

app_name = "alerts"
urlpatterns = [
    path("alerts", listing.alert_list, name="list"),
    path("alerts/bulk", listing.bulk, name="bulk"),
    path("alerts/<int:number>", detail.alert_detail, name="detail"),
    path("alerts/<int:number>/acknowledge", acts.acknowledge, name="acknowledge"),
    path("alerts/<int:number>/unacknowledge", acts.unacknowledge, name="unacknowledge"),
    path("alerts/<int:number>/resolve", acts.resolve, name="resolve"),
    path("alerts/<int:number>/snooze", acts.snooze, name="snooze"),
    path("alerts/<int:number>/note", acts.note, name="note"),
    path("alerts/<int:number>/priority", acts.priority, name="priority"),
    path("alerts/<int:number>/runbook", acts.runbook_feedback, name="runbook-feedback"),
]
