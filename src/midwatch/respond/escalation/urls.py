"""Addresses of the escalation pages; `/p` and `/hooks` are what phones and providers open."""

from __future__ import annotations

from django.urls import path

from midwatch.respond.escalation.views import acts, binding, hooks, landing, paging, policies

app_name = "escalation"
urlpatterns = [
    path("alerts/<int:number>/escalate", acts.escalate, name="escalate"),
    path("alerts/<int:number>/reassign", acts.reassign, name="reassign"),
    path("alerts/<int:number>/responders", acts.add_responder, name="add_responder"),
    path("alerts/<int:number>/decline", acts.decline, name="decline"),
    path("page", paging.page_by_hand, name="page"),
    path("policies", policies.policy_list, name="policies"),
    path("policies/duty", binding.set_duty, name="duty"),
    path("policies/new", policies.create, name="create"),
    path("policies/<slug:name>", policies.policy_detail, name="policy"),
    path("policies/<slug:name>/edit", policies.edit, name="edit"),
    path("policies/<slug:name>/delete", policies.delete, name="delete"),
    path("services/<slug:name>/policy", binding.bind, name="bind_service"),
    path("settings/teams/<slug:name>/channels/<slug:provider>", binding.choose_team_channel, name="team_channel"),
    path("p/<str:token>", landing.landing, name="landing"),
    path("hooks/<str:provider>", hooks.hook, name="hook_root"),
    path("hooks/<str:provider>/<path:rest>", hooks.hook, name="hook"),
]
