"""The small parts of the incident pages: `{% load incident %}`."""

from __future__ import annotations

from collections.abc import Mapping

from django import template
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from midwatch.respond.incidents.models import Incident
from midwatch.web.templatetags.ui import Look, icon, text

register = template.Library()

SEVERITIES: Mapping[str, Look] = {
    "SEV1": Look("SEV1", "urgent", "danger"),
    "SEV2": Look("SEV2", "chevrons-up", "danger"),
    "SEV3": Look("SEV3", "chevron-up", "warn"),
    "SEV4": Look("SEV4", "minus", "info"),
}
PHASES: Mapping[str, Look] = {
    "detected": Look(_("Detected"), "flame", "danger"),
    "acknowledged": Look(_("Acknowledged"), "hand-stop", "warn"),
    "mitigated": Look(_("Mitigated"), "bandage", "info"),
    "resolved": Look(_("Resolved"), "circle-check", "ok"),
    "closed": Look(_("Closed"), "archive", "quiet"),
}
# Icon and tone of a timeline entry, by its kind; what is not named here is a plain dot.
ENTRIES: Mapping[str, tuple[str, str]] = {
    "declared": ("urgent", "danger"),
    "note": ("message", "info"),
    "decision": ("gavel", "violet"),
    "observation": ("eye", "info"),
    "amendment": ("pencil", "quiet"),
    "role": ("user-check", "ok"),
    "offer": ("transfer", "warn"),
    "responder": ("phone-call", "warn"),
    "task": ("checkbox", "info"),
    "alert": ("bell", "danger"),
    "phase": ("stairs-up", "ok"),
    "severity": ("chevrons-up", "danger"),
    "title": ("pencil", "quiet"),
    "summary": ("pencil", "quiet"),
    "impact": ("server", "warn"),
    "client": ("users", "warn"),
    "update": ("speakerphone", "violet"),
    "prompt": ("help", "warn"),
    "channel": ("messages", "info"),
    "cadence": ("clock", "warn"),
    "delivery": ("alert-triangle", "danger"),
    "evidence": ("camera", "info"),
    "lesson": ("book", "info"),
    "link": ("link", "quiet"),
    "merged": ("git-merge", "quiet"),
    "power": ("bolt", "violet"),
    "powers": ("bolt", "quiet"),
}
WORDS: Mapping[str, str | Promise] = {
    "note": _("Note"),
    "decision": _("Decision"),
    "observation": _("Observation"),
    "amendment": _("Set right"),
}


@register.simple_tag
def severity_badge(severity: str) -> SafeString:
    look = SEVERITIES.get(severity) or Look(severity, "question-mark", "quiet")
    loud = " is-loud" if severity == "SEV1" else ""
    return SafeString(
        f'<span class="badge tone-{look.tone} priority{loud}">{icon(look.icon)}<span>{text(severity)}</span></span>'
    )


@register.simple_tag
def phase_badge(phase: str) -> SafeString:
    look = PHASES.get(phase) or Look(phase, "question-mark", "quiet")
    return SafeString(f'<span class="badge tone-{look.tone}">{icon(look.icon)}<span>{text(look.word)}</span></span>')


@register.simple_tag
def incident_marks(incident: Incident) -> SafeString:
    """Private, drill, back-filled, merged: what changes how one reads all the rest."""
    marks = (
        (incident.is_private, _("Private"), "lock", "violet"),
        (incident.is_drill, _("Drill"), "school", "info"),
        (incident.is_backfilled, _("Back-filled"), "history", "quiet"),
        (incident.merged_into_id is not None, _("Merged"), "git-merge", "quiet"),
    )
    shown = (
        f'<span class="badge tone-{tone}">{icon(name)}<span>{text(word)}</span></span>'
        for is_so, word, name, tone in marks
        if is_so
    )
    return SafeString(" ".join(shown))


@register.simple_tag
def entry_dot(kind: str) -> SafeString:
    name, tone = ENTRIES.get(kind, ("point", "quiet"))
    return SafeString(f'<span class="timeline-dot tone-{tone}">{icon(name)}</span>')


@register.simple_tag
def entry_word(kind: str) -> str:
    return str(WORDS.get(kind, kind))
