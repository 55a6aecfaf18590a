"""Addresses of runbooks, of their executions, and of what stands around them."""

from __future__ import annotations

from django.urls import path

from midwatch.prepare.runbooks.views import (
    acting,
    document,
    editing,
    history,
    listing,
    output,
    rails,
    runners,
    running,
    secrets,
    starting,
)

app_name = "runbooks"
urlpatterns = [
    path("runbooks", listing.runbook_list, name="list"),
    path("new-runbook", editing.create, name="create"),
    path("new-runbook/preview", editing.preview, name="preview"),
    path("runbooks/<slug:name>", document.runbook_page, name="runbook"),
    path("runbooks/<slug:name>/edit", editing.edit, name="edit"),
    path("runbooks/<slug:name>/start", starting.start, name="start"),
    path("runbooks/<slug:name>/history", document.history, name="history"),
    path("runbooks/<slug:name>/switch", document.switch, name="switch"),
    path("approvals", history.approvals, name="approvals"),
    path("settings/runbooks", rails.overview, name="rails"),
    path("settings/runbooks/stop", rails.stop, name="stop"),
    path("settings/runbooks/release", rails.release, name="release"),
    path("settings/runbooks/freezes", rails.add_freeze, name="add-freeze"),
    path("settings/runbooks/freezes/<int:pk>/end", rails.end_freeze, name="end-freeze"),
    path("runners", runners.runner_list, name="runners"),
    path("runners/new", runners.create, name="create-runner"),
    path("runners/<int:pk>/<slug:do>", runners.change, name="change-runner"),
    path("secrets", secrets.secret_list, name="secrets"),
    path("secrets/new", secrets.create, name="create-secret"),
    path("secrets/rotate", secrets.rotate, name="rotate-secrets"),
    path("secrets/<int:pk>/value", secrets.change, name="change-secret"),
    path("secrets/<int:pk>/remove", secrets.remove, name="remove-secret"),
    path("executions", history.execution_list, name="executions"),
    path("executions/<int:number>", running.execution_page, name="execution"),
    path("executions/<int:number>/cancel", acting.cancel, name="cancel"),
    path("executions/<int:number>/resume", acting.resume, name="resume"),
    path("executions/<int:number>/steps/<int:pk>/output", output.new_output, name="output"),
    path("executions/<int:number>/steps/<int:pk>/output.txt", output.whole_output, name="whole-output"),
    path("executions/<int:number>/steps/<int:pk>/<slug:do>", acting.act, name="act"),
]
