"""Addresses of getting in, the first run and the settings; part of the app `web`."""

from __future__ import annotations

from django.urls import path

from midwatch.web import account, hold_views, settings_views, wizard

urlpatterns = [
    path("login", account.log_in, name="login"),
    path("logout", account.log_out, name="logout"),
    path("link/<str:token>", account.use_access_link, name="access-link"),
    path("setup", account.set_up, name="setup"),
    path("welcome", wizard.start, name="wizard"),
    path("welcome/you", wizard.you, name="wizard-you"),
    path("welcome/reach", wizard.reach, name="wizard-reach"),
    path("welcome/team", wizard.team, name="wizard-team"),
    path("welcome/source", wizard.source, name="wizard-source"),
    path("welcome/check", wizard.check, name="wizard-check"),
    path("settings", settings_views.home, name="settings"),
    path("settings/audit", settings_views.audit_log, name="audit"),
    path("settings/health", settings_views.health, name="health"),
    path("settings/configuration", settings_views.configuration, name="configuration"),
    path("settings/hold", hold_views.show, name="hold"),
    path("settings/hold/release", hold_views.release, name="hold-release"),
    path("settings/hold/drop", hold_views.drop, name="hold-drop"),
    path("settings/tokens", settings_views.tokens, name="tokens"),
    path("settings/tokens/<int:pk>/revoke", settings_views.revoke_token, name="revoke-token"),
]
