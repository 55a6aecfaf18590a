"""Where Backstage reads our catalog."""

from __future__ import annotations

from django.urls import path

from midwatch.api import backstage

app_name = "backstage"
urlpatterns = [path("catalog-info.yaml", backstage.catalog, name="catalog")]
