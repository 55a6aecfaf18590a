"""What is answered: method and path behind the version, in one table. `*` stands for an id."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from midwatch.api.rundeck import executions, imports, jobs, output, policies, projects, system
from midwatch.api.rundeck.door import Asked, Refused, refused, understood

Answer = Callable[[Asked], HttpResponse]
ANSWERS: Mapping[tuple[str, str], Answer] = {
    ("GET", ""): system.about,
    ("GET", "system/info"): system.info,
    ("GET", "system/executions/status"): system.mode,
    ("POST", "system/executions/enable"): system.change_mode,
    ("POST", "system/executions/disable"): system.change_mode,
    ("GET", "metrics/metrics"): system.metrics,
    ("GET", "tokens"): system.tokens,
    ("POST", "tokens"): system.create_token,
    ("GET", "tokens/*"): system.tokens,
    ("POST", "tokens/*"): system.create_token,
    ("GET", "token/*"): system.token,
    ("DELETE", "token/*"): system.delete_token,
    ("GET", "user/info"): system.user,
    ("GET", "user/info/*"): system.user,
    ("GET", "user/roles"): system.roles,
    ("GET", "system/acl"): policies.index,
    ("GET", "system/acl/*"): policies.show,
    ("POST", "system/acl/*"): policies.create,
    ("PUT", "system/acl/*"): policies.change,
    ("DELETE", "system/acl/*"): policies.delete,
    ("GET", "project/*/acl"): policies.index,
    ("GET", "project/*/acl/*"): policies.show,
    ("POST", "project/*/acl/*"): policies.create,
    ("PUT", "project/*/acl/*"): policies.change,
    ("DELETE", "project/*/acl/*"): policies.delete,
    ("GET", "projects"): projects.index,
    ("POST", "projects"): projects.create,
    ("GET", "project/*"): projects.show,
    ("DELETE", "project/*"): projects.delete,
    ("GET", "project/*/config"): projects.config,
    ("GET", "project/*/resources"): projects.resources,
    ("GET", "project/*/resource/*"): projects.resource,
    ("GET", "project/*/jobs"): jobs.index,
    ("GET", "project/*/jobs/export"): jobs.export,
    ("POST", "project/*/jobs/import"): imports.take_jobs,
    ("POST", "project/*/jobs/validateOption"): imports.validate_option,
    ("GET", "project/*/executions"): executions.of_project,
    ("GET", "project/*/executions/running"): executions.running,
    ("GET", "project/*/executions/metrics"): executions.metrics,
    ("GET", "executions/metrics"): executions.metrics,
    ("POST", "executions/delete"): executions.keeping,
    ("GET", "job/*"): jobs.show,
    ("DELETE", "job/*"): jobs.delete,
    ("GET", "job/*/info"): jobs.info,
    ("GET", "job/*/meta"): jobs.meta,
    ("GET", "job/*/workflow"): jobs.workflow,
    ("GET", "job/*/forecast"): jobs.forecast,
    ("GET", "job/*/executions"): jobs.runs,
    ("DELETE", "job/*/executions"): executions.keeping,
    ("POST", "job/*/executions"): jobs.run,
    ("POST", "job/*/run"): jobs.run,
    ("POST", "job/*/retry/*"): jobs.again,
    ("POST", "job/*/execution/enable"): jobs.turn,
    ("POST", "job/*/execution/disable"): jobs.turn,
    ("GET", "execution/*"): executions.show,
    ("DELETE", "execution/*"): executions.keeping,
    ("GET", "execution/*/state"): executions.state,
    ("GET", "execution/*/abort"): jobs.abort,
    ("POST", "execution/*/abort"): jobs.abort,
    ("GET", "execution/*/output"): output.show,
    ("GET", "execution/*/output/node/*"): output.show,
    ("GET", "execution/*/output/step/*"): output.show,
    ("GET", "execution/*/output/node/*/step/*"): output.show,
    ("GET", "execution/*/output/state"): executions.state,
    ("GET", "execution/*/input/files"): executions.files,
}
WORDS_MAX = 10
LENGTH_MAX = 500


@csrf_exempt
def answer(request: HttpRequest, rest: str) -> HttpResponse:
    """Everything below /rundeck/."""
    try:
        asked = understood(request, rest)
        found, ids = _found(asked)
        return found(asked.naming(ids))
    except Refused as why:
        return refused(why)
    except ValueError as why:
        return refused(Refused(400, str(why)))


def _found(asked: Asked) -> tuple[Answer, list[str]]:
    """The pattern with the fewest ids fits: `user/info` is no user called info."""
    method = "GET" if asked.method == "HEAD" else asked.method
    words = list(asked.words)
    if len(words) > WORDS_MAX or any(len(word) > LENGTH_MAX for word in words):
        raise Refused(404, "there is nothing here", "api.error.unknown")
    fitting = sorted(
        ((pattern.count("*"), pattern) for known, pattern in ANSWERS if known == method and _fits(pattern, words))
    )
    if fitting:
        pattern = fitting[0][1]
        ids = [word for part, word in zip(pattern.split("/"), words, strict=False) if part == "*"]
        return ANSWERS[method, pattern], ids
    if any(_fits(pattern, words) for _, pattern in ANSWERS):
        raise Refused(405, f"{method} is not understood here", "api.error.invalid.request")
    raise Refused(404, "there is nothing here: docs/from-rundeck.md lists what is answered", "api.error.unknown")


def _fits(pattern: str, words: Sequence[str]) -> bool:
    parts = pattern.split("/") if pattern else []
    return len(parts) == len(words) and all(part in ("*", word) for part, word in zip(parts, words, strict=True))
