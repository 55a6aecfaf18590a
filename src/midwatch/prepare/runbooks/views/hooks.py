"""`POST /hooks/run/TOKEN`: whoever has the token starts the runbook; the JSON body fills its options by name."""

from __future__ import annotations

import json
import logging
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from midwatch.prepare.runbooks.actions.triggers import TooOftenError, UnknownTokenError, fire_webhook
from midwatch.settings import settings

BODY_MAX = 256 * 1024
TOKEN_MAX = 200
RETRY_SECONDS = 300
log = logging.getLogger(__name__)


@csrf_exempt
@require_POST
def run(request: HttpRequest, token: str) -> HttpResponse:
    """202 with the execution's number; 404 without a right token, 409 when it cannot start now, 429 too often."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length) > BODY_MAX:
        return _said(413, f"the body has {BODY_MAX} bytes at most, and a Content-Length")
    try:
        given = _body(request.body)
        execution = fire_webhook(token[:TOKEN_MAX], given)
    except UnknownTokenError as refusal:
        return _said(404, str(refusal))
    except TooOftenError as refusal:
        answer = _said(429, str(refusal))
        answer["Retry-After"] = str(RETRY_SECONDS)
        return answer
    except ValueError as refusal:
        return _said(409, str(refusal))
    url = f"{settings().base_url}/executions/{execution.number}/"
    return _json(202, {"status": "accepted", "execution": execution.number, "url": url})


def _body(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError('the body is no JSON: send an object such as {"host": "db1"}, or nothing') from error
    if not isinstance(found, dict):
        raise ValueError('the body is no object: send one such as {"host": "db1"}, or nothing')
    return found


def _said(status: int, words: str) -> HttpResponse:
    return _json(status, {"status": "refused", "reason": words})


def _json(status: int, found: dict[str, Any]) -> HttpResponse:
    answer = JsonResponse(found, status=status)
    answer["Cache-Control"] = "no-store"
    return answer
