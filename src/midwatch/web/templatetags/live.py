"""What pages that are open know of each other: `{% load live %}`.

<div data-topic="incident:42" data-topic-after="{% position %}" hx-get="..." hx-trigger="every 5s" hx-swap="innerMorph">
  {% presence "incident:42" %}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from midwatch.core import topics
from midwatch.people.models import User
from midwatch.web.templatetags.ui import chip, icon

register = template.Library()

SHOWN_MAX = 8


@register.simple_tag
def position() -> int:
    """What the page has read to: its stream begins there."""
    return topics.latest()


@register.simple_tag(takes_context=True)
def presence(context: Mapping[str, Any], topic: str) -> SafeString:
    """Who else has it open; nothing when nobody has."""
    me = getattr(context.get("page"), "me", None)
    present = [key for key in topics.present(topic) if me is None or key != me.pk]
    if not present:
        return SafeString("")
    names = dict(User.objects.filter(pk__in=present).values_list("pk", "display_name"))
    found = [names[key] for key in present if key in names]
    people = format_html_join(" ", "{}", ((chip(name),) for name in found[:SHOWN_MAX]))
    more = gettext("and %d more") % (len(found) - SHOWN_MAX) if len(found) > SHOWN_MAX else ""
    return format_html(
        '<p class="presence">{} <span class="text-secondary">{}</span> {} {}</p>',
        icon("eye"), gettext("Also looking at this:"), people, more,
    )  # fmt: skip
