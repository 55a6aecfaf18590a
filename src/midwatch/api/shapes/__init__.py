"""What the API answers: one class a thing, made from rows. The command line prints the same with `--json`.

Comes after the rooms' models; before the endpoints and the command line.
"""

from midwatch.api.shapes.alerts import (
    ActedOut,
    AlertDetailOut,
    AlertOut,
    DeliveryOut,
    Link,
    MaintenanceOut,
    PageOut,
    ProgressOut,
    SimilarOut,
    StepStateOut,
    TestPageOut,
    TestPagesOut,
    TimelineOut,
    alert_values,
)
from midwatch.api.shapes.catalog import (
    ServiceOut,
    SourceDetailOut,
    SourceOut,
    SourceProblemOut,
    TestAlertOut,
    source_values,
)
from midwatch.api.shapes.hold import HeldAlertOut, HoldOut, hold_values
from midwatch.api.shapes.oncall import (
    DryLineOut,
    DryRunOut,
    OnCallOut,
    OverrideOut,
    PolicyOut,
    ScheduleOut,
    ShiftOut,
    StepOut,
    TargetOut,
)
from midwatch.api.shapes.people import ContactOut, MemberOut, MeOut, PersonRef, TeamOut, UserOut, user_values

__all__ = [
    "ActedOut",
    "AlertDetailOut",
    "AlertOut",
    "ContactOut",
    "DeliveryOut",
    "DryLineOut",
    "DryRunOut",
    "HeldAlertOut",
    "HoldOut",
    "Link",
    "MaintenanceOut",
    "MeOut",
    "MemberOut",
    "OnCallOut",
    "OverrideOut",
    "PageOut",
    "PersonRef",
    "PolicyOut",
    "ProgressOut",
    "ScheduleOut",
    "ServiceOut",
    "ShiftOut",
    "SimilarOut",
    "SourceDetailOut",
    "SourceOut",
    "SourceProblemOut",
    "StepOut",
    "StepStateOut",
    "TargetOut",
    "TeamOut",
    "TestAlertOut",
    "TestPageOut",
    "TestPagesOut",
    "TimelineOut",
    "UserOut",
    "alert_values",
    "hold_values",
    "source_values",
    "user_values",
]
