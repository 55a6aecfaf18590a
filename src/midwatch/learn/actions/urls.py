"""Addresses of the action items."""

from __future__ import annotations

from django.urls import path

from midwatch.learn.actions import views

app_name = "actions"
urlpatterns = [
    path("actions", views.item_list, name="list"),
    path("actions/new", views.create, name="create"),
    path("actions/<int:number>", views.detail, name="detail"),
    path("actions/<int:number>/change", views.change, name="change"),
    path("actions/<int:number>/debt", views.debt, name="debt"),
    path("actions/<int:number>/issues/<slug:provider>", views.issue, name="issue"),
    path("actions/<int:number>/<slug:do>", views.act, name="act"),
]
