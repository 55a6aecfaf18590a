"""The whole example of the contract: applied, applied again, exported, changed, pruned."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from midwatch.catalog.models import Service
from midwatch.core import clock
from midwatch.core.models import AuditEntry
from midwatch.gitops.actions import apply, plan
from midwatch.gitops.exporting import export, export_text
from midwatch.gitops.models import Applied
from midwatch.people import queries
from midwatch.people.models import Team, User
from midwatch.respond.alerts.models import Source
from midwatch.respond.escalation.models import EscalationPolicy, ServicePolicy, TeamPolicy
from midwatch.respond.oncall.models import Schedule
from midwatch.respond.oncall.queries import users_on_call

pytestmark = pytest.mark.django_db

EXAMPLE = """\
apiVersion: midwatch.dev/v1
kind: User
metadata: {name: ana}
spec:
  displayName: Ana Novak
  email: ana@example.com
  timeZone: Europe/Prague
  isActive: true
  contactMethods:               # from code: counts as confirmed; left out: the person's own, edited in the web
    - {name: mail, type: email, address: ana@example.com}
    - {name: phone, type: sms, address: "+420601000001"}
    - {name: call, type: voice, address: "+420601000001"}
    - {name: push, type: ntfy, address: "https://ntfy.example.com/ana-x7", tokenFrom: {env: MIDWATCH_REF_NTFY}}
    - {name: hook, type: webhook, address: "http://127.0.0.1:9/ana", secretFrom: {file: ana.secret}}
  notificationRules:            # likewise the person's own when left out
    high: [{after: 0s, contact: hook}, {after: 1m, contact: phone}]
    low: [{after: 0s, contact: mail, between: "08:00-22:00"}]   # held until it opens
    repeatAfter: 5m             # of the high rules, until answered; 0s: never
  notifyOn: {acknowledged: mail, resolved: mail, shiftStart: [24h, 0s]}
---
apiVersion: midwatch.dev/v1
kind: Team
metadata: {name: payments}
spec:
  displayName: Payments
  members: [{user: ana, role: manager}, {user: bo}, {user: dana, role: observer, isPaged: false}]
  escalationPolicy: payments    # what "page this team" uses
  mode: live                    # or shadow: all decided and recorded, nothing sent
---
apiVersion: midwatch.dev/v1
kind: Schedule
metadata: {name: payments-primary}
spec:
  team: payments
  timeZone: Europe/Prague
  combine: cover                # later layers win where they cover; `all`: everyone of every layer is on call
  layers:
    - name: weekly
      start: 2026-01-05T09:00   # wall clock in the schedule's zone
      end: null
      every: 1w                 # hours, days, weeks
      participants: [ana, bo, [cy, dana], nobody]   # one turn each; a list is a turn of several
      restrictions: []
---
apiVersion: midwatch.dev/v1
kind: EscalationPolicy
metadata: {name: payments}
spec:
  team: payments
  repeat: 2                     # further rounds
  repeatAfter: 10m              # after the last step of a round
  ackTimeout: 30m
  steps:
    - {name: level 1, targets: [{schedule: payments-primary}], after: 0s}
    - {name: level 2, targets: [{schedule: payments-secondary, notify: current}], after: 5m}
    - {name: whole team, targets: [{team: payments, notify: all}], after: 15m, if: unacknowledged}
---
apiVersion: midwatch.dev/v1
kind: Service
metadata: {name: checkout}
spec:
  displayName: Checkout
  team: payments
  escalationPolicy: payments
  tier: 1
  dependsOn: [orders-db]
  urgency: by-priority          # high, low
  supportHours: null            # {timeZone, days, from, to, outside: low}
  pageAfter: 0s                 # gives self-healing alerts a chance
  autoResolveAfter: null
  links: [{title: Dashboard, url: "https://grafana.example.com/d/checkout"}]
