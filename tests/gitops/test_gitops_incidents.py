"""How incidents are run, as documents: severities, roles, types with their tasks, rules that declare."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.test import Client

from midwatch.core import clock
from midwatch.core.actor import ENGINE, Actor
from midwatch.core.written.problems import ConfigurationError
from midwatch.gitops.actions import apply_text, plan_text
from midwatch.gitops.exporting import export_text
from midwatch.people.managed import FromCodeError
from midwatch.people.models import Team, User
from midwatch.respond.incidents.actions import Declaration, declare_incident, settings
from midwatch.respond.incidents.models import DeclarationRule, IncidentRole, IncidentType, SeverityRule, Task
from midwatch.respond.incidents.queries.severities import severity_rule

pytestmark = pytest.mark.django_db
HEAD = "---\napiVersion: midwatch.dev/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"


def document(kind: str, name: str, spec: str) -> str:
    return HEAD.format(kind=kind, name=name, spec=spec)


PEOPLE = "".join(
    [
        document("User", "ana", "{email: ana@example.com}"),
        document("Team", "payments", "{members: [{user: ana, role: manager}]}"),
        document("Service", "checkout", "{team: payments}"),
    ]
)
SEVERITY = document("Severity", "sev2", "{meaning: Bad, teamsEvery: 1h, demandsPostmortem: true}")
ROLE = document("IncidentRole", "scribe", "{title: Scribe, duties: [keep-timeline]}")
TYPE = document(
    "IncidentType", "security", "{isPrivate: true, tasks: [{title: Keep the logs, role: scribe, within: 30m}]}"
)
RULE = document("DeclarationRule", "night", "{service: checkout, priorities: [P1], step: 2, type: security}")
ALL = PEOPLE + SEVERITY + ROLE + TYPE + RULE


def test_all_four_apply_once_and_export_to_what_they_were() -> None:
    kinds = [change.kind for change in apply_text(ALL).changes]
    assert kinds[-4:] == ["Severity", "IncidentRole", "IncidentType", "DeclarationRule"]
    assert not plan_text(ALL).changes
    assert not plan_text(export_text(with_contacts=True)).changes
    rule = severity_rule("SEV2")
    assert (rule.meaning, rule.internal_every_minutes, rule.external_every_minutes) == ("Bad", 60, None)
    assert IncidentType.objects.get().tasks == [{"title": "Keep the logs", "role": "scribe", "minutes": 30}]
    found = DeclarationRule.objects.select_related("service", "type").get()
    assert (str(found.service), str(found.type), found.step, found.severity) == ("checkout", "security", 2, "SEV2")


def test_a_declared_incident_opens_the_tasks_of_its_type() -> None:
    apply_text(ALL)
    declare_incident(
        Declaration("keys leaked", "SEV2", type=IncidentType.objects.get(), team=Team.objects.get()), ENGINE
    )
    task = Task.objects.get()
    assert (task.title, task.role, task.box_seconds) == ("Keep the logs", "scribe", 1800)


def test_a_change_changes_one_field_and_the_web_only_reads() -> None:
    apply_text(ALL)
    (change,) = apply_text(ALL.replace("step: 2", "step: 3")).changes
    assert (change.action, change.kind, dict(change.fields)) == (
        "update", "DeclarationRule", {"step": {"from": 2, "to": 3}}
    )  # fmt: skip
    ana = Actor("Ana", "web", 1)
    with pytest.raises(FromCodeError):
        settings.remove_rule(DeclarationRule.objects.get(), ana)
    with pytest.raises(FromCodeError):
        settings.change_type_tasks(IncidentType.objects.get(), [], ana)


def test_what_is_gone_goes_with_prune_and_what_is_used_stays() -> None:
    apply_text(ALL)
    declare_incident(
        Declaration("keys leaked", "SEV2", type=IncidentType.objects.get(), team=Team.objects.get()), ENGINE
    )
    apply_text(PEOPLE)
    assert (SeverityRule.objects.count(), DeclarationRule.objects.count()) == (1, 1)
    apply_text(PEOPLE, prune=True)
    assert (SeverityRule.objects.count(), DeclarationRule.objects.count()) == (0, 0)
    assert IncidentType.objects.exists()  # there is an incident of it
    assert IncidentRole.objects.exists()  # a task is open for it
    assert severity_rule("SEV2").meaning.startswith("Something important")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (document("Severity", "bad", "{meaning: Bad}"), "no severity"),
        (document("Severity", "sev1", "{meaning: Bad, teamsEvery: 90s}"), "not whole minutes"),
        (document("IncidentRole", "ic", "{}"), "no name for a further role"),
        (document("IncidentRole", "scribe", "{duties: [command]}"), "duties"),
        (document("IncidentType", "x", "{tasks: [{title: Look, role: nobody}]}"), "'nobody' is no role"),
        (document("DeclarationRule", "x", "{}"), "for nobody, or for two"),
        (document("DeclarationRule", "x", "{service: nowhere}"), "no Service has this name"),
        (document("DeclarationRule", "x", "{service: checkout, priorities: [P9]}"), "P9"),
        (document("DeclarationRule", "x", "{service: checkout, type: unknown}"), "no IncidentType has this name"),
    ],
)
def test_what_is_wrong_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        apply_text(PEOPLE + text)
    assert said in str(refused.value)


@pytest.fixture
def admin_client() -> Client:
    client = Client()
    with transaction.atomic():
        user = User.objects.create(name="root", role="administrator", created_at=clock.now())
        client.force_login(user)
    return client


def test_tasks_of_a_type_in_the_web(admin_client: Client) -> None:
    at = "/settings/incidents"
    given = {"name": "data", "title": "Data", "tasks": "Call the officer | cm | 30\n\nLook"}
    admin_client.post(f"{at}/types", given)
    made = IncidentType.objects.get()
    assert made.tasks == [
        {"title": "Call the officer", "role": "cm", "minutes": 30}, {"title": "Look", "role": "dc", "minutes": None},
    ]  # fmt: skip
    page = admin_client.get(at).content.decode()
    assert "Call the officer | cm | 30" in page
    admin_client.post(f"{at}/types/{made.pk}/tasks", {"tasks": "Look | nobody"})
    admin_client.post(f"{at}/types/{made.pk}/tasks", {"tasks": "Look | dc | soon"})
    made.refresh_from_db()
    assert len(made.tasks) == 2
    admin_client.post(f"{at}/types/{made.pk}/tasks", {"tasks": ""})
    made.refresh_from_db()
    assert made.tasks == []
