"""A small site that shows every part of the skin: what the skin's tests look at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path

from midwatch.core import clock
from midwatch.core.render import page_or_partial
from midwatch.lifecycle import NAVIGATION
from midwatch.web.templatetags.ui import LOOKS, PRIORITIES
from midwatch.web.theme import set_theme

STARTED = datetime(2026, 3, 3, 1, 14, tzinfo=UTC)


class EveryField(forms.Form):
    username = forms.CharField(label="Name", help_text="As in configuration: ana")
    password = forms.CharField(widget=forms.PasswordInput)
    zone = forms.ChoiceField(choices=[("Europe/Prague", "Prague"), ("UTC", "UTC")])
    rings = forms.BooleanField(required=False, help_text="It makes a sound")
    levels = forms.MultipleChoiceField(
        choices=[("1", "Level 1"), ("2", "Level 2")], widget=forms.CheckboxSelectMultiple
    )
    note = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), required=False)


class FromCode:
    is_from_code = True
    code_owner = "infra"
    code_file = "team.yaml:12"


def form_of(request: HttpRequest) -> EveryField:
    return EveryField({"username": ""}) if "bad" in request.GET else EveryField()


def every_part(request: HttpRequest) -> HttpResponse:
    if "messages" in request.GET:
        messages.success(request, "Saved.")
        messages.warning(request, "Careful <b>now</b>.")
        messages.error(request, "That did not work.")
    context = {
        "now": STARTED + timedelta(hours=5),
        "ago": STARTED,
        "day": STARTED - timedelta(days=3),
        "soon": clock.now() + timedelta(minutes=4, seconds=7),
        "looks": list(LOOKS),
        "priorities": list(PRIORITIES),
        "form": form_of(request),
        "code": FromCode(),
        "said": request.GET.get("said", ""),
    }
    return page_or_partial(request, "skin.html", context)


def log_in(request: HttpRequest) -> HttpResponse:
    return render(request, "registration/login.html", {"form": form_of(request)})


def landing(request: HttpRequest) -> HttpResponse:
    return render(request, "skin_landing.html", {"now": clock.now()})


def refused(request: HttpRequest) -> HttpResponse:
    return HttpResponse("no", status=403)


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("on purpose")


house = [
    path("", every_part, name="now"),
    path("settings", every_part, name="settings"),
    path("theme", set_theme, name="theme"),
    path("login", log_in, name="login"),
    path("logout", refused, name="logout"),
]
urlpatterns = [
    path("", include((house, "web"))),
    path("alerts", include(([path("", every_part, name="list")], "alerts"))),
    path("oncall", include(([path("", every_part, name="who")], "oncall"))),
    path("services", include(([path("", every_part, name="services")], "catalog"))),
    path("me", include(([path("", every_part, name="profile")], "people"))),
    path("p/token", landing),
    path("refused", refused),
    path("broken", broken),
]
# The frame leads to every place of the navigation; here each of them is the same page.
KNOWN = {"web", "alerts", "oncall", "catalog", "people"}
for place in NAVIGATION:
    space, _, name = place.url_name.partition(":")
    if space not in KNOWN:
        urlpatterns.append(path(space, include(([path("", every_part, name=name)], space))))
