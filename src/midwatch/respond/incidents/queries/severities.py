"""What the severities mean: ours, until an organisation writes its own.

The rhythms are those that are published: a first public notice within 5 minutes and then every 20 (PagerDuty's incident
response documentation), every hour for what is less grave (GitLab's handbook).
"""

from __future__ import annotations

from collections.abc import Mapping

from midwatch.respond.incidents.models import Incident, Severity, SeverityRule

DEFAULTS: Mapping[str, SeverityRule] = {
    rule.severity: rule
    for rule in (
        SeverityRule(
            severity=Severity.SEV1,
            meaning="Most clients cannot work, or data is being lost. Everybody who can help is asked now.",
            internal_every_minutes=30,
            first_external_minutes=5,
            external_every_minutes=20,
            is_postmortem_demanded=True,
            is_approval_demanded=True,
        ),
        SeverityRule(
            severity=Severity.SEV2,
            meaning="Something important fails for many clients, or there is no way round it.",
            internal_every_minutes=60,
            first_external_minutes=15,
            external_every_minutes=60,
            is_postmortem_demanded=True,
            is_approval_demanded=True,
        ),
        SeverityRule(
            severity=Severity.SEV3,
            meaning="A part fails or is slow, and clients can work around it.",
            internal_every_minutes=240,
        ),
        SeverityRule(severity=Severity.SEV4, meaning="Clients do not notice; somebody should still look after it."),
    )
}


def severity_rule(severity: str) -> SeverityRule:
    return SeverityRule.objects.filter(severity=severity).first() or DEFAULTS[severity]


def severity_rules() -> list[SeverityRule]:
    """All of them, the gravest first."""
    own = {rule.severity: rule for rule in SeverityRule.objects.all()}
    return [own.get(severity, rule) for severity, rule in DEFAULTS.items()]


def demands_postmortem(incident: Incident) -> bool:
    """Whether its severity does (R10). Drills, archives and duplicates have none by rule."""
    is_real = not (incident.is_drill or incident.is_backfilled or incident.merged_into_id)
    return is_real and severity_rule(incident.severity).is_postmortem_demanded
