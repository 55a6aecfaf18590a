"""Addresses of members: what stands on the pages, and what visitors are told."""

from __future__ import annotations

from django.urls import path

from midwatch.respond.statuspage.views import managing, posting

app_name = "statuspage"
urlpatterns = [
    path("status-pages", managing.page_list, name="pages"),
    path("new-status-page", managing.create, name="create"),
    path("status-pages/<slug:name>", managing.page_detail, name="page"),
    path("status-pages/<slug:name>/edit", managing.edit, name="edit"),
    path("status-pages/<slug:name>/delete", managing.delete, name="delete"),
    path("status-pages/<slug:name>/link", managing.new_link, name="new_link"),
    path("status-pages/<slug:name>/components", managing.add_component, name="add_component"),
    path("status-pages/<slug:name>/components/<slug:wire_id>", managing.edit_component, name="component"),
    path(
        "status-pages/<slug:name>/components/<slug:wire_id>/remove", managing.remove_component, name="remove_component"
    ),
    path("status-pages/<slug:name>/subscribers", managing.subscriber_list, name="subscribers"),
    path("status-pages/<slug:name>/subscribers/<slug:wire_id>", managing.change_subscriber, name="subscriber"),
    path("status-pages/<slug:name>/notices", posting.new_notice, name="new_notice"),
    path("status-pages/<slug:name>/maintenance", posting.new_maintenance, name="new_maintenance"),
    path("status-pages/<slug:name>/notices/<slug:wire_id>", posting.notice, name="notice"),
    path("status-pages/<slug:name>/notices/<slug:wire_id>/postmortem", posting.postmortem, name="postmortem"),
    path("status-pages/<slug:name>/notices/<slug:wire_id>/delete", posting.delete_notice, name="delete_notice"),
]
