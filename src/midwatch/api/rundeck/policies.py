"""ACL policies: kept as their tools write them, and they decide nothing. Who may run what is by teams."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpResponse

from midwatch.api.rundeck.door import Asked, Json, Refused, answered, no_such, texted
from midwatch.api.rundeck.projects import team_of
from midwatch.api.rundeck.words import PRODUCT
from midwatch.core.foreign import ForeignError, ForeignFile, documents
from midwatch.prepare.runbooks.actions import policies as kept
from midwatch.prepare.runbooks.models.known import ForeignPolicy

NOTE = "kept, and decides nothing: who may run a runbook is who belongs to its team"


def index(asked: Asked) -> HttpResponse:
    asked.only_administrators()
    root = f"{asked.root}/{'/'.join(asked.words)}"
    names = _kept(asked).order_by("name").values_list("name", flat=True)
    resources = [{"path": name, "type": "file", "name": name, "href": f"{root}/{name}"} for name in names]
    return _noted(answered({"path": "", "type": "directory", "href": f"{root}/", "resources": resources}))


def show(asked: Asked) -> HttpResponse:
    asked.only_administrators()
    found = _found(asked)
    if "yaml" in asked.accept or "text/plain" in asked.accept:
        return _noted(texted(found.text, "application/yaml" if "yaml" in asked.accept else "text/plain"))
    return _noted(answered(_contents(found)))


def create(asked: Asked) -> HttpResponse:
    asked.only_administrators()
    made = kept.create_policy(PRODUCT, _project(asked), asked.ids[-1], _text(asked), asked.by)
    if made is None:
        raise Refused(409, f"ACL Policy already exists: {asked.ids[-1]}", "api.error.item.alreadyexists")
    return _noted(answered(_contents(made), 201))


def change(asked: Asked) -> HttpResponse:
    asked.only_administrators()
    found = _found(asked)
    text = _text(asked)
    kept.change_policy(found, text, asked.by)
    return _noted(answered({"contents": text}))


def delete(asked: Asked) -> HttpResponse:
    asked.only_administrators()
    kept.delete_policy(_found(asked), asked.by)
    return HttpResponse(status=204)


def _project(asked: Asked) -> str:
    return team_of(asked, asked.ids[0]).name if asked.words[0] == "project" else ""


def _kept(asked: Asked) -> QuerySet[ForeignPolicy]:
    return ForeignPolicy.objects.filter(product=PRODUCT, project=_project(asked))


def _found(asked: Asked) -> ForeignPolicy:
    found = _kept(asked).filter(name=asked.ids[-1][:200]).first()
    if found is None:
        raise no_such("ACL Policy", asked.ids[-1])
    return found


def _text(asked: Asked) -> str:
    """{"contents": YAML}, or the YAML itself. Refused (400) when it is no policy."""
    contents = asked.given.get("contents")
    text = contents if isinstance(contents, str) else asked.raw.decode("utf-8", "replace")
    try:
        found = documents(ForeignFile("policy.yaml", text.encode("utf-8", "replace")))
    except ForeignError as error:
        raise Refused(400, f"Document is not valid: {error}") from error
    if not found or not all(_is_policy(one) for one in found):
        raise Refused(400, "Document is not valid: a policy has description, for and by")
    return text


def _is_policy(one: object) -> bool:
    return isinstance(one, dict) and "for" in one and ("by" in one or "notBy" in one)


def _contents(found: ForeignPolicy) -> Json:
    return {"contents": found.text}


def _noted(response: HttpResponse) -> HttpResponse:
    response["X-Midwatch-Note"] = NOTE
    return response
