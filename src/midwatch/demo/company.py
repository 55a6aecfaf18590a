"""Who works at the demo's shop, what they run, and who answers for it: made by the same actions as anybody's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from midwatch.catalog.actions import ServiceFields, create_service, set_dependency_lists
from midwatch.catalog.models import Service
from midwatch.core import clock, zones
from midwatch.core.actor import Actor
from midwatch.people.actions import (
    Contact,
    Member,
    Profile,
    Rule,
    add_contact,
    change_preferences,
    confirm_contact,
    create_team,
    create_user,
    set_members,
    set_rules,
)
from midwatch.people.models import MemberRole, Role, Team, User
from midwatch.people.queries import actor_of
from midwatch.respond.alerts.actions.sources import SourceFields, create_source
from midwatch.respond.alerts.models import Source
from midwatch.respond.escalation.actions.policies import (
    PolicyFields,
    StepFields,
    TargetFields,
    bind_service,
    bind_team,
    create_from_template,
    create_policy,
)
from midwatch.respond.escalation.models import Condition, EscalationPolicy, Notify
from midwatch.respond.oncall.actions import LayerFields, create_schedule
from midwatch.respond.oncall.models import Combine, Schedule

DESIGN = "https://wiki.shop.example/design"
GRAFANA = "https://grafana.shop.example/d"
WEEKS_BEFORE = 24  # a multiple of every rotation's length, so that whoever is named first has this week
MONDAY_HAND_OFF = time(9)


@dataclass(frozen=True, slots=True)
class Somebody:
    """`methods`: what rings, in the order of the person's rules; everybody has mail beside it."""

    name: str
    display_name: str
    time_zone: str
    methods: Sequence[str] = ("push", "phone")
    role: str = Role.MEMBER


PEOPLE = (
    Somebody("ana", "Ana Novak", "Europe/Prague", ("push", "phone", "call"), Role.ADMINISTRATOR),
    Somebody("bo", "Bo Lindqvist", "Europe/Stockholm", ("push", "call")),
    Somebody("cy", "Cy Okafor", "Europe/London", ("phone", "call")),
    Somebody("dana", "Dana Petrova", "Europe/Sofia", ("push", "phone")),
    Somebody("eli", "Eli Kaplan", "Europe/Berlin", ("gateway", "call")),
    Somebody("fay", "Fay Tanaka", "Asia/Tokyo", ("push", "phone")),
    Somebody("gil", "Gil Moreno", "Europe/Madrid", ("phone", "call")),
    Somebody("hana", "Hana Horvat", "Europe/Zagreb", ("push",)),
    Somebody("ivo", "Ivo Babic", "Europe/Zagreb", ("push", "phone")),
    Somebody("jun", "Jun Park", "Europe/Berlin", ()),  # new here: nothing yet that would wake him
    Somebody("kim", "Kim Osei", "Europe/London", (), Role.VIEWER),
)
TEAMS: Mapping[str, tuple[str, Sequence[tuple[str, str]]]] = {
    "payments": (
        "Payments",
        (
            ("ana", MemberRole.MANAGER),
            ("bo", MemberRole.RESPONDER),
            ("cy", MemberRole.RESPONDER),
            ("dana", MemberRole.RESPONDER),
        ),
    ),
    "platform": (
        "Platform",
        (
            ("eli", MemberRole.MANAGER),
            ("fay", MemberRole.RESPONDER),
            ("gil", MemberRole.RESPONDER),
            ("jun", MemberRole.RESPONDER),
            ("ana", MemberRole.OBSERVER),
        ),
    ),
    "data": ("Data", (("hana", MemberRole.MANAGER), ("ivo", MemberRole.RESPONDER))),
}
OFFICE_HOURS = {
    "timeZone": "Europe/Zagreb",
    "days": ["mon", "tue", "wed", "thu", "fri"],
    "from": "08:00",
    "to": "18:00",
}
SERVICES: Mapping[str, tuple[str, str, int, str, Sequence[str]]] = {  # team, title, tier, what it is, depends on
    "checkout": ("payments", "Checkout", 1, "Where customers pay.", ("payments-api", "edge")),
    "payments-api": ("payments", "Payments API", 1, "Talks to the card acquirers.", ("orders-db", "fraud-check")),
    "fraud-check": ("payments", "Fraud check", 2, "Scores each order before it is charged.", ()),
    "edge": ("platform", "Edge", 1, "Load balancers and TLS.", ("kubernetes",)),
    "kubernetes": ("platform", "Kubernetes", 1, "The cluster that everything runs on.", ()),
    "orders-db": ("platform", "Orders database", 1, "PostgreSQL, one primary and two standbys.", ()),
    "search": ("data", "Search", 2, "Product search and its index.", ("orders-db",)),
    "reports": ("data", "Nightly reports", 3, "Sales figures, by seven every morning.", ("orders-db",)),
}


