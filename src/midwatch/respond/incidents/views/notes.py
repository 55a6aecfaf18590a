"""Writing the timeline: a note with files, setting an entry right, a star; and handing a file out."""

from __future__ import annotations

import json

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from midwatch.core import files
from midwatch.core.actor import Actor
from midwatch.core.models import StoredFile
from midwatch.core.render import is_partial
from midwatch.people.queries import actor_of
from midwatch.people.viewing import viewer
from midwatch.respond.incidents import actions
from midwatch.respond.incidents.models import Attachment, Entry, Evidence, Incident
from midwatch.respond.incidents.permits import Act
from midwatch.respond.incidents.views.common import (
    NUMBER_MAX,
    incident_act,
    incident_or_404,
    moment_in,
    one_of,
    permitted,
    room_url,
)
from midwatch.respond.incidents.views.room import part_of

FILES_MAX = 5


@require_POST
@login_required
def note(request: HttpRequest, number: int) -> HttpResponse:
    """In place for htmx: the timeline comes back with the new entry, and the text stays in its box when it was refused."""
    incident, user = permitted(request, number, Act.NOTE)
    by = actor_of(user, "web")
    try:
        _write(request, incident, by)
    except (ValueError, files.RefusedError) as refusal:
        if is_partial(request):
            return HttpResponse(str(refusal), status=409, content_type="text/plain; charset=utf-8")
        messages.error(request, str(refusal))
    if is_partial(request):
        return part_of(request, incident, "timeline")
    return HttpResponseRedirect(room_url(incident, "timeline"))


def _write(request: HttpRequest, incident: Incident, by: Actor) -> None:
    given = request.FILES.getlist("file")[:FILES_MAX]
    happened_at = moment_in(request, "happened_at")
    text = request.POST.get("text", "")
    if given and not text.strip():
        text = ", ".join(one.name or "file" for one in given)
    actions.check_note(text, request.POST.get("kind", "note"), happened_at)
    stored = [_stored(one, by) for one in given]
    with transaction.atomic():
        entry = actions.add_note(incident, by, text, kind=request.POST.get("kind", "note"), happened_at=happened_at)
        for one in stored:
            files.keep(one, f"incident:{incident.number}")
            Attachment.objects.create(entry=entry, file_id=one.pk, name=one.name)


def _stored(given: UploadedFile, by: Actor) -> StoredFile:
    return files.store(given.name or "file", given.chunks(), by)


@incident_act(Act.NOTE, "timeline")
def amend(request: HttpRequest, incident: Incident, by: Actor, *, pk: int) -> str:
    entry = one_of(Entry.objects.select_related("incident"), incident, pk)
    actions.amend(entry, by, request.POST.get("text", ""))
    return _("Set right; the first entry stays beside it.")


@require_POST
@login_required
def star(request: HttpRequest, number: int, pk: int) -> HttpResponse:
    incident, user = permitted(request, number, Act.STAR)
    entry = one_of(Entry.objects.select_related("incident"), incident, pk)
    actions.star(entry, actor_of(user, "web"), is_starred=request.POST.get("star") == "1")
    if is_partial(request):
        return part_of(request, incident, "timeline")
    return HttpResponseRedirect(room_url(incident, f"entry-{pk}"))


@login_required
@require_safe
def attachment(request: HttpRequest, number: int, pk: int, name: str) -> HttpResponseBase:
    """Whoever may see the incident may see its files; the name in the address is for people."""
    incident = incident_or_404(viewer(request), number)
    stored = StoredFile.objects.filter(pk=pk, owner=f"incident:{incident.number}").first() if pk <= NUMBER_MAX else None
    if stored is None:
        raise Http404(_("There is no such file."))
    return files.response(request, stored)


@login_required
@require_safe
def evidence(request: HttpRequest, number: int, pk: int) -> HttpResponseBase:
    """What was so at that moment: the stored file, or the values, as they were hashed."""
    incident = incident_or_404(viewer(request), number)
    found = one_of(Evidence.objects.all(), incident, pk)
    if found.file_id is not None:
        stored = StoredFile.objects.filter(pk=found.file_id).first()
        if stored is None:
            raise Http404(_("There is no such file."))
        return files.response(request, stored)
    if found.content is None:
        raise Http404(_("It could not be kept, or is still being fetched."))
    text = json.dumps(found.content, ensure_ascii=False, indent=2, sort_keys=True)
    answer = HttpResponse(text, content_type="text/plain; charset=utf-8")
    answer["Cache-Control"] = "no-store"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer
