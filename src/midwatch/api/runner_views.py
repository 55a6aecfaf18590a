"""What runners ask: `POST /api/v1/runners/claim|renew|output|outcome`, with the runner's own token.

The words are those of `prepare.runbooks.wire`. A claim is answered at once here; `web.live.claims` keeps it waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from pydantic import Field, ValidationError

from midwatch.api import problems
from midwatch.api.body import decode, refuse_large
from midwatch.api.inputs import Body
from midwatch.api.problems import ProblemError, invalid
from midwatch.core.integration import Outcome
from midwatch.engine import hold
from midwatch.prepare.runbooks import wire
from midwatch.prepare.runbooks.actions import remote
from midwatch.prepare.runbooks.actions.runners import runner_of
from midwatch.prepare.runbooks.models import Runner
from midwatch.prepare.runbooks.wire import Hello, Piece, Standing

B = TypeVar("B", bound=Body)
Word = Annotated[str, Field(max_length=200)]
Count = Annotated[int, Field(ge=0, lt=2**31)]


class HelloIn(Body):
    version: Word
    host: Word
    nonce: Annotated[str, Field(min_length=8, max_length=64)]
    process: Annotated[str, Field(min_length=8, max_length=64)]
    executors: Annotated[list[Word], Field(max_length=50)]
    tags: Annotated[list[Word], Field(max_length=50)] = []
    is_draining: bool = False
    wait_seconds: Annotated[float, Field(ge=0, le=60)] = 0


class HeldIn(Body):
    step: Annotated[int, Field(ge=1, lt=2**63)]
    fence: Count


class PieceIn(Body):
    text: Annotated[str, Field(min_length=1, max_length=wire.PIECE_CHARACTERS_MAX)]
    stream: Literal["stdout", "stderr", "midwatch"] = "stdout"
    target: Word = ""


class OutputIn(HeldIn):
    first: Count
    pieces: Annotated[list[PieceIn], Field(max_length=wire.PIECES_MAX)]


class OutcomeBody(Body):
    state: Literal["ok", "failed", "unknown"]
    sentence: Annotated[str, Field(max_length=wire.SENTENCE_MAX)]
    exit_code: Annotated[int, Field(ge=-(2**31), lt=2**31)] | None = None
    values: dict[str, str] = {}
    coverage: tuple[Count, Count] | None = None
    targets: dict[str, Literal["ok", "failed", "unknown", ""]] = {}


class OutcomeIn(HeldIn):
    outcome: OutcomeBody


@csrf_exempt
@require_POST
def ask(request: HttpRequest, act: str) -> HttpResponse:
    """409 when the step is not the runner's any more: it stops, and changes nothing."""
    try:
        refuse_large(request)
        runner = _runner(request)
        return JsonResponse(_answers(act)(runner, decode(request.body)))
    except ProblemError as problem:
        return problems.answer(request, problem)
    except remote.LostStepError as error:
        return problems.answer(request, ProblemError("refused", str(error)))
    except ValueError as error:
        return problems.answer(request, ProblemError("invalid", str(error)))


def _runner(request: HttpRequest) -> Runner:
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    found = runner_of(token.strip()) if scheme.lower() == "bearer" else None
    if found is None:
        raise ProblemError("unauthorized", "this runner's token is unknown or has ended: `midwatch runner token NAME`")
    return found


def _answers(act: str) -> Callable[[Runner, Any], Mapping[str, Any]]:
    found = {"claim": _claim, "renew": _renew, "output": _output, "outcome": _outcome}.get(act)
    if found is None:
        raise ProblemError("not_found", "runners ask for claim, renew, output and outcome")
    return found


def _claim(runner: Runner, said: Any) -> Mapping[str, Any]:
    hello = _read(HelloIn, said)
    if hold.gate() is not None:  # what was restored does nothing before somebody has looked
        return {"job": None}
    job = remote.claim_for(runner, Hello(**hello.model_dump()))
    return {"job": wire.job_values(job) if job is not None else None}


def _renew(runner: Runner, said: Any) -> Mapping[str, Any]:
    held = _read(HeldIn, said)
    return _standing(remote.renew_for(runner, held.step, held.fence))


def _output(runner: Runner, said: Any) -> Mapping[str, Any]:
    sent = _read(OutputIn, said)
    pieces = [Piece(**piece.model_dump()) for piece in sent.pieces]
    return _standing(remote.take_output(runner, sent.step, sent.fence, sent.first, pieces))


def _outcome(runner: Runner, said: Any) -> Mapping[str, Any]:
    sent = _read(OutcomeIn, said)
    remote.take_outcome(runner, sent.step, sent.fence, Outcome(**sent.outcome.model_dump()))
    return {}


def _standing(standing: Standing) -> Mapping[str, Any]:
    return {"is_cancelled": standing.is_cancelled}


def _read(kind: type[B], said: Any) -> B:
    try:
        return kind.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise invalid(".".join(("body", *map(str, first["loc"]))), str(first["msg"])) from error