---
apiVersion: midwatch.dev/v1
kind: Source
metadata: {name: checkout-prometheus}
spec:
  type: alertmanager
  key: "0123456789abcdef0123456789abcdef"
  service: checkout
  priorityLabel: severity
  priorities: {page: P1, ticket: P4}        # beside the words below
  groupBy: [groupKey]           # whose pages join
  resolveAfter: null            # a silent source's alerts resolve after this
  expectEvery: null             # 5m: silence itself becomes an alert (Prometheus' Watchdog)
"""
REST = """\
apiVersion: midwatch.dev/v1
kind: User
metadata: {name: bo}
spec: {displayName: Bo}
---
apiVersion: midwatch.dev/v1
kind: User
metadata: {name: cy}
spec: {displayName: Cy}
---
apiVersion: midwatch.dev/v1
kind: User
metadata: {name: dana}
spec: {displayName: Dana}
---
apiVersion: midwatch.dev/v1
kind: Schedule
metadata: {name: payments-secondary}
spec:
  team: payments
  timeZone: Europe/Prague
  layers:
    - {name: nights, start: 2026-01-05T09:00, every: 12h, participants: [bo, cy],
       restrictions: [{days: [mon, tue], from: 22:00, to: 06:00}]}
    - name: weekends
      start: 2026-01-09T18:00
      every: 1w
      participants: [dana]
      restrictions: [{from: fri 18:00, to: mon 09:00}]
---
apiVersion: midwatch.dev/v1
kind: Service
metadata: {name: orders-db}
spec:
  team: payments
  supportHours: {timeZone: Europe/Prague, days: [mon, fri], from: 09:00, to: 17:00, outside: low}
