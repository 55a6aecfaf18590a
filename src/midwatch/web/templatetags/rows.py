"""Rows of alerts: `{% load rows %}`. Written in Python because a page has fifty of them: as a template with its parts they
took two thirds of the page's time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from django import template
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from midwatch.core.contribute import Beside
from midwatch.respond.alerts.lines import Line
from midwatch.respond.alerts.models import Alert, AlertStatus
from midwatch.respond.alerts.views.common import Row
from midwatch.web.templatetags.ui import chip, icon, person, priority_badge, status_badge, text, when

register = template.Library()

TONES = {AlertStatus.FIRING.value: " is-firing", AlertStatus.RESOLVED.value: " is-resolved"}
# The keys of the keyboard and what they do; hidden buttons, which the page's script presses.
KEYS = (
    ("alerts:acknowledge", "a", "Acknowledge"),
    ("alerts:resolve", "r", "Resolve"),
    ("escalation:escalate", "e", "Escalate"),
)
ICONS = ("clock", "link", "phone-call", "player-pause")  # of what rooms say beside a row: named here, so they get built


@cache
def _around(name: str) -> tuple[str, str]:
    """What stands before and after the number in the addresses of a view."""
    before, _, after = reverse(name, args=[0]).partition("0")
    return before, after


@register.simple_tag
def alert_url(name: str, number: int) -> str:
    """`{% alert_url 'alerts:detail' 7 %}`: as `url`, for addresses that hold the alert's number and nothing else."""
    before, after = _around(name)
    return f"{before}{number}{after}"


@register.simple_tag
def beside(said: str | Beside) -> SafeString:
    """What a room says beside a row."""
    if isinstance(said, str):
        return SafeString(said)
    if said.state:
        return status_badge(said.state)
    moment = f" {when(said.at, said.shape)}" if said.at is not None else ""
    return SafeString(f'<span class="next-step">{icon(said.icon)}{text(said.words)}{moment}</span>')


@register.simple_tag(takes_context=True)
def alert_state(context: Mapping[str, Any], alert: Line | Alert) -> SafeString:
    """Who has it, in one badge."""
    parts: list[str] = [status_badge("test")] if alert.is_test else []
    if alert.status == AlertStatus.ACKNOWLEDGED and alert.snoozed_until:
        parts += [status_badge("snoozed"), f'<span class="text-secondary small">{when(alert.snoozed_until)}</span>']
    elif alert.status == AlertStatus.ACKNOWLEDGED and alert.is_acknowledged_by_machine:
        parts.append(status_badge("acknowledged", gettext("By source, no person")))
    elif alert.status == AlertStatus.ACKNOWLEDGED:
        parts += [status_badge("acknowledged"), _owner(context, alert)]
    else:
        parts.append(status_badge(alert.status))
    if alert.is_still_firing:
        parts.append(status_badge("still firing"))
    return SafeString(" ".join(parts))


def _owner(context: Mapping[str, Any], alert: Line | Alert) -> SafeString:
    if isinstance(alert, Alert) or not alert.acknowledged_by:
        return person(context, alert.acknowledged_by)
    me = getattr(context.get("page"), "me", None)
    return chip(alert.acknowledged_by, is_me=me is not None and me.pk == alert.acknowledged_by_id)


@register.simple_tag(takes_context=True)
def alert_row(context: Mapping[str, Any], row: Row, *, may_act: bool = False, with_ticks: bool = False) -> SafeString:
    """One alert in a list. `with_ticks`: with a box to tick and the keys' buttons, for who may act."""
    alert = row.alert
    has_tools = with_ticks and may_act
    facts = [f"<span>{text(alert.service or alert.team)}</span>"] if alert.service or alert.team else []
    facts.append(when(alert.created_at))
    if alert.count > 1:
        facts.append(f"<span>{text(gettext('%(count)s times') % {'count': alert.count})}</span>")
    facts += [beside(said) for said in row.badges]
    title = f'<span class="row-number">#{alert.number}</span> {text(alert.title or "(no title)")}'
    return SafeString(
        f'<li class="alert-row{TONES.get(alert.status, "")}" id="alert-{alert.number}" data-row>'
        f"{_tick(alert) if has_tools else ''}"
        f'<div class="row-main"><a class="row-title" href="{alert_url("alerts:detail", alert.number)}" data-open>{title}</a>'
        f'<p class="row-facts">{" ".join(facts)}</p></div>'
        f'<div class="row-state">{priority_badge(alert.priority)} {alert_state(context, alert)}</div>'
        f"{_keys(alert) if has_tools and alert.is_open else ''}</li>"
    )


def _tick(alert: Line) -> str:
    label = text(gettext("Tick #%(number)s") % {"number": alert.number})
    box = f'data-select name="number" value="{alert.number}" aria-label="{label}"'
    return f'<label class="row-tick"><input type="checkbox" class="form-check-input" {box}></label>'


def _keys(alert: Line) -> str:
    return "".join(
        f'<button hidden formaction="{alert_url(name, alert.number)}" data-key="{key}">{text(gettext(word))}</button>'
        for name, key, word in KEYS
    )
