"""Status pages as documents: laid out, moved about with their history, exported as they came, taken away."""

from __future__ import annotations

import pytest
import yaml

from midwatch.core.actor import Actor
from midwatch.core.written.problems import ConfigurationError
from midwatch.gitops.actions import apply_text, plan_text
from midwatch.gitops.exporting import export_texts
from midwatch.people.managed import FromCodeError
from midwatch.respond.statuspage import actions
from midwatch.respond.statuspage.actions import ComponentFields
from midwatch.respond.statuspage.models import Component, Page

pytestmark = pytest.mark.django_db
BY = Actor("Test", "web")
GROUND = """
apiVersion: midwatch.dev/v1
kind: Team
metadata: {name: payments}
spec: {}
---
apiVersion: midwatch.dev/v1
kind: Service
metadata: {name: checkout}
spec: {team: payments}
---
"""
PAGE = """
apiVersion: midwatch.dev/v1
kind: StatusPage
metadata: {name: shop}
spec:
  title: Example Shop
  components:
    - name: Web
      components:
        - {name: Checkout, service: checkout}
        - {name: Search}
    - {name: Mail}
"""


def test_a_page_is_laid_out_and_exported_as_it_came() -> None:
    apply_text(GROUND + PAGE)
    page = Page.objects.get()
    assert page.team.name == "payments", "the team of the first service on it"
    names = list(page.components.order_by("position").values_list("name", "parent__name", "service__name"))
    assert names == [
        ("Web", None, None), ("Checkout", "Web", "checkout"), ("Search", "Web", None), ("Mail", None, None),
    ]  # fmt: skip
    assert not plan_text(GROUND + PAGE).changes
    text = export_texts()["status-pages.yaml"]
    assert [one["name"] for one in yaml.safe_load(text)["spec"]["components"]] == ["Web", "Mail"]
    assert not plan_text(GROUND + text).changes


def test_what_moves_keeps_its_history_and_what_is_left_out_goes() -> None:
    apply_text(GROUND + PAGE)
    search = Component.objects.get(name="Search")
    actions.set_status(search, "major_outage", BY)
    moved = PAGE.replace("        - {name: Search}\n", "").replace("- {name: Mail}", "- {name: Search}")
    (change,) = plan_text(GROUND + moved).changes
    assert (change.action, list(change.fields)) == ("update", ["components"])
    apply_text(GROUND + moved)
    again = Component.objects.get(name="Search")
    assert (again.pk, again.parent, again.status) == (search.pk, None, "major_outage")
    assert not Component.objects.filter(name="Mail").exists()


def test_what_comes_from_code_is_changed_there_and_its_status_by_hand() -> None:
    apply_text(GROUND + PAGE)
    page = Page.objects.get()
    with pytest.raises(FromCodeError):
        actions.add_component(page, ComponentFields("More"), BY)
    assert actions.set_status(page.components.get(name="Mail"), "partial_outage", BY) is not None
    apply_text(GROUND + "---\n", prune=True)
    assert not Page.objects.exists()


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("{name: Mail}", "{name: Web}", "components[1].name: named twice"),
        ("{name: Search}", "{name: Checkout}", "components[0].components[1].name: named twice"),
        ("{name: Mail}", "{name: Mail, service: nothing}", "components[1].service: no Service"),
        ("title:", "url: shop.example\n  title:", "url: not an address"),
        ("- name: Web", "- name: Web\n      service: checkout", "a service of a group"),
        ("title:", "startedOn: soon\n  title:", "startedOn"),
    ],
)
def test_mistakes_say_where_they_are(right: str, wrong: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        apply_text(GROUND + PAGE.replace(right, wrong, 1))
    assert words in "\n".join(str(problem) for problem in raised.value.problems)