@dataclass(slots=True)
class Company:
    """Everything there is, by name."""

    people: dict[str, User] = field(default_factory=dict)
    teams: dict[str, Team] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    policies: dict[str, EscalationPolicy] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)

    def actor(self, name: str, via: str = "web") -> Actor:
        return actor_of(self.people[name], via)


def found(password: str, phones_url: str) -> Company:
    """As of the clock, which stands at the day the company set Midwatch up."""
    company = Company()
    _hire(company, password, phones_url)
    ana = company.actor("ana")
    for name, (title, members) in TEAMS.items():
        company.teams[name] = create_team(name, title, ana)
        set_members(
            company.teams[name],
            [Member(company.people[who], role, is_paged=role != MemberRole.OBSERVER) for who, role in members],
            ana,
        )
    _build_services(company, ana)
    _plan_shifts(company)
    _write_policies(company)
    _connect_sources(company)
    return company


def _hire(company: Company, password: str, phones_url: str) -> None:
    set_up = Actor("Set-up", "web")
    for number, one in enumerate(PEOPLE):
        profile = Profile(one.display_name, f"{one.name}@shop.example", one.time_zone, one.role)
        user = create_user(one.name, profile, set_up, password=password if one.role == Role.ADMINISTRATOR else "")
        company.people[one.name] = user
        by = actor_of(user, "web")
        addresses = {
            "mail": ("email", f"{one.name}@shop.example"),
            "push": ("ntfy", f"{phones_url}/{one.name}-{(number * 7919 + 4093) % 100_000:05d}"),
            "gateway": ("webhook", f"{phones_url}/gateway/{one.name}"),
            "phone": ("sms", f"+4206010000{number:02d}"),
            "call": ("voice", f"+4206010000{number:02d}"),
        }
        for method in (*one.methods, "mail"):
            kind, address = addresses[method]
            confirm_contact(add_contact(user, Contact(method, kind, address), by), by)
        loud = [Rule("high", 120 * order, method) for order, method in enumerate(one.methods or ("mail",))]
        set_rules(user, [*loud, Rule("low", 0, "mail")], by)
    change_preferences(
        company.people["ana"],
        company.actor("ana"),
        notify_on={"acknowledged": "push", "resolved": "mail", "shiftStart": ["24h", "0s"]},
    )


def _build_services(company: Company, by: Actor) -> None:
    for name, (team, title, tier, about, _) in SERVICES.items():
        company.services[name] = create_service(
            name,
            ServiceFields(
                team=company.teams[team],
                display_name=title,
                description=about,
                tier=tier,
                support_hours={**OFFICE_HOURS, "outside": "low"} if name == "reports" else None,
                page_after_seconds=30 if name == "fraud-check" else 0,
                links=[
                    {"title": "Dashboard", "url": f"{GRAFANA}/{name}"},
                    {"title": "Design", "url": f"{DESIGN}/{name}"},
                ],
            ),
            by,
        )
    set_dependency_lists(
        {company.services[name]: [company.services[other] for other in SERVICES[name][4]] for name in SERVICES}, by
    )


def monday(time_zone: str, now: datetime) -> datetime:
    """The last Monday's hand-off, wall clock of the zone."""
    wall = zones.wall_at(now, time_zone)
    start = datetime.combine(wall.date() - timedelta(days=wall.weekday()), MONDAY_HAND_OFF)
    if timedelta(0) <= wall - start < timedelta(hours=1):
        start -= timedelta(hours=1)  # what is open now began in the same shift
    return start if start <= wall else start - timedelta(weeks=1)


