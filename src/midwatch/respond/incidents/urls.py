"""Addresses of the incident pages."""

from __future__ import annotations

from django.urls import path

from midwatch.respond.incidents.views import course, declaring, leading, listing, notes, powers, room, updates

app_name = "incidents"
urlpatterns = [
    path("incidents", listing.incident_list, name="list"),
    path("incidents/declare", declaring.declare, name="declare"),
    path("p/<str:token>/declare", declaring.declare_by_link, name="declare-by-link"),
    path("incidents/<int:number>", room.incident_room, name="room"),
    path("incidents/<int:number>/files/<int:pk>/<str:name>", notes.attachment, name="file"),
    path("incidents/<int:number>/note", notes.note, name="note"),
    path("incidents/<int:number>/entries/<int:pk>/amend", notes.amend, name="amend"),
    path("incidents/<int:number>/entries/<int:pk>/star", notes.star, name="star"),
    path("incidents/<int:number>/roles", leading.give_role, name="give-role"),
    path("incidents/<int:number>/roles/end", leading.end_role, name="end-role"),
    path("incidents/<int:number>/roles/leave", leading.leave_role, name="leave-role"),
    path("incidents/<int:number>/offers", leading.offer_role, name="offer-role"),
    path("incidents/<int:number>/offers/<int:pk>/accept", leading.accept_role, name="accept-role"),
    path("incidents/<int:number>/offers/<int:pk>/decline", leading.decline_role, name="decline-role"),
    path("incidents/<int:number>/offers/<int:pk>/withdraw", leading.withdraw_offer, name="withdraw-offer"),
    path("incidents/<int:number>/tasks", leading.open_task, name="open-task"),
    path("incidents/<int:number>/tasks/<int:pk>/acknowledge", leading.acknowledge_task, name="acknowledge-task"),
    path("incidents/<int:number>/tasks/<int:pk>/assign", leading.assign_task, name="assign-task"),
    path("incidents/<int:number>/tasks/<int:pk>/done", leading.finish_task, name="finish-task"),
    path("incidents/<int:number>/tasks/<int:pk>/drop", leading.drop_task, name="drop-task"),
    path("incidents/<int:number>/responders", leading.ask_responder, name="ask-responder"),
    path("incidents/<int:number>/change", course.change, name="change"),
    path("incidents/<int:number>/severity", course.severity, name="severity"),
    path("incidents/<int:number>/phase", course.phase, name="phase"),
    path("incidents/<int:number>/resolve", course.resolve, name="resolve"),
    path("incidents/<int:number>/reopen", course.reopen, name="reopen"),
    path("incidents/<int:number>/close", course.close, name="close"),
    path("incidents/<int:number>/merge", course.merge, name="merge"),
    path("incidents/<int:number>/impact", course.add_impact, name="add-impact"),
    path("incidents/<int:number>/impact/<int:pk>", course.change_impact, name="change-impact"),
    path("incidents/<int:number>/clients", course.add_client, name="add-client"),
    path("incidents/<int:number>/clients/checked", course.clients_checked, name="clients-checked"),
    path("incidents/<int:number>/clients/<int:pk>/remove", course.remove_client, name="remove-client"),
    path("incidents/<int:number>/alerts", course.link_alert, name="link-alert"),
    path("incidents/<int:number>/alerts/<int:pk>/unlink", course.unlink_alert, name="unlink-alert"),
    path("incidents/<int:number>/links", course.link_incident, name="link-incident"),
    path("incidents/<int:number>/silence", powers.silence, name="silence"),
    path("incidents/<int:number>/on-call", powers.put_on_call, name="put-on-call"),
    path("incidents/<int:number>/rhythm", updates.rhythm, name="rhythm"),
    path("incidents/<int:number>/update", updates.compose, name="update"),
    path("incidents/<int:number>/updates/<int:pk>", updates.update, name="one-update"),
    path("incidents/<int:number>/updates/<int:pk>/change", updates.compose, name="change-update"),
    path("incidents/<int:number>/updates/<int:pk>/approve", updates.approve, name="approve-update"),
    path("incidents/<int:number>/updates/<int:pk>/refuse", updates.refuse, name="refuse-update"),
]