"""


@pytest.fixture(autouse=True)
def noon() -> Iterator[None]:
    clock.freeze(datetime(2026, 1, 6, 12, tzinfo=UTC))
    yield
    clock.thaw()


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "config"
    (root / "people").mkdir(parents=True)
    (root / "example.yaml").write_text(EXAMPLE)
    (root / "people" / "rest.yml").write_text(REST)
    (root / ".hidden.yaml").write_text("not: ours")
    (root / "ana.secret").write_text("hush\n")
    monkeypatch.setenv("MIDWATCH_REF_NTFY", "tk_x")
    return root


def test_it_applies_and_a_second_time_changes_nothing(directory: Path) -> None:
    first = apply(directory)
    assert {(change.action, change.kind, change.name) for change in first.changes} == {
        ("create", "User", "ana"),
        ("create", "User", "bo"),
        ("create", "User", "cy"),
        ("create", "User", "dana"),
        ("create", "Team", "payments"),
        ("create", "Schedule", "payments-primary"),
        ("create", "Schedule", "payments-secondary"),
        ("create", "EscalationPolicy", "payments"),
        ("create", "Service", "checkout"),
        ("create", "Service", "orders-db"),
        ("create", "Source", "checkout-prometheus"),
    }
    assert "on call now for payments-primary: Ana Novak" in first.effects
    entries = AuditEntry.objects.count()
    assert plan(directory).changes == []
    again = apply(directory)
    assert (again.changes, again.effects, again.gone) == ([], [], [])
    assert AuditEntry.objects.count() == entries, "nothing changed, so nothing was done"


def test_what_it_makes(directory: Path) -> None:
    apply(directory)
    ana = User.objects.get(name="ana")
    assert (ana.display_name, ana.time_zone, ana.code_owner, ana.code_file) == (
        "Ana Novak",
        "Europe/Prague",
        "config",
        "example.yaml:1",
    )
    contacts = {contact.name: contact for contact in ana.contact_methods.all()}
    assert all(contact.is_usable for contact in contacts.values())
    assert queries.contact_secret(contacts["push"]) == "tk_x"
    assert queries.contact_secret(contacts["hook"]) == "hush"
    assert queries.contact_secret(contacts["mail"]) == ""
    rules = [(r.urgency, r.after_seconds, r.contact.name, r.opens_at) for r in ana.notification_rules.all()]
    assert [rule[:3] for rule in rules] == [("high", 0, "hook"), ("high", 60, "phone"), ("low", 0, "mail")]
    assert str(rules[2][3]) == "08:00:00"
    assert ana.notify_on == {"acknowledged": "mail", "resolved": "mail", "shiftStart": ["1d", "0s"]}
    team = Team.objects.get()
    assert [(m.user.name, m.role, m.is_paged) for m in team.memberships.all()] == [
        ("ana", "manager", True),
        ("bo", "responder", True),
        ("dana", "observer", False),
    ]
    assert TeamPolicy.objects.get().policy.name == "payments"
    assert users_on_call(Schedule.objects.get(name="payments-primary"), clock.now()) == [ana]
    policy = EscalationPolicy.objects.get()
    assert (policy.repeat, policy.repeat_after_seconds, policy.ack_timeout_seconds) == (2, 600, 1800)
    assert [(s.name, s.after_seconds, s.targets.get().notify) for s in policy.steps.all()] == [
        ("level 1", 0, "current"),
        ("level 2", 300, "current"),
        ("whole team", 900, "all"),
    ]
    checkout = Service.objects.get(name="checkout")
    assert [other.name for other in checkout.depends_on.all()] == ["orders-db"]
    assert ServicePolicy.objects.get(service=checkout).policy == policy
    source = Source.objects.get()
    assert source.key == "0123456789abcdef0123456789abcdef"
    assert source.priorities == {"page": "P1", "ticket": "P4"}
    applied = Applied.objects.get()
    assert applied.applied_at == clock.now()
    assert applied.directory == str(directory)


def test_a_plan_writes_nothing(directory: Path) -> None:
    found = plan(directory)
    assert len(found.changes) == 11
    assert not found.is_applied
    assert not User.objects.exists()
    assert not Applied.objects.exists()
    assert not AuditEntry.objects.exists()


def test_secrets_and_addresses_are_not_in_the_plan(directory: Path) -> None:
    found = str(plan(directory).as_json())
    assert "0123456789abcdef" not in found
    assert "601000001" not in found
    assert "hush" not in found


@pytest.mark.parametrize("with_contacts", [False, True])
def test_an_export_is_the_same_configuration(directory: Path, tmp_path: Path, with_contacts: bool) -> None:
    apply(directory)
    out = tmp_path / "out"
    written = export(out, with_contacts=with_contacts)
    assert [path.name for path in written] == [
        "users.yaml",
        "teams.yaml",
        "schedules.yaml",
        "policies.yaml",
        "services.yaml",
        "sources.yaml",
    ]
    (out / "ana.secret").write_text("hush\n")
    assert plan(out).changes == []
    assert apply(out).changes == []
    assert User.objects.get(name="ana").code_file.startswith("users.yaml:")
    text = "".join(path.read_text() for path in written)
    assert "0123456789abcdef" not in text
    assert ("+420601000001" in text) == with_contacts
    assert export_text(with_contacts=with_contacts).count("apiVersion") == 11
    assert Source.objects.get().key == "0123456789abcdef0123456789abcdef", "a masked key means keep"
    assert User.objects.get(name="ana").contact_methods.get(name="phone").address == "+420601000001"


def test_an_export_beside_other_documents_is_refused(directory: Path) -> None:
    apply(directory)
    with pytest.raises(ValueError, match=r"example\.yaml.*give an empty directory"):
        export(directory)


def test_an_export_into_a_new_installation(directory: Path, tmp_path: Path) -> None:
    apply(directory)
    text = export_text(with_contacts=True)
    for model in (Source, ServicePolicy, TeamPolicy, Service, EscalationPolicy, Schedule, Team, User):
        model.objects.all().delete()
    out = tmp_path / "out"
    out.mkdir()
    (out / "all.yaml").write_text(text)
    (out / "ana.secret").write_text("hush")
    found = apply(out)
    assert len(found.changes) == 11
    assert "a key is made for Source/checkout-prometheus: its page shows it" in found.effects
    assert export_text(with_contacts=True) == text
