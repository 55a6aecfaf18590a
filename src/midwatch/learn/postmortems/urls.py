"""Addresses of post-mortems; the number is the incident's."""

from __future__ import annotations

from django.urls import path

from midwatch.learn.postmortems.views import acts, detail, files, history, listing, writing

app_name = "postmortems"
urlpatterns = [
    path("postmortems", listing.postmortem_list, name="list"),
    path("postmortems/<int:number>", detail.show, name="detail"),
    path("postmortems/<int:number>/open", acts.open_by_hand, name="open"),
    path("postmortems/<int:number>/sections/<slug:key>", writing.save, name="save"),
    path("postmortems/<int:number>/preview", writing.preview, name="preview"),
    path("postmortems/<int:number>/conflicts/<int:pk>", writing.conflict, name="conflict"),
    path("postmortems/<int:number>/history/<slug:key>", history.show, name="history"),
    path("postmortems/<int:number>/moments", writing.add_moment, name="add_moment"),
    path("postmortems/<int:number>/moments/import", writing.import_moments, name="import"),
    path("postmortems/<int:number>/moments/<int:pk>", writing.change_moment, name="change_moment"),
    path("postmortems/<int:number>/whys", writing.add_why, name="add_why"),
    path("postmortems/<int:number>/whys/<int:pk>/remove", writing.remove_why, name="remove_why"),
    path("postmortems/<int:number>/comments", acts.comment, name="comment"),
    path("postmortems/<int:number>/comments/<int:pk>/settle", acts.settle_comment, name="settle_comment"),
    path("postmortems/<int:number>/meeting", acts.set_meeting, name="meeting"),
    path("postmortems/<int:number>/held", acts.held, name="held"),
    path("postmortems/<int:number>/meeting.ics", files.calendar, name="calendar"),
    path("postmortems/<int:number>/facilitator", acts.ask_facilitator, name="facilitator"),
    path("postmortems/<int:number>/facilitator/answer", acts.answer_as_facilitator, name="answer"),
    path("postmortems/<int:number>/owner", acts.change_owner, name="owner"),
    path("postmortems/<int:number>/template", acts.use_template, name="template"),
    path("postmortems/<int:number>/review", acts.send_to_review, name="review"),
    path("postmortems/<int:number>/draft", acts.take_back, name="draft"),
    path("postmortems/<int:number>/approve", acts.approve, name="approve"),
    path("postmortems/<int:number>/external", detail.external, name="external"),
    path("postmortems/<int:number>/external/make", acts.make_external, name="make_external"),
    path("postmortems/<int:number>/decide", acts.decide, name="decide"),
    path("postmortems/<int:number>/waive", acts.waive, name="waive"),
    path("postmortems/<int:number>/reopen", acts.reopen, name="reopen"),
    path("postmortems/<int:number>/print", files.printed, name="print"),
    path("postmortems/<int:number>/export.md", files.markdown, name="markdown"),
    path("postmortems/<int:number>/export.json", files.values, name="json"),
]
