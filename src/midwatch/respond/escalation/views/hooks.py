"""Providers' callbacks, /hooks/PROVIDER/: signed by the provider, read by its vendor folder, answered in its words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from midwatch.core.integration import (
    Act,
    ChannelConfig,
    Inbound,
    InboundReply,
    InboundRequest,
    Question,
    Rejected,
    StatusReport,
    inbounds,
)
from midwatch.respond.escalation.actions import replies
from midwatch.respond.notify.actions import record_status
from midwatch.settings import channel_values, settings

BODY_MAX = 256 * 1024  # bytes; a provider's form has a few thousand


@csrf_exempt
@require_http_methods(["GET", "POST"])
def hook(request: HttpRequest, provider: str, rest: str = "") -> HttpResponse:
    """403 when the signature does not hold, 400 when it is no callback of theirs: both say so in a sentence."""
    inbound = inbounds().get(provider)
    if inbound is None:
        return HttpResponseNotFound("no such provider\n", content_type="text/plain; charset=utf-8")
    if (answer := too_long(request)) is not None:
        return answer
    config = ChannelConfig(values=channel_values(tuple(inbound.SETTINGS)))
    try:
        reply = inbound.receive(_received(request, rest), config)
    except PermissionError as refusal:
        return plain(403, str(refusal))
    except Rejected as refusal:
        return plain(400, str(refusal))
    return _answered(inbound, reply)


def _received(request: HttpRequest, rest: str) -> InboundRequest:
    body = request.body
    return InboundRequest(
        path=rest,
        url=settings().public_url + request.get_full_path(),
        method=str(request.method),
        headers=headers_of(request),
        form={name: value for name, value in (request.POST or request.GET).items() if isinstance(value, str)},
        body=body,
    )


def _answered(inbound: Inbound, reply: InboundReply) -> HttpResponse:
    content_type, body = inbound.answer(reply, _words(reply.said))
    answer = HttpResponse(body, content_type=content_type)
    answer["Cache-Control"] = "no-store"
    return answer


def _words(said: Sequence[Act | StatusReport | Question]) -> str:
    """Does what was said, in order; what to answer."""
    texts = [item for item in said if isinstance(item, Act) and not item.delivery]
    words = [replies.answer_text(texts)] if texts else []
    for item in said:
        match item:
            case StatusReport():
                record_status(item)
            case Question():
                words.append(replies.answer_question(item))
            case Act():
                if item.delivery:
                    words.append(replies.answer_key(item))
            case _:
                assert_never(item)
    return " ".join(word for word in words if word)


def too_long(request: HttpRequest) -> HttpResponse | None:
    """The answer to a callback whose body is not even read."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdigit() and int(length) <= BODY_MAX:
        return None
    return plain(413, f"a callback has {BODY_MAX} bytes at most")


def headers_of(request: HttpRequest) -> dict[str, str]:
    """As vendors read them: names in lower case."""
    return {name.lower(): value for name, value in request.headers.items()}


def plain(status: int, words: str) -> HttpResponse:
    """A sentence for whoever set the provider up."""
    return HttpResponse(f"{words}\n", status=status, content_type="text/plain; charset=utf-8")
