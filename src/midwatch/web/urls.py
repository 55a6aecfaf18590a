"""The root: every room's addresses, and the few of the house itself."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from midwatch.web import health, theme, views
from midwatch.web.live.views import live

house: list[URLPattern | URLResolver] = [
    path("", views.now, name="now"),
    path("calls", views.calls, name="calls"),
    path("live", live, name="live"),
    path("theme", theme.set_theme, name="theme"),
    path("", include("midwatch.web.account_urls")),
]

handler500 = "midwatch.web.errors.server_error"
urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
    path("", include((house, "web"))),
    path("", include("midwatch.respond.alerts.urls")),
    path("", include("midwatch.respond.alerts.source_urls")),
    path("", include("midwatch.respond.alerts.service_urls")),
    path("", include("midwatch.api.backstage_urls")),
    path("", include("midwatch.api.chat_urls")),  # before the callbacks of channels, whose pattern takes any provider
    path("", include("midwatch.prepare.runbooks.hook_urls")),
    path("", include("midwatch.respond.escalation.urls")),
    path("", include("midwatch.respond.oncall.urls")),
    path("", include("midwatch.respond.statuspage.public_urls")),
    path("", include("midwatch.respond.statuspage.urls")),
    path("", include("midwatch.respond.incidents.urls")),
    path("", include("midwatch.prepare.runbooks.urls")),
    path("", include("midwatch.learn.actions.urls")),
    path("", include("midwatch.learn.insights.urls")),
    path("", include("midwatch.learn.objectives.urls")),
    path("", include("midwatch.catalog.urls")),
    path("", include("midwatch.web.people.urls")),
    path("", include("midwatch.learn.postmortems.urls")),
    path("api/", include("midwatch.api.urls")),
    path("rundeck/monitoring/prometheus", health.metrics),  # where a Rundeck has them
    path("", include("midwatch.api.rundeck.urls")),
]
