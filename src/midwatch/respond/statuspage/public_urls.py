"""Addresses that visitors and their programs open, by any name that leads here."""

from __future__ import annotations

from django.urls import path

from midwatch.respond.statuspage.v1.table import answer
from midwatch.respond.statuspage.views import public, subscribing

app_name = "status"
urlpatterns = [
    path("status/<slug:name>", public.home, name="home"),
    path("status/<slug:name>/", public.home, name="home_slash"),
    path("status/<slug:name>/look.css", public.look, name="look"),
    path("status/<slug:name>/history", public.history, name="history"),
    path("status/<slug:name>/history.atom", public.atom, name="atom"),
    path("status/<slug:name>/history.rss", public.rss, name="rss"),
    path("status/<slug:name>/badge.svg", public.badge, name="badge"),
    path("status/<slug:name>/incidents/<slug:wire_id>", public.notice, name="notice"),
    path("status/<slug:name>/subscribe", subscribing.subscribe, name="subscribe"),
    path("status/<slug:name>/confirm/<str:token>", subscribing.confirm, name="confirm"),
    path("status/<slug:name>/unsubscribe/<str:token>", subscribing.unsubscribe, name="unsubscribe"),
    path("statuspage/v1/<path:rest>", answer, name="management"),
    path("status/<slug:name>/api/v2/<path:what>", public.api, name="api"),
]
