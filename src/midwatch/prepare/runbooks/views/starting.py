"""The page before an execution: the options as the document asks for them, and what will run, before it runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from midwatch.core import contribute
from midwatch.core.text import clean, whole_number
from midwatch.people.models import User
from midwatch.people.queries import actor_of
from midwatch.people.viewing import viewer
from midwatch.prepare.runbooks import actions, choices, options, permits, rendering
from midwatch.prepare.runbooks.document import Document, DocumentError, Step, parse
from midwatch.prepare.runbooks.models import ExecutionKind, Runbook
from midwatch.prepare.runbooks.options import Option, OptionsError
from midwatch.prepare.runbooks.queries.rails import Asked as AskedStart
from midwatch.prepare.runbooks.queries.rails import why_not_start
from midwatch.prepare.runbooks.queries.secrets import secrets_visible_to
from midwatch.prepare.runbooks.rendering import RenderingError, Values
from midwatch.prepare.runbooks.views.acting import leads
from midwatch.prepare.runbooks.views.common import execution_url, runbook_or_404

FIELD = "option."  # what the form calls them
INPUTS = {"number": "text", "date": "date", "url": "url"}
KINDS = {
    ExecutionKind.REAL.value: "In earnest",
    ExecutionKind.DRY_RUN.value: "Dry run: steps say what they would do",
    ExecutionKind.DRILL.value: "Drill: practice, scored at its end",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """An option as the form shows it. `choices`: to choose from; `proposals`: to type or choose."""

    option: Option
    value: str
    problem: str
    choices: Sequence[str] = ()
    proposals: Sequence[str] = ()

    @property
    def field(self) -> str:
        return FIELD + self.option.name

    @property
    def input(self) -> str:
        return INPUTS.get(self.option.type, "text")


@dataclass(frozen=True, slots=True)
class Planned:
    """A step as it will be done with these values. `text`: secrets by name alone. `problem`: why it cannot be shown."""

    place: int
    step: Step
    text: str
    problem: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What the address and the form say."""

    given: Mapping[str, str]
    kind: str
    from_step: str
    alert: int | None
    incident: int | None


def wish_of(query: QueryDict) -> Wish:
    given = {name.removeprefix(FIELD): _one_line(query.getlist(name)) for name in query if name.startswith(FIELD)}
    kind = query.get("kind", "")
    return Wish(
        {name: value for name, value in given.items() if value},
        kind if kind in ExecutionKind.values else ExecutionKind.REAL.value,
        clean(query.get("from", ""), 100, is_one_line=True),
        whole_number(query.get("alert", "")),
        whole_number(query.get("incident", "")),
    )


def _one_line(values: Sequence[str]) -> str:
    return ",".join(value.strip() for value in values if value.strip())


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest, name: str) -> HttpResponse:
    user = viewer(request)
    runbook = runbook_or_404(user, name)
    wish = wish_of(request.POST if request.method == "POST" else request.GET)
    if not permits.may(user, runbook, permits.Act.START, incident_number=wish.incident, leads=leads):
        raise PermissionDenied(permits.why_not(permits.Act.START))
    if wish.incident is not None and not contribute.holds("incident.seen-by", (user, wish.incident)):
        raise Http404(_("There is no incident %d.") % wish.incident)
    document = _document(runbook)
    labels = _labels(wish)
    values, problems = _values(document, wish, labels)
    plan = _plan(document, wish, values) if not problems else []
    seal = _seal(runbook, wish, values)
    if request.method == "POST" and request.POST.get("do") == "start" and not problems:
        if request.POST.get("shown") == seal:
            answer = _begin(request, runbook, wish, labels, user)
            if answer is not None:
                return answer
        else:
            messages.warning(request, _("This is what will run now. Look at it, then press again."))
    context = {
        "runbook": runbook,
        "asked": _asked(document, wish, values or labels_of(document, labels), problems, user),
        "wish": wish,
        "kinds": KINDS.items(),
        "steps": document.steps,
        "plan": plan,
        "seal": seal,
        "problems": problems if request.method == "POST" else {},
        "refusal": why_not_start(AskedStart(runbook, "person", wish.kind, wish.incident)),
    }
    return render(request, "runbooks/start.html", context, status=422 if problems and request.method == "POST" else 200)


