"""What the API takes about incidents."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from midwatch.api.inputs import AlertNumber, Body, Name, Text
from midwatch.api.moments import Moment

EXTERNAL_MAX = 25_000


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


Severity = Annotated[Literal["SEV1", "SEV2", "SEV3", "SEV4"], BeforeValidator(_upper)]
Rung = Literal["detected", "acknowledged", "mitigated", "resolved"]
Line = Annotated[str, Field(max_length=500)]
Role = Annotated[Text, Field(max_length=30)]


class Moments(Body):
    """Of a back-filled incident: when it began, and when each phase was reached."""

    started: Moment | None = None
    detected: Moment | None = None
    acknowledged: Moment | None = None
    mitigated: Moment | None = None
    resolved: Moment | None = None


class NewIncident(Body):
    """Title and severity are enough. `alert`: number of the alert it comes from; `acknowledge`: take that alert too, in
    the same transaction. `moments`: back-filled; nobody is paged or asked."""

    title: Annotated[Text, Field(max_length=1_000, description="Cut at 200 characters.")]
    severity: Severity
    service: Name | None = None
    team: Name | None = None
    alert: AlertNumber | None = None
    acknowledge: bool = False
    type: Name | None = None
    summary: Annotated[str, Field(max_length=8_000)] = ""
    is_private: bool = False
    is_drill: bool = False
    commander: Annotated[Name | None, Field(description="Of a back-filled one: who led.")] = None
    moments: Moments | None = None


class ChangeIncident(Body):
    title: Annotated[Text, Field(max_length=1_000)] | None = None
    summary: Annotated[str, Field(max_length=8_000)] | None = None


class NewEntry(Body):
    text: Annotated[Text, Field(max_length=4_000)]
    kind: Literal["note", "decision", "observation"] = "note"
    happened_at: Moment | None = None


class Amendment(Body):
    text: Annotated[Text, Field(max_length=4_000)]


class GiveRole(Body):
    role: Role
    user: Name


class Offer(Body):
    """`user` takes it by accepting; whoever holds it now holds it until then."""

    role: Role = "ic"
    user: Name
    why: Annotated[str, Field(max_length=200)] = ""


class NewTask(Body):
    """For one person (`user`) or for whoever holds the role. `minutes`: its time box."""

    title: Annotated[Text, Field(max_length=300)]
    role: Role = "dc"
    user: Name | None = None
    minutes: Annotated[int, Field(ge=1, le=1_440)] | None = None


class Outcome(Body):
    outcome: Annotated[str, Field(max_length=1_000)] = ""


class NewPhase(Body):
    """`at`: when it was reached; left out: now. `closed` is `close`."""

    phase: Rung
    at: Moment | None = None


class Reopen(Body):
    """Back below this phase: it broke again."""

    phase: Literal["acknowledged", "mitigated", "resolved", "closed"] = "resolved"
    why: Annotated[Text, Field(max_length=300)]


class NewSeverity(Body):
    severity: Severity
    why: Annotated[str, Field(max_length=300)] = ""


class NewResponder(Body):
    """Whom to page: exactly one of `service`, `team`, `user`."""

    service: Name | None = None
    team: Name | None = None
    user: Name | None = None
    message: Line = ""


class NewImpact(Body):
    service: Name
    level: Literal["degraded", "partial", "major"] = "major"
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    note: Line = ""


class ChangeImpact(Body):
    level: Literal["degraded", "partial", "major"]
    starts_at: Moment
    ends_at: Moment | None = None


class NewClient(Body):
    name: Annotated[Text, Field(max_length=200)]
    impact: Annotated[Text, Field(max_length=1_000)]
    evidence: Annotated[str, Field(max_length=1_000)] = ""
    query: Annotated[str, Field(max_length=2_000)] = ""
    contact: Annotated[str, Field(max_length=300)] = ""


class AnAlert(Body):
    alert: AlertNumber


class AnotherIncident(Body):
    incident: AlertNumber
    kind: Literal["related", "follows"] = "related"


class Merge(Body):
    """This one is closed and goes on as `into`."""

    into: AlertNumber


class NewUpdate(Body):
    """The room always gets it. `targets`: `stakeholders`, `statuspage:NAME`. `components`: {"PAGE/COMPONENT": status}.
    `next_at`: when the next one is promised; left out: by the severity's rhythm."""

    stage: Literal["investigating", "identified", "monitoring", "resolved"]
    internal: Annotated[str, Field(max_length=EXTERNAL_MAX)] = ""
    external: Annotated[str, Field(max_length=EXTERNAL_MAX)] = ""
    title: Annotated[str, Field(max_length=255)] = ""
    targets: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=60)] = []
    components: Annotated[dict[str, str], Field(max_length=500)] = {}
    next_at: Moment | None = None


class Approval(Body):
    """`digest`: of the words that were read."""

    digest: Annotated[str, Field(max_length=64)]


class Refusal(Body):
    why: Annotated[Text, Field(max_length=500)]


class Rhythm(Body):
    """`is_long`: updates every hour from now on."""

    is_long: bool


class Silence(Body):
    service: Name
    until: Moment


class OnCallInstead(Body):
    schedule: Name
    user: Name
    until: Moment
