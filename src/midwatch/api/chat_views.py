"""A chat's callback: signed by the provider, read by its vendor folder, done as the person that it comes from."""

from __future__ import annotations

import logging

from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from midwatch.api import chat
from midwatch.core import clock
from midwatch.core.integration import ChannelConfig, InboundRequest, Rejected
from midwatch.core.talking import Asked, Talk, TalkError, talks
from midwatch.respond.escalation.views.hooks import headers_of, plain, too_long
from midwatch.settings import channel_values, settings

log = logging.getLogger(__name__)


@csrf_exempt
@require_POST
def hook(request: HttpRequest, provider: str) -> HttpResponse:
    """403 when the signature does not hold, 400 when it is nothing of theirs; what was asked is answered in words."""
    talk = talks().get(provider)
    if talk is None:
        return HttpResponseNotFound("no such provider\n", content_type="text/plain; charset=utf-8")
    if (answer := too_long(request)) is not None:
        return answer
    config = ChannelConfig(values=channel_values(tuple(talk.SETTINGS)))
    received = InboundRequest(
        path="chat",
        url=settings().public_url + request.get_full_path(),
        method="POST",
        headers=headers_of(request),
        form={},
        body=request.body,
    )
    try:
        asked = talk.receive(received, clock.now(), config)
    except PermissionError as refusal:
        return plain(403, str(refusal))
    except Rejected as refusal:
        return plain(400, str(refusal))
    return _answered(talk, asked, config)


def _answered(talk: Talk, asked: Asked, config: ChannelConfig) -> HttpResponse:
    """A chat that cannot be asked or told is no failure of ours: what was done is done, and the room shows it."""
    try:
        said = chat.respond(talk, asked, config)
        if said.form is not None:
            talk.open_form(asked, said.form, config)
        content_type, body = talk.answer(asked, said.words, config, is_refused=said.is_refused)
    except TalkError as error:
        log.warning("%s: %s", talk.PROVIDER, error)
        return plain(200, f"That could not be shown here: {error}. Use Midwatch itself.")
    answer = HttpResponse(body, content_type=content_type)
    answer["Cache-Control"] = "no-store"
    return answer