def _document(runbook: Runbook) -> Document:
    if runbook.current is None:
        raise Http404(_("This runbook is a page elsewhere: there is nothing to start."))
    try:
        return parse(runbook.current.body)
    except DocumentError as error:
        raise Http404(_("This runbook cannot be carried out as it is: %s") % error) from error


def _values(document: Document, wish: Wish, labels: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The options' values, and what is wrong by the name of the option; "" for what belongs to none."""
    try:
        return options.read(document.front.options, wish.given, labels), {}
    except OptionsError as error:
        return {}, {problem.option: problem.text for problem in error.problems}


def _labels(wish: Wish) -> dict[str, str]:
    """Of the alert that it is started for: they fill options. A higher room knows them."""
    if wish.alert is None:
        return {}
    pairs = (line.partition("=") for line in contribute.exports("alert.labels", wish.alert))
    return {name: value for name, _equals, value in pairs}


def labels_of(document: Document, labels: Mapping[str, str]) -> dict[str, str]:
    """What the form begins with."""
    return options.filled(document.front.options, labels)


def _plan(document: Document, wish: Wish, values: Mapping[str, str]) -> list[Planned]:
    facts = {"execution.kind": wish.kind}
    if wish.alert is not None:
        facts["alert.number"] = str(wish.alert)
    if wish.incident is not None:
        facts["incident.number"] = str(wish.incident)
    known = Values(document.front.options, values, {}, facts)
    names = [step.name for step in document.steps]
    first = names.index(wish.from_step) if wish.from_step in names else 0
    return [_planned(place, step, known) for place, step in enumerate(document.steps, 1) if place > first]


def _planned(place: int, step: Step, values: Values) -> Planned:
    try:
        return Planned(place, step, rendering.shown(rendering.rendered(step, values)), "")
    except RenderingError as error:
        return Planned(place, step, "", str(error))


def _seal(runbook: Runbook, wish: Wish, values: Mapping[str, str]) -> str:
    """Of what was shown: another text, other values, another kind are another seal."""
    revision = runbook.current.digest if runbook.current is not None else ""
    said = [revision, wish.kind, wish.from_step, wish.alert, wish.incident, sorted(values.items())]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _begin(
    request: HttpRequest, runbook: Runbook, wish: Wish, labels: Mapping[str, str], user: User
) -> HttpResponse | None:
    reference = actions.Reference(incident_number=wish.incident, alert_number=wish.alert, labels=labels)
    try:
        made = actions.start(
            runbook,
            wish.given,
            actor_of(user, "web"),
            kind=wish.kind,
            reference=reference,
            start_at_step=wish.from_step,
            listed=choices.listed_of(runbook),
        )
    except ValueError as refusal:
        messages.error(request, str(refusal))
        return None
    return HttpResponseRedirect(execution_url(made))


def _asked(
    document: Document, wish: Wish, values: Mapping[str, str], problems: Mapping[str, str], user: User
) -> list[Asked]:
    usual: dict[str, Any] = options.filled(document.front.options, {})
    found = []
    for option in document.front.options:
        value = wish.given.get(option.name) or values.get(option.name) or usual.get(option.name, "")
        choices: Sequence[str] = ()
        proposals: Sequence[str] = ()
        if option.is_secret:
            choices = tuple(dict.fromkeys(secrets_visible_to(user).values_list("name", flat=True)))
        elif option.type == "boolean":
            choices = ("true", "false")
        elif option.values and option.is_enforced and not option.is_multiple:
            choices = option.values
        else:
            proposals = option.values
        found.append(Asked(option, value, problems.get(option.name, ""), choices, proposals))
    return found
