"""Addresses of people and teams."""

from __future__ import annotations

from django.urls import path

from midwatch.web.people import access, contacts, listing, person, rules, teams

app_name = "people"
PERSON = "settings/people/<slug:name>"
TEAM = "settings/teams/<slug:name>"
urlpatterns = [
    path("profile", person.profile, name="profile"),
    path("settings/people", listing.people_list, name="list"),
    path("settings/new-person", listing.invite, name="invite"),
    path(PERSON, person.reach, name="person"),
    path(f"{PERSON}/about", person.about, name="about"),
    path(f"{PERSON}/shortcuts", person.shortcuts, name="shortcuts"),
    path(f"{PERSON}/notify-on", person.notify_on, name="notify-on"),
    path(f"{PERSON}/rules", rules.edit, name="rules"),
    path(f"{PERSON}/rules/usual", rules.usual, name="usual-rules"),
    path(f"{PERSON}/test", contacts.send_test, name="test"),
    path(f"{PERSON}/contacts", contacts.add, name="add-contact"),
    path(f"{PERSON}/contacts/<slug:method>", contacts.change, name="contact"),
    path(f"{PERSON}/contacts/<slug:method>/test", contacts.send_test, name="test-contact"),
    path(f"{PERSON}/contacts/<slug:method>/confirm", contacts.confirm, name="confirm-contact"),
    path(f"{PERSON}/contacts/<slug:method>/turn", contacts.turn, name="turn-contact"),
    path(f"{PERSON}/contacts/<slug:method>/remove", contacts.remove, name="remove-contact"),
    path(f"{PERSON}/access", access.access, name="access"),
    path(f"{PERSON}/access/password", access.password, name="password"),
    path(f"{PERSON}/access/sign-out", access.sign_out, name="sign-out"),
    path(f"{PERSON}/access/tokens", access.create_token, name="create-token"),
    path(f"{PERSON}/access/tokens/<int:pk>/revoke", access.revoke_token, name="revoke-token"),
    path(f"{PERSON}/access/link", access.make_link, name="make-link"),
    path(f"{PERSON}/access/deactivate", access.deactivate, name="deactivate"),
    path(f"{PERSON}/access/activate", access.activate, name="activate"),
    path("settings/teams", teams.team_list, name="teams"),
    path("settings/new-team", teams.create, name="new-team"),
    path(TEAM, teams.team, name="team"),
    path(f"{TEAM}/edit", teams.edit, name="edit-team"),
    path(f"{TEAM}/test", teams.send_tests, name="test-team"),
    path(f"{TEAM}/delete", teams.delete, name="delete-team"),
]
