"""Addresses of runbooks, of their executions, and of what stands around them."""

from __future__ import annotations

from django.urls import path

from midwatch.prepare.runbooks.views import history, listing, output, running

app_name = "runbooks"
urlpatterns = [
    path("runbooks", listing.runbook_list, name="list"),
    path("approvals", history.approvals, name="approvals"),
    path("executions", history.execution_list, name="executions"),
    path("executions/<int:number>", running.execution_page, name="execution"),
    path("executions/<int:number>/steps/<int:pk>/output", output.new_output, name="output"),
    path("executions/<int:number>/steps/<int:pk>/output.txt", output.whole_output, name="whole-output"),
]
