"""What other programs call to start a runbook: `/hooks/run/TOKEN`."""

from __future__ import annotations

from django.urls import path

from midwatch.prepare.runbooks.views import hooks

app_name = "runbook_hooks"
urlpatterns = [path("hooks/run/<str:token>", hooks.run, name="run")]
