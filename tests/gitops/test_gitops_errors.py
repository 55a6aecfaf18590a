"""Every kind of error names file, line, object and field, shows what was written, and says what to write instead."""

from __future__ import annotations

import textwrap

import pytest

from midwatch.core.written.problems import ConfigurationError
from midwatch.gitops.actions import apply_text, plan_text
from midwatch.people.models import User

pytestmark = pytest.mark.django_db

PREFIX = """\
apiVersion: midwatch.dev/v1
kind: User
metadata: {name: bo}
spec: {}
---
apiVersion: midwatch.dev/v1
kind: Team
metadata: {name: ops}
spec: {}
---
"""
LINES = PREFIX.count("\n")


def errors(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        plan_text(text)
    return [str(problem) for problem in refused.value.problems]


def document(kind: str, spec: str, name: str = "x") -> str:
    head = f"apiVersion: midwatch.dev/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n"
    return head + textwrap.indent(textwrap.dedent(spec).strip("\n"), "  ") + "\n"


SCHEDULE = "team: ops\nlayers:\n  - name: a\n    start: 2026-01-05T09:00\n    every: 1w\n    participants: [bo]\n"
POLICY = "team: ops\nsteps:\n  - {name: one, targets: [{user: bo}]}\n"
SOURCE = "type: generic\nservice: shop\n"
SERVICE = document("Service", "team: ops", "shop") + "---\n"

CASES = [
    # kind, spec, line within the document, the message without file and line
    ("User", "displayName: ''", 5, "User/x: displayName: empty (''), write Ana Novak"),
    ("User", "displayname: Ana", 5, "User/x: displayname: no such field, did you mean displayName?"),
    ("User", "email: nobody", 5, "User/x: email: not an e-mail address (nobody), write one such as ana@example.com"),
    (
        "User",
        "timeZone: Europe/Prag",
        5,
        "User/x: timeZone: not a time zone (Europe/Prag), write an IANA name such as Europe/Prague",
    ),
    ("User", "isActive: yes", 5, "User/x: isActive: neither true nor false (yes), write true or false"),
    ("User", "role: admin", 5, "User/x: role: not one of the words for this (admin), did you mean administrator?"),
    ("User", "displayName: [a]", 5, "User/x: displayName: a list where one value belongs ([a]), write Ana Novak"),
    (
        "User",
        "contactMethods:\n  - {name: p, type: telegram, address: x}",
        6,
        "User/x: contactMethods[0].type: no type of contact method (telegram), write one of email, ntfy, sms, voice, webhook",
    ),
    (
        "User",
        'contactMethods:\n  - {name: m, type: email, address: a@example.com}\n  - name: p\n    type: sms\n    address: "601"',
        9,
        'User/x: contactMethods[1].address: not an address of type sms ("601"), ',
    ),
    (
        "User",
        "contactMethods:\n  - {type: email, address: a@example.com}",
        6,
        "User/x: contactMethods[0].name: missing, write it, such as phone",
    ),
    (
        "User",
        "contactMethods: [{name: m, type: email, address: a@example.com},\n {name: m, type: email, address: b@example.com}]",
        6,
        "User/x: contactMethods[1].name: named twice (m), leave one of them out",
    ),
    (
        "User",
        "contactMethods: [{name: h, type: webhook, address: 'http://h/', secretFrom: {env: PATH}}]",
        5,
        "User/x: contactMethods[0].secretFrom.env: not a name that may be referred to (PATH), "
        "write a variable that begins with MIDWATCH_REF_",
    ),
    (
        "User",
        "contactMethods: [{name: h, type: webhook, address: 'http://h/', secretFrom: {env: A, file: b}}]",
        5,
        "User/x: contactMethods[0].secretFrom: not one reference ({env: A, file: b}), "
        "write {env: MIDWATCH_REF_NAME} or {file: PATH}",
    ),
    (
        "User",
        "contactMethods: [{name: h, type: webhook, address: 'http://h/', tokenFrom: {env: MIDWATCH_REF_A}}]",
        5,
        "User/x: contactMethods[0].tokenFrom: no such field for webhook, write secretFrom",
    ),
    (
        "User",
        "contactMethods: [{name: h, type: webhook, address: '****'}]",
        5,
        "User/x: contactMethods[0].address: a mask, and there is nothing to keep ('****'), write the address itself",
    ),
    (
        "User",
        "notificationRules:\n  high: [{after: 5, contact: p}]",
        6,
        "User/x: notificationRules.high[0].after: not a duration (5), write 5m or 5s",
    ),
    (
        "User",
        "notificationRules:\n  high: [{after: soon, contact: p}]",
        6,
        "User/x: notificationRules.high[0].after: not a duration (soon), write one such as 90s, 5m, 4h, 1d or 1w",
    ),
    (
        "User",
        "notificationRules:\n  high: [{after: 2d, contact: p}]",
        6,
        "User/x: notificationRules.high[0].after: out of range (2d), write 0s to 1d",
    ),
    (
        "User",
        "contactMethods: [{name: mail, type: email, address: a@example.com}]\nnotificationRules:\n  low:\n    - {contact: mial}",
        8,
        "User/x: notificationRules.low[0].contact: no contact method has this name (mial), did you mean mail?",
    ),
    (
        "User",
        "notificationRules:\n  low: [{contact: mail}]",
        6,
        "User/x: notificationRules.low[0].contact: no contact method has this name (mail), there is no contact method yet",
    ),
    (
        "User",
        "notificationRules: {low: [{contact: m, between: 8-22}]}",
        5,
        "User/x: notificationRules.low[0].between: not a span of hours (8-22), write one such as 08:00-22:00",
    ),
    (
        "User",
        "notifyOn: {acknowledged: mail}",
        5,
        "User/x: notifyOn.acknowledged: no contact method has this name (mail), there is no contact method yet",
    ),
    ("Team", "members: [{user: bob}]", 5, "Team/x: members[0].user: no User has this name (bob), did you mean bo?"),
    (
        "Team",
        "members: [{user: bo}, {user: bo}]",
        5,
        "Team/x: members[1].user: named twice (bo), leave one of them out",
    ),
    (
        "Team",
        "members:\n  - {user: bo, role: boss}",
        6,
        "Team/x: members[0].role: not one of the words for this (boss), write one of manager, observer, responder",
    ),
    (
        "Team",
        "escalationPolicy: none-such",
        5,
        "Team/x: escalationPolicy: no EscalationPolicy has this name (none-such), there is no EscalationPolicy yet",
    ),
    ("Team", "mode: dark", 5, "Team/x: mode: not one of the words for this (dark), write one of live, shadow"),
    ("Team", "members: bo", 5, "Team/x: members: not a list (bo), write one such as [{user: ana}]"),
    ("Schedule", "timeZone: UTC", 5, "Schedule/x: team: missing, write it, such as payments"),
    (
        "Schedule",
        SCHEDULE.replace("bo]", "bo, zoe]"),
        10,
        "Schedule/x: layers[0].participants[1]: no User has this name (zoe), ",
    ),
    (
        "Schedule",
        SCHEDULE.replace("[bo]", "[[bo, nobody]]"),
        10,
        "Schedule/x: layers[0].participants[0][1]: nobody beside others (nobody), leave it out of the list",
    ),
    (
        "Schedule",
        SCHEDULE.replace("[bo]", "[[bo, bo]]"),
        10,
        "Schedule/x: layers[0].participants[0]: somebody twice in one turn ([bo, bo]), name each person once",
    ),
    (
        "Schedule",
        SCHEDULE.replace("1w", "30m"),
        9,
        "Schedule/x: layers[0].every: not a length of turns (30m), write hours, days or weeks, such as 12h, 1d or 1w",
    ),
    (
        "Schedule",
        SCHEDULE.replace("2026-01-05T09:00", "2026-01-05T09:00Z"),
        8,
        "Schedule/x: layers[0].start: not a wall-clock time (2026-01-05T09:00Z), "
        "write one such as 2026-01-05T09:00, without offset: it is in the schedule's zone",
    ),
    (
        "Schedule",
        SCHEDULE.replace("2026-01-05T09:00", "2026-02-30T09:00"),
        8,
        "Schedule/x: layers[0].start: not a wall-clock time (2026-02-30T09:00), ",
    ),
    (
        "Schedule",
        SCHEDULE + "    end: 2026-01-01T00:00",
        11,
        "Schedule/x: layers[0].end: not after the start (2026-01-01T00:00), write a time after 2026-01-05T09:00, or leave it out",
    ),
    (
        "Schedule",
        SCHEDULE + "    restrictions: [{from: 9, to: 17:00}]",
        11,
        'Schedule/x: layers[0].restrictions[0].from: not a time (9), write one such as "22:00", or "fri 18:00" with a day',
    ),
    (
        "Schedule",
        SCHEDULE + "    restrictions: [{from: fri 18:00, to: 17:00}]",
        11,
        "Schedule/x: layers[0].restrictions[0].to: a day at one end only (17:00), write a day at both ends, or use days",
    ),
    (
        "Schedule",
        SCHEDULE + "    restrictions: [{days: [mon], from: fri 18:00, to: mon 17:00}]",
        11,
        "Schedule/x: layers[0].restrictions[0].days: days beside ends that have days ([mon]), leave days out",
    ),
    (
        "Schedule",
        SCHEDULE + "    restrictions: [{days: [monday], from: 18:00, to: 17:00}]",
        11,
        "Schedule/x: layers[0].restrictions[0].days[0]: not a day (monday), write mon, tue, wed, thu, fri, sat, sun",
    ),
    (
        "Schedule",
        SCHEDULE + "  - {name: a, start: 2026-01-05T09:00, participants: [bo]}",
        11,
        "Schedule/x: layers[1].name: named twice (a), leave one of them out",
    ),
    (
        "Schedule",
        SCHEDULE + "combine: both",
        11,
        "Schedule/x: combine: not one of the words for this (both), write one of all, cover",
    ),
    ("EscalationPolicy", "team: ops\nsteps: []", 6, "EscalationPolicy/x: steps: 0 items, write 1 to 50"),
    (
        "EscalationPolicy",
        POLICY.replace("{user: bo}", "{user: bo, team: ops}"),
        7,
        "EscalationPolicy/x: steps[0].targets[0]: not one target ({user: bo, team: ops}), write one of {schedule: ...}",
    ),
    (
        "EscalationPolicy",
        POLICY.replace("{user: bo}", "{user: bo, notify: next}"),
        7,
        "EscalationPolicy/x: steps[0].targets[0].notify: no way to notify a user (next), leave it out",
    ),
    (
        "EscalationPolicy",
        POLICY.replace("{user: bo}", "{team: ops, notify: next}"),
        7,
        "EscalationPolicy/x: steps[0].targets[0].notify: no way to notify a team (next), write all, managers",
    ),
    (
        "EscalationPolicy",
        POLICY.replace("{user: bo}", "{schedule: ops}"),
        7,
        "EscalationPolicy/x: steps[0].targets[0].schedule: no Schedule has this name (ops), there is no Schedule yet",
    ),
    (
        "EscalationPolicy",
        "team: ops\nsteps:\n  - {after: 10m, targets: [{user: bo}]}\n  - {after: 5m, targets: [{user: bo}]}",
        8,
        "EscalationPolicy/x: steps[1].after: sooner than the step before (10m) (5m), "
        "order the steps by after, which counts from the start of the round",
    ),
    (
        "EscalationPolicy",
        POLICY + "repeat: -1",
        8,
        "EscalationPolicy/x: repeat: not a whole number in range (-1), write 0 to 20",
    ),
    (
        "EscalationPolicy",
        POLICY.replace("{name: one,", "{name: one, if: acknowledged,"),
        7,
        "EscalationPolicy/x: steps[0].if: not one of the words for this (acknowledged), did you mean unacknowledged?",
    ),
    ("Service", "team: opps", 5, "Service/x: team: no Team has this name (opps), did you mean ops?"),
    ("Service", "team: ops\ntier: first", 6, "Service/x: tier: not a whole number in range (first), write 0 to 9"),
    (
        "Service",
        "team: ops\ndependsOn: [x]",
        6,
        "Service/x: dependsOn: services would depend on each other in a circle (x -> x), leave one of them out",
    ),
    (
        "Service",
        "team: ops\nlinks: [{title: a, url: 'javascript:alert(1)'}]",
        6,
        "Service/x: links[0].url: not an address ('javascript:alert(1)'), write one that begins with https:// or http://",
    ),
    (
        "Service",
        "team: ops\nsupportHours: {from: 09:00, to: 09:00}",
        6,
        "Service/x: supportHours.to: no time after from (09:00), write another time, or leave supportHours out",
    ),
    (
        "Service",
        "team: ops\nsupportHours: {from: 9am, to: 17:00}",
        6,
        "Service/x: supportHours.from: not a time of day (9am), write one such as 09:00 or 22:30",
    ),
    (
        "Service",
        "team: ops\nurgency: medium",
        6,
        "Service/x: urgency: not one of the words for this (medium), write one of by-priority, high, low",
    ),
    (
        "Source",
        "type: nagios\nservice: shop",
        5,
        "Source/x: type: no type of source (nagios), write one of alertmanager, generic, grafana, pagerduty",
    ),
    (
        "Source",
        SOURCE + "key: short-secret",
        7,
        "Source/x: key: a key has 32 characters, this one 12, give 32 letters, digits or any of",
    ),
    (
        "Source",
        SOURCE + "key: 0123456789abcdef/123456789abcdef",
        7,
        "Source/x: key: the key has characters that an address cannot carry, give 32 letters",
    ),
    (
        "Source",
        SOURCE + "key: 0123456789abcdef0123456789abcdef\nkeyFrom: {env: MIDWATCH_REF_K}",
        7,
        "Source/x: key: given beside keyFrom, keep one of them",
    ),
    (
        "Source",
        SOURCE + "keyFrom: {env: MIDWATCH_REF_MISSING}",
        7,
        "Source/x: keyFrom: MIDWATCH_REF_MISSING is not set in the environment of this process, set it where this is applied",
    ),
    (
        "Source",
        SOURCE + "keyFrom: {file: x}",
        7,
        "Source/x: keyFrom.file: a file without a configuration directory (x), write {env: ...}, or apply a directory",
    ),
    (
        "Source",
        SOURCE + "priorities: {page: high}",
        7,
        "Source/x: priorities.page: not one of the words for this (high), write one of P1, P2, P3, P4, P5",
    ),
    ("Source", "type: generic", 5, "Source/x: service: missing, write it, such as checkout"),
    ("Source", SOURCE + "expectEvery: 0s", 7, "Source/x: expectEvery: out of range (0s), write 1s to 31d"),
]


@pytest.mark.parametrize(
    ("kind", "spec", "line", "says"), CASES, ids=[f"{case[0]}-{index}" for index, case in enumerate(CASES)]
)
def test_a_wrong_field(kind: str, spec: str, line: int, says: str) -> None:
    before = PREFIX + (SERVICE if kind == "Source" else "")
    found = errors(before + document(kind, spec))
    expected = f"text:{before.count(chr(10)) + line}: {says}"
    assert any(error.startswith(expected) for error in found), "\n".join([expected, *found])
    assert not any("short-secret" in error or "0123456789abcdef" in error for error in found)


TOP = [
    ("kind: User\nmetadata: {name: a}\nspec: {}\n", 1, "User/a: apiVersion: missing, write midwatch.dev/v1"),
    (
        "apiVersion: v1\nkind: User\nmetadata: {name: a}\nspec: {}\n",
        1,
        "User/a: apiVersion: no such apiVersion (v1), write one of midwatch.dev/v1",
    ),
    (
        "apiVersion: midwatch.dev/v1\nkind: Usr\nmetadata: {name: a}\nspec: {}\n",
        2,
        "kind: no such kind (Usr), did you mean User?",
    ),
    ("apiVersion: midwatch.dev/v1\nmetadata: {name: a}\nspec: {}\n", 1, "kind: missing, write User or Team or "),
    ("apiVersion: midwatch.dev/v1\nkind: User\nspec: {}\n", 1, "User: metadata: missing, write metadata: {name: ...}"),
    (
        "apiVersion: midwatch.dev/v1\nkind: User\nmetadata: {name: Ana Novak}\nspec: {}\n",
        3,
        "User: metadata.name: not a name (Ana Novak), write 1 to 63 lower-case letters",
    ),
    (
        "apiVersion: midwatch.dev/v1\nkind: User\nmetadata: {name: nobody}\nspec: {}\n",
        3,
        "User: metadata.name: a word with a meaning of its own (nobody), write another name",
    ),
    (
        "apiVersion: midwatch.dev/v1\nkind: User\nmetadata: {name: a, labels: {}}\nspec: {}\n",
        3,
        "User: metadata.labels: no such field, write one of name",
    ),
    (
        "apiVersion: midwatch.dev/v1\nkind: User\nmetadata: {name: a}\n",
        1,
        "User/a: spec: missing, write spec with the fields of a User",
    ),
    (
        "apiVersion: midwatch.dev/v1\nkind: User\nmetadata: {name: a}\nspec: []\n",
        4,
        "User/a: spec: not a map ([]), write one such as {...}",
    ),
    (
        "apiVersion: midwatch.dev/v1\nkind: User\nmetadata: {name: a}\nspec: {}\nextra: 1\n",
        5,
        "User/a: extra: no such field, write one of apiVersion, kind, metadata, spec",
    ),
    ("just text\n", 1, "not a document (just text), write apiVersion, kind, metadata and spec"),
    ("a: [\n", 2, "is not YAML here"),
    ("a: 1\nb: 2\na: 3\n", 3, "a: is written twice (first on line 2): keep one of them"),
    ("a: *b\n", 1, "*b: no &b stands before it: write the value out"),
    ("a: !!python/name:os.system x\n", 1, "has a tag"),
    ("a: 1\nb: \x07\n", 2, "a control character ('\\x07'): take it away"),
    ("[" * 100 + "]" * 100, 1, "is nested deeper than 40: no field needs that"),
    ("? {a: b}\n: c\n", 1, "a key that is a list or a map: write a word"),
    ("<<: text\n", 1, "<<: names no map: give an alias of one, such as <<: *defaults"),
]


@pytest.mark.parametrize(("text", "line", "says"), TOP, ids=range(len(TOP)))
def test_a_wrong_document(text: str, line: int, says: str) -> None:
    found = errors("# a comment\n" + text)
    expected = f"text:{line + 1}: {says}"
    assert any(error.startswith(expected) for error in found), "\n".join([expected, *found])


def test_an_alias_bomb_is_defused() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    for level in range(1, 30):
        bomb += f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n"
    assert any("has more than 200000 values, aliases written out" in error for error in errors(bomb))


def test_all_errors_at_once_by_file_and_line() -> None:
    text = (
        PREFIX
        + document("Team", "members: [{user: zoe}]\nmode: dark")
        + "---\n"
        + document("Service", "tier: x\nteam: zz", "s")
    )
    found = errors(text)
    assert [error.split(": ", 2)[1] for error in found] == ["Team/x", "Team/x", "Service/s", "Service/s"]
    lines = [int(error.split(":")[1]) for error in found]
    assert lines == sorted(lines)


def test_the_same_object_twice_names_the_first() -> None:
    text = document("Team", "{}", "a") + "---\n" + document("Team", "{}", "a")
    assert errors(text) == ["text:7: Team/a: there is one at text:1 already, keep one of them or rename it"]


def test_one_number_one_person() -> None:
    contact = 'contactMethods: [{name: p, type: sms, address: "+420601000001"}]'
    call = contact.replace("sms", "voice")
    text = document("User", contact, "a") + "---\n" + document("User", call, "b")
    assert errors(text) == [
        'text:11: User/b: contactMethods[0].address: the number of User/a ("+420601000001"), '
        "write another: one number belongs to one person"
    ]
    apply_text(document("User", contact, "a"))
    assert "the number of User/a" in errors(document("User", call, "b"))[0]
    apply_text(document("User", "contactMethods: []", "a") + "---\n" + document("User", call, "b"))


def test_one_key_one_source() -> None:
    key = "key: 0123456789abcdef0123456789abcdef\n"
    text = PREFIX + SERVICE + document("Source", SOURCE + key, "a") + "---\n"
    text += document("Source", SOURCE + "previousK" + key[1:], "b")
    assert [error.split(": ", 1)[1] for error in errors(text)] == [
        "Source/b: previousKey: the key of Source/a, give each source its own"
    ]


def test_a_wide_circle_of_services() -> None:
    text = (
        PREFIX + document("Service", "team: ops\ndependsOn: [b]", "a") + "---\n" + document("Service", "team: ops", "b")
    )
    apply_text(text)
    closed = document("Service", "team: ops\ndependsOn: [a]", "b")
    assert errors(closed) == [
        "text:6: Service/b: dependsOn: services would depend on each other in a circle (a -> b -> a), leave one of them out"
    ]
    turned = document("Service", "team: ops\ndependsOn: [a]", "b") + "---\n" + document("Service", "team: ops", "a")
    apply_text(turned)


def test_what_belongs_to_another_owner_is_not_touched() -> None:
    apply_text(document("User", "displayName: Ana", "ana"), "hr")
    assert errors(document("User", "displayName: Eve", "ana")) == [
        "text:1: User/ana: belongs to owner hr at text:1, take it away here, or there and apply that first"
    ]
    assert User.objects.get(name="ana").display_name == "Ana"


def test_a_refused_configuration_changes_nothing() -> None:
    with pytest.raises(ConfigurationError):
        apply_text(document("User", "displayName: Ana", "ana") + "---\n" + document("Team", "mode: dark"))
    assert not User.objects.exists()