def _weekly(
    name: str, start: datetime, turns: Sequence[User], restrictions: Sequence[Mapping[str, object]] = ()
) -> LayerFields:
    return LayerFields(name, start, 1, "weeks", [[user] for user in turns], restrictions=restrictions)


def _plan_shifts(company: Company) -> None:
    """The person named first has the shift of this week: rotations began a whole number of rounds ago."""
    people, now = company.people, clock.machine_now()
    began = monday("Europe/Prague", now) - timedelta(weeks=WEEKS_BEFORE)
    ana, eli, hana = company.actor("ana"), company.actor("eli"), company.actor("hana")
    three = (people["ana"], people["bo"], people["cy"])
    company.schedules["payments-primary"] = create_schedule(
        "payments-primary",
        company.teams["payments"],
        "Europe/Prague",
        ana,
        layers=[_weekly("weekly", began, three)],
    )
    company.schedules["payments-secondary"] = create_schedule(
        "payments-secondary",
        company.teams["payments"],
        "Europe/Prague",
        ana,
        layers=[_weekly("weekly", began, (people["bo"], people["dana"], people["ana"]))],
    )
    company.schedules["platform-primary"] = create_schedule(
        "platform-primary",
        company.teams["platform"],
        "Europe/Berlin",
        eli,
        combine=Combine.COVER,
        layers=[
            _weekly("days", began, (people["gil"], people["eli"])),
            _weekly("Tokyo has our nights", began, (people["fay"],), restrictions=[{"from": "23:00", "to": "07:00"}]),
        ],
    )
    company.schedules["data-office"] = create_schedule(
        "data-office",
        company.teams["data"],
        "Europe/Zagreb",
        hana,
        layers=[
            _weekly(
                "office hours",
                began,
                (people["ivo"], people["hana"]),
                restrictions=[{"days": OFFICE_HOURS["days"], "from": "08:00", "to": "18:00"}],
            )
        ],
    )


def _write_policies(company: Company) -> None:
    ana, eli, hana = company.actor("ana"), company.actor("eli"), company.actor("hana")
    teams, people, schedules = company.teams, company.people, company.schedules
    company.policies["payments"] = create_from_template(
        "payments",
        teams["payments"],
        ana,
        level_1=schedules["payments-primary"],
        level_2=schedules["payments-secondary"],
    )
    company.policies["platform"] = create_policy(
        "platform",
        PolicyFields(
            teams["platform"],
            [
                StepFields("level 1", [TargetFields(schedule=schedules["platform-primary"])]),
                StepFields("level 2", [TargetFields(user=people["eli"])], 300),
                StepFields("whole team", [TargetFields(team=teams["platform"], notify=Notify.ALL)], 900),
                StepFields(
                    "managers, while it lasts",
                    [TargetFields(team=teams["platform"], notify=Notify.MANAGERS)],
                    3_600,
                    Condition.UNRESOLVED,
                ),
            ],
            repeat=2,
        ),
        eli,
    )
    company.policies["data"] = create_policy(
        "data",
        PolicyFields(
            teams["data"],
            [
                StepFields("level 1", [TargetFields(schedule=schedules["data-office"])]),
                StepFields("whole team", [TargetFields(team=teams["data"], notify=Notify.ALL)], 1_200),
            ],
            repeat=1,
        ),
        hana,
    )
    bind_team(teams["platform"], company.policies["platform"], eli)
    bind_team(teams["data"], company.policies["data"], hana)
    for name, service in company.services.items():
        bind_service(service, company.policies[SERVICES[name][0]], ana)


def _connect_sources(company: Company) -> None:
    """All four types, and one that must be heard of: silence of the backup is itself an alert."""
    services = company.services
    wanted = {
        "prometheus": SourceFields(
            "alertmanager",
            services["kubernetes"],
            service_label="service",
            priority_label="severity",
            priorities={"page": "P1", "ticket": "P4"},
        ),
        "grafana": SourceFields("grafana", services["search"], service_label="service"),
        "shop-probe": SourceFields("generic", services["checkout"], service_label="service"),
        "acquirer-monitor": SourceFields("pagerduty", services["payments-api"]),
        "nightly-backup": SourceFields("generic", services["orders-db"], expect_every_seconds=26 * 3_600),
    }
    by = company.actor("ana")
    for name, fields in wanted.items():
        company.sources[name] = create_source(name, fields, by)
