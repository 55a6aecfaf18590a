"""Who outside the response is told: added and removed by people, each by e-mail or a webhook."""

from __future__ import annotations

from django.db import transaction

from midwatch.catalog.models import Service
from midwatch.core import audit, clock, integration
from midwatch.core.actor import Actor
from midwatch.core.text import clean
from midwatch.people.models import Team
from midwatch.respond.incidents.models import Audience, Severity, Stakeholder

KINDS = ("email", "webhook")


def add_stakeholder(
    by: Actor,
    *,
    kind: str,
    address: str,
    name: str = "",
    audience: str = Audience.INTERNAL,
    team: Team | None = None,
    service: Service | None = None,
    severity_at_most: str = Severity.SEV4,
    secret: str = "",
) -> Stakeholder:
    """Raises ValueError with a sentence."""
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no way to tell a stakeholder: give email or webhook")
    if audience not in Audience.values or severity_at_most not in Severity.values:
        raise ValueError("give the audience (internal or external) and a severity (SEV1 to SEV4)")
    checked = integration.channels()[kind].check_address(kind, address)
    with transaction.atomic():
        known = Stakeholder.objects.filter(
            kind=kind, address=checked, team=team, service=service, audience=audience, removed_at=None
        ).first()
        if known is not None:
            return known
        made = Stakeholder.objects.create(
            kind=kind,
            address=checked,
            name=clean(name, 200, is_one_line=True),
            secret=secret,
            audience=audience,
            team=team,
            service=service,
            severity_at_most=severity_at_most,
            created_by=str(by)[:200],
            created_at=clock.now(),
        )
        audit.record(by, "add stakeholder", "stakeholder", made.name or str(made.pk), {"kind": kind})
    return made


def remove_stakeholder(stakeholder: Stakeholder, by: Actor) -> None:
    with transaction.atomic():
        if Stakeholder.objects.filter(pk=stakeholder.pk, removed_at=None).update(removed_at=clock.now()):
            audit.record(by, "remove stakeholder", "stakeholder", stakeholder.name or str(stakeholder.pk))
