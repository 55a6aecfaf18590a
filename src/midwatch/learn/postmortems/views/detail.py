"""One post-mortem: the editor with its prompts and hints, and what clients will read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from midwatch.core import clock
from midwatch.core.contribute import obstacles, panels
from midwatch.core.render import is_partial, page_or_partial
from midwatch.learn.postmortems import facilitators, whys
from midwatch.learn.postmortems.actions.meeting import MINUTES
from midwatch.learn.postmortems.actions.publishing import external_text, notices_of, seats_held
from midwatch.learn.postmortems.actions.reviewing import APPROVE
from midwatch.learn.postmortems.blameless import Finding, Known, lint, replace_names
from midwatch.learn.postmortems.models import (
    Approval,
    Asked,
    Comment,
    Decision,
    Letter,
    Postmortem,
    Revision,
    SectionText,
    TimelineRow,
)
from midwatch.learn.postmortems.queries import (
    EXTERNAL,
    candidates,
    known_people,
    may_lead,
    may_waive,
    missing_sections,
    roles_of,
    template_of,
    texts_of,
)
from midwatch.learn.postmortems.sections import Section, is_written, templates
from midwatch.learn.postmortems.views.common import postmortem_or_404
from midwatch.people.models import User
from midwatch.people.queries import active_people
from midwatch.people.viewing import viewer
from midwatch.respond.incidents.models import AffectedClient

FINDINGS_SHOWN = 30
CHANGES_SHOWN = 3
PEOPLE_MAX = 500


@dataclass(frozen=True, slots=True)
class Part:
    """A section as the page shows it. `conflict`: what this person wrote and was not taken."""

    section: Section
    text: str
    revision: int
    changed_by: str
    is_done: bool
    findings: Sequence[Finding]
    comments: Sequence[Comment]
    conflict: Revision | None


def findings_of(text: str, known: Known) -> list[Finding]:
    """Flags first; hints after them."""
    found = lint(text, known)
    return sorted(found, key=lambda one: one.is_hint)[:FINDINGS_SHOWN]


def parts_of(postmortem: Postmortem, user: User, missing: Sequence[Section]) -> list[Part]:
    texts, known = texts_of(postmortem), known_people(postmortem)
    comments: dict[str, list[Comment]] = {}
    for comment in Comment.objects.filter(postmortem=postmortem):
        comments.setdefault(comment.key, []).append(comment)
    conflicts = {
        one.key: one
        for one in Revision.objects.filter(
            postmortem=postmortem, is_conflict=True, settled_at=None, user_id=user.pk
        ).order_by("id")
    }
    lacking = {section.key for section in missing}
    return [
        _part(section, texts.get(section.key), known, comments, conflicts, lacking)
        for section in template_of(postmortem).sections
    ]


def _part(
    section: Section,
    text: SectionText | None,
    known: Known,
    comments: Mapping[str, Sequence[Comment]],
    conflicts: Mapping[str, Revision],
    lacking: set[str],
) -> Part:
    said = text.text if text is not None else ""
    return Part(
        section,
        said,
        text.revision if text is not None else 0,
        text.changed_by if text is not None and text.revision else "",
        section.key not in lacking and (section.is_required or is_written(said)),
        findings_of(said, known),
        comments.get(section.key, ()),
        conflicts.get(section.key),
    )


@login_required
@require_safe
def show(request: HttpRequest, number: int) -> HttpResponse:
    user = viewer(request)
    found = postmortem_or_404(user, number)
    live = _live(found)
    if request.GET.get("part") == "live" and is_partial(request):
        return page_or_partial(request, "postmortems/detail.html", live, partial="postmortems/_live.html")
    missing = missing_sections(found)
    parts = parts_of(found, user, missing)
    context = {
        "pm": found,
        "now": clock.now(),
        "parts": parts,
        "missing": missing,
        "flags": sum(not finding.is_hint for part in parts for finding in part.findings),
        "may_write": user.may_act and found.is_open,
        "may_lead": may_lead(user, found),
        "may_waive": may_waive(user, found),
        "may_approve": user.may_act and user.pk != found.owner_id and found.state in {"in review", "reviewed"},
        "blocked": obstacles(APPROVE, found) if found.is_open else [],
        "rows": TimelineRow.objects.filter(postmortem=found, removed_at=None),
        "whys": whys.branches(whys.read(found.why)),
        "clients": AffectedClient.objects.filter(incident=found.incident, removed_at=None),
        "general": Comment.objects.filter(postmortem=found, key=""),
        "approvals": Approval.objects.filter(postmortem=found, voided_at=None).select_related("user"),
        "is_asked": found.facilitator_id == user.pk and found.facilitator_state == Asked.ASKED,
        "minutes": MINUTES,
        "actions_panels": panels("postmortem.actions", request, found),
        "main_panels": panels("postmortem.main", request, found),
        "side_panels": panels("postmortem.side", request, found),
        **live,
        **_leading(found, user),
    }
    return render(request, "postmortems/detail.html", context)


def _live(found: Postmortem) -> dict[str, Any]:
    """What others do to it meanwhile: who has it open, and what was written last."""
    titles = {section.key: section.title for section in template_of(found).sections}
    texts = SectionText.objects.filter(postmortem=found, revision__gt=0).order_by("-changed_at")[:CHANGES_SHOWN]
    return {
        "pm": found,
        "topic": f"postmortem:{found.incident_id}",
        "changes": [(titles[text.key], text) for text in texts if text.key in titles],
    }


def _leading(found: Postmortem, user: User) -> dict[str, Any]:
    """What only those need who see it through: whom to ask, which templates there are."""
    if not (found.is_open and may_lead(user, found)):
        return {}
    everybody = candidates(found)
    declined = [found.facilitator_id] if found.facilitator_id and found.facilitator_state == Asked.DECLINED else []
    names = dict(active_people().values_list("pk", "name"))
    return {
        "proposals": [(names[one.person], one) for one in facilitators.proposals(everybody, but=declined)],
        "people": [(names[one.person], one) for one in everybody[:PEOPLE_MAX]],
        "templates": sorted({name for name, _ in templates()}),
    }


@login_required
@require_safe
def external(request: HttpRequest, number: int) -> HttpResponse:
    """What clients and the status page would read, who decided what, and how it was delivered."""
    user = viewer(request)
    found = postmortem_or_404(user, number)
    text = SectionText.objects.filter(postmortem=found, key=EXTERNAL).first()
    said = external_text(found)
    check = replace_names(said, roles_of(found))
    context = {
        "pm": found,
        "text": text,
        "key": EXTERNAL,
        "is_written": is_written(said),
        "names_left": check.count,
        "doubtful": sorted({word for _, word in check.doubtful}),
        "findings": findings_of(said, known_people(found)),
        "conflict": Revision.objects.filter(
            postmortem=found, key=EXTERNAL, is_conflict=True, settled_at=None, user_id=user.pk
        ).first(),
        "may_write": user.may_act and found.is_open,
        "may_lead": may_lead(user, found),
        "seats": seats_held(found, user) if found.state == "reviewed" else [],
        "decisions": Decision.objects.filter(postmortem=found, voided_at=None).select_related("user"),
        "letters": Letter.objects.filter(postmortem=found, key__startswith="client/"),
        "clients": AffectedClient.objects.filter(incident=found.incident, removed_at=None),
        "notices": notices_of(found),
        "panels": panels("postmortem.external", request, found),
    }
    return render(request, "postmortems/external.html", context)
