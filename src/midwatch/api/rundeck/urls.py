"""Addresses of Rundeck's clients. They may come by any name that leads here: whoever asks brings a token."""

from __future__ import annotations

from django.urls import path

from midwatch.api.rundeck.table import answer

app_name = "rundeck"
urlpatterns = [path("rundeck/<path:rest>", answer, name="api")]
